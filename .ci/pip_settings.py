"""Print pip's settings as shell assignments for uv, which reads none of pip's files.

An index that a machine was given for pip is then the index for uv too. Where one setting stands in several places, pip's
own order holds: the machine's file, the user's, PIP_CONFIG_FILE, then the environment. A variable of uv that is already set
stays as it is.
"""

from __future__ import annotations

import os
import shlex
from configparser import RawConfigParser
from pathlib import Path

NAMES = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}


def settings() -> dict[str, str]:
    """What pip would use, by pip's names."""
    home = Path.home()
    user = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    named = Path(os.environ.get("PIP_CONFIG_FILE", os.devnull))
    parser = RawConfigParser()
    parser.read([Path("/etc/pip.conf"), home / ".pip/pip.conf", user / "pip/pip.conf", named])
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update(parser[section])
    variables = {name: os.environ.get("PIP_" + name.upper().replace("-", "_")) for name in NAMES}
    return found | {name: value for name, value in variables.items() if value}


def main() -> None:
    """One line for each setting that uv knows."""
    for name, value in settings().items():
        variable = NAMES.get(name, "")
        separator = "," if variable == "UV_FIND_LINKS" else " "
        if variable and variable not in os.environ:
            print(f"export {variable}={shlex.quote(separator.join(value.split()))}")


if __name__ == "__main__":
    main()

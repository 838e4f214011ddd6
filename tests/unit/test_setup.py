"""Setting up from a clone: what a machine lacks is named, pip's index reaches uv, the lock is complete and names no host."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what the set-up needs, on a machine that has neither Python nor uv."""
    shutil.copytree(HOUSE / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    for tool in ("dirname", "rm"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def add_python(clone: Path, name: str, answer: str) -> None:
    """A Python of that name, that answers every line of code with the shell code given."""
    path = clone / "bin" / name
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)


def set_up(clone: Path, step: str = "base") -> subprocess.CompletedProcess[str]:
    """Run the set-up with nothing on the path but what the clone's machine has."""
    environment = {"PATH": str(clone / "bin"), "HOME": str(clone)}
    return subprocess.run(["/bin/sh", ".ci/env.sh", step], cwd=clone, env=environment, capture_output=True, text=True, check=False)


def test_a_machine_without_python_is_told_what_to_install(clone: Path) -> None:
    """No Python, or only an old one: one line says which version and which packages."""
    add_python(clone, "python3", "exit 1")
    run = set_up(clone)
    remedy = "Python 3.11 or newer is needed and was not found. Install it: apt install python3 python3-venv"

    assert (1, remedy) == (run.returncode, run.stderr.splitlines()[-1])


def test_a_python_without_venv_is_told_what_to_install(clone: Path) -> None:
    """Debian ships venv apart: one line names the package, and nothing is left behind."""
    add_python(clone, "python3", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    run = set_up(clone)
    remedy = "python3 cannot make a virtual environment: its venv module is missing. Install it: apt install python3-venv"

    assert (1, remedy) == (run.returncode, run.stderr.splitlines()[-1])
    assert not (clone / ".venv").exists()


def test_another_python_that_has_venv_is_taken(clone: Path) -> None:
    """Where python3 lacks venv and python3.12 has it, python3.12 makes the environment."""
    add_python(clone, "python3", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    add_python(clone, "python3.12", '[ "$1" = -c ] || { echo "made by python3.12: $*"; exit 7; }')
    run = set_up(clone)

    assert (7, "made by python3.12: -m venv .venv\n") == (run.returncode, run.stdout)


def test_locking_without_uv_is_told_what_to_install(clone: Path) -> None:
    """The lock is written by uv alone."""
    run = set_up(clone, "lock")

    assert (1, "make lock needs uv. Install it: pip install uv\n") == (run.returncode, run.stderr)


def test_uv_is_given_the_index_of_pip(tmp_path: Path) -> None:
    """The files of pip and its environment say where packages are, the environment last; what uv was told stays."""
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = file:///first\nextra-index-url = file:///second\n    file:///third\n"
        "[install]\nfind-links = /a\n  /b c\ncert = /ca.pem\n"
    )
    environment = {"PIP_CONFIG_FILE": str(config), "HOME": str(tmp_path), "PIP_INDEX_URL": "file:///mine", "SSL_CERT_FILE": "/own.pem"}
    script = [sys.executable, str(HOUSE / ".ci" / "pip_settings.py")]
    run = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)

    assert [
        "export UV_DEFAULT_INDEX=file:///mine",
        "export UV_FIND_LINKS=/a,/b,c",
        "export UV_INDEX='file:///second file:///third'",
    ] == sorted(run.stdout.splitlines())


def test_the_lock_holds_every_dependency_by_hash_and_names_no_host() -> None:
    """A rig can be installed from the lock alone, from whatever index it has."""
    lock = (HOUSE / "requirements.lock").read_text()
    metadata = tomllib.loads((HOUSE / "pyproject.toml").read_text())
    needed = {re.split(r"[<>=]", line)[0] for line in metadata["project"]["dependencies"]}
    releases = re.findall(r"^([a-z0-9-]+)==\S+.*((?:\n +--hash=sha256:[0-9a-f]{64}.*)+)", lock, re.MULTILINE)
    pinned = re.findall(r"^[a-z0-9-]+==", lock, re.MULTILINE)

    assert "://" not in lock
    assert needed <= {name for name, _ in releases}
    assert len(pinned) == len(releases)

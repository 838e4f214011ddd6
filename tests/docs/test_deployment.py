"""The unit and the image are what they promise, by the judgement of those who will run them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer.main

from autopilot import cli
from autopilot.settings import DaemonSettings
from autopilot.units import span_of
from shared.needs import unable

HOUSE = Path(__file__).parents[2]
UNIT = (HOUSE / "examples/systemd/autopilot.service").read_text(encoding="utf-8")
DOCKERFILE = (HOUSE / "Dockerfile").read_text(encoding="utf-8")
EXPOSED_AT_MOST = "20"
"""Of 100, where 100 is a service that may do everything: 2.0 on systemd's own scale."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that is there."""
    path = tmp_path / "autopilot.service"
    path.write_text(UNIT.replace("/opt/autopilot/bin/autopilot", "/bin/true"), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "question",
    [["verify", "--man=no", "--generators=no"], ["security", "--no-pager", "--offline=true", f"--threshold={EXPOSED_AT_MOST}"]],
    ids=lambda words: words[0],
)
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path, question: list[str]) -> None:
    """It understands every line, and calls the service well protected."""
    if shutil.which("systemd-analyze") is None:
        unable("systemd-analyze is not on this host; apt install systemd")
    judged = subprocess.run(["systemd-analyze", *question, unit], capture_output=True, text=True, check=False)  # noqa: S607

    assert (0, "") == (judged.returncode, judged.stderr), judged.stdout


def test_the_unit_and_the_image_start_the_daemon() -> None:
    """With options that it has; the one tells systemd when it is ready, and is fed far more often than its watchdog bites."""
    (line,) = re.findall(r"^ExecStart=\S+ (.*)$", UNIT, flags=re.MULTILINE)
    image = " ".join(re.findall(r'"([^"]+)"', DOCKERFILE.rpartition("CMD")[2]))
    name, *options = shlex.split(line)
    known = {option for parameter in typer.main.get_command(cli.app).commands[name].params for option in parameter.opts}
    (bites,) = re.findall(r"^WatchdogSec=(\d+)min$", UNIT, flags=re.MULTILINE)

    assert line == image
    assert {option for option in options if option.startswith("--")} <= known
    assert "Type=notify" in UNIT
    assert 10 * DaemonSettings().tick < span_of(f"{bites}m")


def test_the_image_has_only_what_it_needs() -> None:
    """Every folder that the wheel is made of, every extra by its name, and a user who is not root."""
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
    (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", DOCKERFILE, flags=re.MULTILINE)
    ignored = (HOUSE / ".dockerignore").read_text(encoding="utf-8").splitlines()
    taken = {line.removeprefix("!") for line in ignored if line.startswith("!")}

    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])
    assert {Path(path).parts[0] for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]} <= taken
    assert "USER autopilot" in DOCKERFILE

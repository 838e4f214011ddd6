"""The README says only what is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer.main

from autopilot import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line.partition("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


def known_commands() -> dict[str, set[str]]:
    """Every command of the command line, with its own commands where it has some."""
    group = typer.main.get_command(cli.app)
    return {name: set(getattr(command, "commands", {})) for name, command in group.commands.items()}


def test_the_readme_shows_commands() -> None:
    """The other tests here have something to look at."""
    assert len([line for line in COMMANDS if line.startswith("autopilot ")]) > 8


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("autopilot ")])
def test_every_command_exists(line: str) -> None:
    """What the README tells people to type is a command, and its options are options of it."""
    _, name, *rest = shlex.split(line)
    commands = known_commands()

    assert name in commands
    if commands[name] and rest and not rest[0].startswith("-"):
        assert rest[0] in commands[name]


def test_every_command_is_mentioned() -> None:
    """No command is a secret."""
    missing = [name for name in known_commands() if f"autopilot {name}" not in README and f"`{name}`" not in README]

    assert [] == missing


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("make ")])
def test_every_target_exists(line: str) -> None:
    """What the README tells people to make can be made."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert line.split()[1] in targets


def test_there_are_two_set_up_commands() -> None:
    """One runs the main job, one passes the tests."""
    assert ["make demo", "make test"] == [line for line in COMMANDS if line.startswith("make ")]


def test_every_dependency_is_explained() -> None:
    """The table names what the distribution requires, and nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.split(r"[<>=]", dependency)[0] for dependency in project["dependencies"]}
    table = README.partition("| dependency | for |")[2].partition("\n\n")[0]
    explained = {name for row in table.splitlines()[2:] for name in re.split(r", | 3", row.split("|")[1].strip()) if name}

    assert required == explained


def test_exit_codes_are_those_of_the_command_line() -> None:
    """One list of exit codes, in two places."""
    sentence = re.search(r"Exit codes: .*? 130 interrupted\.", README, flags=re.DOTALL)
    assert sentence
    assert cli.__doc__

    assert " ".join(cli.__doc__.split()).endswith(" ".join(sentence[0].split()).replace(", nothing was done", ": nothing was done"))


def test_the_backtest_runs() -> None:
    """The README's backtest runs as written, and its table names the oracle and every rival."""
    line = next(line for line in COMMANDS if line.startswith("autopilot backtest"))
    command = [sys.executable, "-m", *shlex.split(line), "--end", "2026-01-08T00:00:00Z"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={"COLUMNS": "140", "PATH": "/usr/bin:/bin"})

    assert "" == done.stderr
    assert 0 == done.returncode
    for name in ("perfect foresight", "forecast", "payback", "stay", "greedy", "threshold", "rainbow-ticks"):
        assert name in done.stdout

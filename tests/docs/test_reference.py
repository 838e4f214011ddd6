"""docs/cli.md is what the code says of its commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from autopilot import cli

HOUSE = Path(__file__).parents[2]


@pytest.mark.parametrize("columns", ["40", "200"])
def test_the_reference_is_what_the_code_says(tmp_path: Path, columns: str) -> None:
    """However wide the terminal is, and from whichever folder it is written."""
    written = tmp_path / "cli.md"
    command = [sys.executable, HOUSE / ".ci/reference.py", written]
    subprocess.run(command, cwd=tmp_path, env={"COLUMNS": columns, "PATH": "/usr/bin:/bin"}, check=True)

    assert written.read_text(encoding="utf-8") == (HOUSE / "docs/cli.md").read_text(encoding="utf-8"), (
        "docs/cli.md is not what the code says: run `make reference`"
    )


def parameters(path: str, command: Any) -> Iterator[tuple[str, str | None]]:
    """Everything that has words of its own: commands, arguments and options."""
    for name, below in getattr(command, "commands", {}).items():
        yield f"{path} {name}", below.help
        yield from parameters(f"{path} {name}", below)
    yield from ((f"{path} {each.name}", each.help) for each in command.params)


def test_everything_has_a_sentence() -> None:
    """No command and no option is without words, and each begins like a sentence and ends like one."""
    every = dict(parameters("autopilot", typer.main.get_command(cli.app)))

    assert len(every) > 100
    assert [] == [name for name, words in every.items() if not words or not words[0].isupper() or not words.rstrip().endswith(".")]

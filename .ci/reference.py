"""Write docs/cli.md, the reference of the command line, from the code: `make reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import fill
from typing import Any, get_type_hints

import typer.main

from autopilot import cli

HEAD = """# The command line

Every command with its arguments and options. `make reference` writes this page from the code. A time is ISO 8601 with its zone, e.g.
`2026-01-31T12:00:00Z`; a length has its unit, e.g. `30m`, `2h`, `7d`. `autopilot COMMAND --help` says the same as this page.

"""
VALUES = {"Path": "PATH", "int": "N", "float": "X", "str": "TEXT"}
"""What stands for a value, by the name of its type."""


def reference() -> Iterator[str]:
    """The page, in pieces."""
    commands = list(_commands("autopilot", typer.main.get_command(cli.app)))
    codes = (cli.__doc__ or "").partition("\n\n")[2]
    yield f"{HEAD}{fill(' '.join(codes.split()), 138)}\n\n| command | |\n|---|---|\n"
    for path, command in commands:
        yield f"| [`{path}`](#{path.replace(' ', '-')}) | {_sentences(command)[0]} |\n"
    for path, command in commands:
        yield from _section(path, command)


def _commands(path: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command below a group, each after the group that it is of."""
    for name, command in group.commands.items():
        below = hasattr(command, "commands")
        if not below or command.invoke_without_command:
            yield f"{path} {name}", command
        if below:
            yield from _commands(f"{path} {name}", command)


def _sentences(command: Any) -> list[str]:
    """What a command says of itself: its first sentence, and the whole."""
    whole = " ".join((command.help or "").split())
    return [whole.partition(". ")[0].removesuffix(".") + ".", whole]


def _section(path: str, command: Any) -> Iterator[str]:
    hints = get_type_hints(command.callback)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and "--help" not in each.opts]
    words = [path, *(["[OPTIONS]"] if options else []), *map(_usage, arguments)]
    yield f"\n## {path}\n\n{_sentences(command)[1]}\n\n```text\n{' '.join(words)}\n```\n"
    if arguments or options:
        yield "\n| | default | |\n|---|---|---|\n"
    for each in (*arguments, *options):
        yield f"| `{_written(each, hints)}` | {_default(each)} | {each.help}{_range(each)} |\n"


def _usage(argument: Any) -> str:
    value = _name(argument) + ("..." if argument.nargs == -1 else "")
    return value if argument.required else f"[{value}]"


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _written(parameter: Any, hints: Mapping[str, Any]) -> str:
    """As one types it."""
    if parameter.param_type_name == "argument":
        return _name(parameter)
    names, kind = ", ".join(parameter.opts), str(hints[parameter.name])
    if parameter.is_flag:
        return names
    return f"{names} {parameter.metavar or next(word for name, word in VALUES.items() if name in kind)}"


def _default(parameter: Any) -> str:
    """Nothing where there is none, or where the sentence says what goes without it."""
    if parameter.required:
        return "required"
    default = parameter.default
    return "" if default is None or default is False or default == "" else f"`{default}`"


def _range(parameter: Any) -> str:
    low, high = parameter.min, parameter.max
    if low is None:
        return ""
    return f" {low} or more." if high is None else f" {low} to {high}."


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("".join(reference()), encoding="utf-8")

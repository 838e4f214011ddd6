"""Commands that look and change nothing: ``plugins`` and ``replay``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from autopilot.cli.options import JsonFlag


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(plugins)
    app.command()(replay)


def plugins(as_json: JsonFlag = False) -> None:
    """List every adapter and strategy: where it comes from, and why it does not load if it does not."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from autopilot.contracts import CONTRACT_VERSION
    from autopilot.plugins import listing

    found = listing()
    if as_json:
        typer.echo(json.dumps([{**asdict(plugin), "contract": CONTRACT_VERSION} for plugin in found], indent=2))
        return
    table = Table(title=f"Adapters and strategies, contract {CONTRACT_VERSION}")
    for name in ("kind", "name", "from", "loads"):
        table.add_column(name, overflow="fold")
    for plugin in found:
        cells = (plugin.kind, plugin.name, f"{plugin.distribution} {plugin.version}", plugin.problem or "yes")
        table.add_row(*(escape(cell) for cell in cells))
    Console().print(table)


def replay(
    state: Annotated[Path, typer.Argument(help="The state file whose decisions are made again.")],
    as_json: JsonFlag = False,
) -> None:
    """Decide again from the record, and print every decision that comes out otherwise. Exit code 1 if there is one."""
    from autopilot.backtest.replay import replay as decide_again
    from autopilot.store.store import Store

    count, differences = 0, []
    for each in decide_again(Store.read_only(state)):
        count += 1
        if not each.same:
            differences.append({"at": each.at.isoformat(), "recorded": each.recorded, "now": each.now})
    if as_json:
        typer.echo(json.dumps({"decisions": count, "differences": differences}, indent=2))
    else:
        for difference in differences:
            typer.echo(f"{difference['at']}\n  recorded: {json.dumps(difference['recorded'])}\n  now:      {json.dumps(difference['now'])}")
        typer.echo(f"{count} decisions, {len(differences)} come out otherwise")
    if differences:
        raise typer.Exit(1)

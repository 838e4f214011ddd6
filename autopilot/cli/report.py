"""``autopilot report``: the rig's last days as a page that needs nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from autopilot.cli import options
from autopilot.cli.options import ConfigOption, StateOption
from autopilot.cli.state import looked_at

_DAYS = timedelta(days=30)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    out: Annotated[Path, typer.Argument(metavar="FILE.html", help="The page to write.")],
    *,
    since: Annotated[str | None, typer.Option(help="From this time on: ISO 8601 with its zone. Default: the last 30 days.")] = None,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a page of what the rig earned, where its GPUs were, and why they moved. It reads the state file and changes nothing."""
    from autopilot.report.lived import page
    from autopilot.report.page import ready, write

    ready(out)
    start = since and options.at("--since", since)
    with looked_at(state, config) as (store, now):
        made = page(store, now, start if isinstance(start, datetime) else now - _DAYS)
    write(made, out)
    typer.echo(f"{out}: written", err=True)

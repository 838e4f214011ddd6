"""``autopilot rates``: recorded rates come in, are listed and go out; generated ones are written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli import options
from autopilot.errors import ConfigError
from autopilot.units import hour_start

if TYPE_CHECKING:
    from autopilot.store.imports import Recorded, Report
    from autopilot.store.store import Store

app = typer.Typer(help="What every network would pay now; import, list, export, record and generate rates.", rich_markup_mode=None)

_OUT = "What to write: .csv, .csv.gz or .parquet, by its name."


@app.callback(invoke_without_command=True)
def live(
    context: typer.Context,
    *,
    gpu: Annotated[str | None, typer.Option(help="Ask for this GPU model instead of the rig's own GPUs.")] = None,
    explain: Annotated[str | None, typer.Option(help="Print how the rate of this network comes about, step by step.")] = None,
    config: options.ConfigOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Ask every network what it would pay for this rig now. Nothing is stored, and nothing is decided."""
    if context.invoked_subcommand is None:
        from autopilot.cli.live_rates import show

        show(config, gpu, explain, as_json=as_json)


@app.command("record")
def record(
    config: options.ConfigOption = None,
    state: options.StateOption = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Ask once, and end.")] = False,
) -> None:
    """Ask every network once a poll and keep the answers, without deciding anything, until SIGINT or SIGTERM."""
    from autopilot.cli.recording import record_rates

    record_rates(config, state, once=once)


@app.command("fetch")
def fetch(
    network: Annotated[str, typer.Argument(help="A network of the configuration.")],
    *,
    since: Annotated[str, typer.Option(help="First hour: ISO 8601 with its zone.")],
    gpu: Annotated[str | None, typer.Option(help="For this GPU model instead of the rig's own GPUs.")] = None,
    config: options.ConfigOption = None,
    state: options.StateOption = None,
) -> None:
    """Take the past rates that a network publishes into the state file."""
    from autopilot.cli.recording import fetch_rates

    fetch_rates(network, options.at("--since", since), gpu, config, state)


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="CSV, CSV.gz or Parquet: timestamp,network,gpu,usd_per_hour.")],
    *,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out instead of refusing the file.")] = False,
    state: options.StateOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Take recorded rates into the state file: each file whole or not at all, and twice is the same as once.

    With --json, one object on a line for each file.
    """
    from autopilot.cli.progress import reading
    from autopilot.store.imports import import_rates
    from autopilot.store.store import Store

    with closing(Store.open(_state(state))) as store:
        for file in files:
            with reading(file) as progress:
                report = import_rates(store, file, skip_bad=skip_bad, progress=progress)
            for row in report.first_bad:
                typer.echo(f"{file}: line {row.line}: {row.why}; left out", err=True)
            typer.echo(_imported(file, report, as_json=as_json))


def _imported(file: Path, report: Report, *, as_json: bool) -> str:
    if as_json:
        lines = [row._asdict() for row in report.first_bad]
        return json.dumps({"file": str(file), **asdict(report), "first_bad": lines})
    counts = f"{report.new:,} new, {report.changed:,} changed, {report.same:,} there already"
    return f"{file}: {report.rows:,} rows: {counts}; {report.missing:,} without a rate; {report.bad:,} bad ones left out"


@app.command("list")
def list_imported(state: options.StateOption = None, *, as_json: options.JsonFlag = False) -> None:
    """List what was imported, by network and GPU model."""
    from autopilot.store.imports import list_rates

    with _reading(state) as store:
        recorded = list_rates(store)
    if as_json:
        typer.echo(json.dumps([_as_json(each) for each in recorded], indent=2))
    elif recorded:
        _print_table(recorded)
    else:
        typer.echo("nothing was imported yet; `autopilot rates import FILE` does that", err=True)


def _as_json(recorded: Recorded) -> dict[str, str | int | float | None]:
    from autopilot.store.raterow import zulu

    return {
        "network": recorded.network,
        "gpu": recorded.gpu,
        "first": zulu(recorded.first),
        "last": zulu(recorded.last),
        "rows": recorded.rows,
        "missing": recorded.missing,
        "mean_usd_per_hour": None if recorded.mean is None else float(recorded.mean),
    }


def _print_table(recorded: Sequence[Recorded]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from autopilot.store.raterow import shown

    table = Table("network", "gpu", title="Imported rates")
    for column in table.columns:
        column.overflow = "fold"
    for name in ("first day", "last day", "rows", "missing", "mean $/h"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in recorded:
        names = (escape(name if name.isprintable() else shown(name)) for name in (each.network, each.gpu))
        mean = "-" if each.mean is None else f"{float(each.mean):.4f}"
        table.add_row(*names, f"{each.first:%Y-%m-%d}", f"{each.last:%Y-%m-%d}", f"{each.rows:,}", f"{each.missing:,}", mean)
    Console().print(table)


@app.command("export")
def export_file(
    out: Annotated[Path, typer.Argument(help=_OUT)],
    *,
    gpu: Annotated[str | None, typer.Option(help="Only this GPU model.")] = None,
    network: Annotated[str | None, typer.Option(help="Only this network.")] = None,
    start: Annotated[str | None, typer.Option(help="First hour: ISO 8601 with its zone.")] = None,
    end: Annotated[str | None, typer.Option(help="End of the hours, exclusive: ISO 8601 with its zone.")] = None,
    state: options.StateOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Write imported rates to a file that can be imported again."""
    from autopilot.store.exports import Selection, export_rates

    span = (options.at("--start", start) if start else None, options.at("--end", end) if end else None)
    with _reading(state) as store:
        rows = export_rates(store, out, Selection(network, gpu, *span))
    _written(out, rows, as_json=as_json)


@app.command("generate")
def generate_file(
    out: Annotated[Path, typer.Argument(help=_OUT)],
    *,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rates.")] = 7,
    start: Annotated[str, typer.Option(help="First hour: ISO 8601 with its zone.")] = "2026-01-01T00:00:00Z",
    days: Annotated[int, typer.Option(help="How many days.")] = 120,
    gpu: Annotated[list[str] | None, typer.Option(help="A GPU model; repeat it for more. Default: RTX 4090.")] = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Write the rates of a market that is made up, with rhythms, shocks, gaps and outages like real ones."""
    from autopilot.sim.generator import generate
    from autopilot.store.exports import write_rates

    first = _first_hour(start, days)
    models = dict.fromkeys(gpu or ["RTX 4090"])
    _written(out, write_rates(out, generate(seed, first, days * 24, models)), as_json=as_json)


def _first_hour(start: str, days: int) -> datetime:
    options.at_least("--days", days, 1)
    first = options.at("--start", start)
    if first != hour_start(first):
        raise ConfigError(f"--start: {start} is not a full hour")
    try:
        first + timedelta(days=days)
    except OverflowError:
        raise ConfigError(f"--days: {days} days after {start} there is no calendar") from None
    return first


def _written(out: Path, rows: int, *, as_json: bool) -> None:
    typer.echo(json.dumps({"file": str(out), "rows": rows}) if as_json else f"{out}: {rows:,} rows")


def _state(state: Path | None) -> Path:
    from autopilot.settings import load

    return state or load(None).state


@contextmanager
def _reading(state: Path | None) -> Iterator[Store]:
    from autopilot.store.store import Store

    with closing(Store.read_only(_state(state))) as store:
        yield store

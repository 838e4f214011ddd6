"""``autopilot history``: every switch, how long each of its states took, why it was made, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autopilot.cli import options
from autopilot.cli.options import ConfigOption, JsonFlag, StateOption
from autopilot.cli.state import looked_at
from autopilot.cli.tables import CsvFlag, Row
from autopilot.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

    from autopilot.dashboard.trips import Trip
    from autopilot.model.device import DeviceId

_WIDE = 130
"""Columns of a terminal that have room for the states one by one."""
_FIGURES = ("draining", "stopping", "starting", "reverting", "took", "dark", "fee $", "plan $")
_STYLES = {"settled": "green", "reverted": "magenta", "cleared": "magenta", "stranded": "bold red"}
COLUMNS = (
    "opened_at",
    "ended_at",
    "gpu",
    "device",
    "source",
    "target",
    "state",
    "preparing_seconds",
    "draining_seconds",
    "stopping_seconds",
    "starting_seconds",
    "reverting_seconds",
    "clearing_seconds",
    "dark_seconds",
    "fee_usd",
    "planned_cost_usd",
    "planned_gain_usd",
    "planned_moves",
    "why",
    "end",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(history)


def history(
    gpu: Annotated[str | None, typer.Argument(metavar="GPU", help="A GPU, by its label or UUID. Default: all.")] = None,
    *,
    since: Annotated[str | None, typer.Option(help="Only switches that began at this time or later: ISO 8601 with its zone.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many at most, the newest.")] = 20,
    state: StateOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """List the switches: from where to where, how long each state took, why, and what it cost."""
    from autopilot.cli.tables import print_csv, print_json
    from autopilot.dashboard.trips import trips

    start = since and options.at("--since", since)
    with looked_at(state, config) as (store, now):
        labels, every = store.journal.labels(), trips(store, now)
    names = {**{each.switch.device: each.switch.device for each in every}, **labels}
    if gpu is not None and gpu not in (*names, *names.values()):
        raise ConfigError(f"no GPU is called {gpu!r}; {did_you_mean(gpu, sorted(names.values()))}")
    chosen = [each for each in every if gpu in (None, each.switch.device, names[each.switch.device])]
    chosen = [each for each in chosen if not isinstance(start, datetime) or each.switch.opened_at >= start]
    shown = chosen[-last:]
    if as_json:
        print_json([_row(each, names) for each in shown])
    elif as_csv:
        print_csv(COLUMNS, [_row(each, names) for each in shown])
    else:
        _show(shown, names, len(chosen))


def _row(trip: Trip, labels: Mapping[DeviceId, str]) -> Row:
    from autopilot.model.switch import State

    switch, sums = trip.switch, trip.sums
    spent = {f"{state}_seconds": trip.spent(state).total_seconds() for state in State if not state.over}
    figures: dict[str, Any] = {
        "opened_at": switch.opened_at.isoformat(),
        "ended_at": switch.since.isoformat() if switch.state.over else None,
        "gpu": labels[switch.device],
        "device": switch.device,
        "source": str(switch.source),
        "target": str(switch.target),
        "state": switch.state.value,
        **spent,
        "dark_seconds": trip.dark.total_seconds(),
        "fee_usd": None if trip.fee is None else float(trip.fee),
        "planned_cost_usd": sums and float(sums.cost),
        "planned_gain_usd": sums and float(sums.gain),
        "planned_moves": sums and sums.moves,
        "why": trip.why,
        "end": trip.end,
    }
    return {name: figures[name] for name in COLUMNS}


def _show(shown: Sequence[Trip], labels: Mapping[DeviceId, str], all_of_them: int) -> None:
    """A line for each switch, and below the table why the newest were made."""
    from rich.console import Console
    from rich.text import Text

    from autopilot.cli.tables import table
    from autopilot.dashboard.marks import QUIET
    from autopilot.dashboard.words import plain

    if not shown:
        typer.echo("no switch was made")
        return
    console = Console(highlight=False)
    wide = console.width >= _WIDE
    names = ("opened", "GPU", "from", "to", "end", *(_FIGURES if wide else ("took", "dark", "fee $", "plan $")))
    drawn = table("", *names, figures=("opened", *_FIGURES))
    for each in shown:
        drawn.add_row(*_cells(each, labels[each.switch.device], wide=wide))
    console.print(drawn)
    for each in shown:
        label = labels[each.switch.device]
        head = ((f"{each.switch.opened_at:%m-%d %H:%M} ", QUIET), (plain(label), "bold"))
        words = each.why if each.switch.state.value == "settled" else f"{each.end}; {each.why}"
        console.print(Text.assemble(*head, f" {plain(words.replace(f'{label}: ', ''))}"), no_wrap=True, overflow="ellipsis")
    if all_of_them > len(shown):
        console.print(Text(f"the newest {len(shown)} of {all_of_them:,}; --last shows more", QUIET))


def _cells(trip: Trip, label: str, *, wide: bool) -> Iterator[Text]:
    from rich.text import Text

    from autopilot.dashboard.words import money, plain, span
    from autopilot.model.switch import State

    switch, sums = trip.switch, trip.sums
    yield Text(f"{switch.opened_at:%m-%d %H:%M}")
    yield from (Text(plain(name)) for name in (label, str(switch.source), str(switch.target)))
    yield Text(switch.state.value, _STYLES.get(switch.state.value, ""))
    for state in (State.DRAINING, State.STOPPING, State.STARTING, State.REVERTING) if wide else ():
        yield Text(span(trip.spent(state)))
    yield Text(span(sum((time for _, time in trip.states), switch.since - switch.since)))
    yield Text(span(trip.dark))
    yield Text("–" if trip.fee is None else money(trip.fee, 3))
    yield Text("?" if sums is None else f"{money(sums.cost, 3)}{f' for {sums.moves}' if wide and sums.moves > 1 else ''}")

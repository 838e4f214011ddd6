"""``autopilot watch``: the rig before your eyes. Another process than the daemon, which reads and can command nothing."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli.options import ConfigOption, StateOption
from autopilot.cli.state import now_of, state_of
from autopilot.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from autopilot.dashboard.app import Why
    from autopilot.dashboard.snapshot import DeviceNow, Snapshot
    from autopilot.store.store import Store


_BACK = 200
"""How many decisions are looked through for one about a device that could be moved."""
_PATIENCE = 500
"""Milliseconds that a file which somebody holds is waited for: meanwhile no key is read."""
_AIR = 22
"""Lines for all that is not a device or a venue."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(watch)


def watch(
    state: StateOption = None,
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end: for scripts and pipes.")] = False,
) -> None:
    """Show where every GPU is and why, what every venue pays, and what the last days came to. Press ? there for its keys."""
    from rich.console import Console

    from autopilot.dashboard.app import Stand, frame
    from autopilot.dashboard.app import watch as show
    from autopilot.dashboard.keys import keys
    from autopilot.dashboard.reading import Reader, read_heartbeat
    from autopilot.store.store import Store

    path, console = state or state_of(config), Console(highlight=False)
    with closing(Store.read_only(path)) as store:
        reader, why = Reader(store, days=True), why_of(store)
        if once:
            snapshot = reader.read(now_of(path, read_heartbeat(store)))
            _print(console, snapshot, frame(snapshot, Stand(chosen=None), why))
            return
        if not (sys.stdout.isatty() and sys.stdin.isatty()):
            raise ConfigError("watch needs a terminal; `autopilot watch --once` prints one frame")
        store.connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
        with keys() as pressed:
            show(reader, lambda: now_of(path, read_heartbeat(store)), pressed, why, console)


def _print(console: Console, snapshot: Snapshot, picture: RenderableType) -> None:
    """A frame as high as the terminal; into a pipe, as high as nothing is left out of it."""
    if not console.is_terminal:
        console.height = _AIR + 3 * len(snapshot.devices) + len(snapshot.market)
    console.print(picture, end="")


def why_of(store: Store) -> Why:
    """The page about one device: the last decision in which it could be moved."""
    from itertools import islice

    from rich.console import Group
    from rich.text import Text

    from autopilot.cli.reasons import Told, page
    from autopilot.dashboard.marks import QUIET
    from autopilot.dashboard.reasons import reasons, recalled
    from autopilot.dashboard.rig import gauge
    from autopilot.dashboard.trips import starts

    def why(snapshot: Snapshot, device: DeviceNow) -> RenderableType:
        ident = device.device.id
        rulings = islice(store.journal.newest_rulings(snapshot.at), _BACK)
        ruling = next((each for each in rulings if ident not in each.context["fixed"]), None)
        if ruling is None:
            return Text(f"{device.device.label}: nothing was decided about it lately: {device.sentence}")
        found = next(each for each in reasons(ruling, recalled(store.rates, ruling)) if each.device.id == ident)
        told = Told(found, starts(store, ruling.at, [ident]), store.tips.of(ruling.at).get(ident))
        draw, heat = gauge(device)
        shown = [Text(f"It draws {draw} now, at {heat}.")] if device.gauge else []
        return Group(*page(told), *shown, Text("\nEsc back · ↑↓ GPU · q ends", QUIET))

    return why

"""``autopilot status``: where every GPU is, what is under way, and whether the daemon lives."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from autopilot.cli.options import ConfigOption, JsonFlag, StateOption
from autopilot.cli.state import now_of, state_of
from autopilot.cli.tables import CsvFlag, Row, print_csv
from autopilot.dashboard.pulse import ago, pulse, runs, troubles
from autopilot.dashboard.words import money, plain, span

if TYPE_CHECKING:
    from autopilot.dashboard.snapshot import DeviceNow, Snapshot
    from autopilot.store.wishes import Wish

_COLUMNS = ("GPU", "model", "venue", "since", "$/h", "net $", "switch")
_FIGURES = ("$/h", "net $")
_CSV = ("id", "label", "model", "venue", "since", "usd_per_hour", "net_usd", "target", "switch_state", "switch_opened_at", "fence")
_REMEMBERED = timedelta(days=1)
"""How long ago a wish may have ended to be listed with what came of it."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(state: StateOption = None, config: ConfigOption = None, as_json: JsonFlag = False, as_csv: CsvFlag = False) -> None:
    """Show where every GPU is, the open switches, and the daemon's heartbeat. It reads the state file and changes nothing."""
    from autopilot.dashboard.reading import read, read_heartbeat
    from autopilot.store.store import Store

    path = state or state_of(config)
    with closing(Store.read_only(path)) as store:
        beat = read_heartbeat(store)
        snapshot = read(store, now_of(path, beat))
        standing, ended = store.wishes.standing(snapshot.at), store.wishes.ended(snapshot.at - _REMEMBERED)
    if as_json:
        typer.echo(json.dumps({**_as_json(snapshot), "wishes": [_wish(wish) for wish in (*ended, *standing)]}, indent=2))
    elif as_csv:
        print_csv(_CSV, [_flat(each) for each in snapshot.devices])
    else:
        _show(snapshot)
        _show_wishes(snapshot, standing, ended)


def _as_json(snapshot: Snapshot) -> dict[str, Any]:
    beat = snapshot.heartbeat
    return {
        "state": snapshot.state,
        "at": snapshot.at.isoformat(),
        "daemon": beat
        and {
            "last_seen": beat.at.isoformat(),
            "seconds_ago": None if beat.by_hand else ago(snapshot, beat).total_seconds(),
            "running": runs(snapshot, beat),
            "started_at": beat.started_at.isoformat(),
            "process": beat.pid,
            "strategy": beat.strategy,
            "live": beat.live,
            "silent": dict(beat.silent),
            "quarantine": dict(beat.quarantine),
            "ignorance": beat.ignorance,
        },
        "devices": [_device(each) for each in snapshot.devices],
    }


def _device(each: DeviceNow) -> dict[str, Any]:
    switch = each.switch and each.switch.switch
    return {
        "id": each.device.id,
        "label": each.device.label,
        "model": each.device.model,
        "venue": str(each.venue),
        "since": each.since and each.since.isoformat(),
        "usd_per_hour": None if each.rate is None else float(each.rate),
        "net_usd": float(each.totals.net),
        "sentence": each.sentence,
        "fence": each.fence or None,
        "switch": switch
        and {
            "source": str(switch.source),
            "target": str(switch.target),
            "state": switch.state.value,
            "since": switch.since.isoformat(),
            "opened_at": switch.opened_at.isoformat(),
        },
    }


def _wish(wish: Wish) -> dict[str, Any]:
    return {
        "number": wish.number,
        "want": wish.want.value,
        "device": wish.device,
        "venue": wish.venue and str(wish.venue),
        "made_at": wish.made_at.isoformat(),
        "until": wish.until and wish.until.isoformat(),
        "ended_at": wish.ended_at and wish.ended_at.isoformat(),
        "outcome": wish.outcome or None,
    }


def _flat(each: DeviceNow) -> Row:
    """On one line; what is not known or not under way is empty."""
    told = _device(each)
    switch = told["switch"] or {}
    ends = {"target": switch.get("target"), "switch_state": switch.get("state"), "switch_opened_at": switch.get("opened_at")}
    return {name: value for name, value in {**told, **ends}.items() if name in _CSV}


def _show(snapshot: Snapshot) -> None:
    """Plain text: the library that draws tables takes longer to load than all the rest."""
    _say(*pulse(snapshot))
    for words in troubles(snapshot.heartbeat):
        _say(words, "yellow")
    rows = [_COLUMNS, *(_row(snapshot.at, each) for each in snapshot.devices)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows if snapshot.devices else ():
        cells = (
            cell.rjust(width) if name in _FIGURES else cell.ljust(width) for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        )
        _say("  ".join(cells).rstrip())
    for each in snapshot.devices:
        if each.fence:
            _say(f"{each.device.label} is fenced, and nothing is started on it: {plain(each.fence)}", "red")


def _say(words: str, colour: str | None = None) -> None:
    typer.secho(words, fg=colour, color=False if os.environ.get("NO_COLOR") else None)


def _row(now: datetime, each: DeviceNow) -> tuple[str, ...]:
    switch = each.switch.switch if each.switch else None
    return (
        each.device.label,
        plain(each.device.model),
        plain(str(each.venue)),
        span(now - each.since) if each.since else "",
        "?" if each.rate is None else money(each.rate, 3),
        money(each.totals.net),
        plain(f"to {switch.target}: {switch.state} for {span(now - switch.since)}") if switch else "",
    )


def _show_wishes(snapshot: Snapshot, standing: Sequence[Wish], ended: Sequence[Wish]) -> None:
    """What persons asked for: what stands, and what came of it during the last day."""
    labels: dict[str | None, str] = {each.device.id: each.device.label for each in snapshot.devices}
    lines = [(wish, "", "yellow") for wish in standing] + [(wish, f": {wish.outcome}", None) for wish in ended]
    if lines:
        _say("Asked by a person:")
    for wish, outcome, colour in lines:
        since = span(snapshot.at - (wish.ended_at or wish.made_at))
        _say(plain(f"  {wish.words(labels.get(wish.device, wish.device or ''))}{outcome}, {since} ago"), colour)

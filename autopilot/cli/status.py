"""``autopilot status``: where every GPU is, what is under way, and whether the daemon lives."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from autopilot.cli.options import ConfigOption, JsonFlag, StateOption
from autopilot.dashboard.words import money, plain, span
from autopilot.errors import ConfigError

if TYPE_CHECKING:
    from autopilot.dashboard.snapshot import DeviceNow, Heartbeat, Snapshot

_PATIENCE = 4
"""Ticks that may go by without a heartbeat."""
_LEAST_PATIENCE = timedelta(seconds=10)
_COLUMNS = ("GPU", "model", "venue", "since", "$/h", "net $", "switch")
_FIGURES = ("$/h", "net $")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(state: StateOption = None, config: ConfigOption = None, as_json: JsonFlag = False) -> None:
    """Show where every GPU is, the open switches, and the daemon's heartbeat. It reads the state file and changes nothing."""
    from autopilot.dashboard.snapshot import read, read_heartbeat
    from autopilot.store.store import Store

    path = state or _state_of(config)
    with closing(Store.read_only(path)) as store:
        beat = read_heartbeat(store)
        snapshot = read(store, _now(path, beat))
    if as_json:
        typer.echo(json.dumps(_as_json(snapshot), indent=2))
    else:
        _show(snapshot)


def _state_of(config: Path | None) -> Path:
    """What the configuration says, by the one key that matters here: to check all of it would take longer than to answer."""
    variable = os.environ.get("AUTOPILOT_STATE")
    where = config or Path("autopilot.toml")
    if variable or (config is None and not where.exists()):
        return Path(variable or "autopilot.db")
    try:
        return Path(tomllib.loads(where.read_text(encoding="utf-8")).get("state", "autopilot.db"))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{where}: cannot be read: {error}; name the state file with --state") from None


def _now(path: Path, beat: Heartbeat | None) -> datetime:
    """The instant by the daemon's own clock, which may run faster than ours or be moved by hand."""
    from autopilot.clock import SystemClock

    if beat is None or beat.by_hand:
        return beat.at if beat else SystemClock().now()
    origin = path.with_name(path.name + ".clock")
    if beat.speed == 1 or not origin.exists():
        return SystemClock().now()
    from autopilot.sim.clock import ScaledClock

    return ScaledClock(SystemClock(), datetime.fromisoformat(origin.read_text(encoding="utf-8")), beat.speed).now()


def _ago(snapshot: Snapshot, beat: Heartbeat) -> timedelta:
    """How long ago the daemon was seen, in our time."""
    return max(snapshot.at - beat.at, timedelta(0)) / beat.speed


def _runs(snapshot: Snapshot, beat: Heartbeat) -> bool | None:
    """None where it cannot be told."""
    if beat.by_hand:
        return None
    return _ago(snapshot, beat) <= max(_PATIENCE * beat.tick / beat.speed, _LEAST_PATIENCE) and _lives(beat.pid)


def _lives(process: int) -> bool:
    """Whether there is such a process on this host: one that has just ended is not waited for."""
    try:
        os.kill(process, 0)  # no signal, only the question
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _as_json(snapshot: Snapshot) -> dict[str, Any]:
    beat = snapshot.heartbeat
    return {
        "state": snapshot.state,
        "at": snapshot.at.isoformat(),
        "daemon": beat
        and {
            "last_seen": beat.at.isoformat(),
            "seconds_ago": None if beat.by_hand else _ago(snapshot, beat).total_seconds(),
            "running": _runs(snapshot, beat),
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


def _show(snapshot: Snapshot) -> None:
    """Plain text: the library that draws tables takes longer to load than all the rest."""
    _say(*_daemon(snapshot))
    for words in _troubles(snapshot.heartbeat):
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


def _daemon(snapshot: Snapshot) -> tuple[str, str | None]:
    """The sentence about the daemon, and its style."""
    beat = snapshot.heartbeat
    if beat is None:
        return "No daemon has flown by this state file; `autopilot run` starts one", "yellow"
    if beat.by_hand:
        return f"A demo flew this, by {beat.strategy}; its time stands at {beat.at:%Y-%m-%d %H:%M} UTC", None
    ago = _ago(snapshot, beat)
    seen = f"{ago.total_seconds():.0f} s" if ago < timedelta(minutes=2) else span(ago)
    if not _runs(snapshot, beat):
        return f"The daemon was last seen {seen} ago: not running? The nodes earn on; `autopilot run` starts it again", "red"
    return f"The daemon was last seen {seen} ago, flying by {beat.strategy}{'' if beat.live else ', dry: it moves nothing'}", "green"


def _troubles(beat: Heartbeat | None) -> Iterator[str]:
    """What is wrong with networks and with learning, and what to do where a person must."""
    if beat is not None:
        for network, why in beat.silent.items():
            yield plain(f"{network} gave no answer to the last poll: {why}")
        for network, why in beat.quarantine.items():
            yield plain(f"{network} is not asked any more: {why}; correct it, then start the daemon again")
        if beat.ignorance:
            yield plain(beat.ignorance)

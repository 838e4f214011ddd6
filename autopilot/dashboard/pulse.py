"""Whether the daemon lives, and what is wrong with what it watches over, in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from autopilot.dashboard.words import plain, span

if TYPE_CHECKING:
    from autopilot.dashboard.snapshot import Heartbeat, Snapshot

_PATIENCE = 4
"""Ticks that may go by without a heartbeat."""
_LEAST_PATIENCE = timedelta(seconds=10)


def ago(snapshot: Snapshot, beat: Heartbeat) -> timedelta:
    """How long ago the daemon was seen, in our time."""
    return max(snapshot.at - beat.at, timedelta(0)) / beat.speed


def runs(snapshot: Snapshot, beat: Heartbeat) -> bool | None:
    """Whether it lives; None where that cannot be told."""
    if beat.by_hand:
        return None
    return ago(snapshot, beat) <= max(_PATIENCE * beat.tick / beat.speed, _LEAST_PATIENCE) and _lives(beat.pid)


def _lives(process: int) -> bool:
    """Whether there is such a process on this host: one that has just ended is not waited for."""
    try:
        os.kill(process, 0)  # no signal, only the question
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def pulse(snapshot: Snapshot) -> tuple[str, str | None]:
    """The sentence about the daemon, and its colour."""
    beat = snapshot.heartbeat
    if beat is None:
        return "No daemon has flown by this state file; `autopilot run` starts one", "yellow"
    if beat.by_hand:
        return f"A demo flew this, by {beat.strategy}; its time stands at {beat.at:%Y-%m-%d %H:%M} UTC", None
    if not runs(snapshot, beat):
        return f"The daemon was last seen {seen(snapshot, beat)}: not running? The nodes earn on; `autopilot run` starts it again", "red"
    dry = "" if beat.live else ", dry: it moves nothing"
    return f"The daemon was last seen {seen(snapshot, beat)}, flying by {beat.strategy}{dry}", "green"


def seen(snapshot: Snapshot, beat: Heartbeat) -> str:
    """How long ago the daemon was seen: ``40 s ago``."""
    passed = ago(snapshot, beat)
    return f"{passed.total_seconds():.0f} s ago" if passed < timedelta(minutes=2) else f"{span(passed)} ago"


def troubles(beat: Heartbeat | None) -> Iterator[str]:
    """What is wrong with networks and with learning, and what to do where a person must."""
    if beat is not None:
        for network, why in beat.silent.items():
            yield plain(f"{network} gave no answer to the last poll: {why}")
        for network, why in beat.quarantine.items():
            yield plain(f"{network} is not asked any more: {why}; correct it, then start the daemon again")
        if beat.ignorance:
            yield plain(beat.ignorance)

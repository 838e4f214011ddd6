"""The state file: whether it is sound, and what stands in it that a person should know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from autopilot.clock import Clock
from autopilot.dashboard.reading import read_heartbeat
from autopilot.dashboard.snapshot import Heartbeat
from autopilot.doctor.finding import Finding, bad, ok, warn
from autopilot.store.migrations import MIGRATIONS
from autopilot.store.store import Store
from autopilot.units import span_text

LIMIT = timedelta(minutes=1)
"""A file of a year is read from end to end."""
_MIB = 2**20
_SOUND = ["ok"]
_MISSED = 20
"""Ticks without a sign of life, after which nobody flies."""


def state_file(path: Path, clock: Clock) -> Iterator[Finding]:
    """Soundness, steps, size, the last sign of life, fenced GPUs, wishes, and what was learned."""
    if not path.exists():
        yield ok("state file", f"{path} is not there yet: `autopilot run` makes it")
        return
    with closing(Store.read_only(path)) as store:
        yield sound(store, path)
        yield from _steps(store)
        beat = read_heartbeat(store)
        if beat is None:
            yield ok("daemon", "none has flown by this state file")
            return
        now = beat.at if beat.by_hand or beat.speed != 1 else clock.now()
        yield from _daemon(beat, now)
        yield from _standing(store, now)
        yield _learned(store, beat)


def sound(store: Store, path: Path) -> Finding:
    """By SQLite's own look at every page.

    Where the quick one complains, the thorough one decides: the quick one of SQLite 3.40 takes what it should not for NULL, in tables
    without row ids whose key has another order than their columns.
    """
    said = _said(store, "quick_check")
    if said != _SOUND:
        said = _said(store, "integrity_check")
    size = sum(each.stat().st_size for each in (path, path.with_name(path.name + "-wal")) if each.exists())
    if said == _SOUND:
        return ok("state file", f"{path}: sound, {size / _MIB:.1f} MiB")
    return bad("state file", f"{path}: {'; '.join(said)}", "end the daemon, move the file away, and restore a copy")


def _said(store: Store, pragma: str) -> list[str]:
    return [str(row[0]) for row in store.connection.execute(f"PRAGMA {pragma}(3)")]


def _steps(store: Store) -> Iterator[Finding]:
    applied = {name for (name,) in store.connection.execute("SELECT name FROM _sqlite_migrations")}
    missing = [name for name, _ in MIGRATIONS if name not in applied]
    if missing:
        yield warn("state file", f"an older version made it: {', '.join(missing)} to come", "`autopilot run` brings it up to date")


def _daemon(beat: Heartbeat, now: datetime) -> Iterator[Finding]:
    age = timedelta(seconds=(now - beat.at) // timedelta(seconds=1))
    words = f"{beat.strategy}, {'live' if beat.live else 'dry: it moves nothing'}, process {beat.pid}, last seen {span_text(age)} ago"
    if age > _MISSED * beat.tick:
        yield warn("daemon", words, "nobody flies now: start it with `autopilot run`, or see why it ended")
    else:
        yield ok("daemon", words)
    for network, why in {**beat.silent, **beat.quarantine}.items():
        yield warn("daemon", f"{network} is silent: {why}", "its line here says what it answers now")


def _standing(store: Store, now: datetime) -> Iterator[Finding]:
    labels = store.journal.labels()
    for device, why in store.journal.fences().items():
        name = labels.get(device, device)
        yield bad("fenced GPUs", f"{name}: {why}", f"look at it, then: autopilot lift {name}")
    for wish in store.wishes.standing(now):
        words = wish.words(labels.get(wish.device, wish.device) if wish.device else "")
        yield ok("wishes", f"{words}; it stands until it is done or taken back")


def _learned(store: Store, beat: Heartbeat) -> Finding:
    lessons, odds = len(store.journal.lessons()), len(list(store.experience.odds()))
    words = f"{lessons} lessons of strategies, hires counted at {odds} venues"
    return (
        warn("learned", f"{words}; {beat.ignorance}", "nothing to do: it learns while it flies") if beat.ignorance else ok("learned", words)
    )

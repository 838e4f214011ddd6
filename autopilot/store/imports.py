"""Recorded rates come into the store: a file goes in whole or not at all, and twice is the same as once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from autopilot.store.ratefile import Progress, read_rates
from autopilot.store.raterow import BadRow, BadRows, RateRow, duplicate
from autopilot.store.rates import VENUE
from autopilot.store.schema import instant, stamp
from autopilot.store.store import Store
from autopilot.units import UsdPerHour, micros

_STAGE = """
CREATE TEMP TABLE staged (
    network TEXT NOT NULL, gpu TEXT NOT NULL, hour TEXT NOT NULL,
    usd_per_hour_nanos INTEGER, occupancy_ppb INTEGER, idle_nanos INTEGER, job_seconds INTEGER,
    line INTEGER NOT NULL, again INTEGER, PRIMARY KEY (network, gpu, hour)
) STRICT, WITHOUT ROWID
"""
# What stands twice is found by the key; the first line that says it again is kept for the message.
_PUT = "INSERT INTO staged VALUES (?,?,?,?,?,?,?,?,NULL) ON CONFLICT DO UPDATE SET again = coalesce(again, excluded.line)"
_CHANGE = """
UPDATE rates SET usd_per_hour_nanos = new.usd_per_hour_nanos, occupancy_ppb = new.occupancy_ppb,
    idle_nanos = new.idle_nanos, job_seconds = new.job_seconds
FROM staged AS new WHERE (rates.network, rates.market, rates.gpu, rates.hour) = (new.network, '', new.gpu, new.hour)
    AND (rates.usd_per_hour_nanos, rates.occupancy_ppb, rates.idle_nanos, rates.job_seconds)
    IS NOT (new.usd_per_hour_nanos, new.occupancy_ppb, new.idle_nanos, new.job_seconds)
"""
_LIST = f"""
SELECT {VENUE} AS venue, gpu, min(hour), max(hour), count(*), count(usd_per_hour_nanos), avg(usd_per_hour_nanos)
FROM rates GROUP BY venue, gpu ORDER BY venue, gpu
"""  # noqa: S608  # a constant
_ADD = """
INSERT OR IGNORE INTO rates
SELECT network, gpu, hour, usd_per_hour_nanos, occupancy_ppb, idle_nanos, job_seconds, '' FROM staged
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What an import did."""

    rows: int
    """Good ones; of these are new, changed or same:"""
    new: int
    changed: int
    same: int
    missing: int
    """Rows that say that there is no rate."""
    bad: int
    first_bad: tuple[BadRow, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the store has of one network and GPU model."""

    network: str
    gpu: str
    first: datetime
    last: datetime
    """The start of the last hour."""
    rows: int
    missing: int
    mean: UsdPerHour | None
    """Over the rates that are not missing; None where all are."""


def import_rates(store: Store, path: Path, *, skip_bad: bool = False, progress: Progress | None = None) -> Report:
    """Take a file's rates into the store; where the store has another rate for an hour, the file's replaces it.

    All in one transaction, by way of a temporary table on disk, so memory does not grow with the file. Raises DataError, and
    changes nothing, for a file that cannot be read, an hour that stands twice, and bad rows unless they are to be skipped.
    """
    bad = BadRows()
    connection = store.connection
    with store.atomic():
        connection.execute(_STAGE)
        connection.executemany(_PUT, _staged(path, bad, progress))
        if bad.count and not skip_bad:
            raise bad.refusal(path, "Nothing was imported: correct them, or leave them out with --skip-bad")
        _refuse_duplicates(store, path)
        # The first statement that touches the book takes the write lock: the daemon can go on until here.
        changed = connection.execute(_CHANGE).rowcount
        new = connection.execute(_ADD).rowcount
        rows, rated = connection.execute("SELECT count(*), count(usd_per_hour_nanos) FROM staged").fetchone()
        connection.execute("DROP TABLE staged")
    return Report(rows, new, changed, rows - new - changed, rows - rated, bad.count, tuple(bad.first))


def _staged(path: Path, bad: BadRows, progress: Progress | None) -> Iterator[tuple[str | int | None, ...]]:
    hour_text = lru_cache(maxsize=1 << 16)(stamp)
    for row in read_rates(path, progress):
        if isinstance(row, BadRow):
            bad.add(row)
        else:
            yield row.network, row.gpu, hour_text(row.hour), *_counts(row), row.line


def _counts(row: RateRow) -> tuple[int | None, ...]:
    quantities = (None if each is None else each.count for each in (row.rate, row.occupancy, row.idle))
    return *quantities, None if row.job_length is None else micros(row.job_length) // 1_000_000


def _refuse_duplicates(store: Store, path: Path) -> None:
    rows = store.connection.execute("SELECT line, again, hour, network, gpu FROM staged WHERE again IS NOT NULL ORDER BY again LIMIT 1")
    for line, again, hour, network, gpu in rows:
        raise duplicate(path, (line, again), (instant(hour), network, gpu))


def list_rates(store: Store) -> list[Recorded]:
    """What was imported or fetched, by network (and its market, where it has several) and GPU model."""
    rows = store.connection.execute(_LIST)
    return [
        Recorded(network, gpu, instant(first), instant(last), count, count - rated, None if mean is None else UsdPerHour(round(mean)))
        for network, gpu, first, last, count, rated, mean in rows
    ]

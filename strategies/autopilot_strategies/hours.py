"""A history as whole hours: one row for each, one column for each venue (docs/market.md §5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan, nan
from typing import NamedTuple

import numpy as np

from autopilot.model.device import Venue
from autopilot.model.history import History
from autopilot.units import HOUR
from autopilot_strategies.signals import Floats

KEPT = 400 * 24
"""Hours of history that are looked at, and up to a quarter of a year more."""
_QUARTER = 90 * 24
WINDOW = 12
"""Newest hours that are kept at hand."""
_LATE = 2
"""Hours by which an answer may come later than another's."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Rate = tuple[int, float]
"""The start of an hour, in hours since 1970, and the rate in it: NaN where it was known to be missing."""


class Seen(NamedTuple):
    """What is at hand of one venue's rates."""

    first: int
    """The first hour that is known of."""
    whole: int
    """The hours before it can change no more."""
    newest: tuple[Rate, ...]


@dataclass(frozen=True, slots=True)
class Recent:
    """A fold that keeps the newest hours of a venue. The newest rate of an hour counts."""

    def __call__(self, state: Seen | None, as_of: datetime, rate: float | None) -> Seen:
        hour, whole = hour_of(as_of), (as_of - _EPOCH) // HOUR
        point = hour, nan if rate is None else rate
        if state is None:
            return Seen(hour, whole, (point,))
        kept = state.newest[:-1] if state.newest[-1][0] == hour else state.newest
        return Seen(state.first, whole, (*kept[-WINDOW:], point))


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """From when to when a GPU model's rates are known, and at which venues."""

    venues: tuple[Venue, ...]
    """By name: column k of all rates."""
    start: int
    """The first hour that is looked at, since 1970: quarters of a year are dropped whole, so that it seldom changes."""
    whole: int
    """The hours before it can change no more: every venue has been heard since, or may no longer be late."""
    end: int
    """After the newest hour."""
    recent: tuple[tuple[Rate, ...], ...]
    """The newest hours of every venue."""

    @classmethod
    def of(cls, history: History, model: str) -> Span | None:
        """None where nothing is known."""
        folds = {venue: history.fold(venue, known, Recent()) for venue, known in sorted(history) if known == model}
        every = [seen for seen in folds.values() if seen]
        if not every:
            return None
        first, end = min(seen.first for seen in every), max(seen.newest[-1][0] for seen in every) + 1
        start = start_of(first, end)
        whole = max(min(seen.whole for seen in every), end - _LATE, start)
        return cls(tuple(folds), start, min(whole, end), end, tuple(seen.newest for seen in every))

    def rates(self, history: History, model: str, start: int, end: int) -> Floats:
        """The hours from one to another, exclusive: (hours, venues), USD/h, NaN where missing."""
        table = np.full((max(end - start, 0), len(self.venues)), nan)
        for column, venue in enumerate(self.venues):
            near = start > self.end - WINDOW and start > self.start
            points: Iterable[Rate] = self.recent[column] if near else _all(history, venue, model)
            for hour, rate in _bridged(points, self.start, self.end):
                if start <= hour < end:
                    table[hour - start, column] = rate
        return table


def start_of(first: int, end: int) -> int:
    """The first hour that is looked at before this end, of those that are known of."""
    return max(first, (end - KEPT) // _QUARTER * _QUARTER) if end - first > KEPT else first


def hour_of(as_of: datetime) -> int:
    """The hour that a rate of this instant belongs to: the one that ends with it, or the one it lies in."""
    return -((_EPOCH - as_of) // HOUR) - 1


def _all(history: History, venue: Venue, model: str) -> Iterator[Rate]:
    for point in history.points(venue, model):
        yield hour_of(point.as_of), nan if point.rate is None else float(point.rate)


def _bridged(points: Iterable[Rate], start: int, end: int) -> Iterator[Rate]:
    """With the last rate once more in a single hour of silence: answers that come a little later each time may skip one.

    Likewise with the first rate once before, where the first answer of all came just before the hour, and this one just after it.
    """
    before: Rate | None = None
    for point in points:
        if before and point[0] > before[0] + 1:
            yield before[0] + 1, before[1]
        if not before and point[0] == start + 1:
            yield start, point[1]
        yield point
        before = point
    if before and before[0] + 1 < end and not isnan(before[1]):
        yield before[0] + 1, before[1]

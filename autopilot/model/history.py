"""Rates up to now, and never after."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import fsum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from autopilot.model.device import Venue
from autopilot.model.market import Answer, Quote
from autopilot.model.plan import EntryCost
from autopilot.units import HOUR, UsdPerHour

if TYPE_CHECKING:
    import pandas as pd

S = TypeVar("S")
Key = tuple[Venue, str]
"""A venue and a device model: what one GPU of that model earns at that venue."""


class Step(Protocol[S]):
    """One step of a fold. It must be hashable and equal to another only if it computes the same."""

    def __call__(self, state: S | None, as_of: datetime, rate: float | None) -> S:
        """The state after a point. ``rate`` is USD per hour, None where it is known to be missing."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Point:
    """The expected rate of a venue at an instant; None where the venue was known to offer nothing."""

    as_of: datetime
    rate: UsdPerHour | None


class Series:
    """The points of one venue and model, oldest first. It only grows, so any prefix of it stays as it was."""

    __slots__ = ("_as_of", "_folds", "_rates")

    def __init__(self) -> None:
        self._as_of: list[datetime] = []
        self._rates: list[UsdPerHour | None] = []
        self._folds: dict[Any, tuple[int, Any]] = {}

    def __len__(self) -> int:
        return len(self._as_of)

    def append(self, as_of: datetime, rate: UsdPerHour | None) -> None:
        """Add a point; one that is not later than the last is old news and changes nothing."""
        if self._as_of and as_of <= self._as_of[-1]:
            return
        self._as_of.append(as_of)
        self._rates.append(rate)

    def points(self, count: int) -> Iterator[Point]:
        """The first ``count`` points."""
        for index in range(count):
            yield Point(self._as_of[index], self._rates[index])

    def as_of(self, index: int) -> datetime:
        """The instant of a point, counted from 0."""
        return self._as_of[index]

    def ending(self, rate: UsdPerHour | None, count: int) -> Series:
        """Another series: the first ``count`` points, the last of them with another rate."""
        other = Series()
        other._as_of = self._as_of[:count]
        other._rates = [*self._rates[: count - 1], rate]
        return other

    def mean(self, start: datetime, end: datetime, count: int) -> float | None:
        """The mean rate among the first ``count`` points that are later than an instant, up to another; else the last one before."""
        first = bisect_right(self._as_of, start, 0, count)
        last = bisect_right(self._as_of, end, first, count)
        rates = [float(rate) for rate in self._rates[max(first - 1, 0) if first == last else first : last] if rate is not None]
        return fsum(rates) / len(rates) if rates else None

    def fold(self, step: Step[S], count: int) -> S | None:
        """Run the step over the first ``count`` points; what was already computed for fewer is not computed again."""
        done: int
        state: S | None
        done, state = self._folds.get(step, (0, None))
        if done > count:
            done, state = 0, None
        for index in range(done, count):
            rate = self._rates[index]
            state = step(state, self._as_of[index], None if rate is None else float(rate))
        self._folds[step] = (count, state)
        return state


class Record:
    """Every series of a run, as it grows. The pilot owns it; a strategy only ever sees a History of it."""

    def __init__(self) -> None:
        self._series: dict[Key, Series] = {}
        self._entries: Mapping[Key, EntryCost] = {}

    def learn(self, answer: Answer, model: str) -> None:
        """Add what a network answered for a device of this model."""
        rate = answer.expected if isinstance(answer, Quote) else None
        self.add((answer.venue, model), answer.as_of or answer.seen_at, rate)

    def add(self, key: Key, as_of: datetime, rate: UsdPerHour | None) -> None:
        """Add one point."""
        self._series.setdefault(key, Series()).append(as_of, rate)

    def add_hour(self, key: Key, hour: datetime, rate: UsdPerHour | None) -> None:
        """Add the rate of an hour, named by its start: it is known when the hour is over."""
        self.add(key, hour + HOUR, rate)

    def enter(self, costs: Mapping[Key, EntryCost]) -> None:
        """What arriving at the venues costs from now on."""
        self._entries = dict(costs)

    def until_now(self) -> History:
        """What is known at this moment. It stays so, however the record grows."""
        return History(self._series, {key: len(series) for key, series in self._series.items()}, self._entries)


class History:
    """The record cut at the instant it was taken. A pickle of it holds its points and nothing later, and none of what was folded."""

    __slots__ = ("_known", "_series", "entries")

    def __init__(self, series: Mapping[Key, Series], known: Mapping[Key, int], entries: Mapping[Key, EntryCost] | None = None) -> None:
        self._series = series
        self._known = known
        self.entries: Mapping[Key, EntryCost] = entries or {}
        """What arriving costs, as last known at the instant of the cut."""

    def __reduce__(self) -> tuple[Any, ...]:
        points = {key: [(p.as_of, None if p.rate is None else p.rate.count) for p in self.points(*key)] for key in self}
        return _restored, (points, dict(self.entries))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._known)

    def __len__(self) -> int:
        return sum(self._known.values())

    def points(self, venue: Venue, model: str) -> Iterator[Point]:
        """The points of a venue and model, oldest first; none where nothing is known."""
        key = (venue, model)
        return self._series[key].points(self._known[key]) if key in self._known else iter(())

    def mean(self, venue: Venue, model: str, start: datetime, end: datetime) -> float | None:
        """The mean of the rates that describe the span after an instant up to another, USD per hour.

        Where the venue said nothing in that time, what it said last is still true. None where it offered nothing.
        """
        key = (venue, model)
        return self._series[key].mean(start, end, self._known[key]) if key in self._known else None

    def supposing(self, venue: Venue, model: str, as_of: datetime, rate: UsdPerHour) -> History:
        """The history as it would be, had the venue's newest point said this rate; the same one where that is of another instant."""
        key = (venue, model)
        known = self._known.get(key, 0)
        if not known or self._series[key].as_of(known - 1) != as_of:
            return self
        return History({**self._series, key: self._series[key].ending(rate, known)}, self._known, self.entries)

    def fold(self, venue: Venue, model: str, step: Step[S]) -> S | None:
        """Run a step over the points of a venue and model. None where there are none.

        The answer depends on nothing but the points and the step. Points seen before are not visited again, so a
        running average over years costs one step an hour.
        """
        key = (venue, model)
        return self._series[key].fold(step, self._known[key]) if key in self._known else None

    def frame(self, model: str) -> pd.DataFrame:
        """One column per venue, one row per instant, USD per hour, NaN where nothing is known."""
        import pandas as pd  # the only heavy import of the core, paid by the strategy that asks

        columns = {
            venue: pd.Series({p.as_of: float("nan") if p.rate is None else float(p.rate) for p in self.points(venue, model)})
            for venue, known in self._known
            if known == model
        }
        return pd.DataFrame(columns).sort_index()


def _restored(points: Mapping[Key, Sequence[tuple[datetime, int | None]]], entries: Mapping[Key, EntryCost]) -> History:
    record = Record()
    for key, known in points.items():
        for as_of, count in known:
            record.add(key, as_of, None if count is None else UsdPerHour(count))
    record.enter(entries)
    return record.until_now()

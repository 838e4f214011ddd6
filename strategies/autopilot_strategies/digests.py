"""What one expert reads off the rates of all venues: for a whole history at once, or hour by hour as a daemon lives through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

import numpy as np

from autopilot.model.device import Venue
from autopilot.model.history import History
from autopilot_strategies.forecast import Levels
from autopilot_strategies.forecasting import Forecaster
from autopilot_strategies.hours import Span, hour_of, start_of
from autopilot_strategies.plans import FREE, Outlook
from autopilot_strategies.signals import Floats, Readings, Signals


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """The state after some hours of one GPU model's rates."""

    hour: int
    """Hours from 1970-01-01T00Z to the start of the next row."""
    digest: Digest
    signals: Signals
    cast: Levels
    pages: Floats
    """What was read after each of the hours that came last: (hours, places, numbers)."""

    @classmethod
    def start(cls, digest: Digest, venues: int, hour: int) -> Watch:
        """Nothing seen."""
        begun = cls(hour, digest, Signals.start(venues), Levels(Forecaster.start(venues=venues, hour=hour)), np.zeros((0, 0, 0)))
        return begun.extend(np.zeros((0, venues)))

    def extend(self, rates: Floats) -> Watch:
        """Take in more hours (hours, venues), USD/h, NaN where missing."""
        signals, readings = self.signals.extend(rates)
        cast, levels = self.cast.extend(rates)[:2] if self.digest.forecasts else (self.cast, rates)
        return Watch(self.hour + len(rates), self.digest, signals, cast, self.digest.page(readings, levels, cast.anchors))


@dataclass(frozen=True, slots=True)
class Digest:
    """What is read, of the last hour. Place 0 is idle, where there is nothing to read."""

    @property
    def forecasts(self) -> bool:
        """Whether it needs a forecast."""
        return False

    def page(self, readings: Readings, levels: Floats, anchors: Floats) -> Floats:
        """(hours, places, numbers): from the readings of some hours, and levels (hours, anchors, venues) where there is a forecast."""
        raise NotImplementedError

    def rows(self, rates: Floats, as_of: datetime) -> Floats:
        """Of a whole history. As a daemon does, it forgets what is older than ``hours.KEPT`` and starts anew without it."""
        first, venues = hour_of(as_of), rates.shape[1]
        pages = [Watch.start(self, venues, first).pages]
        for start, ends in groupby(range(first + 1, first + len(rates) + 1), key=lambda end: start_of(first, end)):
            hours = [*ends]
            pages.append(Watch.start(self, venues, start).extend(rates[start - first : hours[-1] - first]).pages[-len(hours) :])
        return np.concatenate(pages)


@dataclass(frozen=True, slots=True)
class Foreseen(Digest):
    """The path of each venue, by block of hours."""

    lasting: bool
    """Whether the average of the last hours is believed to last, or the forecast."""

    @property
    def forecasts(self) -> bool:
        return not self.lasting

    def page(self, readings: Readings, levels: Floats, anchors: Floats) -> Floats:
        outlook = Outlook.lasting(readings, FREE) if self.lasting else Outlook.of(levels, anchors, readings, FREE)
        return outlook.path.swapaxes(1, 2)


@dataclass(frozen=True, slots=True)
class Averaged(Digest):
    """An average of each venue."""

    average: int
    """Of ``signals.AVERAGES``."""

    def page(self, readings: Readings, _levels: Floats, _anchors: Floats) -> Floats:
        return np.pad(readings.income[:, self.average, :, None], ((0, 0), (1, 0), (0, 0)))


@dataclass(frozen=True, slots=True)
class Filtered(Digest):
    """The filtered rate of each venue, and then the variance of its difference to each place."""

    filtered: int
    """Of ``signals.FILTERS``."""

    def page(self, readings: Readings, _levels: Floats, _anchors: Floats) -> Floats:
        rates, restless = readings.filtered[:, self.filtered, :, None], readings.restless[:, self.filtered]
        return np.pad(np.concatenate((rates, np.zeros_like(rates), restless), axis=2), ((0, 0), (1, 0), (0, 0)))


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Reads by one digest. What it keeps saves time and changes nothing."""

    kept: dict[tuple[Digest, str], tuple[Span, Watch]] = field(default_factory=dict)

    def newest(self, digest: Digest, history: History, model: str) -> tuple[Sequence[Venue], Floats] | None:
        """The venues of a GPU model, and what is read now: (1 + venues, numbers). None where no rate is known yet."""
        span = Span.of(history, model)
        if span is None:
            return None
        before, watch = self.kept.get((digest, model), (span, Watch.start(digest, len(span.venues), span.start)))
        if (before.venues, before.start) != (span.venues, span.start) or watch.hour > span.whole:
            watch = Watch.start(digest, len(span.venues), span.start)
        for end in (span.whole, span.end):
            if end > watch.hour:
                watch = watch.extend(span.rates(history, model, watch.hour, end))
            if end == span.whole:
                self.kept[digest, model] = span, watch
        return span.venues, watch.pages[-1]

"""The default strategy: experts on forecasts, averages and leads vote, each with the weight that its profit has earned (docs/market.md §5).

There is nothing to tune. Which horizon, which lead and which average suit a market is measured on the market itself, by virtual
accounts at true costs, and a guard keeps a forecast that fails from costing more than a rule without parameters would.

A venue that pays by the job is judged by ``hiring`` instead: what has been learned of being hired there counts for more than its path.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from autopilot.model.device import Device, Venue
from autopilot.model.history import History
from autopilot.model.plan import Decision, EntryCost
from autopilot.model.view import View
from autopilot.units import HOUR
from autopilot_strategies import hiring
from autopilot_strategies.ballot import Ballot, Worth, as_quoted, count_out
from autopilot_strategies.choice import Choice, decide_each
from autopilot_strategies.engine import Engine
from autopilot_strategies.forecasting import ANCHORS, Forecaster
from autopilot_strategies.hours import Span
from autopilot_strategies.plans import Entry
from autopilot_strategies.signals import Floats

_NEARLY = 0.05
"""Costs that differ by less, as a share, do not make what was learned with them void."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The stacked forecast, as an engine takes it."""

    forecaster: Forecaster

    @property
    def anchors(self) -> Floats:
        """Hours ahead."""
        return np.array(ANCHORS, dtype=np.float64)

    def extend(self, rates: Floats) -> tuple[Levels, Floats]:
        """With the middle of the forecast at each hour."""
        forecaster, paths = self.forecaster.extend(rates)
        return Levels(forecaster), paths.mid


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """An engine, and what it was fed with."""

    venues: tuple[Venue, ...]
    start: int
    engine: Engine

    def continues(self, span: Span, entry: Entry, tolerance: float) -> bool:
        """Whether it may be extended to this span: venues and first hour are the same, and so are costs, nearly."""
        known = self.engine.entry
        same = self.venues == span.venues and self.start == span.start and self.engine.hour <= span.whole
        return same and all(np.allclose(a, b, rtol=tolerance, atol=0) for a, b in ((known.dark, entry.dark), (known.cash, entry.cash)))

    @classmethod
    def fresh(cls, span: Span, entry: Entry) -> Lesson:
        """Before the first hour."""
        levels = Levels(Forecaster.start(venues=len(span.venues), hour=span.start))
        return cls(span.venues, span.start, Engine.start(span.start, entry, levels))

    def until(self, history: History, model: str, span: Span, end: int) -> Lesson:
        """With the hours up to one, exclusive."""
        rates = span.rates(history, model, self.engine.hour, end)
        return replace(self, engine=self.engine.extend(rates)) if len(rates) else self


class Forecast:
    """The weighted vote, for each device by itself."""

    __slots__ = ("_lessons", "_memo", "_worth")

    def __init__(self, worth: Worth = as_quoted, lessons: dict[str, Lesson] | None = None) -> None:
        self._worth = worth
        self._lessons = lessons or {}
        self._memo: dict[str, Lesson] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._worth, self._lessons)

    def decide(self, view: View) -> Decision:
        """Move every device for which the experts vote so."""
        lessons: dict[str, Lesson | None] = {}
        counted: dict[Ballot, Choice] = {}  # equal devices at one place are asked about once

        def choose(device: Device) -> Choice:
            if hiring.hires(view, device):
                return hiring.choose(view, device)
            if device.model not in lessons:
                lessons[device.model] = self._lesson(view, device)
            lesson = lessons[device.model]
            here = view.venue(device)
            if lesson is None:
                return Choice(here, f"stay at {here}: no rate is known yet")
            if not view.answered(here, device):
                return Choice(here, f"stay at {here}: it gave no answer, and leaving would be a guess")
            ballot = Ballot.of(view, device, lesson.venues, self._worth)
            if ballot not in counted:
                counted[ballot] = count_out(ballot, lesson.engine)
            return counted[ballot]

        return decide_each(view, "forecast", choose)

    def fit(self, history: History) -> Self:
        """A copy that knows the history by heart. One that does not decides the same, only later."""
        lessons = {}
        for model in sorted({model for _, model in history}):
            span = Span.of(history, model)
            if span:
                entry = entry_of([history.entries.get((venue, model), EntryCost()) for venue in span.venues])
                lessons[model] = self._settled(history, model, span, entry)
        return type(self)(self._worth, lessons)

    def _lesson(self, view: View, device: Device) -> Lesson | None:
        """Up to the newest hour."""
        span = Span.of(view.history, device.model)
        if span is None:
            return None
        entry = entry_of([_arriving(view, device, venue) for venue in span.venues])
        settled = self._settled(view.history, device.model, span, entry)
        return settled.until(view.history, device.model, span, span.end)

    def _settled(self, history: History, model: str, span: Span, entry: Entry) -> Lesson:
        """Up to the hours that may still change. It is remembered, so that the next hour need not start afresh.

        What is remembered only saves time: it continues the lesson that was learned, or else what these very costs would give.
        """
        learned, memo = self._lessons.get(model), self._memo.get(model)
        lesson = learned if learned and learned.continues(span, entry, _NEARLY) else Lesson.fresh(span, entry)
        if memo and memo.continues(span, lesson.engine.entry, 0.0):
            lesson = memo
        self._memo[model] = lesson.until(history, model, span, span.whole)
        return self._memo[model]


def _arriving(view: View, device: Device, venue: Venue) -> EntryCost:
    """As the device's own view has it, or else as it was last known for its model."""
    known = view.entries.get((venue, device.id))
    return known or view.history.entries.get((venue, device.model), EntryCost())


def entry_of(costs: list[EntryCost]) -> Entry:
    """What arriving at the venues costs, as an engine takes it."""
    dark = [0.0, *((cost.boot + cost.ramp) / HOUR for cost in costs)]
    return Entry(np.array(dark), np.array([0.0, *(float(cost.fee) for cost in costs)]))

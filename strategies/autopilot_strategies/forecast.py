"""The default strategy: experts on forecasts, averages and leads vote, each with the weight that its profit has earned (docs/market.md §5).

There is nothing to tune. Which horizon, which lead and which average suit a market is measured on the market itself, by virtual
accounts at true costs, and a guard keeps a forecast that fails from costing more than a rule without parameters would.

A venue that pays by the job is judged by ``hiring`` instead: what has been learned of being hired there counts for more than its path.
Where venues have few places or pay each further GPU less, ``seating`` places all devices at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from autopilot.model.device import Device, DeviceId, Venue
from autopilot.model.history import History
from autopilot.model.plan import Decision, EntryCost
from autopilot.model.view import View
from autopilot.units import HOUR, UsdPerHour
from autopilot_strategies import hiring, seating
from autopilot_strategies.ballot import Ballot, Worth, as_realised, count_out
from autopilot_strategies.choice import Choice, decide_each
from autopilot_strategies.engine import Engine
from autopilot_strategies.forecasting import ANCHORS, Forecaster
from autopilot_strategies.forecasting import Lesson as Trees
from autopilot_strategies.hours import Span
from autopilot_strategies.plans import Entry
from autopilot_strategies.signals import Floats
from autopilot_strategies.tariffs import Tariff

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

    def extend(self, rates: Floats) -> tuple[Levels, Floats, Floats]:
        """With the middle and the low end of the forecast at each hour."""
        forecaster, paths = self.forecaster.extend(rates)
        return Levels(forecaster), paths.mid, np.where(np.isnan(paths.low), paths.mid, paths.low)


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
        costs = (known.dark, entry.dark), (known.cash, entry.cash), (known.stay, entry.stay)
        return same and all(np.allclose(a, b, rtol=tolerance, atol=0) for a, b in costs)

    @classmethod
    def fresh(cls, span: Span, entry: Entry) -> Lesson:
        """Before the first hour."""
        levels = Levels(Forecaster.start(venues=len(span.venues), hour=span.start))
        return cls(span.venues, span.start, Engine.start(span.start, entry, levels))

    def until(self, history: History, model: str, span: Span, end: int) -> Lesson:
        """With the hours up to one, exclusive."""
        rates = span.rates(history, model, self.engine.hour, end)
        return replace(self, engine=self.engine.extend(rates)) if len(rates) else self

    def taught(self, history: History, model: str, span: Span) -> Lesson:
        """With trees for the hours to come, boosted on those that are in. Takes seconds."""
        cast = self.engine.cast
        trees = Trees.learn(span.rates(history, model, self.start, self.engine.hour), self.start)
        if trees is None or not isinstance(cast, Levels):
            return self
        return replace(self, engine=replace(self.engine, cast=Levels(cast.forecaster.taught(trees))))


@dataclass(init=False, repr=False, eq=False)
class Forecast:
    """The weighted vote, for each device by itself."""

    __slots__ = ("_lessons", "_memo", "_worth", "boosting")

    boosting: bool
    """Whether trees are grown on the history once a day, as one more forecaster. Off: on open data they did not beat the others."""

    def __init__(self, boosting: bool = False, worth: Worth = as_realised, lessons: dict[str, Lesson] | None = None) -> None:  # noqa: FBT001, FBT002  # a parameter of a configuration
        self.boosting = boosting
        self._worth = worth
        self._lessons = lessons or {}
        self._memo: dict[str, Lesson] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.boosting, self._worth, self._lessons)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Forecast) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash((self.boosting, self._worth))

    def decide(self, view: View) -> Decision:
        """Move every device for which the experts vote so."""
        lessons, tariff = self._all_lessons(view), Tariff.of(view)
        seated = self._seated(view, lessons, tariff) if seating.limited(view) else {}
        counted: dict[tuple[str, Ballot], Choice] = {}  # equal devices at one place are asked about once

        def choose(device: Device) -> Choice:
            here, lesson = view.venue(device), lessons.get(device.model)
            if device.id in seated:
                return seated[device.id]
            if hiring.hires(view, device):
                return hiring.choose(view, device)
            if lesson is None:
                return Choice(here, f"stay at {here}: no rate is known yet")
            if not view.answered(here, device):
                return Choice(here, f"stay at {here}: it gave no answer, and leaving would be a guess")
            ballot = Ballot.of(view, device, lesson.venues, self._worth, tariff)
            if (device.model, ballot) not in counted:
                counted[device.model, ballot] = count_out(ballot, lesson.engine)
            return counted[device.model, ballot]

        return decide_each(view, "forecast", choose)

    def explain(self, view: View) -> Iterator[str]:
        """For a person, line by line: which forecasters are in use for each GPU model, and why the others are not."""
        for model, lesson in sorted(self._all_lessons(view).items()):
            engine = lesson.engine
            first = np.argsort(-engine.accounts.weights, kind="stable")[:3]
            yield f"{model}: most votes have " + ", ".join(f"{engine.panel.names[k]} ({engine.accounts.weights[k]:.0%})" for k in first)
            if isinstance(engine.cast, Levels):
                yield from engine.cast.forecaster.skill().lines()

    def foreseen(self, view: View, device: Device) -> Mapping[Venue, UsdPerHour]:
        """By the forecast over the time that the plans look ahead, by their weight; nothing where venues pay by the job."""
        lesson = self._all_lessons(view).get(device.model)
        if lesson is None or hiring.hires(view, device):
            return {}
        ballot = Ballot.of(view, device, lesson.venues, self._worth, Tariff.of(view))
        outlook = lesson.engine.ballot(np.array([ballot.factors]), ballot.bill.power())[1]
        means = {venue: outlook.mean(0, place, lesson.engine.ahead) for place, venue in enumerate(ballot.places) if place}
        return {venue: UsdPerHour.nearest(mean) for venue, mean in means.items() if math.isfinite(mean)}

    def fit(self, history: History) -> Self:
        """A copy that knows the history by heart. One that does not decides the same, only later."""
        lessons = {}
        for model in sorted({model for _, model in history}):
            span = Span.of(history, model)
            if span:
                entry = entry_of([history.entries.get((venue, model), EntryCost()) for venue in span.venues])
                lesson = self._settled(history, model, span, entry)
                lessons[model] = lesson.taught(history, model, span) if self.boosting else lesson
        return type(self)(self.boosting, self._worth, lessons)

    def _all_lessons(self, view: View) -> dict[str, Lesson]:
        """By GPU model, of the free devices that are paid by the hour."""
        first = {device.model: device for device in reversed([*view.free()]) if not hiring.hires(view, device)}
        found = {model: self._lesson(view, device) for model, device in first.items()}
        return {model: lesson for model, lesson in found.items() if lesson}

    def _seated(self, view: View, lessons: dict[str, Lesson], tariff: Tariff) -> dict[DeviceId, Choice]:
        """All devices of which it is known what they would earn, over the shortest time that any of them is planned for."""
        known = [device for device in view.free() if view.answered(view.venue(device), device)]
        waiting = [device for device in known if hiring.hires(view, device)]
        hours = min([lesson.engine.ahead for lesson in lessons.values()] + [hiring.RULE.horizon] * bool(waiting), default=0.0)
        worths = {device.id: seating.hired(view, device, hours) for device in waiting}
        equal: dict[tuple[str, Ballot], seating.Worths] = {}
        for device in known:
            lesson = lessons.get(device.model)
            if device.id not in worths and lesson:
                ballot = Ballot.of(view, device, lesson.venues, self._worth, tariff)
                if (device.model, ballot) not in equal:
                    equal[device.model, ballot] = seating.forecast(ballot, lesson.engine, hours)
                worths[device.id] = equal[device.model, ballot]
        return seating.seat(view, worths, hours)

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
    stay = [0.0, *(cost.least_stay / HOUR for cost in costs)]
    return Entry(np.array(dark), np.array([0.0, *(float(cost.fee) for cost in costs)]), np.array(stay))

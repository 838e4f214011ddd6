"""Every venue's rate, forecast hour by hour as the hours come (docs/market.md §5).

A frozen state that is extended by rows of rates. What it says of a row depends on the rows up to it, and not on how many came
at once: profiles and weights are learned again after every 24th row, the ridge after every 168th.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from autopilot_strategies.forecasting.band import Band
from autopilot_strategies.forecasting.boosting import Lesson
from autopilot_strategies.forecasting.features import ANCHORS, Facts, Memory
from autopilot_strategies.forecasting.members import MEMBERS, guesses
from autopilot_strategies.forecasting.rhythm import DAY, WEEK, Floats, Rhythm, beside
from autopilot_strategies.forecasting.ridge import Ridge
from autopilot_strategies.forecasting.skill import Skill
from autopilot_strategies.forecasting.stacking import Stack

_SCORED = 1 + ANCHORS[-1] // DAY
"""Days that a score looks back."""
_KEPT = WEEK // DAY + ANCHORS[-1] // DAY
"""Days that the ridge looks back."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Forecasts: (hours, anchors, venues), USD/h. NaN for a venue that was never seen, or for more than a day not.

    Row t, anchor a is the expected rate in the hour that begins ANCHORS[a] - 1 hours after the end of row t.
    """

    mid: Floats
    low: Floats
    """Below it, one in ten. NaN, as ``high``, until forecasts so far ahead were tried."""
    high: Floats
    """Above it, one in ten."""
    skill: Floats
    """(hours, anchors): 1 - MSE(mid) / MSE(persistence) on recent differences near the top; 0 while nothing is measured."""

    @classmethod
    def joined(cls, parts: Iterable[Paths]) -> Self:
        """One after the other."""
        every = tuple(parts)
        return cls(*(np.concatenate([getattr(part, name) for part in every]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some hours: what was known, and what the members that learn and the weights (3, hours, anchors, venues) said."""

    facts: Facts
    said: Floats

    def widened(self, venues: int) -> _Rows:
        return _Rows(self.facts.widened(venues), beside(self.said, venues, np.nan))

    @classmethod
    def joined(cls, parts: Iterable[_Rows]) -> Self:
        every = tuple(parts)
        return cls(Facts.joined([part.facts for part in every]), np.concatenate([part.said for part in every], axis=1))


@dataclass(frozen=True, slots=True)
class Forecaster:
    """The state after some rows."""

    hour: int
    """Hours from 1970-01-01T00Z to the start of the next row."""
    rows: int
    """Taken in so far."""
    memory: Memory
    rhythm: Rhythm
    ridge: Ridge
    stack: Stack
    band: Band
    lesson: Lesson | None
    past: tuple[_Rows, ...]
    """Whole days, the newest last."""
    today: tuple[_Rows, ...]
    """The rows after them."""

    @classmethod
    def start(cls, venues: int, hour: int) -> Self:
        """Nothing seen. The first row starts ``hour`` hours after 1970-01-01T00Z."""
        parts = Memory.start(venues), Rhythm.start(venues), Ridge.start(venues), Stack.start(len(MEMBERS)), Band.start(venues)
        return cls(hour, 0, *parts, None, (), ())

    @property
    def venues(self) -> int:
        """How many columns the rates have."""
        return len(self.memory.last)

    def widened(self, venues: int) -> Forecaster:
        """With so many more columns at the right: as if they had been there from the start, without a rate."""
        parts = {name: getattr(self, name).widened(venues) for name in ("memory", "rhythm", "ridge", "band")}
        past, today = (tuple(rows.widened(venues) for rows in each) for each in (self.past, self.today))
        return replace(self, **parts, past=past, today=today)

    def extend(self, rates: Floats) -> tuple[Forecaster, Paths]:
        """Take in more hours (hours, venues), USD/h, NaN where missing; with what is forecast at the end of each of them."""
        state, parts = self, [_nothing(self.venues)]
        while len(rates):
            ahead = DAY - state.rows % DAY
            state, paths = state._within_day(np.array(rates[:ahead], dtype=np.float64))
            rates = rates[ahead:]
            parts.append(paths)
        return state, Paths.joined(parts)

    def taught(self, lesson: Lesson) -> Forecaster:
        """With this lesson for all rows to come. Raises ValueError for one that has seen rows to come."""
        if lesson.hour > self.hour:
            raise ValueError(f"the lesson knows {lesson.hour - self.hour} hours that are still to come")
        return replace(self, lesson=lesson)

    def skill(self) -> Skill:
        """How good the members were of late, and which of them are used."""
        return Skill.measured(self.stack, taught=self.lesson is not None)

    def _within_day(self, rates: Floats) -> tuple[Forecaster, Paths]:
        memory, facts = self.memory.extend(rates, self.hour, self.rhythm)
        ridge = self.ridge.predict(facts)
        boosting = self.lesson.predict(facts) if self.lesson else np.repeat(facts.base[:, None], len(ANCHORS), axis=1)
        every = guesses(facts.origins(), ridge, boosting)
        mid = (self.stack.weights.T[:, None, :, None] * every).sum(axis=0)
        low, high = self.band.around(mid, facts.scale)
        rows = _Rows(facts, np.stack((ridge, boosting, mid)))
        hours = len(rates)
        state = replace(self, hour=self.hour + hours, rows=self.rows + hours, memory=memory, today=(*self.today, rows))
        skill = np.repeat(self.stack.skill[None, :, -1], hours, axis=0)
        return (state if state.rows % DAY else _learned(state)), Paths(mid, low, high, skill)


def _learned(state: Forecaster) -> Forecaster:
    """After a day, of everything that it brought."""
    today = _Rows.joined(state.today)
    past = (*state.past, today)[-_KEPT:]
    scored = _Rows.joined(past[-_SCORED:])
    rates, origins, (ridge, boosting, mid) = scored.facts.due(*scored.said)
    return replace(
        state,
        rhythm=state.rhythm.learn(state.hour - DAY, today.facts.swing),
        ridge=state.ridge.learn(Facts.joined([rows.facts for rows in past])) if state.rows % WEEK == 0 else state.ridge,
        stack=state.stack.learn(rates, origins, np.concatenate((guesses(origins, ridge, boosting), mid[None]))),
        band=state.band.learn(rates, origins, mid),
        past=past,
        today=(),
    )


def _nothing(venues: int) -> Paths:
    paths = np.zeros((0, len(ANCHORS), venues))
    return Paths(paths, paths, paths, np.zeros((0, len(ANCHORS))))

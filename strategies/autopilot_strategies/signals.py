"""What is read off the rates as they come, hour by hour: averages, presence and restlessness of every venue (docs/market.md §5).

A frozen state that is extended by rows. What it says of a row depends on the rows up to it, and not on how many came at once.
Hours in which no venue has a rate teach nothing: then the record has a hole, and not every venue.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

AVERAGES = (0.0, 3.0, 12.0, 48.0, 168.0)
"""Half-lives in hours. None is the last rate itself."""
FILTERS = (1.0, 6.0)
"""Half-lives in hours of the two filters of the no-trade band."""
_LEVEL = 3.0
"""Half-life in hours of the level that a venue keeps while it is missing."""
_RESTLESS = 240.0
"""Half-life in hours of the innovations' variance."""
_GAP, _SPELL = 3.0, 500.0
"""Hours that a gap lasts, and a spell without one, until the venue itself has shown how long."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """One row for each hour: what was known at its end. Rates are USD/h."""

    level: Floats
    """(hours, venues): the average of the rates that there were."""
    income: Floats
    """(hours, averages, venues): a missing rate counts as nothing, but for the first hour of a gap."""
    present: Floats
    """(hours, venues): 1 where the venue had a rate, else 0."""
    back: Floats
    """(hours, venues): the chance that a gap ends within the hour."""
    gone: Floats
    """(hours, venues): the chance that one begins."""
    filtered: Floats
    """(hours, filters, venues)."""
    restless: Floats
    """(hours, filters, venues, venues): the variance of the innovations of the difference between two venues."""

    def cut(self, hours: slice) -> Readings:
        """Some of the hours."""
        return type(self)(*(getattr(self, each.name)[hours] for each in fields(self)))

    def scaled(self, factors: Floats) -> Readings:
        """One hour, as it would be if the rates of the venues were so many times as high: a row for each row of factors."""
        level, income, filtered = self.level * factors, self.income * factors[:, None], self.filtered * factors[:, None]
        restless = self.restless * (factors[:, :, None] * factors[:, None, :])[:, None]
        return type(self)(level, income, self.present, self.back, self.gone, filtered, restless)


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """The state after some hours."""

    seen: Flags
    """(venues): whether there ever was a rate."""
    level: Floats
    income: Floats
    started: bool
    """Whether any hour taught anything."""
    present: Floats
    gaps: Floats
    """(2, venues): gaps that ended, and hours in gaps."""
    spells: Floats
    """(2, venues): gaps that began, and hours outside."""
    filtered: Floats
    restless: Floats
    weight: float
    """Of all innovations together."""

    @classmethod
    def start(cls, venues: int) -> Self:
        """Nothing seen."""
        nothing = np.zeros(venues)
        gaps, spells = np.tile([[1.0], [_GAP]], venues), np.tile([[1.0], [_SPELL]], venues)
        filtered, restless = np.zeros((len(FILTERS), venues)), np.zeros((len(FILTERS), venues, venues))
        income = np.zeros((len(AVERAGES), venues))
        return cls(nothing > 0, nothing, income, False, nothing, gaps, spells, filtered, restless, 0.0)  # noqa: FBT003

    def extend(self, rates: Floats) -> tuple[Signals, Readings]:
        """Take in more hours (hours, venues), NaN where missing; with what is known at the end of each."""
        state, states = self, []
        for row in rates:
            state = state._after(row)
            states.append(state)
        return state, _readings(states, len(self.level))

    def _after(self, row: Floats) -> Signals:
        known = ~np.isnan(row)
        if not known.any():
            return self
        rate = np.where(known, row, 0.0)
        kept = _KEPT_LEVEL * self.level + (1 - _KEPT_LEVEL) * rate
        level = np.where(known, np.where(self.seen, kept, rate), self.level)
        paid = np.where(known, row, self.level * self.present)  # the first missing hour is forgiven
        income = _KEPT_INCOME * self.income + (1 - _KEPT_INCOME) * paid if self.started else np.tile(paid, (len(AVERAGES), 1))
        there, away = self.seen * self.present, self.seen * (1 - self.present)
        gaps = self.gaps + np.stack((away * known, away))
        spells = self.spells + np.stack((there * ~known, there))
        filtered, restless, weight = self._filter(paid)
        return Signals(self.seen | known, level, income, True, known * 1.0, gaps, spells, filtered, restless, weight)  # noqa: FBT003

    def _filter(self, rate: Floats) -> tuple[Floats, Floats, float]:
        if not self.started:
            return np.tile(rate, (len(FILTERS), 1)), self.restless, 0.0
        news = rate - self.filtered
        between = news[:, :, None] - news[:, None, :]
        restless = _KEPT_RESTLESS * self.restless + (1 - _KEPT_RESTLESS) * between * between
        return self.filtered + (1 - _KEPT_FILTER) * news, restless, _KEPT_RESTLESS * self.weight + 1 - _KEPT_RESTLESS


def _kept(half_lives: tuple[float, ...]) -> Floats:
    return np.array([[0.5 ** (1 / hours) if hours else 0.0] for hours in half_lives])


_KEPT_INCOME, _KEPT_FILTER = _kept(AVERAGES), _kept(FILTERS)
_KEPT_LEVEL, _KEPT_RESTLESS = 0.5 ** (1 / _LEVEL), 0.5 ** (1 / _RESTLESS)


def _readings(states: list[Signals], venues: int) -> Readings:
    def table(shape: tuple[int, ...], values: list[Floats]) -> Floats:
        return np.stack(values) if values else np.zeros((0, *shape))

    averages, filters = len(AVERAGES), len(FILTERS)
    return Readings(
        table((venues,), [state.level for state in states]),
        table((averages, venues), [state.income for state in states]),
        table((venues,), [state.present for state in states]),
        table((venues,), [state.gaps[0] / state.gaps[1] for state in states]),
        table((venues,), [state.spells[0] / state.spells[1] for state in states]),
        table((filters, venues), [state.filtered for state in states]),
        table((filters, venues, venues), [state.restless / (state.weight or 1.0) for state in states]),
    )

"""What is known of each venue at the end of an hour (docs/market.md §5): recursions over the rates, one step an hour.

Every array has the venues as its last axis. A missing rate leaves a venue's memory as it was, and its last known rate stands
in for it. The averages know the time: after a gap they move as far as if the rate that came back had been there all along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autopilot_strategies.forecasting.rhythm import DAY, WEEK, Floats, Rhythm, beside

ANCHORS = (1, 2, 4, 8, 16, 24, 48, 96, 192)
"""Hours ahead. Anchor 1 is the hour that follows the newest known one."""
HALF_LIVES = (1, 2, 4, 8, 16, 32, 64, 240)
"""Of the averages, in hours."""
LAGS = (1, 2, 3, 24, 168)
"""Hours back from the newest known one."""
GONE = 24
"""Hours without a rate after which nothing is forecast."""

LEVEL = len(HALF_LIVES)
"""Where the features say how far the level without outliers is from the last rate."""
RHYTHM = LEVEL + len(LAGS) + 3
"""Where they say what the hour of day and of week add to the newest hour."""
COMMON = RHYTHM + 3
"""How many features are the same for every anchor."""

_STEADY, _SLOW, _CALM, _SPREAD, _STEP = HALF_LIVES.index(16), HALF_LIVES.index(64), LEVEL, LEVEL + 1, LEVEL + 2
_MEANS = np.array([*HALF_LIVES, 6, 240, 64], dtype=np.float64)[:, None]
"""Half-lives: of the rate; of the rate without its rhythm; of its square distance from the slow average; of its change by the hour."""
_AHEAD = np.array((0, *ANCHORS))
_CAP = 2.0
"""Mean changes by the hour, beyond which a single innovation is not believed whole."""
_USUAL_SCALE, _LEAST_SCALE = 0.05, 0.002
"""As a share of its level, what a new venue is taken to have. As a share of the highest level, what nobody is below: a plateau
has no scale of its own, and what moves by less decides nothing."""
_DOUBT = 12.0
"""Hours of the usual scale that a venue starts from."""
_NEAR = 0.1
"""How far below the best a venue counts 1/e, as a share of the best."""
_EMPTY = 1e-12


@dataclass(frozen=True, slots=True)
class Origins:
    """What the forecasts for some hours and anchors were made from: the arrays of Facts, with the anchors as second axis."""

    base: Floats
    scale: Floats
    near: Floats
    common: Floats
    phase: Floats


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at the ends of some hours; those are the first axis."""

    rates: Floats
    """(hours, venues): as they came, USD/h; NaN where missing."""
    base: Floats
    """(hours, venues): the last known rate, USD/h; NaN for a venue that nothing is forecast for."""
    scale: Floats
    """(hours, venues): the recent size of its movements, USD/h."""
    near: Floats
    """(hours, venues): 1 at the best venue, falling to 0 for those that are far below it."""
    common: Floats
    """(hours, COMMON, venues): distances from ``base``, in ``scale``. The averages come first."""
    phase: Floats
    """(hours, anchors, 2, venues): what the hour of day and the hour of week add at the anchor, in ``scale``."""

    def origins(self) -> Origins:
        """Of the forecasts that are made now."""
        return Origins(self.base[:, None], self.scale[:, None], self.near[:, None], self.common[:, None], self.phase)

    def due(self, *said: Floats) -> tuple[Floats, Origins, list[Floats]]:
        """The rates of the last day (24, venues), and the origins of what was forecast for them.

        ``said`` (hours, anchors, venues) is put in the same order: row t, anchor a is what was forecast for the hour t.
        """
        hour = np.arange(len(self.rates) - DAY, len(self.rates))
        rows = hour[:, None] - _AHEAD[1:]
        old = np.maximum(rows, 0)
        base = np.where((rows >= 0)[..., None], self.base[old], np.nan)
        each = np.arange(len(ANCHORS))
        origins = Origins(base, self.scale[old], self.near[old], self.common[old], self.phase[old, each])
        return self.rates[hour], origins, [np.where((rows >= 0)[..., None], forecasts[old, each], np.nan) for forecasts in said]

    def widened(self, venues: int) -> Facts:
        """With so many more venues, never seen."""
        fills = {"rates": np.nan, "base": np.nan, "scale": 1.0}
        return Facts(*(beside(getattr(self, name), venues, fills.get(name, 0.0)) for name in self.__slots__))

    @property
    def swing(self) -> Floats:
        """(hours, venues): how far each rate is from the 64 h average; NaN where missing."""
        return self.rates - self.base - self.scale * self.common[:, _SLOW]

    @classmethod
    def joined(cls, parts: Sequence[Facts]) -> Self:
        """One after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Memory:
    """The recursions."""

    last: Floats
    """(venues): the last known rate; NaN for a venue that was never seen."""
    gap: Floats
    """(venues): hours since then."""
    seen: Floats
    """(venues): how many rates were known."""
    means: Floats
    """(len(HALF_LIVES) + 3, venues)"""
    level: Floats
    """(venues): the rate, as far as it is believed: a single outlier does not move it far."""
    beyond: Floats
    """(venues): the side on which the newest rate was an outlier; 0 where it was none."""
    week: Floats
    """(168, venues): the last week, with the last known rate where one was missing."""

    @classmethod
    def start(cls, venues: int) -> Self:
        """Nothing seen yet."""
        nothing = np.zeros(venues)
        never = np.full(venues, np.nan)
        return cls(
            never, np.full(venues, np.inf), nothing, np.zeros((len(_MEANS), venues)), nothing, nothing, np.full((WEEK, venues), np.nan)
        )

    def widened(self, venues: int) -> Memory:
        """With so many more venues, never seen."""
        more = Memory.start(venues)
        return Memory(*(np.concatenate((getattr(self, name), getattr(more, name)), axis=-1) for name in self.__slots__))

    def extend(self, rates: Floats, hour: int, rhythm: Rhythm) -> tuple[Memory, Facts]:
        """Move on by some hours (hours, venues), of which the first starts ``hour`` hours after 1970-01-01T00Z."""
        beats = rhythm.at((hour + np.arange(len(rates)))[:, None] + _AHEAD)
        states = [self]
        for row, beat in zip(rates, beats[:, 0].sum(axis=1), strict=True):
            states.append(_an_hour_later(states[-1], row, beat))
        fresh = np.array([state.last for state in states])
        filled = np.concatenate((self.week, fresh[1:]))
        newest = states[-1]
        memory = Memory(newest.last, newest.gap, newest.seen, newest.means, newest.level, newest.beyond, filled[-WEEK:])
        return memory, _facts(rates, states[1:], filled, beats)


def _an_hour_later(memory: Memory, rates: Floats, beat: Floats) -> Memory:
    """With these rates (venues) and what their rhythm adds to them. The week is left as it was."""
    known = np.isfinite(rates)
    fresh = np.where(known, rates, memory.last)
    seen, gap = memory.seen + known, memory.gap + 1.0
    before = memory.seen > 0
    swing = np.where(before, fresh - memory.means[_SLOW], 0.0)
    change = np.where(before, fresh - memory.last, 0.0)
    shown = np.empty_like(memory.means)
    shown[:LEVEL], shown[_CALM], shown[_SPREAD], shown[_STEP] = fresh, fresh - beat, swing * swing, np.abs(change)
    gain = np.maximum(1.0 - np.exp2(-gap / _MEANS), 1.0 / np.maximum(seen, 1.0))  # a plain mean at first
    means = np.where(known, memory.means + gain * (shown - memory.means), memory.means)
    cap = _CAP * means[_STEP]
    ahead = np.where(before, fresh - memory.level, 0.0)
    side = np.where(np.abs(ahead) > cap, np.sign(ahead), 0.0)
    alone = (side != 0.0) & (side != memory.beyond)  # the second one in a row on the same side is believed
    level = np.where(known, np.where(alone, memory.level + side * cap, fresh), memory.level)
    return Memory(fresh, np.where(known, 0.0, gap), seen, means, level, np.where(known, side, memory.beyond), memory.week)


def _facts(rates: Floats, states: Sequence[Memory], filled: Floats, beats: Floats) -> Facts:
    """What the features make of the states after each row. ``filled`` is the week before, then a last known rate for each row."""
    means, gap = np.array([state.means for state in states]), np.array([state.gap for state in states])
    level = np.array([state.level for state in states])
    last = filled[WEEK:]
    seen, size = np.array([state.seen for state in states]), np.abs(means[:, _STEADY])
    spread = (seen * means[:, _SPREAD] + _DOUBT * (_USUAL_SCALE * size) ** 2) / (seen + _DOUBT)
    live = gap <= GONE
    scale = np.sqrt(spread) + _LEAST_SCALE * np.max(size, axis=1, where=live, initial=0.0)[:, None] + _EMPTY
    now = beats[:, 0]
    rows = WEEK + np.arange(len(rates))[:, None]
    distance = (
        np.concatenate((means[:, :LEVEL], level[:, None], means[:, _CALM, None], filled[rows - np.array(LAGS)]), axis=1) - last[:, None]
    )
    change = np.nan_to_num(last - filled[rows[:, 0] - 1])
    cap = _CAP * means[:, _STEP]
    moved = np.where(live, change / scale, 0.0)
    together = np.broadcast_to((moved.sum(axis=1) / np.maximum(live.sum(axis=1), 1))[:, None], moved.shape)
    parts = (distance / scale[:, None], np.clip(change, -cap, cap)[:, None] / scale[:, None], now / scale[:, None], together[:, None])
    common = np.nan_to_num(np.concatenate(parts, axis=1), copy=False)
    return Facts(
        rates, np.where(live, last, np.nan), scale, _near(live, means[:, _STEADY], scale), common, beats[:, 1:] / scale[:, None, None]
    )


def _near(live: NDArray[np.bool_], level: Floats, scale: Floats) -> Floats:
    level = np.where(live, level, -np.inf)
    best = np.argmax(level, axis=1)[:, None]
    top = np.take_along_axis(level, best, axis=1)
    top = np.where(np.isfinite(top), top, 0.0)
    return np.exp((level - top) / (_NEAR * np.abs(top) + np.take_along_axis(scale, best, axis=1)))

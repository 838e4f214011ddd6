"""Plans: dynamic programming over a forecast path, for several horizons at once (docs/market.md §5).

A plan values being at a place by what the path pays there from now to its horizon, and by the best that can be made of it on
the way: Richard Bellman, Dynamic Programming, Princeton University Press 1957, chapter III. Time is cut into blocks, an hour each
at first and longer later on. Column 0 of every table is idle. One pass serves one row or a year of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autopilot_strategies.signals import Floats, Readings

Targets = NDArray[np.int16]
"""(hours, experts, places): where to go from every place; the place itself, to stay."""

HORIZONS = (3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0, 384.0)
"""Hours."""
HAIRCUTS = (0.9, 1.0)
"""The share of a gain that is counted."""
BLOCKS = np.array([1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64, 128], dtype=np.float64)
"""Hours of each block."""
_BEGINS = np.concatenate(([0.0], np.cumsum(BLOCKS)[:-1]))
_MIDDLES = _BEGINS + (BLOCKS + 1) / 2
"""Hours from the newest known row to the middle of each block: the first block is the row after it."""
_IMPATIENCE = 0.15
"""A plan of horizon H counts an hour by 1 - 0.15 / H less for every hour that it lies ahead."""
_EQUAL = 1e-9
"""What differs by less, as a share, is the same: of equals the first place counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What arriving costs, by place; nothing for idle."""

    dark: Floats
    """Hours without income."""
    cash: Floats
    """USD."""


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What each place is expected to pay, net of the power that serving adds; column 0 is idle."""

    path: Floats
    """(hours, blocks, places), USD/h."""

    @classmethod
    def of(cls, levels: Floats, anchors: Floats, readings: Readings, power: float) -> Outlook:
        """From levels (hours, anchors, venues) at hours ahead, and the chance that the venue has a rate at all by then.

        Between two anchors the level is interpolated in the logarithm of time. The chance is that of a two-state chain: it
        returns from what is now to the share of hours that the venue usually pays.
        """
        ahead = np.log(np.clip(_MIDDLES, anchors[0], anchors[-1]))
        left = np.clip(np.searchsorted(np.log(anchors), ahead, side="right") - 1, 0, len(anchors) - 2)
        share = ((ahead - np.log(anchors)[left]) / np.diff(np.log(anchors))[left])[:, None]
        level = (1 - share) * levels[:, left] + share * levels[:, left + 1]
        usual = readings.back / (readings.back + readings.gone)
        memory = np.clip(1 - readings.back - readings.gone, 0.0, 1.0)[:, None] ** _MIDDLES[:, None]
        chance = usual[:, None] + (readings.present - usual)[:, None] * memory
        venues = np.maximum(np.nan_to_num(level), 0.0) * chance - power
        return cls(np.concatenate((np.zeros((*venues.shape[:2], 1)), venues), axis=2))

    def mean(self, row: int, place: int, hours: float) -> float:
        """The mean over the next hours, USD/h."""
        lengths = np.clip(hours - _BEGINS, 0.0, BLOCKS)
        return float((self.path[row, :, place] * lengths).sum() / lengths.sum())


def first_best(worth: Floats) -> NDArray[np.intp]:
    """The place that is worth most, along the last axis; of equals the first."""
    best = worth.max(axis=-1, keepdims=True)
    found: NDArray[np.intp] = (worth >= best - _EQUAL * np.abs(best)).argmax(axis=-1)
    return found


def to_leave(worth: Floats, going: Floats) -> Targets:
    """Stay where that is worth as much as the best that going brings (..., places)."""
    places = np.arange(worth.shape[-1])
    best = going.max(axis=-1, keepdims=True)
    return np.where(best > worth + _EQUAL * np.abs(worth), first_best(going)[..., None], places).astype(np.int16)


def plan(outlook: Outlook, entry: Entry) -> Targets:
    """What the plan of each horizon and haircut would do: (hours, horizons x haircuts, places)."""
    horizons, haircuts = np.repeat(HORIZONS, len(HAIRCUTS)), np.tile(HAIRCUTS, len(HORIZONS))
    hours, _, places = outlook.path.shape
    worth = going = np.zeros((hours, len(horizons), places))
    ahead = worth
    for block in range(len(BLOCKS) - 1, -1, -1):
        length = np.clip(horizons - _BEGINS[block], 0.0, BLOCKS[block])
        rate = outlook.path[:, block][:, None]
        worth = rate * length[:, None] + ((1 - _IMPATIENCE / horizons) ** length)[:, None] * ahead
        going = worth - (entry.dark * np.maximum(rate, 0.0) + entry.cash) / haircuts[:, None]
        ahead = np.maximum(worth, going.max(axis=2, keepdims=True))
    return to_leave(worth, going)

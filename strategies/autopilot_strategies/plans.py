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
_EDGES = np.concatenate(([0.0], np.cumsum(BLOCKS)))
_MIDDLES = _EDGES[:-1] + (BLOCKS + 1) / 2
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
    stay: Floats
    """Hours from the order to go there on, in which one may not leave again."""

    @property
    def locks(self) -> bool:
        """Whether any place keeps who goes there for more than an hour."""
        return bool((self.stay > 1).any())

    def paid(self, place: int, rate: float) -> float:
        """What arriving costs where the place pays so much, in USD."""
        return float(self.dark[place]) * max(rate, 0.0) + float(self.cash[place])

    def dreaded(self, restless: Floats, premiums: tuple[float, ...]) -> Entry:
        """With what a stay that cannot be cut short may cost: premium x sigma x sqrt(stay - 1), in cash (hours, premiums, places).

        sigma (hours, venues) is how much the difference to another venue changes in an hour, in USD/h (docs/market.md §5).
        """
        cash = np.tile(self.cash, (len(restless), len(premiums), 1))
        dread = restless * np.sqrt(np.maximum(self.stay[1:] - 1, 0.0))
        cash[:, :, 1:] += np.array(premiums)[:, None] * dread[:, None]
        return Entry(self.dark, cash, self.stay)


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
        lengths = np.clip(hours - _EDGES[:-1], 0.0, BLOCKS)
        return float((self.path[row, :, place] * lengths).sum() / lengths.sum())


def braked(outlook: Outlook, low: Outlook, entry: Entry, move: tuple[int, int], hours: float) -> bool:
    """Whether a move, from one place to another, rests on a forecast whose low path loses: it does not pay the switch in these hours.

    Where the low path of the present place is lower still, nothing speaks for staying. Both outlooks have one hour.
    """
    here, there = move
    worst = low.mean(0, there, hours)
    return worst * hours < entry.paid(there, outlook.mean(0, there, hours)) and worst < low.mean(0, here, hours)


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
    """What the plan of each premium, horizon and haircut would do: (hours, premiums x horizons x haircuts, places)."""
    hours, _, places = outlook.path.shape
    premiums, plans = 1 if entry.cash.ndim == 1 else entry.cash.shape[1], len(HORIZONS) * len(HAIRCUTS)
    horizons, haircuts = np.tile(np.repeat(HORIZONS, len(HAIRCUTS)), premiums), np.tile(HAIRCUTS, premiums * len(HORIZONS))
    cash = entry.cash if premiums == 1 else np.repeat(entry.cash, plans, axis=1)
    worth = going = np.zeros((hours, len(horizons), places))
    ahead = worth
    kept = (1 - _IMPATIENCE / horizons)[:, None]
    stay = _Stay(entry.stay, kept, worth) if entry.locks else None
    for block in range(len(BLOCKS) - 1, -1, -1):
        length = np.clip(horizons - _EDGES[block], 0.0, BLOCKS[block])[:, None]
        rate = outlook.path[:, block][:, None]
        worth = rate * length + kept**length * ahead
        arrived = stay.arrived(block, rate * length) if stay else worth
        going = arrived - (entry.dark * np.maximum(rate, 0.0) + cash) / haircuts[:, None]
        ahead = np.maximum(worth, going.max(axis=2, keepdims=True))
        if stay:
            stay.choose(block, ahead)
    return to_leave(worth, going)


class _Stay:
    """What arriving is worth where one must stay: never to leave again, and to be free to do so from the end of the stay on.

    It is told the blocks from the last to the first. Within a block the worth of being free is interpolated.
    """

    def __init__(self, stay: Floats, kept: Floats, nothing: Floats) -> None:
        self._stay, self._kept, self._ever = stay, kept, nothing
        self._free = np.zeros((len(_EDGES), *nothing.shape))

    def arrived(self, block: int, income: Floats) -> Floats:
        """At the start of a block that pays so much in each place: (hours, plans, places)."""
        self._ever = income + self._kept ** BLOCKS[block] * self._ever
        stay = np.maximum(self._stay, BLOCKS[block])
        end = np.minimum(_EDGES[block] + stay, _EDGES[-1])
        last = np.clip(np.searchsorted(_EDGES, end, side="right") - 1, 0, len(BLOCKS) - 1)
        share = (end - _EDGES[last]) / BLOCKS[last]
        before, after = (np.moveaxis(self._free[edge, :, :, np.arange(len(stay))], 0, -1) for edge in (last, last + 1))
        return np.asarray(self._ever + self._kept**stay * ((1 - share) * before + share * after))

    def choose(self, block: int, ahead: Floats) -> None:
        """The best that can be made of being in each place at the start of the block, free to leave."""
        self._free[block] = ahead - self._ever

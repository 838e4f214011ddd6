"""Plans: dynamic programming over a forecast path, for several horizons at once (docs/market.md §5).

A plan values being at a place by what the path pays there from now to its horizon, and by the best that can be made of it on
the way: Richard Bellman, Dynamic Programming, Princeton University Press 1957, chapter III. Time is cut into blocks, an hour each
at first and longer later on. Column 0 of every table is idle. One pass serves one row or a year of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from autopilot_strategies.signals import Floats, Readings
from autopilot_strategies.targets import Targets, everywhere, highest

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
_EVER = np.array([1.0, 2.0])
"""Hours ahead of a forecast that never changes."""


class Power(NamedTuple):
    """What serving adds to the power bill, USD/h."""

    now: Floats
    """At the price in force (venues)."""
    ahead: Floats
    """At the mean price of each block (blocks, venues)."""


FREE = Power(np.zeros(1), np.zeros((1, 1)))
"""Power that costs nothing."""


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
    def of(cls, levels: Floats, anchors: Floats, readings: Readings, power: Power) -> Outlook:
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
        return cls.net(np.maximum(np.nan_to_num(level), 0.0) * chance, power)

    @classmethod
    def net(cls, rates: Floats, power: Power) -> Outlook:
        """From rates (hours, blocks, venues), or (hours, 1, venues) where they do not change."""
        venues = np.broadcast_to(rates, (len(rates), len(BLOCKS), rates.shape[2])) - power.ahead
        return cls(np.concatenate((np.zeros((*venues.shape[:2], 1)), venues), axis=2))

    @classmethod
    def lasting(cls, readings: Readings, power: Power) -> Outlook:
        """From levels that do not change."""
        return cls.of(np.repeat(readings.level[:, None], 2, axis=1), _EVER, readings, power)

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


class Aim(NamedTuple):
    """What a plan goes by; arrays where there are many."""

    horizon: Any
    """Hours."""
    haircut: Any
    """The share of a gain that is counted."""


def plan(outlook: Outlook, entry: Entry) -> Targets:
    """What the plan of each premium, horizon and haircut would do: (hours, premiums x horizons x haircuts, places)."""
    premiums = 1 if entry.cash.ndim == 1 else entry.cash.shape[1]
    aim = Aim(np.tile(np.repeat(HORIZONS, len(HAIRCUTS)), premiums), np.tile(HAIRCUTS, premiums * len(HORIZONS)))
    cash = entry.cash[:, None, None]
    if entry.cash.ndim > 1:
        cash = np.repeat(np.moveaxis(entry.cash, 2, 0), len(aim.horizon) // premiums, axis=2)
    path = np.ascontiguousarray(outlook.path.transpose(2, 1, 0))[..., None]
    return everywhere(*weighed(aim, path, entry.dark[:, None, None], cash, entry.stay))


def weighed(aim: Aim, path: Any, dark: Any, cash: Any, stay: Any) -> tuple[Any, Any]:
    """What staying in each place is worth to a plan, and what going there is, by a path of rates (places, blocks) and the costs by place.

    As in ``targets``: a rate may be an array (hours, 1), and the aim one of experts.
    """
    nothing = np.zeros_like(path[:, 0] * aim.horizon)
    staying, going, ahead, ever = nothing.copy(), nothing.copy(), nothing.copy(), nothing.copy()
    tied, kept = stay.max() > 1.0, 1 - _IMPATIENCE / aim.horizon
    free = np.zeros((len(_EDGES) if tied else 0,) + nothing.shape)  # noqa: RUF005  # numba adds tuples, and unpacks none
    for block in range(len(BLOCKS) - 1, -1, -1):
        rates, length = path[:, block], np.minimum(np.maximum(aim.horizon - _EDGES[block], 0.0), BLOCKS[block])
        staying[:] = rates * length + kept**length * ahead
        going[:] = staying
        if tied:
            ever[:] = rates * length + kept ** BLOCKS[block] * ever
            for place in range(len(stay)):
                going[place] = ever[place] + _released(block, kept, stay[place], free[:, place])
        going -= (dark * np.maximum(rates, 0.0) + cash) / aim.haircut
        ahead[:] = np.maximum(staying, highest(going))
        if tied:
            free[block] = ahead - ever
    return staying, going


def _released(block: int, kept: Any, stay: float, free: Any) -> Any:
    """What being let go at the end of a stay is worth more at its start, in this block, than never to leave again.

    ``free`` has what that is worth at the start of every block. Within a block it is interpolated.
    """
    hours = max(stay, BLOCKS[block])
    end = min(_EDGES[block] + hours, _EDGES[-1])
    last = block
    while last < len(BLOCKS) - 1 and _EDGES[last + 1] <= end:
        last += 1
    share = (end - _EDGES[last]) / BLOCKS[last]
    return kept**hours * ((1 - share) * free[last] + share * free[last + 1])

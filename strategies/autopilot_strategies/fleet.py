"""All GPUs of an owner, and venues with limits where each further GPU earns less: what an assignment is worth (docs/market.md §4).

Equal GPUs are a *group*; those that every venue pays alike are a *kind*, whichever venue they come from. A venue has places in an order:
the GPU in place m = 0, 1, ... of venue k earns the share (1 - fall_k)^m of what it would earn there alone. All of our GPUs at a venue
share its places, whatever their kind, and the best paid one has the first place. So a GPU of group i and kind j in place m of venue k is
worth::

    w_ikm = pay_jk * (1 - fall_k)**m - cost_ik          m < places_k

The fall takes its share of the pay; the cost (switch, power) it leaves alone. Each GPU gets one place, each place one GPU, and the sum
is to be the highest. That is an assignment problem, whose linear programme has a whole optimum. No other order of the places pays more,
because pay is not negative and falls from place to place. ``exact`` solves it for a rig; ``autopilot_strategies.blocks`` for ten
thousand GPUs, with a bound that proves how near the answer is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_GAIN = 1e-9
"""As a share of the highest pay (of a dollar, if that is less): of equal venues the present one stays; no move is paid for nothing."""
_LEAST_FALL = 1e-12
"""Flat pay, as a fall by which one can divide. Nor is a fall steeper than all but this."""


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """What there is to be assigned, as arrays over groups, kinds and venues. Money is USD over the horizon.

    Raises ValueError where pay is negative or not finite, a fall is no share, a cost is not a number, or a group could not stay.
    """

    counts: Ints
    """The equal GPUs of each group."""
    kind: Ints
    """The row of ``pay`` of each group."""
    home: Ints
    """The venue at which each group is now."""
    pay: Floats
    """Kinds x venues: what a GPU would earn there alone."""
    cost: Floats
    """Groups x venues: what does not fall with the pay; infinite where the group may not go."""
    fall: Floats
    """By which share a further GPU at each venue earns less than the one before."""
    places: Ints
    """How many GPUs each venue takes, those that are there now among them."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.pay) & (self.pay >= 0)).all() or not ((self.fall >= 0) & (self.fall <= 1)).all():
            msg = "pay is finite and not negative, and a fall lies between 0 and 1"
            raise ValueError(msg)
        staying = self.cost[np.arange(len(self.home)), self.home]
        if not (self.cost > -np.inf).all() or not (staying < np.inf).all() or (self.staying().sum(0) > self.places).any():
            msg = "every cost is a number, and every GPU has a place where it is now, at a finite cost"
            raise ValueError(msg)

    def staying(self) -> Ints:
        """Groups x venues: every GPU where it is."""
        stay = np.zeros(self.cost.shape, np.int64)
        stay[np.arange(len(self.home)), self.home] = self.counts
        return stay

    def by_kind(self, where: Ints | Floats) -> Floats:
        """Kinds x venues: the GPUs of an assignment."""
        counted = np.zeros(self.pay.shape)
        np.add.at(counted, self.kind, where)
        return counted

    def total(self, where: Ints | Floats) -> float:
        """What an assignment (groups x venues) is worth."""
        spent = np.where(where > 0, self.cost, 0.0) * where
        return float(Arrangement(self).incomes(self.by_kind(where)).sum() - spent.sum())

    def marginal(self, where: Ints | Floats) -> Floats:
        """For each venue, the pay that one more GPU of the kind that gains most there would add; nothing where no place is left."""
        added = Arrangement(self).marginals(self.by_kind(where)).max(0, initial=0.0)
        return np.where(where.sum(0) < self.places, added, 0.0)


class Arrangement:
    """The places of all venues, with the best paid kind in the first ones.

    With S GPUs up to and with a kind, and L the pay of those after it, one more of the kind adds ``pay * f**S - fall * L``, where
    ``f = 1 - fall``: it gets the place after its like, and moves each after it one place back.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fall = np.clip(fleet.fall, _LEAST_FALL, 1 - _LEAST_FALL)
        self.steepness = -np.log1p(-self.fall)
        venues = np.arange(fleet.pay.shape[1])
        order = np.argsort(-fleet.pay, axis=0, kind="stable")
        self._cells = order * len(venues) + venues
        self._back = np.argsort(order, axis=0) * len(venues) + venues
        self._pay = fleet.pay.take(self._cells)

    def incomes(self, counted: Floats, venues: Sequence[int] | slice = slice(None)) -> Floats:
        """What the GPUs of each kind earn at each venue, or at some of them; kinds in the order of their places."""
        return self._blocks(counted, venues)[0]

    def marginals(self, counted: Floats) -> Floats:
        """Kinds x venues: what one more GPU would add to all that is earned there."""
        income, share = self._blocks(counted, slice(None))
        after = income[::-1].cumsum(0)[::-1] - income
        added: Floats = (self._pay * share - self.fall * after).take(self._back)
        return added

    def _blocks(self, counted: Floats, venues: Sequence[int] | slice) -> tuple[Floats, Floats]:
        """The income of each kind, and the share that the place after its last one pays."""
        here = counted.take(self._cells[:, venues])
        until = here.cumsum(0)
        steepness = -self.steepness[venues]
        # That is pay * (first share - last share) / fall, but loses no digits where the two are nearly one.
        income = self._pay[:, venues] * np.exp(steepness * (until - here)) * np.expm1(steepness * here) / -self.fall[venues]
        return income, np.exp(steepness * until)


def exact(fleet: Fleet) -> Ints:
    """The best assignment, groups x venues, by SciPy's shortest augmenting paths; of equal ones that which moves fewer GPUs.

    Time and memory grow at least as the square of the GPUs times the venues: meant for a rig, not for a thousand.
    """
    from scipy.optimize import linear_sum_assignment

    group = np.repeat(np.arange(len(fleet.counts)), fleet.counts)
    depth = np.minimum(fleet.places, len(group))
    venue = np.repeat(np.arange(len(depth)), depth)
    place = np.arange(len(venue)) - np.repeat(np.cumsum(depth) - depth, depth)
    pay = fleet.pay[fleet.kind[group]]
    worth = pay[:, venue] * (1 - fleet.fall[venue]) ** place - fleet.cost[np.ix_(group, venue)]
    worth += (fleet.home[group][:, None] == venue) * (LEAST_GAIN * pay.max(initial=1.0))
    who, taken = linear_sum_assignment(worth, maximize=True)
    where = np.zeros(fleet.cost.shape, np.int64)
    np.add.at(where, (group[who], venue[taken]), 1)
    return where

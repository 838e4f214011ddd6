"""Ten thousand GPUs to venues with falling pay, in milliseconds, with a bound that proves how near the best that is (docs/market.md §4).

``search``  moves blocks of equal GPUs, each from the group's worst venue to its best one, until no move gains. What a GPU more adds at a
            venue shrinks by the factor 1 - fall with each, so a Newton step says how many should move at once. Who enters a full venue
            takes the place of the one that loses least by leaving, and GPUs of two venues change places where both together gain.

``bound``   is linear programming's duality (G. B. Dantzig): with any price u_i of a GPU of group i, and the worth w_ikm of its place
            as in ``autopilot_strategies.fleet``, no assignment is worth more than::

                sum_i count_i u_i  +  sum_k sum_{m < places_k} max(0, max_i w_ikm - u_i)

            The prices are those at which the same search, in fractions of a GPU, comes to rest: there the bound is met.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from autopilot_strategies.fleet import LEAST_GAIN, Arrangement, Fleet, Floats, Ints

_MOST_ROUNDS = 1000
_ENOUGH = 1e-5
"""A round that adds less than this share of all pay is the last one in whole GPUs."""
_NEARLY = 1e-9
"""The same in fractions of a GPU."""
_CALM = 1e-5
"""After a round that adds less than this share of all pay, longer chains and exchanges are looked for."""
_AT_ONCE = 60
"""Groups that move in one round, those that gain most. More of them disturb each other."""
_MOST_HOPS = 2
"""So many full venues may hand a GPU on before the last one finds a free place, once the search is calm."""
_DUST = 1e-9
"""Of a GPU. A group with no more than this at a venue is not there, and a venue with no more room than this is full."""
_LEAST_FRACTION = 1e-8
"""As ``LEAST_GAIN``, in fractions of a GPU."""
_TINY = 1e-300
"""Added to a slope that may be zero, so that one can divide by it."""
_DEPTH = 256
"""Places of a venue that are looked at first."""


def search(fleet: Fleet) -> Ints:
    """A very good assignment in whole GPUs, groups x venues; ``bound`` says how good."""
    found = _Search(fleet, fleet.staying(), whole=True)
    found.run(_ENOUGH)
    return np.rint(found.where).astype(np.int64)


def bound(fleet: Fleet, where: Ints) -> float:
    """What no assignment exceeds, in USD, and close to the best one where ``where`` is."""
    found = _Search(fleet, where, whole=False)
    found.run(_NEARLY)
    price = found.prices()
    line = np.full(fleet.pay.shape, -np.inf)
    np.maximum.at(line, fleet.kind, -fleet.cost - price[:, None])
    most = np.minimum(fleet.places, fleet.counts.sum()).tolist()
    rents = (_rent(fleet.pay[:, k], line[:, k], 1 - float(fleet.fall[k]), places) for k, places in enumerate(most))
    return float((fleet.counts * price).sum()) + sum(rents)


def _rent(pay: Floats, line: Floats, factor: float, places: int) -> float:
    """What the places of one venue are worth beyond the prices of the GPUs in them."""
    depth = min(places, _DEPTH)
    while True:
        worth = (pay[:, None] * factor ** np.arange(depth) + line[:, None]).max(0)
        # It falls from place to place: where the last one is worth nothing, so are all after it.
        if depth == places or worth[-1] <= 0:
            return float(np.maximum(worth, 0.0).sum())
        depth = min(places, 2 * depth)


_Step = tuple[int, int, int, float, float, float]
"""Of a group, from a venue, to a venue; what the first gains, and how much less the next as the source empties and the target fills."""


class _Exit(NamedTuple):
    """Who leaves a full venue with the least loss, and for where."""

    group: int
    refuge: int
    filling: float


def _rings(exits: dict[int, _Exit]) -> Iterator[list[tuple[int, int, int]]]:
    """The full venues that would hand a GPU on until it is back: who leaves each, and for where."""
    for first in exits:
        ring: list[tuple[int, int, int]] = []
        venue = first
        while venue in exits and len(ring) < len(exits):
            group, refuge, _ = exits[venue]
            ring.append((group, venue, refuge))
            venue = refuge
            if venue == first:
                yield ring
                break


class _Search:
    """Moves blocks of GPUs until none gains: whole GPUs, or fractions of them."""

    def __init__(self, fleet: Fleet, where: Ints, *, whole: bool) -> None:
        self._fleet = fleet
        self._whole = whole
        self._arrangement = Arrangement(fleet)
        self._rows = np.arange(len(fleet.counts))
        self.where = where.astype(np.float64)
        self._counted = fleet.by_kind(where)
        self._least = (LEAST_GAIN if whole else _LEAST_FRACTION) * fleet.pay.max(initial=1.0)
        share = 1 - self._arrangement.fall
        self._hops = _MOST_HOPS
        # One GPU less is one place back; a fraction more or less stands half way between the two.
        self._in, self._out = (np.ones_like(share), 1 / share) if whole else (share**-0.5, share**-0.5)

    def run(self, enough: float) -> None:
        """Round by round, until one adds no more than this share of all pay."""
        pay = self._arrangement.incomes(self._counted).sum()
        for _ in range(_MOST_ROUNDS):
            added, hops = self._round(), self._hops
            if added <= _CALM * pay:
                added += self._exchange()
            self._hops = 1 if added > _CALM * pay else _MOST_HOPS
            if added <= enough * pay and hops == _MOST_HOPS:
                return

    def prices(self) -> Floats:
        """What a GPU of each group is worth: at its best venue, less what a place there costs."""
        into, out, _, _ = self._look()
        price = into.max(1)
        # Where there is nowhere to go and nobody makes way, a GPU is worth what it earns.
        worth: Floats = np.where(np.isfinite(price), price, out.min(1))
        return worth

    def _look(self) -> tuple[Floats, Floats, Floats, dict[int, _Exit]]:
        """Groups x venues: what one GPU more is worth there, and one less loses; the marginals; who would leave each full venue."""
        fleet, added = self._fleet, self._arrangement.marginals(self._counted)
        into = (added * self._in).take(fleet.kind, 0) - fleet.cost
        out = np.where(self.where > _DUST, (added * self._out).take(fleet.kind, 0) - fleet.cost, np.inf)
        full = np.flatnonzero(self.where.sum(0) > fleet.places - (1 if self._whole else _DUST))
        return into, out, added, self._open(into, added, full) if len(full) else {}

    def _open(self, into: Floats, added: Floats, full: Ints) -> dict[int, _Exit]:
        """Write into ``into`` what entering full venues is worth, where the GPU that loses least makes way, maybe into another one."""
        kind, pay, rows, columns = self._fleet.kind, self._fleet.pay, self._rows, np.arange(len(full))
        exits: dict[int, _Exit] = {}
        entering, there = into[:, full], self.where[:, full] > _DUST
        staying, least = np.where(there, entering, np.inf), np.full(len(full), -np.inf)
        into[:, full] = -np.inf
        for _ in range(self._hops):
            others, best = into.copy(), into.argmax(1)
            others[rows, best] = -np.inf
            second, own = others.argmax(1), best[:, None] == full
            refuges = np.where(own, second[:, None], best[:, None])
            left = np.where(own, others[rows, second][:, None], into[rows, best][:, None]) - staying
            leavers = left.argmax(0)
            lost = left[leavers, columns]
            better = np.flatnonzero(lost > least)  # a longer way that is no better leads round in circles
            venue, leaver = full[better], leavers[better]
            refuge = refuges[leaver, better]
            parts = (venue, leaver, refuge, self._slope(added, leaver, refuge))
            exits.update((at, _Exit(*rest)) for at, *rest in zip(*(part.tolist() for part in parts), strict=True))
            # Who is paid less than the leaver moves up by the place that becomes free.
            later = pay[:, venue] < pay[kind[leaver], venue]
            moved = (added[:, venue] - added[kind[leaver], venue]) * (self._out[venue] - self._in[venue])
            into[:, venue] = entering[:, better] + np.minimum(lost[better], 0.0) + np.where(later, moved, 0.0).take(kind, 0)
            least = np.maximum(least, lost + self._least)
        return exits

    def _slope(self, added: Floats, groups: Ints, venues: Ints) -> Floats:
        """How much a GPU of each group shifts the marginal of a venue."""
        slope: Floats = self._arrangement.steepness[venues] * np.abs(added[self._fleet.kind[groups], venues])
        return slope

    def _round(self) -> float:
        """Move the groups that gain most, and say what that adds."""
        into, out, added, exits = self._look()
        target, source = into.argmax(1), out.argmin(1)
        gain = into[self._rows, target] - out[self._rows, source]
        movers = np.flatnonzero(gain > self._least)
        target, source, gain = target[movers], source[movers], gain[movers]
        losing, filling = self._slope(added, movers, source), self._slope(added, movers, target)
        block = np.minimum(gain / (losing + filling + _TINY), self.where[movers, source])
        first = np.argsort(-gain * block, kind="stable")[:_AT_ONCE]
        columns = (movers, source, target, gain, losing, filling)
        return self._walk(zip(*(column[first].tolist() for column in columns), strict=True), exits)

    def _walk(self, steps: Iterable[_Step], exits: dict[int, _Exit]) -> float:
        """Take the steps one after the other: those before one change its gain."""
        shift = [0.0] * len(self._fleet.places)
        room = (self._fleet.places - self.where.sum(0)).tolist()
        added = 0.0
        for group, source, target, first, losing, filling in steps:
            gain = first - filling * shift[target] + losing * shift[source]
            if gain <= self._least:
                continue
            chain, slope = [(group, source, target)], losing + filling
            while (end := chain[-1][2]) != source and (leaver := exits.get(end)) and len(chain) <= self._hops:
                chain.append((leaver.group, end, leaver.refuge))
                slope += leaver.filling
            block = gain / (slope + _TINY)
            block = max(block // 1, 1.0) if self._whole else block
            free = np.inf if end == source else room[end]  # who goes round in a circle takes the place that it left
            if free <= 0:
                continue
            block = min(block, free, *(float(self.where[who, here]) for who, here, _ in chain))
            if block <= 0:
                continue
            for move in chain:
                self._move(*move, block)
                exits.pop(move[1], None)
            room[end] -= block
            room[source] += block
            shift[source] -= block
            shift[end] += block
            added += gain * block
        return added

    def _exchange(self) -> float:
        """Let GPUs of two venues, and of full ones in a ring, change places where all together gain; no single move shows that."""
        self._hops = _MOST_HOPS
        _, _, added, exits = self._look()
        worth = (added * self._in).take(self._fleet.kind, 0) - self._fleet.cost
        venues = len(self._fleet.places)
        best, who = np.full((venues, venues), -np.inf), np.zeros((venues, venues), np.int64)
        for venue in range(venues):
            there = np.flatnonzero(self.where[:, venue] > _DUST)
            if len(there):
                gain = worth[there] - worth[there, venue][:, None]
                first = gain.argmax(0)
                best[venue], who[venue] = gain[first, np.arange(venues)], there[first]
        both = np.triu(best + best.T, 1)
        pairs = np.argwhere(both > self._least)
        order = np.argsort(-both[pairs[:, 0], pairs[:, 1]], kind="stable")
        swaps = ([(int(who[one, other]), one, other), (int(who[other, one]), other, one)] for one, other in pairs[order].tolist())
        return sum(self._turn(ring) for ring in (*swaps, *_rings(exits)))

    def _turn(self, ring: Sequence[tuple[int, int, int]]) -> float:
        """Move a block round a ring: what it gains falls with its size, so where the least block gains nothing none does."""
        most = min(float(self.where[group, source]) for group, source, _ in ring)
        least = min(most, 1.0 if self._whole else most / 1024)
        gained = self._attempt(ring, least) if most > _DUST else 0.0
        block = most - least
        while gained and block >= least:
            if more := self._attempt(ring, block):
                return gained + more
            block = block // 2 if self._whole else block / 2
        return gained

    def _attempt(self, ring: Sequence[tuple[int, int, int]], block: float) -> float:
        """Move a block round a ring, and say what that gains; nothing is moved where it gains nothing."""
        cost, pay = self._fleet.cost, self._arrangement.incomes(self._counted).sum()
        for move in ring:
            self._move(*move, block)
        saved = sum(float(cost[group, source] - cost[group, target]) for group, source, target in ring)
        gained = float(self._arrangement.incomes(self._counted).sum() - pay) + saved * block
        if gained > self._least * block:
            return gained
        for move in ring:
            self._move(*move, -block)
        return 0.0

    def _move(self, group: int, source: int, target: int, block: float) -> None:
        kind = self._fleet.kind[group]
        self.where[group, source] -= block
        self.where[group, target] += block
        self._counted[kind, source] -= block
        self._counted[kind, target] += block

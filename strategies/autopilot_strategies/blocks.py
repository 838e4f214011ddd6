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
_ENOUGH = 2e-5
"""A round that adds less than this share of all pay is the last one in whole GPUs."""
_NEARLY = 1e-9
"""The same in fractions of a GPU."""
_CALM = 3e-5
"""After a round that adds less than this share of all pay, longer chains and exchanges are looked for."""
_AT_ONCE = 60
"""Groups that move in one round, those that gain most. More of them disturb each other."""
_MOST_SWAPS = 10
"""Pairs of venues that change GPUs at once, those that gain most: the rest gains little after them."""
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


_Ring = Sequence[tuple[int, int, int]]
"""Who leaves which venue for which, until the last one comes to where the first one left."""


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
        self._kinds = fleet.kind.tolist()
        self.where = where.astype(np.float64)
        self._counted = fleet.by_kind(where)
        self._room = (fleet.places - self.where.sum(0)).tolist()
        self._least = float((LEAST_GAIN if whole else _LEAST_FRACTION) * fleet.pay.max(initial=1.0))
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
        least = 1 if self._whole else _DUST
        full = np.array([venue for venue, room in enumerate(self._room) if room < least], np.int64)
        return into, out, added, self._open(into, added, full) if len(full) else {}

    def _slopes(self, added: Floats) -> Floats:
        """How much a GPU of each kind shifts its marginal at each venue."""
        slopes: Floats = self._arrangement.steepness * np.abs(added)
        return slopes

    def _open(self, into: Floats, added: Floats, full: Ints) -> dict[int, _Exit]:
        """Write into ``into`` what entering full venues is worth, where the GPU that loses least makes way, maybe into another one."""
        kind, pay, slopes = self._fleet.kind, self._fleet.pay, self._slopes(added)
        exits: dict[int, _Exit] = {}
        at, group = np.nonzero(self.where[:, full].T > _DUST)
        home, cells = full[at], np.arange(len(at))
        entering, staying, least = into[:, full], into[group, home], np.full(len(full), -np.inf)
        into[:, full] = -np.inf
        for _ in range(self._hops):
            left = into[group]
            left[cells, home] = -np.inf
            refuges = left.argmax(1)
            loss = left[cells, refuges] - staying
            order = loss.argsort()
            first, lost = np.zeros(len(full), np.int64), np.full(len(full), -np.inf)
            first[at[order]], lost[at[order]] = order, loss[order]  # of those at a venue, the last one stays written: the best
            better = np.flatnonzero(lost > least)  # a longer way that is no better leads round in circles
            venue, leaver, refuge = full[better], group[first[better]], refuges[first[better]]
            row = kind[leaver]
            parts = zip(venue.tolist(), leaver.tolist(), refuge.tolist(), slopes[row, refuge].tolist(), strict=True)
            exits.update((here, _Exit(*rest)) for here, *rest in parts)
            # Who is paid less than the leaver moves up by the place that becomes free.
            later = pay[:, venue] < pay[row, venue]
            moved = (added[:, venue] - added[row, venue]) * (self._out[venue] - self._in[venue])
            into[:, venue] = entering[:, better] + np.minimum(lost[better], 0.0) + np.where(later, moved, 0.0).take(kind, 0)
            least = np.maximum(least, lost + self._least)
        return exits

    def _round(self) -> float:
        """Move the groups that gain most, and say what that adds."""
        into, out, added, exits = self._look()
        slopes = self._slopes(added)
        target, source = into.argmax(1), out.argmin(1)
        gain = into[self._rows, target] - out[self._rows, source]
        movers = (gain > self._least).nonzero()[0]
        kind, target, source, gain = self._fleet.kind[movers], target[movers], source[movers], gain[movers]
        losing, filling = slopes[kind, source], slopes[kind, target]
        block = np.minimum(gain / (losing + filling + _TINY), self.where[movers, source])
        first = np.argsort(-gain * block, kind="stable")[:_AT_ONCE]
        columns = (movers, source, target, gain, losing, filling)
        return self._walk(zip(*(column[first].tolist() for column in columns), strict=True), exits)

    def _walk(self, steps: Iterable[_Step], exits: dict[int, _Exit]) -> float:
        """Take the steps one after the other: those before one change its gain."""
        shift = [0.0] * len(self._room)
        added = 0.0
        for group, source, target, first, losing, filling in steps:
            gain = first - filling * shift[target] + losing * shift[source]
            if gain <= self._least:
                continue
            chain, slope = [(group, source, target)], losing + filling
            end = target
            while end != source and (leaver := exits.get(end)) and len(chain) <= self._hops:
                chain.append((leaver.group, end, leaver.refuge))
                slope += leaver.filling
                end = leaver.refuge
            block = gain / (slope + _TINY)
            if self._whole:
                block = max(block // 1, 1.0)
            for who, here, _ in chain:
                block = min(block, self.where.item(who, here))
            if end != source:  # who goes round in a circle takes the place that it left
                block = min(block, self._room[end])
            if block <= 0:
                continue
            for move in chain:
                self._move(*move, block)
                exits.pop(move[1], None)
            shift[source] -= block
            shift[end] += block
            added += gain * block
        return added

    def _exchange(self) -> float:
        """Let GPUs of two venues, and of full ones in a ring, change places where all together gain; no single move shows that."""
        self._hops = _MOST_HOPS
        _, _, added, exits = self._look()
        slopes = self._slopes(added).tolist()
        return sum(self._turn(ring, slopes) for ring in (*self._swaps(added), *_rings(exits)))

    def _swaps(self, added: Floats) -> Iterator[_Ring]:
        """Who would go from one venue to another, and who from there to the first; what gains most comes first."""
        worth = (added * self._in).take(self._fleet.kind, 0) - self._fleet.cost
        home, group = np.nonzero(self.where.T > _DUST)
        gain = worth[group] - worth[group, home][:, None]
        venues, begin = np.unique(home, return_index=True)
        best = np.full((len(self._room), len(self._room)), -np.inf)
        best[venues] = np.maximum.reduceat(gain, begin)
        both = np.triu(best + best.T, 1)
        pairs = np.argwhere(both > self._least)
        order = np.argsort(-both[tuple(pairs.T)], kind="stable")[:_MOST_SWAPS]
        there = dict(zip(venues.tolist(), np.split(np.arange(len(home)), begin)[1:], strict=True))
        for one, other in pairs[order].tolist():
            yield [(int(group[there[here]][gain[there[here], then].argmax()]), here, then) for here, then in ((one, other), (other, one))]

    def _turn(self, ring: _Ring, slopes: Sequence[Sequence[float]]) -> float:
        """Move a block round a ring: what it gains falls with its size, so where the least block gains nothing none does."""
        most = min(self.where.item(group, source) for group, source, _ in ring)
        least = min(most, 1.0 if self._whole else most / 1024)
        gained = self._attempt(ring, least) if most > _DUST else 0.0
        if not gained:
            return 0.0
        # At every venue of the ring a GPU takes the place of one of another kind.
        changes = zip(ring, (*ring[1:], ring[0]), strict=True)
        bend = sum(abs(slopes[self._kinds[one]][venue] - slopes[self._kinds[other]][venue]) for (one, _, venue), (other, _, _) in changes)
        block = min(most - least, gained / least / (bend + _TINY))
        block = block // 1 if self._whole else block
        while block >= least:
            if more := self._attempt(ring, block):
                return gained + more
            block = block // 2 if self._whole else block / 2
        return gained

    def _attempt(self, ring: _Ring, block: float) -> float:
        """Move a block round a ring, and say what that gains; nothing is moved where it gains nothing."""
        cost, venues = self._fleet.cost, [source for _, source, _ in ring]
        before = self._arrangement.incomes(self._counted, venues).sum()
        for move in ring:
            self._move(*move, block)
        saved = sum(cost.item(group, source) - cost.item(group, target) for group, source, target in ring)
        gained = float(self._arrangement.incomes(self._counted, venues).sum() - before) + saved * block
        if gained > self._least * block:
            return gained
        for move in ring:
            self._move(*move, -block)
        return 0.0

    def _move(self, group: int, source: int, target: int, block: float) -> None:
        kind = self._kinds[group]
        self.where[group, source] -= block
        self.where[group, target] += block
        self._counted[kind, source] -= block
        self._counted[kind, target] += block
        self._room[source] += block
        self._room[target] -= block

"""Virtual accounts: what every expert, the base rule and the vote itself would have earned, at true costs (docs/market.md §5).

A decision at the start of an hour knows the rows before it. A move costs its cash at once and its dark hours of income, the last of
them in part, and nothing is decided before the dark time is over (docs/market.md §2), nor before a venue lets go again. Everything
below the classes is written in scalar loops over arrays, so that it can be compiled as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autopilot_strategies.experts import Panel
from autopilot_strategies.plans import Entry
from autopilot_strategies.safeguard import REGAINED, budget, slack
from autopilot_strategies.signals import Floats
from autopilot_strategies.targets import Targets

Places = NDArray[np.int64]

RATE = 0.2
"""How fast the vote follows profit."""
OPENED = 7 * 24
"""Hours of history from which on accounts are kept."""
HEARD = 14 * 24
"""Hours of history before which only experts without parameters vote."""
QUORUM = 0.5
"""The share of the vote for leaving that is enough."""
_DAY = 24
_KEPT_PROFIT = 0.5 ** (1 / (2 * 365 * _DAY))
_KEPT_RATE = 0.5 ** (1 / (10 * _DAY))
_LEAST_COST = 0.25
"""Hours: a smaller cost of a switch counts as so much."""
_WORTHWHILE = 3.0
"""A plan's horizon must be so many times as long as the cost of a move, or it could never ask for one."""
_LAST_HORIZON = 384.0


@dataclass(frozen=True, slots=True, eq=False)
class Accounts:
    """The state after some hours: one account for each expert, and the last one for the vote."""

    place: Places
    """0 is idle."""
    busy: Places
    """Hours until the next decision."""
    profit: Floats
    """USD, discounted with a half-life of two years."""
    weights: Floats
    """Of the experts, as of the last midnight (UTC)."""
    income: float
    """The highest rate of an hour, averaged: the scale of everything. USD/h."""
    guarded: bool
    """Whether the base rule is followed."""
    rows: int
    """Hours taken in."""

    @classmethod
    def start(cls, panel: Panel) -> Accounts:
        """Idle, and nothing earned."""
        experts = len(panel.prior)
        nowhere = np.zeros(experts + 1, dtype=np.int64)
        return cls(nowhere, nowhere, np.zeros(experts + 1), trusted(panel), 0.0, guarded=False, rows=0)

    def extend(self, panel: Panel, entry: Entry, tables: Targets, rates: Floats, hour: int) -> Accounts:
        """Earn more hours (hours, venues). Row t of the tables is what was decided at its start, on the rows before it."""
        books = self._books()
        keep(tables, rates, hour, self.rows, _fares(entry), _voters(panel), books)
        income, guarded = books.scalars
        return Accounts(*books[:-1], float(income), bool(guarded), self.rows + len(rates))

    def elect(self, panel: Panel, entry: Entry, table: Targets, here: int) -> Election:
        """What the vote is for a device that is at this place, by a table (experts, places) of what the experts would do now."""
        books, fares = self._books(), _fares(entry)
        books.place[-1] = here
        if books.busy[panel.base] == 0:
            books.place[panel.base] = table[panel.base, books.place[panel.base]]
        votes = count(table, books.weights, here)
        wish = elected(votes, here)
        target = guard(wish, panel.base, fares, books) if self.rows >= OPENED else wish
        guarded = bool(books.scalars[1])
        return Election(votes, int(wish), int(target), guarded, foreseen=not guarded and self._without_plans(panel, table, here) == here)

    def _without_plans(self, panel: Panel, table: Targets, here: int) -> int:
        """Where the other experts would go, had only they a voice; here where they have none."""
        others = np.where(np.isfinite(panel.horizon), 0.0, self.weights)
        heard = others.sum()
        return int(elected(count(table, others / heard, here), here)) if heard > 0 else here

    def ahead(self, panel: Panel) -> float:
        """Hours that the plans look ahead, by their weight."""
        plans = np.isfinite(panel.horizon) & (self.weights > 0)
        if not plans.any():
            return float(np.median(panel.horizon[np.isfinite(panel.horizon)]))
        return float(np.exp(np.average(np.log(panel.horizon[plans]), weights=self.weights[plans])))

    def _books(self) -> Books:
        scalars = np.array([self.income, float(self.guarded)])
        return Books(self.place.copy(), self.busy.copy(), self.profit.copy(), self.weights.copy(), scalars)


@dataclass(frozen=True, slots=True, eq=False)
class Election:
    """How the experts vote, and what becomes of it."""

    votes: Floats
    """For each place."""
    wish: int
    """What the vote asks for."""
    target: int
    """Where to go: the wish, or where the base rule is."""
    guarded: bool
    """Whether the base rule is followed."""
    foreseen: bool
    """Whether to leave rests on the forecast: without the plans nobody would."""


class Fares(NamedTuple):
    """What arriving costs, by place."""

    dark: Floats
    """Hours."""
    cash: Floats
    """USD."""
    busy: Places
    """Hours until the next decision: it is dark, or may not leave yet."""


class Voters(NamedTuple):
    """The experts, as in ``Panel``."""

    prior: Floats
    horizon: Floats
    free: NDArray[np.bool_]
    base: int


class Books(NamedTuple):
    """The accounts, as in ``Accounts``; they are written to."""

    place: Places
    busy: Places
    profit: Floats
    weights: Floats
    scalars: Floats
    """The income that is the scale of everything, and 1 where the guard acts."""


def keep(tables: Targets, rates: Floats, hour: int, known: int, fares: Fares, voters: Voters, books: Books) -> None:
    """Carry the accounts through the hours, of which the first is ``hour`` since 1970 and ``known`` were there before."""
    own = len(voters.prior)
    for row in range(len(rates)):
        if known + row >= OPENED:
            for expert in range(own):
                if books.busy[expert] == 0:
                    enter(expert, tables[row, expert, books.place[expert]], fares, books)
            if books.busy[own] == 0:
                wish = elected(count(tables[row], books.weights, books.place[own]), books.place[own])
                enter(own, guard(wish, voters.base, fares, books), fares, books)
        for account in range(own + 1):
            earn(account, rates[row], fares, books)
        books.scalars[0] = scale(books.scalars[0], rates[row], known + row)
        if (hour + row + 1) % _DAY == 0:
            weigh(voters, fares, books, known + row + 1)


def count(table: Targets, weights: Floats, here: int) -> Floats:
    """The votes for each place, from where one is."""
    votes = np.zeros(table.shape[1])
    for expert in range(len(weights)):
        votes[table[expert, here]] += weights[expert]
    return votes


def elected(votes: Floats, here: int) -> int:
    """The place with the most votes if those to leave reach the quorum; of equals the first."""
    if 1.0 - votes[here] < QUORUM - 1e-12:
        return here
    best = -1
    for place in range(len(votes)):
        if place != here and votes[place] > 0.0 and (best < 0 or votes[place] > votes[best]):
            best = place
    return here if best < 0 else best


def switch_cost(source: int, target: int, fares: Fares, rate: float) -> float:
    """In USD; going idle is free."""
    return 0.0 if target in (source, 0) else fares.dark[target] * rate + fares.cash[target]


def guard(wish: int, base: int, fares: Fares, books: Books) -> int:
    """The wish of the vote, or where the base rule is, where the vote may not be acted upon. Notes in the books which of them."""
    rate, own = books.scalars[0], len(books.place) - 1
    here, refuge = books.place[own], books.place[base]
    allowed = budget(rate, fares.dark.max() * rate + fares.cash.max())
    left = slack(books.profit[own], books.profit[base], allowed)
    if books.scalars[1] > 0.0 and left >= REGAINED * allowed:
        books.scalars[1] = 0.0
    if books.scalars[1] == 0.0 and left - switch_cost(here, wish, fares, rate) - switch_cost(wish, refuge, fares, rate) <= 0.0:
        books.scalars[1] = 1.0
    return refuge if books.scalars[1] > 0.0 else wish


def enter(account: int, target: int, fares: Fares, books: Books) -> None:
    """Go there, or stay."""
    if target != books.place[account]:
        books.place[account] = target
        if target > 0:
            books.profit[account] -= fares.cash[target]
            books.busy[account] = fares.busy[target]


def earn(account: int, rates: Floats, fares: Fares, books: Books) -> None:
    """An hour's income, as far as it is not dark; what was earned before fades."""
    here, lit = books.place[account], 1.0
    if books.busy[account] > 0:
        books.busy[account] -= 1
        lit = min(max(fares.busy[here] - books.busy[account] - fares.dark[here], 0.0), 1.0)
    books.profit[account] *= _KEPT_PROFIT
    if here > 0 and not isnan(rates[here - 1]):
        books.profit[account] += lit * rates[here - 1]


def scale(income: float, rates: Floats, known: int) -> float:
    """The average of the highest rate, with one more hour; a plain mean until it has lasted."""
    best = 0.0
    for rate in rates:
        if not isnan(rate):
            best = max(best, rate)
    return income + max(1.0 - _KEPT_RATE, 1.0 / (known + 1)) * (best - income) if best > 0.0 else income


def weigh(voters: Voters, fares: Fares, books: Books, known: int) -> None:
    """Give every expert its share of the vote, by its profit: exp(0.2 (profit - best) / (m sqrt(S))), m the income, S in hours."""
    rate, experts = max(books.scalars[0], 1e-12), len(voters.prior)
    cost = fares.dark[1:].mean() + fares.cash[1:].mean() / rate
    unit = rate * sqrt(max(cost, _LEAST_COST))
    best, total = books.profit[:experts].max(), 0.0
    for expert in range(experts):
        useful = voters.horizon[expert] >= min(_WORTHWHILE * cost, _LAST_HORIZON)
        heard = voters.free[expert] or (known >= HEARD and useful)
        books.weights[expert] = voters.prior[expert] * exp(RATE * (books.profit[expert] - best) / unit) if heard else 0.0
        total += books.weights[expert]
    books.weights[:] = books.weights / total


def _fares(entry: Entry) -> Fares:
    return Fares(entry.dark, entry.cash, np.ceil(np.maximum(entry.dark, entry.stay)).astype(np.int64))


def _voters(panel: Panel) -> Voters:
    return Voters(panel.prior, panel.horizon, panel.free, panel.base)


def trusted(panel: Panel) -> Floats:
    """The votes before anything is measured: of those without parameters alone."""
    votes = panel.prior * panel.free
    return np.asarray(votes / votes.sum())

"""One device's question to the experts, and the answer in words: why it moves, or what it would take (docs/market.md §5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autopilot import realised
from autopilot.economics import serving_watts
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.view import View
from autopilot.units import HOUR, Usd
from autopilot_strategies.accounts import QUORUM, Election
from autopilot_strategies.choice import Choice
from autopilot_strategies.engine import Engine
from autopilot_strategies.plans import BLOCKS, Outlook, Power, braked
from autopilot_strategies.targets import Targets
from autopilot_strategies.tariffs import Bill, Rest, Tariff, rest

_RAISED = (1.02, 1.05, 1.1, 1.2, 1.4, 2.0)
"""How many times as high the rival's rate is assumed, to see from where on the device would move."""

Worth = Callable[[View, Device, Venue], float]
"""What the rates of a venue are to be multiplied with for a device: what it really pays of what it quotes."""


def as_realised(view: View, device: Device, venue: Venue) -> float:
    """By what the venue has really paid, where that is known for sure."""
    return realised.factor(view.experience.realised.get((venue, device.model)))


@dataclass(frozen=True, slots=True)
class Ballot:
    """All that the answer depends on, beside what the engine knows. Two devices with equal ballots get the same answer."""

    places: tuple[Venue, ...]
    """Idle, and then the venues."""
    here: Venue
    open: tuple[bool, ...]
    """For each place, whether one may go there now."""
    rival: int
    """The place other than the present one whose quote is the highest; 0 where there is none."""
    quote: float
    """The rival's, net of power at the price in force, USD/h."""
    factors: tuple[float, ...]
    """For each venue, by what its rates are multiplied."""
    bill: Bill
    """For power."""
    locked: float
    """Hours for which the device should stay yet."""
    breaking: float
    """What leaving before costs: what is forfeited, and what arriving here takes, in USD."""

    @classmethod
    def of(cls, view: View, device: Device, venues: tuple[Venue, ...], worth: Worth, tariff: Tariff) -> Ballot:
        """As the view has it."""
        here, offers = view.venue(device), view.offers(device)
        bill = Bill(tariff, tuple(serving_watts(view, device, venue) for venue in (IDLE, *venues)))
        factors = tuple(worth(view, device, venue) for venue in venues)
        idle = (IDLE, device.id) in view.entries
        may = (idle, *(venue in offers and (venue, device.id) in view.entries for venue in venues))
        rates = {place: float(offers[venue].expected) for place, venue in enumerate(venues, 1) if may[place] and venue != here}
        rival = max(rates, key=lambda place: rates[place] * factors[place - 1], default=0)
        quote = rates[rival] * factors[rival - 1] - bill.now(rival) if rival else 0.0
        cost = view.cost(device, here)
        locked = max((view.placements[device.id].since + cost.entry.least_stay - view.now) / HOUR, 0.0)
        breaking = float(cost.loss(offers[here].expected)) if here in offers else float(cost.cash)
        return cls((IDLE, *venues), here, may, rival, quote, factors, bill, locked, breaking)

    @property
    def place(self) -> int:
        """The present one; where nothing was ever known of it, it counts as idle."""
        return self.places.index(self.here) if self.here in self.places else 0


def count_out(ballot: Ballot, engine: Engine) -> Choice:
    """What the experts vote for, within what is on offer and what the guard allows."""
    if not any(ballot.open[1:]):
        return Choice(ballot.here, f"stay at {ballot.here}: no venue offers anything that is known")
    factors = np.tile(ballot.factors, (1 + len(_RAISED), 1))
    if ballot.rival:
        factors[1:, ballot.rival - 1] *= _RAISED
    power = ballot.bill.power()
    decided, outlook = engine.ballot(factors, power)
    decided = on_offer(ballot, decided)
    election = elect(engine, decided[0], ballot.place)
    return _Answer(ballot, engine, power, outlook, engine.low(factors[:1], power), decided, election).choice()


def on_offer(ballot: Ballot, decided: Targets) -> Targets:
    """Nobody goes where one may not go now."""
    may_go = np.array(ballot.open)
    return np.where(may_go[decided], decided, np.arange(len(ballot.places), dtype=np.int16))


def elect(engine: Engine, table: Targets, place: int) -> Election:
    """What becomes of the vote for a device at this place."""
    return engine.accounts.elect(engine.panel, engine.entry, table, place)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The election, and what the experts would do if the rival paid more."""

    ballot: Ballot
    engine: Engine
    power: Power
    outlook: Outlook
    low: Outlook
    decided: Targets
    """(rows, experts, places): the first row as it is, then one for each rate that the rival might have."""
    election: Election

    def choice(self) -> Choice:
        """To move or not, with the arithmetic. The vote says where to be, and the tariff whether to be lit there in this hour."""
        elected = self.election.target if self.ballot.open[self.election.target] else self.ballot.place
        lit = elected or self.ballot.place
        dark = self._rest(lit, self.outlook) if lit and self._changes() else None
        if dark and dark.pays:
            return self._rested(lit, dark)
        return self._moved(lit if dark else elected, dark)

    def _rested(self, place: int, dark: Rest) -> Choice:
        """Idle rather than at this place."""
        ballot = self.ballot
        until = f"for the next {dark.hours} h" if dark.hours else "from now on"
        takes = f"power takes {ballot.bill.now(place):.4g} $/h now"
        why = f"{takes}, and being dark {until} wins {dark.gain:.3g} $ over being lit at {ballot.places[place]}"
        if not ballot.place:
            return Choice(ballot.here, f"stay at {ballot.here}: {why}")
        return self._bound(0) or Choice(IDLE, f"leave {self._place(ballot.place)} for {IDLE}: {why}", Usd.nearest(dark.gain))

    def _bound(self, target: int) -> Choice | None:
        """To stay, where the present venue asks for it and leaving would cost more than it wins."""
        ballot, won = self.ballot, self._won(target)
        if not ballot.locked or won >= ballot.breaking:
            return None
        early = f"it asks for another {ballot.locked:.3g} h; leaving wins {won:.3g} $ and costs {ballot.breaking:.3g}"
        return Choice(ballot.here, f"stay at {self._place(ballot.place)}: {early}")

    def _moved(self, target: int, dark: Rest | None) -> Choice:
        """There, if it is somewhere else and pays; being dark in this hour does not, where the price of power changes."""
        ballot = self.ballot
        if ballot.places[target] == ballot.here or target == ballot.place:
            return Choice(ballot.here, f"stay at {self._place(ballot.place)}{self._rival()}{self._guard()}")
        bound = self._bound(target)
        if bound:
            return bound
        lead, stay = self._mean(target) - self._mean(ballot.place), self._stay()
        cost, worst = self.engine.entry.paid(target, self._mean(target)), f"{self.low.mean(0, target, stay):.4g} $/h"
        if self.election.foreseen and self._braked(target):
            why = f"the low end of its forecast, {worst}, would not pay a switch of {cost:.3g} $"
            return Choice(ballot.here, f"stay at {self._place(ballot.place)}; {self._votes()}; {self._place(target)} draws most, but {why}")
        back = f", paid back in {cost / lead:.3g} h" if lead > 0 else ""
        back += f", {-dark.gain:.3g} $ more than being dark in this hour" if dark else ""
        back += f" (low end of the forecast: {worst})" if target else ""
        why = f"leave {self._place(ballot.place)} for {self._place(target)}: {self._votes()}, a switch of {cost:.3g} ${back}{self._guard()}"
        gain = lead * stay if ballot.place or not dark else cost - dark.gain
        return Choice(ballot.places[target], why, Usd.nearest(gain), Usd.nearest(cost))

    def _changes(self) -> bool:
        """Whether being lit may pay in one hour and not in the next."""
        return not self.ballot.bill.steady and self.ballot.open[0]

    def _braked(self, target: int) -> bool:
        """Whether the move rests on a forecast whose low path loses."""
        here = self.ballot.place
        if not target or not self._changes():
            return braked(self.outlook, self.low, self.engine.entry, (here, target), self._stay())
        dark = self._rest(target, self.low)
        return dark.pays and (not here or dark.gain > self._rest(here, self.low).gain)

    def _rest(self, place: int, outlook: Outlook) -> Rest:
        """What being dark in this hour wins over being lit there."""
        ballot, entry = self.ballot, self.engine.entry
        paid = outlook.path[0, :, place] + self.power.ahead[:, place - 1]
        net = (np.repeat(paid, BLOCKS.astype(np.int64)) - ballot.bill.hours(place)).tolist()
        arriving = [entry.paid(place, rate) for rate in net]
        return rest(net, arriving, max(math.ceil(entry.stay[place]), 1), lit=place == ballot.place)

    def _won(self, target: int) -> float:
        """By going there now, and not when the present venue lets go: USD."""
        hours = self.ballot.locked
        return (self.outlook.mean(0, target, hours) - self.outlook.mean(0, self.ballot.place, hours)) * hours if hours else 0.0

    def _stay(self) -> float:
        return self.engine.ahead

    def _mean(self, place: int) -> float:
        return self.outlook.mean(0, place, self._stay())

    def _place(self, place: int) -> str:
        venue = self.ballot.here if place == self.ballot.place else self.ballot.places[place]
        return f"{venue} ({self._mean(place):.4g} $/h forecast over {self._stay():.3g} h)" if place else f"{venue}"

    def _votes(self) -> str:
        return f"{max(1 - self.election.votes[self.ballot.place], 0.0):.0%} of the vote is to leave, {QUORUM:.0%} are needed"

    def _rival(self) -> str:
        rival = self.ballot.rival
        if not rival:
            return "; no other venue offers anything that is known"
        return f"; {self._votes()}; {self._place(rival)} {self._tipping()}"

    def _tipping(self) -> str:
        """The rival's net rate from which on the device would move."""
        for raised, table in zip(_RAISED, self.decided[1:], strict=True):
            if elect(self.engine, table, self.ballot.place).target == self.ballot.rival:
                power = self.ballot.bill.now(self.ballot.rival)
                rate = (self.ballot.quote + power) * raised - power
                return f"offers {self.ballot.quote:.4g} $/h, from about {rate:.4g} on it would move"
        return f"offers {self.ballot.quote:.4g} $/h, and would not draw it at {_RAISED[-1]:g} times that"

    def _guard(self) -> str:
        return "; the guard follows the base rule, as the vote has earned too little" if self.election.guarded else ""

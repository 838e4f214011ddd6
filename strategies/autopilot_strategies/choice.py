"""From one choice a device to one decision for the rig: what the built-in strategies share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from autopilot.economics import power_price, serving_watts
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.kernel import Alarm, Kernel, Offers, Seat
from autopilot.model.plan import Decision, Hold, Move, Plan, PlanId
from autopilot.model.view import View
from autopilot.units import HOUR, Usd, micros

_NOTHING = Usd(0)
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with one device, and why."""

    target: Venue
    """Where it should be; where it is, to stay."""
    why: str
    """Without the device's name: "stay at nosana (0.41 $/h)"."""
    gain: Usd = _NOTHING
    """Over the strategy's horizon, before the cost."""
    cost: Usd = _NOTHING


def decide_each(view: View, name: str, choose: Callable[[Device], Choice], horizon: timedelta = _NO_TIME) -> Decision:
    """Ask for every device that may be moved, each by itself, and put the answers together."""
    moves: list[Move] = []
    notes = {}
    gain = cost = _NOTHING
    for device in view.free():
        choice = choose(device)
        notes[device.id] = f"{device.label}: {choice.why}"
        here = view.venue(device)
        if choice.target != here:
            moves.append(Move(device.id, here, choice.target))
            gain, cost = gain + choice.gain, cost + choice.cost
    if not moves:
        return Hold(view.now, f"{name}: nothing to move", notes)
    reason = "; ".join(notes[move.device] for move in moves)
    return Plan(PlanId(f"{name}-{view.now:%Y%m%dT%H%M%S.%f}"), view.now, tuple(moves), gain, cost, horizon, reason, notes)


@dataclass(frozen=True, slots=True)
class Sight:
    """A device and the venues that answered for it, as a kernel reads them."""

    venues: Sequence[Venue]
    """By place."""
    seat: Seat
    offers: Offers

    @property
    def here(self) -> Venue:
        """Where the device is."""
        return self.venues[self.seat.place]

    @property
    def empty(self) -> bool:
        """Whether no venue offers anything."""
        return all(math.isnan(rate) for rate in self.offers.rates[1:])


def look(view: View, device: Device, stay: timedelta = _NO_TIME) -> Sight | Choice:
    """What a kernel needs, with the power of a stay; or the choice to stay, where the present venue did not answer."""
    here = view.venue(device)
    if not view.answered(here, device):
        return Choice(here, f"stay at {here}: it gave no answer, and leaving would be a guess")
    venues = [IDLE, *sorted(venue for venue, owner in view.quotes if owner == device.id)]
    quotes = [view.quote(venue, device) for venue in venues[1:]]
    costs, price = [view.cost(device, venue) for venue in venues], power_price(view, stay)
    offers = Offers(
        [0.0, *(math.nan if quote is None else float(quote.expected) for quote in quotes)],
        [float(serving_watts(view, device, venue) * price) for venue in venues],
        [cost.dark / HOUR for cost in costs],
        [float(cost.cash) for cost in costs],
    )
    age = max(view.now - view.placements[device.id].since, _NO_TIME)
    return Sight(venues, Seat(venues.index(here), float(micros(age))), offers)


class Lead(NamedTuple):
    """The one parameter of who follows the highest rate."""

    lead: float
    """A share of the present rate."""


class Highest(NamedTuple):
    """What who follows the highest rate does."""

    place: int
    best: int
    """The highest; the present one where nothing is higher."""
    needed: float
    """What the best must pay, in USD per hour."""


def choose_highest(setting: Lead, seat: Seat, offers: Offers, _memories: object) -> Highest:
    """To the highest last known rate, where it leads by a share of the present one.

    The present rate is zero when idle, and where the venue said that it offers nothing. A share of nothing is nothing: from
    there, anything leads.
    """
    rates = offers.rates
    present = 0.0 if math.isnan(rates[seat.place]) else rates[seat.place]
    highest, best = present if seat.place else -math.inf, seat.place  # to one who is idle, a rate of zero is a rate
    for place in range(1, len(rates)):
        higher = rates[place] > highest
        highest = rates[place] if higher else highest  # two selections and no jump: compiled, that is twice as fast
        best = place if higher else best
    needed = present * (1 + setting.lead)
    return Highest(best if highest >= needed else seat.place, best, needed)


def gross_lead(here: int, offers: Offers) -> float:
    """By what share of the present rate the highest one leads; infinite where the present one is nothing."""
    present = highest = offers.rates[here]
    if not present > 0:
        return math.inf
    for place in range(len(offers.rates)):
        rate = offers.rates[place]
        highest = rate if rate > highest else highest  # noqa: FURB136  # max() of a NaN is whatever comes first
    return (highest - present) / present


def net_lead(here: int, offers: Offers) -> float:
    """The same of the rates net of power; infinite where the present one is not above zero."""
    present = highest = offers.rates[here] - offers.lifts[here]
    if not present > 0:
        return math.inf
    for place in range(len(offers.rates)):
        net = offers.rates[place] - offers.lifts[place]
        highest = net if net > highest else highest  # noqa: FURB136
    return (highest - present) / present


def highest_kernel(lead: float) -> Kernel:
    """Following the highest rate when it leads by a share."""
    return Kernel(choose_highest, Lead(lead), alarm=Alarm(gross_lead, lead))


def highest(view: View, device: Device, kernel: Kernel) -> Choice:
    """To the highest last known rate by this kernel; stay where too little is known."""
    sight = look(view, device)
    if isinstance(sight, Choice):
        return sight
    here, rates = sight.here, sight.offers.rates
    if sight.empty:
        return Choice(here, f"stay at {here}: no venue offers anything that is known")
    target, best, needed = kernel.choose(kernel.setting, sight.seat, sight.offers, ())
    present = rates[sight.seat.place]
    place = f"{here} ({0.0 if math.isnan(present) else present:.4g} $/h)"
    if best == sight.seat.place:
        return Choice(here, f"stay at {place}: nothing is higher")
    venue, rate = sight.venues[best], rates[best]
    if target != best:
        return Choice(here, f"stay at {place}; {venue} has {rate:.4g}, {needed:.4g} is needed")
    more = f"; {needed:.4g} is needed" if kernel.setting.lead else ""
    return Choice(venue, f"leave {place} for {venue} ({rate:.4g} $/h), the highest now{more}")

"""The present venue of a device against the best of the others, as a rule values them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from autopilot.economics import serving_power
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.market import Quote
from autopilot.model.view import View
from autopilot_strategies.choice import Choice

_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Seat:
    """A device, and how it stands."""

    view: View
    device: Device
    here: Venue
    age: timedelta
    """How long it has been there."""
    power: float
    """What serving adds to the power bill, in USD per hour: the same at every venue."""


@dataclass(frozen=True, slots=True)
class Bid:
    """A venue, in USD per hour net of power: what it is believed to pay, and what that counts in the comparison."""

    venue: Venue
    price: float
    worth: float
    """Infinite for a present venue that may not be left yet."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Both sides of the comparison."""

    seat: Seat
    own: Bid
    best: Bid
    """Of the others; the present one again, where no other offers anything."""

    @property
    def won(self) -> bool:
        """Whether the best of the others counts more. Of equals the present venue stays."""
        return self.best.worth > self.own.worth

    def leave(self) -> Choice:
        """To the best of the others."""
        best = self.best
        return Choice(best.venue, f"leave {self._place} for {best.venue} ({best.price:.4g} $/h): it {self._arithmetic}")

    def stay(self, reason: str = "") -> Choice:
        """For this reason, or else because the best of the others counts too little."""
        if not reason:
            higher = self.best.price > self.own.price
            reason = f"{self.best.venue} {self._arithmetic}" if higher else "nothing is higher"
        return Choice(self.own.venue, f"stay at {self._place}; {reason}")

    @property
    def _place(self) -> str:
        return f"{self.own.venue} ({self.own.price:.4g} $/h)"

    @property
    def _arithmetic(self) -> str:
        own, best = self.own, self.best
        if math.isinf(own.worth):
            return f"has {best.price:.4g}, but it is too early to leave"
        if own.price <= 0 or best.worth <= 0:
            return f"counts as {best.worth:.4g} $/h against {own.worth:.4g}"
        needed = own.worth / own.price * best.price / best.worth - 1
        lead = f"leads by {100 * (best.price / own.price - 1):.3g} %"
        return f"{lead}, {100 * needed:.3g} % are needed" if needed else f"{lead}, any lead is enough"


def contest(view: View, device: Device, bid: Callable[[Seat, Quote], Bid]) -> Contest | Choice:
    """Value every offer for the device; or the choice to stay, where the present venue did not answer.

    Idle is worth nothing. A present venue that offers nothing earns nothing and still draws its power. Of equal rivals the
    first by name is the best.
    """
    here = view.venue(device)
    if not view.answered(here, device):
        return Choice(here, f"stay at {here}: it gave no answer, and leaving would be a guess")
    age = max(view.now - view.placements[device.id].since, _NO_TIME)
    seat = Seat(view, device, here, age, float(serving_power(view, device)))
    offers = view.offers(device)
    present = offers.pop(here, None)
    nothing = 0.0 - (0.0 if here == IDLE else seat.power)  # a difference is never minus zero, which would be printed so
    own = bid(seat, present) if present else Bid(here, nothing, nothing)
    best = max((bid(seat, quote) for quote in offers.values()), key=lambda rival: rival.worth, default=own)
    return Contest(seat, own, best)

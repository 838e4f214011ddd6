"""The present venue of a device against the best of the others, as a rule values them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from autopilot.model.device import Device, Venue
from autopilot.model.kernel import NOWHERE, Choose, Kernel, Offers, Seat
from autopilot.model.view import View
from autopilot_strategies.choice import Choice, look
from autopilot_strategies.memory import remembered

Bid = Callable[[Any, Seat, int, float, float, Any], tuple[float, float]]
"""``bid(setting, seat, place, rate, lift, memory)``: what a rule makes of an offer, of the present venue or of a rival.

In USD per hour net of power: what the venue is believed to pay, and what that counts in the comparison. The latter is infinite for
a present venue that may not be left yet.
"""


class Case(NamedTuple):
    """Both sides of the comparison."""

    place: int
    """Where the device should be."""
    best: int
    """The best of the others; the present one again, where no other offers anything."""
    own_price: float
    own_worth: float
    price: float
    """Of the best."""
    worth: float


def contested(bid: Bid) -> Choose:
    """The kernel of a rule that values every offer by a bid.

    Idle is worth nothing. A present venue that offers nothing earns nothing and still draws its power. Of equal rivals the
    first by name is the best, and of equals the present venue stays.
    """

    def choose(setting: Any, seat: Seat, offers: Offers, memories: Sequence[Any]) -> Case:
        here, rates, lifts = seat.place, offers.rates, offers.lifts
        own_price = own_worth = 0.0 - lifts[here]  # a difference is never minus zero, which would be printed so
        if here != NOWHERE and not math.isnan(rates[here]):
            own_price, own_worth = bid(setting, seat, here, rates[here], lifts[here], memories[here])
        best, price, worth = here, own_price, own_worth
        for place in range(1, len(rates)):
            if place != here and not math.isnan(rates[place]):
                rival_price, rival_worth = bid(setting, seat, place, rates[place], lifts[place], memories[place])
                if best == here or rival_worth > worth:
                    best, price, worth = place, rival_price, rival_worth
        return Case(best if worth > own_worth else here, best, own_price, own_worth, price, worth)

    return choose


@dataclass(frozen=True, slots=True)
class Contest:
    """A case by the names of its venues, and what is said about it."""

    here: Venue
    best: Venue
    case: Case

    @property
    def won(self) -> bool:
        """Whether the best of the others counts more."""
        return self.case.worth > self.case.own_worth

    def leave(self) -> Choice:
        """To the best of the others."""
        return Choice(self.best, f"leave {self._place} for {self.best} ({self.case.price:.4g} $/h): it {self._arithmetic}")

    def stay(self, reason: str = "") -> Choice:
        """For this reason, or else because the best of the others counts too little."""
        if not reason:
            higher = self.case.price > self.case.own_price
            reason = f"{self.best} {self._arithmetic}" if higher else "nothing is higher"
        return Choice(self.here, f"stay at {self._place}; {reason}")

    @property
    def _place(self) -> str:
        return f"{self.here} ({self.case.own_price:.4g} $/h)"

    @property
    def _arithmetic(self) -> str:
        _, _, own_price, own_worth, price, worth = self.case
        if math.isinf(own_worth):
            return f"has {price:.4g}, but it is too early to leave"
        if own_price <= 0 or worth <= 0:
            return f"counts as {worth:.4g} $/h against {own_worth:.4g}"
        needed = own_worth / own_price * price / worth - 1
        lead = f"leads by {100 * (price / own_price - 1):.3g} %"
        return f"{lead}, {100 * needed:.3g} % are needed" if needed else f"{lead}, any lead is enough"


def contest(view: View, device: Device, kernel: Kernel) -> Contest | Choice:
    """What the rule makes of every offer for the device; or the choice to stay, where the present venue did not answer."""
    sight = look(view, device)
    if isinstance(sight, Choice):
        return sight
    # What is not remembered is not looked at either, but a bid is shown something of every place.
    memories = remembered(view, device, sight, kernel.recall) if kernel.recall else sight.offers.rates
    case = kernel.choose(kernel.setting, sight.seat, sight.offers, memories)
    return Contest(sight.here, sight.venues[case.best], case)

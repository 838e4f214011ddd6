"""Move when the lead pays the switch back over the horizon (docs/market.md §4).

From venue *i* to the best *j* when::

    (g_j - g_i - theta * |g_i|) * H  >  d_j * g_j + f_j

with *g* the net rate over doing nothing, at the mean price of power over the horizon *H*; *d* the dark time and *f* the cash that the
move costs. Both sides are money; a dark hour at a venue that would lose money is no gain. The margin is a share of the *size* of the
present rate: a venue that loses money is not clung to, and not fled from by a multiplied loss either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, NamedTuple, Self

from autopilot.model.device import Device
from autopilot.model.history import History
from autopilot.model.kernel import Alarm, Kernel, Offers, Seat
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.units import HOUR, Share, Usd
from autopilot_strategies.choice import Choice, decide_each, look, net_lead


class Patience(NamedTuple):
    """The parameters: theta, and the horizon in hours."""

    theta: float
    horizon: float


class Best(NamedTuple):
    """The best move, whether it is made or not. Rates in USD per hour net of power, amounts in USD over the horizon."""

    place: int
    """Where the device should be."""
    there: int
    """Where the move would lead; the present place where there is no other."""
    own: float
    rate: float
    """There."""
    lead: float
    gain: float
    cost: float


def choose_payback(setting: Patience, seat: Seat, offers: Offers, _memories: object) -> Best:
    """The move whose gain exceeds its cost by most, if it does. Idle is a place to go to like any other, and the last one asked."""
    here, places = seat.place, len(offers.rates)
    own = net(offers, here)
    base = own + setting.theta * abs(own)
    found = Best(here, here, own, own, 0.0, 0.0, 0.0)
    for turn in range(1, places + 1):
        place = turn % places
        if place == here or math.isnan(offers.rates[place]):
            continue
        rate = net(offers, place)
        gain = (rate - base) * setting.horizon
        cost = offers.cash[place] + max(rate, 0.0) * offers.dark[place]
        if found.there == here or gain - cost > found.gain - found.cost:
            found = Best(place if gain - cost > 0 else here, place, own, rate, rate - base, gain, cost)
    return found


def net(offers: Offers, place: int) -> float:
    """What a place earns over doing nothing. A venue that offers nothing earns nothing and still draws its power."""
    rate = offers.rates[place]
    return (0.0 if math.isnan(rate) else rate) - offers.lifts[place]


@dataclass(frozen=True, slots=True)
class Payback:
    """The rule above, for each device by itself."""

    learns: ClassVar[bool] = False
    theta: Share = Share(150_000_000)
    """The lead that is not counted, as a share of the present rate. More moves less; none costs a point and 3.5 times the moves."""
    horizon: timedelta = timedelta(hours=48)
    """How long a lead is believed to last. Longer pays for dearer switches, and believes passing leads."""

    def __post_init__(self) -> None:
        if self.horizon <= timedelta(0):
            msg = f"payback.horizon must be longer than nothing, not {self.horizon}"
            raise ValueError(msg)

    @property
    def kernel(self) -> Kernel:
        theta = float(self.theta)
        return Kernel(choose_payback, Patience(theta, self.horizon / HOUR), alarm=Alarm(net_lead, theta), stay=self.horizon)

    def decide(self, view: View) -> Decision:
        """Move every device whose best move pays back."""
        return decide_each(view, "payback", lambda device: self._choose(view, device), self.horizon)

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self

    def _choose(self, view: View, device: Device) -> Choice:
        kernel = self.kernel
        sight = look(view, device, kernel.stay)
        if isinstance(sight, Choice):
            return sight
        best: Best = kernel.choose(kernel.setting, sight.seat, sight.offers, ())
        here, venue = sight.here, sight.venues[best.there]
        place = f"{here} ({best.own:.4g} $/h net)"
        if venue == here:
            return Choice(here, f"stay at {place}: no other venue offers anything that is known")
        if best.place == best.there:
            why = f"leave {place} for {venue} ({best.rate:.4g} $/h net): {self._sum(best)}"
            return Choice(venue, why, Usd.nearest(best.gain), Usd.nearest(best.cost))
        if best.rate <= best.own:
            return Choice(here, f"stay at {place}: nothing is higher, {venue} has {best.rate:.4g}")
        if best.lead <= 0:
            return Choice(here, f"stay at {place}; {venue} ({best.rate:.4g}) leads by less than the margin of {float(self.theta):.0%}")
        return Choice(here, f"stay at {place}; {venue} ({best.rate:.4g}) would pay too little: {self._sum(best)}")

    def _sum(self, best: Best) -> str:
        back = f"back in {best.cost / best.lead:.3g} h" if best.lead > 0 else "never back"
        return f"a lead of {best.lead:.3g} $/h pays {best.cost:.3g} $ of switch {back}, horizon {self.horizon / HOUR:g} h"

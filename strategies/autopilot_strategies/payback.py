"""Move when the lead pays the switch back over the horizon (docs/market.md §4).

From venue *i* to the best *j* when::

    (g_j - g_i - theta * |g_i|) * H  >  d_j * g_j + f_j

with *g* the net rate over doing nothing, *d* the dark time and *f* the cash that the move costs. Both sides are money; a dark
hour at a venue that would lose money is no gain. The margin is a share of the *size* of the present rate: a venue that loses
money is not clung to, and not fled from by a multiplied loss either.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from autopilot.economics import net_rate
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.history import History
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.units import HOUR, Share, Usd
from autopilot_strategies.choice import Choice, decide_each


@dataclass(frozen=True, slots=True)
class _Offer:
    """A venue that one might go to. Rates in USD per hour, amounts in USD over the horizon."""

    venue: Venue
    rate: float
    lead: float
    gain: float
    cost: float

    @property
    def margin(self) -> float:
        return self.gain - self.cost


@dataclass(frozen=True, slots=True)
class Payback:
    """The rule above, for each device by itself."""

    theta: Share = Share(150_000_000)
    """The lead that is not counted, as a share of the present rate. More moves less; none costs a point and 3.5 times the moves."""
    horizon: timedelta = timedelta(hours=48)
    """How long a lead is believed to last. Longer pays for dearer switches, and believes passing leads."""

    def __post_init__(self) -> None:
        if self.horizon <= timedelta(0):
            msg = f"payback.horizon must be longer than nothing, not {self.horizon}"
            raise ValueError(msg)

    def decide(self, view: View) -> Decision:
        """Move every device whose best move pays back."""
        return decide_each(view, "payback", lambda device: self._choose(view, device), self.horizon)

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self

    def _choose(self, view: View, device: Device) -> Choice:
        here = view.venue(device)
        if not view.answered(here, device):
            return Choice(here, f"stay at {here}: it gave no answer, and leaving would be a guess")
        rate = float(net_rate(view, device, here))
        best = max(self._offers(view, device, here, rate), key=lambda offer: offer.margin, default=None)
        place = f"{here} ({rate:.4g} $/h net)"
        if best is None:
            return Choice(here, f"stay at {place}: no other venue offers anything that is known")
        if best.margin > 0:
            why = f"leave {place} for {best.venue} ({best.rate:.4g} $/h net): {self._sum(best)}"
            return Choice(best.venue, why, Usd.nearest(best.gain), Usd.nearest(best.cost))
        if best.rate <= rate:
            return Choice(here, f"stay at {place}: nothing is higher, {best.venue} has {best.rate:.4g}")
        if best.lead <= 0:
            return Choice(here, f"stay at {place}; {best.venue} ({best.rate:.4g}) leads by less than the margin of {float(self.theta):.0%}")
        return Choice(here, f"stay at {place}; {best.venue} ({best.rate:.4g}) would pay too little: {self._sum(best)}")

    def _offers(self, view: View, device: Device, here: Venue, rate: float) -> list[_Offer]:
        base = rate + float(self.theta) * abs(rate)
        hours = self.horizon / HOUR
        venues = [venue for venue in view.offers(device) if venue != here]
        offers = []
        for venue in [*venues, IDLE] if here != IDLE else venues:
            there = float(net_rate(view, device, venue))
            cost = view.cost(device, venue)
            loss = float(cost.cash) + max(there, 0.0) * (cost.dark / HOUR)
            offers.append(_Offer(venue, there, there - base, (there - base) * hours, loss))
        return offers

    def _sum(self, offer: _Offer) -> str:
        back = f"back in {offer.cost / offer.lead:.3g} h" if offer.lead > 0 else "never back"
        return f"a lead of {offer.lead:.3g} $/h pays {offer.cost:.3g} $ of switch {back}, horizon {self.horizon / HOUR:g} h"

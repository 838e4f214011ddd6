"""Where a device should be when venues pay by the job (docs/market.md §4).

What a venue is worth is learned from the own hires and waits (``autopilot.occupancy``); the move is that of ``payback``. A wait
that goes on unrewarded needs no timer to be given up: with every hour of it, the venue is believed to be worth less.

A device that runs a job is told to drain as soon as the rule would leave: the job is paid to its end, and the moment between
two jobs may be too short to be seen. Where the job may be broken, a drain that takes too long would break it. That is risked
only if it pays: if what the best venue earns more than the job's locked pay, over the time that the job is known to take yet,
exceeds all costs and forfeits. Once it drains, a job that is nearly over is no reason to call it back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from autopilot import occupancy
from autopilot.belief import believed
from autopilot.model.device import Device
from autopilot.model.node import Lease, Phase
from autopilot.model.view import View
from autopilot.occupancy import Belief
from autopilot.units import HOUR, Usd
from autopilot_strategies.choice import Choice, Sight, look
from autopilot_strategies.payback import Best, Patience, choose_payback

RULE = Patience(theta=0.15, horizon=48.0)
"""As in ``payback``. A theta of 0.1 to 0.2 and a horizon of 24 to 96 h change the outcome by half a point."""


def hires(view: View, device: Device) -> bool:
    """Whether any venue that offers the device something pays by the job."""
    return any(occupancy.for_jobs(quote) for quote in view.offers(device).values())


def choose(view: View, device: Device) -> Choice:
    """The move whose gain over the horizon exceeds its cost by most, if it does, by what is believed of every venue."""
    sight = look(view, device, RULE.horizon * HOUR)
    if isinstance(sight, Choice):
        return sight
    beliefs = [believed(view, device, venue) for venue in sight.venues]
    rates = [0.0, *(math.nan if belief is None else belief.rate for belief in beliefs[1:])]
    best: Best = choose_payback(RULE, sight.seat, sight.offers._replace(rates=rates), ())
    case = _Case(sight, best, beliefs)
    seen = view.placements[device.id].seen
    if best.place != best.there or not seen.leases:
        return case.choice()
    risky = any(lease.breakable for lease in seen.leases) and seen.phase is not Phase.DRAINING
    if risky and not all(case.breaking_pays(lease, view.now) for lease in seen.leases):
        return case.wait()
    return case.choice("when its job is done, ")


@dataclass(frozen=True, slots=True)
class _Case:
    """The best move, and what it was chosen by."""

    sight: Sight
    best: Best
    beliefs: list[Belief | None]

    def choice(self, when: str = "") -> Choice:
        """To make the move or not, with the arithmetic."""
        best, here, there = self.best, self.sight.here, self.sight.venues[self.best.there]
        place = f"{here} ({best.own:.4g} $/h net{self._why(self.sight.seat.place)})"
        if there == here:
            return Choice(here, f"stay at {place}: no other venue offers anything that is known")
        rival = f"{there} ({best.rate:.4g} $/h net{self._why(best.there)})"
        if best.place != best.there:
            return Choice(here, f"stay at {place}; {rival} {self._sum()}")
        why = f"{when}leave {place} for {rival}: it {self._sum()}"
        return Choice(there, why, Usd.nearest(best.gain), Usd.nearest(best.cost))

    def wait(self) -> Choice:
        """Stay until the job is done, which a drain might break."""
        here, there = self.sight.here, self.sight.venues[self.best.there]
        return Choice(here, f"stay at {here} until its job is done, which may not be broken at a loss; then {there} is better")

    def breaking_pays(self, lease: Lease, now: datetime) -> bool:
        """Whether the rest of a job's time would earn all that leaving costs; it does not where the end or the pay is not known."""
        if lease.until is None or lease.pays is None:
            return False
        rest = (lease.until - now) / HOUR
        locked = float(lease.pays) - self.sight.offers.lifts[self.sight.seat.place]
        return (self.best.rate - locked) * rest > self.best.cost

    def _sum(self) -> str:
        best = self.best
        if best.lead <= 0:
            return f"has no lead, a margin of {RULE.theta:.0%} apart"
        verb = "pays" if best.place == best.there else "would have to pay"
        return f"{verb} {best.cost:.3g} $ of switch back in {best.cost / best.lead:.3g} h, horizon {RULE.horizon:g} h"

    def _why(self, place: int) -> str:
        belief = self.beliefs[place]
        return f", {belief.evidence}" if belief is not None and math.isfinite(belief.load) else ""

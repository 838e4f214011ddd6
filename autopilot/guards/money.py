"""Not where the money is unknown, or does not pay for the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from autopilot.belief import believed
from autopilot.economics import serving_power
from autopilot.guards.case import Case
from autopilot.model.device import IDLE, Venue
from autopilot.units import Usd, UsdPerHour


@dataclass(frozen=True, slots=True)
class StaleQuote:
    """Nobody is sent to a venue whose rate is not known now. Idle needs no rate."""

    absolute: ClassVar[bool] = False

    def veto(self, case: Case) -> str | None:
        target = case.move.target
        if target == IDLE or case.view.quote(target, case.device):
            return None
        return f"no rate of {target} is known now"


@dataclass(frozen=True, slots=True)
class PayBack:
    """A move must earn its cost back within a time, by what is believed of the venues now and the mean price of power until then."""

    absolute: ClassVar[bool] = False

    within: timedelta

    def veto(self, case: Case) -> str | None:
        move, view = case.move, case.view
        if move.target == IDLE:
            return None
        there = self._net(case, move.target)
        lead = there - self._net(case, move.source)
        back = view.cost(case.device, move.target).pays_back(lead, there)
        if back is None:
            return f"{move.target} has no lead over {move.source} now"
        return f"it pays back in {back}, {self.within} is the limit" if back > self.within else None

    def _net(self, case: Case, venue: Venue) -> UsdPerHour:
        """As the strategies see it, too: a posted price is not what a rig is paid that is seldom hired."""
        belief = believed(case.view, case.device, venue)
        income = UsdPerHour.nearest(belief.rate) if belief else UsdPerHour(0)
        return income - serving_power(case.view, case.device, venue, self.within)


@dataclass(frozen=True, slots=True)
class DailyLoss:
    """A rig that has lost this much in 24 hours makes no more moves that cost anything. Going idle is free."""

    absolute: ClassVar[bool] = False

    most: Usd

    def veto(self, case: Case) -> str | None:
        cost = case.view.cost(case.device, case.move.target)
        if case.facts is None or not (cost.cash or cost.dark):
            return None
        day = case.facts.day()
        return (
            f"the last 24 h came to {day}, dark time reckoned in: at {-self.most} nothing is moved that costs"
            if day <= -self.most
            else None
        )

"""A strategy of one's own: follow the average of a venue, not its last rate.

A rate that jumps for an hour is gone before a switch has paid for itself. Here a device moves when the *average* of another
venue, in which older hours count less and less, leads that of its own by a share.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from autopilot.model.device import Device, Venue
from autopilot.model.history import History
from autopilot.model.plan import Decision, Hold, Move, Plan, PlanId
from autopilot.model.view import View
from autopilot.units import Share, Usd


@dataclass(frozen=True, slots=True)
class Mean:
    """What is remembered of a venue: the instant of the newest rate, and the average up to there in USD per hour."""

    as_of: datetime
    rate: float


@dataclass(frozen=True, slots=True)
class Average:
    """One step of a fold: how a rate changes the average.

    It is frozen because the history remembers how far each step has come, and asks whether it is the same step as before. So
    the years behind cost nothing, and only the new hour is looked at.
    """

    half_life: timedelta

    def __call__(self, state: Mean | None, as_of: datetime, rate: float | None) -> Mean:
        """The average after one more rate. None is a venue that was asked and offered nothing: that hour would have earned nothing."""
        earned = rate or 0.0
        if state is None:
            return Mean(as_of, earned)
        kept = 0.5 ** ((as_of - state.as_of) / self.half_life)
        return Mean(as_of, kept * state.rate + (1 - kept) * earned)


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The parameters are the fields. Each has a kind that a configuration can write: "12h", 0.1."""

    half_life: timedelta = timedelta(hours=12)
    """After this long an hour counts half."""
    lead: Share = Share.of("0.1")
    """By what share the average of another venue must be higher."""

    def decide(self, view: View) -> Decision:
        """The view is all there is: no clock, no file, nothing remembered. The same view gives the same decision."""
        moves, notes = [], {}
        for device in view.free():
            here, (there, why) = view.venue(device), self._choose(view, device)
            notes[device.id] = f"{device.label}: {why}"
            if there != here:
                moves.append(Move(device.id, here, there))
        if not moves:
            return Hold(view.now, "no average leads by enough", notes)
        reason = "; ".join(notes[move.device] for move in moves)
        ident = PlanId(f"my-strategy-{view.now:%Y%m%dT%H%M%S.%f}")
        return Plan(ident, view.now, tuple(moves), Usd(0), Usd(0), self.half_life, reason, notes)

    def fit(self, history: History) -> Self:
        """Called once a day with all that is known. This strategy has nothing to learn, so it stays what it is."""
        return self

    def _choose(self, view: View, device: Device) -> tuple[Venue, str]:
        here = view.venue(device)
        if not view.answered(here, device):
            return here, f"stay at {here}: it gave no answer, and doubt means stay"
        means = {venue: view.history.fold(venue, device.model, Average(self.half_life)) for venue in view.offers(device)}
        rates = {venue: mean.rate for venue, mean in means.items() if mean}
        own = rates.pop(here, 0.0)
        best = max(rates, key=lambda venue: rates[venue], default=here)
        needed = own * (1 + float(self.lead))
        if best == here or rates[best] <= needed:
            return here, f"stay at {here}: {own:.4g} $/h on average, and no other has more than {needed:.4g}"
        return best, f"leave {here} for {best}: {rates[best]:.4g} $/h on average, against {own:.4g}"

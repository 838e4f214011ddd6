"""The control that never moves: what "choose once and forget" would have earned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.history import History
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot_strategies.choice import Choice, decide_each


@dataclass(frozen=True, slots=True)
class _Sum:
    """Adds up the rates of a venue; a missing one counts as zero. None while none was ever known."""

    def __call__(self, state: float | None, as_of: datetime, rate: float | None) -> float | None:  # noqa: ARG002
        return state if rate is None else (state or 0.0) + rate


@dataclass(frozen=True, slots=True)
class Stay:
    """From idle to the venue with the highest mean over all that is known; then it never moves."""

    def decide(self, view: View) -> Decision:
        """Move what is idle, once anything is known."""
        return decide_each(view, "stay", lambda device: self._choose(view, device))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self

    def _choose(self, view: View, device: Device) -> Choice:
        here = view.venue(device)
        if here != IDLE:
            return Choice(here, f"stay at {here}, as ever")
        # Every venue has the same rows, so the highest mean is the highest sum.
        sums: dict[Venue, float] = {}
        for venue, model in sorted(view.history):
            known = view.history.fold(venue, model, _Sum()) if model == device.model and view.answered(venue, device) else None
            if known is not None:
                sums[venue] = known
        if not sums:
            return Choice(IDLE, "idle: no rate is known yet")
        best = max(sums, key=lambda venue: sums[venue])
        return Choice(best, f"go to {best}: it has the highest mean of the past")

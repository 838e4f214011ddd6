"""The naive rival: always the best now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from autopilot.model.device import Device
from autopilot.model.history import History
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot_strategies.choice import Choice, decide_each, last_known


@dataclass(frozen=True, slots=True)
class Greedy:
    """Always at the highest last known rate, whatever it costs to get there."""

    def decide(self, view: View) -> Decision:
        """Move every device to its best venue."""
        return decide_each(view, "greedy", lambda device: self._choose(view, device))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self

    def _choose(self, view: View, device: Device) -> Choice:
        rates = last_known(view, device)
        if isinstance(rates, Choice):
            return rates
        here = view.venue(device)
        if rates.venue == here:
            return Choice(here, f"stay at {here} ({rates.here:.4g} $/h): nothing is higher")
        return Choice(rates.venue, f"leave {here} ({rates.here:.4g} $/h) for {rates.venue} ({rates.best:.4g} $/h): it is the highest now")

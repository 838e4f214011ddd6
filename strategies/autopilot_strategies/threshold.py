"""The common rule: the best now, when it leads by a fixed share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from autopilot.model.device import Device
from autopilot.model.history import History
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.units import Share
from autopilot_strategies.choice import Choice, decide_each, last_known


@dataclass(frozen=True, slots=True)
class Threshold:
    """Moves to the highest last known rate when it leads by a share of the present one."""

    lead: Share = Share(50_000_000)
    """0.05 is what most switchers ship. A share of nothing is nothing: from a venue that pays zero, anything leads."""

    def decide(self, view: View) -> Decision:
        """Move every device whose best venue leads by enough."""
        return decide_each(view, "threshold", lambda device: self._choose(view, device))

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
        needed = rates.here * (1 + float(self.lead))
        if rates.best < needed:
            return Choice(here, f"stay at {here} ({rates.here:.4g} $/h); {rates.venue} has {rates.best:.4g}, {needed:.4g} is needed")
        return Choice(rates.venue, f"leave {here} ({rates.here:.4g} $/h) for {rates.venue} ({rates.best:.4g} $/h, {needed:.4g} needed)")

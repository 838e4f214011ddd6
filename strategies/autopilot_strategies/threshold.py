"""The common rule: the best now, when it leads by a fixed share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from autopilot.model.history import History
from autopilot.model.kernel import Kernel
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.units import Share
from autopilot_strategies.choice import decide_each, highest, highest_kernel


@dataclass(frozen=True, slots=True)
class Threshold:
    """Moves to the highest last known rate when it leads by a share of the present one."""

    learns: ClassVar[bool] = False
    lead: Share = Share(50_000_000)
    """0.05 is what most switchers ship."""

    @property
    def kernel(self) -> Kernel:
        return highest_kernel(float(self.lead))

    def decide(self, view: View) -> Decision:
        """Move every device whose best venue leads by enough."""
        kernel = self.kernel
        return decide_each(view, "threshold", lambda device: highest(view, device, kernel))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self

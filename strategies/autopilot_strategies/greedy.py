"""The naive rival: always the best now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from autopilot.model.history import History
from autopilot.model.kernel import Kernel
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot_strategies.choice import decide_each, highest, highest_kernel


@dataclass(frozen=True, slots=True)
class Greedy:
    """Always at the highest last known rate, whatever it costs to get there."""

    learns: ClassVar[bool] = False

    @property
    def kernel(self) -> Kernel:
        return highest_kernel(0.0)

    def decide(self, view: View) -> Decision:
        """Move every device to its best venue."""
        kernel = self.kernel
        return decide_each(view, "greedy", lambda device: highest(view, device, kernel))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self

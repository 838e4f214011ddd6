"""The naive rival: always the best now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from autopilot.model.history import History
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot_strategies.choice import decide_each, highest


@dataclass(frozen=True, slots=True)
class Greedy:
    """Always at the highest last known rate, whatever it costs to get there."""

    def decide(self, view: View) -> Decision:
        """Move every device to its best venue."""
        return decide_each(view, "greedy", lambda device: highest(view, device, 0.0))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self

"""What the GPU itself says against it. These hold for what a person orders, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from autopilot.guards.case import Case
from autopilot.model.device import IDLE
from autopilot.model.gpu import GpuState, Reading


@dataclass(frozen=True, slots=True)
class OwnerPresent:
    """No node is started on a GPU that its owner uses."""

    absolute: ClassVar[bool] = True

    def veto(self, case: Case) -> str | None:
        state = _state(case)
        return state.owner or None if state else None


@dataclass(frozen=True, slots=True)
class Heat:
    """No node is started on a GPU that is too hot. Idle cools it."""

    absolute: ClassVar[bool] = True

    most: int
    """Degrees Celsius."""

    def veto(self, case: Case) -> str | None:
        state = _state(case)
        heat = state.seen.temperature if state and isinstance(state.seen, Reading) else None
        return f"it has {heat} °C, and nothing is started on it above {self.most} °C" if heat is not None and heat > self.most else None


def _state(case: Case) -> GpuState | None:
    """What is known of a GPU that a node is to be started on."""
    return case.facts.gpu(case.move.device) if case.facts and case.move.target != IDLE else None

"""A node on the bench: what the suite of node drivers does with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from autopilot.contracts import NodeDriver
from autopilot.model.device import Device, Venue
from autopilot.model.node import Observation, Phase

_MOMENTS = 500
"""How often a node is looked at before we say that it never comes."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A healthy node, and what must be true whenever it is looked at."""

    node: NodeDriver
    device: Device
    venue: Venue
    patience: Callable[[], object]
    reopened: Callable[[], NodeDriver] | None = None

    def look(self) -> Observation:
        """An observation that makes sense: of this device and venue, in UTC, and of a node that is well."""
        seen = self.node.observe(self.device)

        assert self.device.id == seen.device
        assert timedelta(0) == seen.at.utcoffset(), f"{seen.at!r} is not in UTC"
        assert seen.phase not in (Phase.UNKNOWN, Phase.FAULT), f"the node is healthy, and seen as {seen.phase}: {seen.note}"
        assert seen.venue in ((None,) if seen.phase is Phase.ABSENT else (self.venue, None)), f"{seen.phase} at {seen.venue}"
        return seen

    def start(self) -> None:
        """Start it, and look no further."""
        self.node.start(self.device, self.venue)

    def serve(self) -> None:
        """Have it serve, telling it at every look, as the pilot does."""

        def serves() -> bool:
            self.start()
            return self.look().phase.serves

        self.until(serves, "the node did not come to serve")

    def drain(self) -> set[str]:
        """Have it drain. What leases it still has."""
        self.node.drain(self.device)
        seen = self.look()

        assert seen.phase in (Phase.DRAINING, Phase.ABSENT), f"told to drain, and seen as {seen.phase}"
        return {lease.id for lease in seen.leases}

    def stop(self) -> None:
        """Have it go, telling it at every look."""

        def gone() -> bool:
            self.node.stop(self.device)
            return self.look().phase is Phase.ABSENT

        self.until(gone, "the node did not go")

    def until(self, reached: Callable[[], bool], complaint: str) -> None:
        """Let moments pass until it is reached."""
        for _ in range(_MOMENTS):
            if reached():
                return
            self.patience()
        pytest.fail(f"{complaint} within {_MOMENTS} moments of 'patience'")

    def phases(self, moments: int = 5) -> set[Phase]:
        """What is seen over some moments."""
        seen = set()
        for _ in range(moments):
            seen.add(self.look().phase)
            self.patience()
        return seen

    def again(self) -> Bench:
        """The same node, seen by another process."""
        if self.reopened is None:
            pytest.skip("no 'reopened' was given: this node ends with its process")
        return replace(self, node=self.reopened())

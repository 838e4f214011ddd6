"""A node that is not ours to start says so, and pretends nothing."""

from __future__ import annotations

import pytest

from autopilot.contracts import NodeDriver
from autopilot.errors import NodeFault
from autopilot.model.device import NetworkId, Venue
from autopilot.model.node import Observation, Phase
from autopilot.sim.clock import SimClock
from autopilot.testing.views import START, device
from autopilot_adapters.unmanaged import Unmanaged

ACME = NetworkId("acme")


def node() -> NodeDriver:
    """Of a network that only tells its rates."""
    return Unmanaged(ACME, SimClock(START))


def test_nothing_is_seen_on_a_device() -> None:
    """Whatever it is told; and the note says that nobody looked."""
    unmanaged = node()
    unmanaged.drain(device())
    unmanaged.stop(device())
    seen = unmanaged.observe(device())

    assert Observation(device().id, None, Phase.ABSENT, START, note=seen.note) == seen
    assert seen.note.startswith("rates only")


def test_it_cannot_be_started() -> None:
    """In one line with the network, the device and the venue, so that the switch turns back."""
    with pytest.raises(NodeFault, match=r"^acme: GPU-0 cannot be started at acme/market: .* starts no node$"):
        node().start(device(), Venue(ACME, "market"))

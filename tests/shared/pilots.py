"""What the tests of the pilot do with a small fleet."""

from __future__ import annotations

from autopilot.model.switch import State
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR


def serving(fleet: Fleet, name: str) -> None:
    """Bring the first device there, and be done with it."""
    fleet.wish(name)
    fleet.decide()
    fleet.fly(2 * HOUR)

    assert fleet.venue(name) == fleet.at()
    fleet.sites[name].told.clear()


def states(fleet: Fleet) -> list[State]:
    """How every switch stands, oldest first."""
    return [switch.state for switch in fleet.store.journal.switches()]

"""Every check of the suite of node drivers is seen to fail on an offence planted for it, and to pass without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from autopilot.contracts import NodeDriver
from autopilot.errors import NodeFault
from autopilot.model.device import Device, Venue
from autopilot.model.node import PREPARED, Lease, Observation, Phase, Readiness, Stage
from autopilot.sim.clock import SimClock
from autopilot.sim.node import Manner, Memory, SimNode
from autopilot.testing.adapters import NodeDriverContract
from autopilot.testing.bench import Bench
from autopilot.testing.views import START, device, venue

CAUGHT = (AssertionError, pytest.fail.Exception, NodeFault)
"""What a check says no with."""
ACME = venue("acme")
MINUTE = timedelta(minutes=1)
NAIVE = START.replace(tzinfo=None)


class Starts(SimNode):
    """Whoever looks starts it."""

    def observe(self, device: Device) -> Observation:
        self.start(device, ACME)
        return super().observe(device)


class Drains(SimNode):
    """Whoever looks at it twice drains it."""

    looks = 0

    def observe(self, device: Device) -> Observation:
        self.looks += 1
        if self.looks % 2 == 0 and super().observe(device).phase is Phase.READY:
            self.drain(device)
        return super().observe(device)


class Guesses(SimNode):
    """Serving, it cannot be seen."""

    def observe(self, device: Device) -> Observation:
        seen = super().observe(device)
        return replace(seen, phase=Phase.UNKNOWN, venue=None) if seen.phase is Phase.READY else seen


class Elsewhere(SimNode):
    """Seen at another venue than it was started for."""

    def observe(self, device: Device) -> Observation:
        seen = super().observe(device)
        return replace(seen, venue=venue("other")) if seen.venue else seen


class Local(SimNode):
    """Its times have no zone."""

    def observe(self, device: Device) -> Observation:
        return replace(super().observe(device), at=NAIVE)


class Reboots(SimNode):
    """Every start is a new one."""

    def start(self, device: Device, venue: Venue) -> None:
        self.stop(device)
        super().start(device, venue)


class Refuses(SimNode):
    """A second start is a fault."""

    def start(self, device: Device, venue: Venue) -> None:
        if self.observe(device).phase is Phase.READY:
            raise NodeFault("acme", "is running already")
        super().start(device, venue)


class Counts(SimNode):
    """As many stops as starts are needed, once it serves."""

    extra = 0

    def start(self, device: Device, venue: Venue) -> None:
        self.extra += self.observe(device).phase is Phase.READY
        super().start(device, venue)

    def stop(self, device: Device) -> None:
        self.extra -= 1
        if self.extra < 0:
            super().stop(device)


class ComesBack(SimNode):
    """Something on the host starts it again."""

    def observe(self, device: Device) -> Observation:
        seen = super().observe(device)
        if seen.phase is Phase.ABSENT and self._memory.services:
            self.start(device, ACME)
        return seen


class WorksOn(SimNode):
    """Deaf to drain."""

    def drain(self, device: Device) -> None:
        """Nothing happens."""


class TakesMore(SimNode):
    """Draining, it takes one lease after the other."""

    def observe(self, device: Device) -> Observation:
        seen = super().observe(device)
        more = (Lease(f"job at {seen.at}", seen.at),)
        return replace(seen, leases=more) if seen.phase is Phase.DRAINING else seen


class DrainsAnew(SimNode):
    """Every drain gives the work its whole time again."""

    def drain(self, device: Device) -> None:
        if service := self._memory.last(device.id):
            self.start(device, service.venue)
        super().drain(device)


class StaysDrained(SimNode):
    """What drains is not started."""

    def start(self, device: Device, venue: Venue) -> None:
        if self.observe(device).phase is not Phase.DRAINING:
            super().start(device, venue)


class Stays(SimNode):
    """Deaf to stop while it drains."""

    def stop(self, device: Device) -> None:
        if self.observe(device).phase is not Phase.DRAINING:
            super().stop(device)


class Prepared(SimNode):
    """It can be asked beforehand."""

    def prepare(self, device: Device, venue: Venue) -> Readiness:  # noqa: ARG002
        return PREPARED


class Eager(Prepared):
    """Prepared, it is started."""

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        self.start(device, venue)
        return PREPARED


class Clumsy(Prepared):
    """To prepare it is to stop it."""

    def prepare(self, device: Device, venue: Venue) -> Readiness:  # noqa: ARG002
        self.stop(device)
        return PREPARED


class NeverReady(Prepared):
    """It prepares for ever."""

    def prepare(self, device: Device, venue: Venue) -> Readiness:  # noqa: ARG002
        return Readiness(Stage.WORKING)


NODES: Sequence[tuple[str, type[SimNode]]] = [
    ("test_nothing_runs_before_it_is_started", Starts),
    ("test_nothing_runs_before_it_is_started", Local),
    ("test_preparing_touches_nothing", Eager),
    ("test_preparing_touches_nothing", Clumsy),
    ("test_preparing_touches_nothing", NeverReady),
    ("test_a_start_leads_to_serving", Reboots),
    ("test_a_start_leads_to_serving", Refuses),
    ("test_a_start_leads_to_serving", Guesses),
    ("test_a_start_leads_to_serving", Elsewhere),
    ("test_looking_changes_nothing", Drains),
    ("test_a_start_that_is_repeated_is_one_start", Counts),
    ("test_a_start_that_is_repeated_is_one_start", ComesBack),
    ("test_a_drain_takes_no_new_work", WorksOn),
    ("test_a_drain_takes_no_new_work", TakesMore),
    ("test_a_drain_takes_no_new_work", DrainsAnew),
    ("test_a_start_undoes_a_drain", StaysDrained),
    ("test_a_stopped_node_is_absent", Stays),
]


def bench(kind: type[SimNode], *, forgets: bool = False) -> Bench:
    """A node that boots for 5 minutes and drains for 20; another process finds the host's memory, or has lost it."""
    clock, memory = SimClock(START), Memory()
    manner = Manner(boot=5 * MINUTE, drain=20 * MINUTE)

    def reopened() -> NodeDriver:
        return SimNode(ACME.network, clock, manner, Memory() if forgets else memory)

    return Bench(kind(ACME.network, clock, manner, memory), device(), ACME, lambda: clock.move_to(clock.now() + MINUTE), reopened)


@pytest.mark.parametrize(("check", "kind"), NODES)
def test_an_offence_against_the_node_suite_is_caught(check: str, kind: type[SimNode]) -> None:
    """By the check that is there for it."""
    with pytest.raises(CAUGHT):
        getattr(NodeDriverContract(), check)(bench(kind))


@pytest.mark.parametrize("check", sorted({check for check, _ in NODES}))
def test_the_node_suite_passes_an_honest_one(check: str) -> None:
    """The planted offences are what it fails on."""
    getattr(NodeDriverContract(), check)(bench(Prepared))


def test_a_node_that_forgets_with_its_process_is_caught() -> None:
    """What runs on must be found by whoever comes next."""
    NodeDriverContract().test_another_process_finds_what_runs(bench(SimNode))
    with pytest.raises(CAUGHT):
        NodeDriverContract().test_another_process_finds_what_runs(bench(SimNode, forgets=True))


def test_every_check_of_the_node_suite_has_its_offence() -> None:
    """A check that was never seen to fail proves nothing."""
    checks = {name for name in dir(NodeDriverContract) if name.startswith("test_")}

    assert checks == {check for check, _ in NODES} | {"test_another_process_finds_what_runs"}

"""A node that is not known to serve yet may have work already: it is told of, and drained like any other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from autopilot.clock import SystemClock
from autopilot.kit.service import ServiceNode
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Phase
from autopilot_adapters.programs import CommandWork, ProgramSettings
from shared.nodes import PATIENT, end_all, until

NETWORK = NetworkId("birch")
GPU = Device(DeviceId("GPU-2e"), "RTX 4090", index=1)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServiceNode]:
    """A process that counts as booting for an hour, and writes its jobs into a file."""
    clock, argv = SystemClock(), ("/bin/sh", "-c", PATIENT)
    settings = ProgramSettings(process=argv, jobs=("cat", str(tmp_path / "jobs")))
    shape = ProcessShape(NETWORK, clock, Program(argv, settles=timedelta(hours=1)), tmp_path)
    node = ServiceNode(NETWORK, clock, shape, tmp_path, CommandWork(NETWORK, clock, settings))
    node.start(GPU, Venue(NETWORK))
    yield node
    end_all(tmp_path.glob("*.pid"))


def test_early_work_is_seen_and_drained(node: ServiceNode, tmp_path: Path) -> None:
    """So that nobody takes it for a node without work, which may be stopped at once."""
    (tmp_path / "jobs").write_text("a frame\n", encoding="utf-8")
    seen = node.observe(GPU)
    assert (Phase.STARTING, ["a frame"]) == (seen.phase, [lease.id for lease in seen.leases])
    node.drain(GPU)
    seen = node.observe(GPU)

    assert (Phase.DRAINING, ["a frame"]) == (seen.phase, [lease.id for lease in seen.leases])


def test_one_that_cannot_tell_yet_boots(node: ServiceNode) -> None:
    """Its work is asked of a program that may not be up."""
    seen = node.observe(GPU)

    assert (Phase.STARTING, ()) == (seen.phase, seen.leases)


def test_one_that_died_and_cannot_tell_has_no_work(node: ServiceNode, tmp_path: Path) -> None:
    """Its work went with it: a program that never came up must not hold its GPU for want of an answer."""
    until(lambda: (end_all(tmp_path.glob("*.pid")), node.observe(GPU).phase is Phase.FAULT)[1])

    assert () == node.observe(GPU).leases

"""Nodes that run real programs: waiting for them, and ending what a test left of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from autopilot.contracts import NodeDriver
from autopilot.model.device import Device, Venue
from autopilot.model.node import Phase
from autopilot.testing.adapters import NodeDriverContract

PATIENT = 'trap "exit 0" TERM INT; while :; do sleep 0.05; done'
"""A script that ends when it is told to."""
STUBBORN = 'trap "" TERM INT; echo deaf; while :; do sleep 0.05; done'
"""One that does not, from the moment at which it says that it is deaf."""
STUBS = Path(__file__).parents[1] / "wire/bin"
"""Programs that stand in for those of a host."""


def until(reached: Callable[[], object], seconds: float = 60) -> None:
    """Wait for it, and no longer: what is waited for must come, however busy the machine is."""
    deadline = time.monotonic() + seconds  # noqa: TID251  # a real program takes real time
    while not reached():
        if time.monotonic() > deadline:  # noqa: TID251
            pytest.fail(f"not within {seconds} s")
        time.sleep(0.05)  # noqa: TID251


def end_all(files: Iterable[Path]) -> None:
    """Kill the groups of processes whose leaders' ids stand first in these files."""
    for file in files:
        written = file.read_text(encoding="utf-8").split(" ", 1)[0]
        if written.strip().isdigit():
            try:
                os.killpg(int(written), signal.SIGKILL)
            except ProcessLookupError:
                continue


@dataclass(kw_only=True)
class Post:
    """One device, a venue that it is to serve, and whoever drives nodes there."""

    gpu: Device
    market: Venue

    def phase(self, node: NodeDriver) -> Phase:
        """What it is seen to do."""
        return node.observe(self.gpu).phase

    def serving(self, node: NodeDriver) -> None:
        """Start it and wait until it serves."""
        node.start(self.gpu, self.market)
        until(lambda: self.phase(node).serves)

    def gone(self, node: NodeDriver) -> bool:
        """Stop it, and say whether it went."""
        node.stop(self.gpu)
        return self.phase(node) is Phase.ABSENT


class RealNodeContract(NodeDriverContract):
    """The suite of node drivers at a post, where waiting is real. The fixtures ``node`` and ``reopened`` are still to be given."""

    post: Post

    @pytest.fixture
    def device(self) -> Device:
        return self.post.gpu

    @pytest.fixture
    def venue(self) -> Venue:
        return self.post.market

    @pytest.fixture
    def patience(self) -> Callable[[], object]:
        return lambda: time.sleep(0.02)  # noqa: TID251  # a real program takes real time

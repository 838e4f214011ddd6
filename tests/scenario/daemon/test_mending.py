"""What the daemon does about a node that ended by itself: it says so, clears it away, and starts it again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.daemons import Price, mine
from shared.nodes import end_all
from shared.servers import served

CONFIG = """
strategy = "greedy"
[rig]
simulated = ["RTX 4090"]
[daemon]
tick = "0.2s"
poll = "1s"
answer = "0.9s"
jitter = "0s"
[guards]
dwell = "0s"
changes_per_day = {changes}
[limits]
steady = "0s"
"""


class Fleet:
    """One GPU at one network, and its node's process."""

    def __init__(self, flight: Any, url: str) -> None:
        self.flight = flight
        self._url = url

    def fly(self, changes: int) -> int:
        """Start the daemon. The process id of the node, once it serves."""
        self.flight.config.write_text(CONFIG.format(changes=changes) + mine(self._url), encoding="utf-8")
        self.flight.launch()
        self.flight.wait_for("READY=1")
        self.flight.wait_until(lambda: self.arrivals == ["mine"])
        return self.pid

    @property
    def arrivals(self) -> list[str]:
        """Where the GPU came to be, one after the other."""
        return [network for (network,) in self.flight.rows("SELECT network FROM placements ORDER BY id")]

    @property
    def pid(self) -> int:
        """Of the newest node."""
        (file,) = self.flight.folder.glob("node/*.pid")
        return int(Path(file).read_text(encoding="utf-8").split(" ", 1)[0])


@pytest.fixture
def fleet(flight: Any) -> Iterator[Fleet]:
    """All of it; what runs at the end is ended."""
    with served(Price) as url:
        yield Fleet(flight, url)
        flight.close()
        end_all(flight.folder.glob("node/*.pid"))


def test_a_node_that_died_is_started_again(fleet: Fleet) -> None:
    """The GPU is idle meanwhile, by the journal too; and the reason is in it."""
    pid = fleet.fly(100)
    os.kill(pid, signal.SIGKILL)
    fleet.flight.wait_until(lambda: fleet.arrivals == ["mine", "idle", "mine"])

    assert pid != fleet.pid
    assert [] != fleet.flight.rows("SELECT 1 FROM events WHERE why LIKE 'mine is broken: ended by itself%'")
    assert 0 == fleet.flight.ended(signal.SIGTERM), fleet.flight.log


def test_a_node_that_dies_again_and_again_is_left_alone(fleet: Fleet) -> None:
    """As often as a day allows changes; then the GPU stays idle, and says why."""
    os.kill(fleet.fly(1), signal.SIGKILL)
    fleet.flight.wait_until(lambda: "1 switches in 24 h" in str(fleet.flight.rows("SELECT sentence FROM sentences")))

    assert ["mine", "idle"] == fleet.arrivals
    assert 0 == fleet.flight.ended(signal.SIGTERM), fleet.flight.log

"""The real daemon, killed at random moments: it loses nothing that it acknowledged, and goes on where it was."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from typing import Any

import pytest

KILLS = 26
"""Of each of two daemons that fly side by side."""


def killed_again_and_again(flight: Any, seed: int) -> None:
    """Start it, kill it at a random moment of its start or of its flight, look at what it left, and start it again."""
    random = Random(seed)  # noqa: S311
    beat = None
    for _ in range(KILLS):
        process = flight.launch()
        if random.random() < 0.25:
            Event().wait(random.random())
        else:
            flight.wait_for("WATCHDOG=1")
            earlier, (beat, _) = beat, flight.beat()
            assert earlier is None or earlier < beat, "it does not go on"
            Event().wait(random.random() * 0.6)
        before = flight.acknowledged()
        process.send_signal(signal.SIGKILL)

        assert -signal.SIGKILL == process.wait()
        flight.check_left(before)
        flight.check_nodes()


@pytest.mark.long
def test_killed_at_any_moment_it_loses_nothing_and_recovers(flights: Callable[[str], Any]) -> None:
    """Fifty-two times: the file is whole, every acknowledged row is in it, no device is ever held twice, and switches end."""
    pair = [flights("one"), flights("two")]
    with ThreadPoolExecutor(2) as pool:
        for outcome in [pool.submit(killed_again_and_again, flight, seed) for seed, flight in enumerate(pair)]:
            outcome.result()
    for flight in pair:
        flight.launch()
        flight.wait_for("READY=1")
        open_ones = {
            ident for (ident,) in flight.rows("SELECT id FROM switches WHERE state IN ('draining', 'stopping', 'starting', 'reverting')")
        }
        ended = "SELECT id FROM switches WHERE state IN ('settled', 'reverted')"
        flight.wait_until(lambda flight=flight, ids=open_ones, sql=ended: ids <= {ident for (ident,) in flight.rows(sql)})

        assert 0 == flight.ended(signal.SIGTERM), flight.log
        assert [] == flight.rows("SELECT * FROM fences")
        assert len(flight.rows("SELECT * FROM switches WHERE state = 'settled'")) > 3
        assert len(flight.rows("SELECT * FROM events WHERE why = 'resumed after an outage'")) > 3
        flight.check_nodes()

"""The demo on a terminal, in the time of whoever watches."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.live import Live

from autopilot.clock import SystemClock, stopwatch
from autopilot.dashboard.panels import Screen
from autopilot.dashboard.reading import read
from autopilot.demo.flight import Flight
from autopilot.store.store import Store
from autopilot.units import span_text

_FRAME = timedelta(milliseconds=100)


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Asks whether SIGINT or SIGTERM came: they end nothing by themselves, so nothing is cut in the middle."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(flight: Flight, state: Path, speed: float, stopped: Callable[[], bool]) -> None:
    """Fly before the eyes of a person until the market ends or the flight is stopped.

    Every frame is as much further in simulated time as the speed asks for: a machine that cannot keep up flies slower.
    """
    clock, never = SystemClock(), threading.Event()
    store = Store.read_only(state)
    with Live(console=Console(), screen=True, auto_refresh=False) as live:
        while not stopped() and not flight.over:
            began = stopwatch()
            flight.fly_to(flight.clock.now() + _FRAME * speed)
            live.update(picture(flight, store, speed), refresh=True)
            clock.wait(_FRAME - timedelta(seconds=stopwatch() - began), never)
    store.close()


def picture(flight: Flight, store: Store, speed: float) -> Screen:
    """What there is to see now."""
    pace = f"demo, seed {flight.scene.seed}, {span_text(timedelta(seconds=speed))} a second"
    return Screen(read(store, flight.clock.now(), flight.controls), pace, "Ctrl-C ends")

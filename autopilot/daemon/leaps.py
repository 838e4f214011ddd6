"""Whether the machine's clock goes on as time does."""

from __future__ import annotations

from datetime import timedelta

from autopilot.clock import Clock, stopwatch

_LEAST = timedelta(minutes=1)
"""Less is a small correction, at which no limit of a switch is missed."""


class Leaps:
    """Compares a clock with one that only runs forward, and stands still while the machine sleeps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now(), stopwatch()

    @property
    def leap(self) -> timedelta:
        """How far the clock has leapt since this was made: it was set, or the machine slept. Nothing where it went on, or nearly so."""
        at, passed = self._began
        leap = self._clock.now() - at - timedelta(seconds=stopwatch() - passed)
        return leap if abs(leap) >= _LEAST else timedelta(0)

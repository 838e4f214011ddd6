"""A clock that is moved by hand."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from autopilot.clock import Clock


class SimClock:
    """Stands still until somebody moves it."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        """The instant it was moved to."""
        return self._now

    def move_to(self, at: datetime) -> None:
        """Be at this instant, which may lie in the past: clocks do jump."""
        self._now = at

    def wait(self, span: timedelta, until: threading.Event) -> bool:
        """Waiting takes no time here: the clock jumps over it."""
        self._now += max(span, timedelta(0))
        return until.is_set()


class ScaledClock:
    """Runs faster than the clock it is made from, by a factor, from an instant at which both agree.

    The instant must be the same for every start of a daemon, or its time would jump back.
    """

    def __init__(self, base: Clock, origin: datetime, speed: float) -> None:
        self._base = base
        self._origin = origin
        self._speed = speed

    def now(self) -> datetime:
        """The instant that the faster time has reached."""
        return self._origin + (self._base.now() - self._origin) * self._speed

    def wait(self, span: timedelta, until: threading.Event) -> bool:
        """Wait for a span of the faster time."""
        return self._base.wait(span / self._speed, until)

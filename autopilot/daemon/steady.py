"""When a job is due."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger


class Steady(BaseTrigger):  # type: ignore[misc]  # it ships no types
    """Due at a first instant and then every so often, each time up to a jitter later.

    APScheduler's own interval counts from the run before: a run at start-up would shift all that follow, and every delay would
    add up. Here neither does. The jitter must be shorter than the interval.
    """

    def __init__(self, first: datetime, every: timedelta, jitter: timedelta = timedelta(0)) -> None:
        self._first = first
        self._every = every
        self._jitter = jitter

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:  # noqa: ARG002  # the interface's
        """The next due instant after the run before, which may have been early or late."""
        before = previous_fire_time or self._first - self._every
        steps = (before - self._first) // self._every + 1
        return self._first + max(steps, 0) * self._every + self._jitter * random.random()  # noqa: S311  # a delay, not a secret

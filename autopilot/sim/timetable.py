"""A timetable that is driven by hand: it stands where an APScheduler scheduler would, and time is a SimClock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from autopilot.sim.clock import SimClock


class Trigger(Protocol):
    """When a job is due: an APScheduler trigger."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The next instant after the last one; None where there is none."""
        ...


@dataclass(slots=True)
class _Job:
    work: Callable[[], None]
    trigger: Trigger
    due: datetime


class SimTimetable:
    """Runs jobs when they are due, in the order of time; those due together in the order in which they were added."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self._jobs: list[_Job] = []

    def add_job(
        self,
        func: Callable[[], None],
        trigger: Trigger,
        *,
        id: str,  # noqa: A002, ARG002  # the names are APScheduler's
        next_run_time: datetime | None = None,
        **options: Any,  # noqa: ARG002  # nothing is ever late here, and nothing overlaps
    ) -> None:
        """Run the job at its first time, and then whenever its trigger says."""
        first = next_run_time or trigger.get_next_fire_time(None, self._clock.now())
        if first is not None:
            self._jobs.append(_Job(func, trigger, first))

    def run_until(self, end: datetime) -> None:
        """Run everything that is due before the instant, and be there. What a job raises comes through."""
        while self._jobs and (job := min(self._jobs, key=lambda each: each.due)).due < end:
            self._clock.move_to(max(job.due, self._clock.now()))
            job.work()
            following = job.trigger.get_next_fire_time(job.due, self._clock.now())
            if following is None:
                self._jobs.remove(job)
            else:
                job.due = following
        self._clock.move_to(end)

"""The hand-driven timetable runs what is due, in order, and moves the clock there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import given
from hypothesis import strategies as st

from autopilot.sim.clock import SimClock
from autopilot.sim.timetable import SimTimetable

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Diary = list[tuple[str, datetime]]


def every(minutes: int) -> IntervalTrigger:
    """A trigger as the daemon makes it."""
    return IntervalTrigger(minutes=minutes, start_date=START, timezone=UTC)


def timetable(clock: SimClock, *jobs: tuple[str, int]) -> tuple[SimTimetable, Diary]:
    """Jobs by name and minutes, first due at the start, and what they did."""
    table, diary = SimTimetable(clock), []
    for name, minutes in jobs:
        table.add_job(lambda name=name: diary.append((name, clock.now())), every(minutes), id=name, next_run_time=START)
    return table, diary


def test_jobs_due_together_run_in_the_order_in_which_they_were_added() -> None:
    """The daemon adds the poll before the tick, so that a tick at the full hour decides on new rates."""
    table, diary = timetable(SimClock(START), ("poll", 4), ("tick", 2))
    table.run_until(START + 5 * MINUTE)

    minutes = [("poll", 0), ("tick", 0), ("tick", 2), ("poll", 4), ("tick", 4)]
    assert [(name, START + at * MINUTE) for name, at in minutes] == diary


def test_the_end_is_not_part_of_the_span_and_the_clock_stands_there() -> None:
    """Spans are half-open, so two spans in a row are the same as one."""
    clock = SimClock(START)
    table, diary = timetable(clock, ("tick", 5))
    table.run_until(START + 5 * MINUTE)

    assert [("tick", START)] == diary
    assert START + 5 * MINUTE == clock.now()

    table.run_until(START + 6 * MINUTE)

    assert ("tick", START + 5 * MINUTE) == diary[-1]


@given(periods=st.lists(st.integers(1, 90), min_size=1, max_size=4), cuts=st.lists(st.integers(0, 600), max_size=4))
def test_every_job_runs_exactly_when_it_is_due_however_the_time_is_cut(periods: list[int], cuts: list[int]) -> None:
    """Nothing is skipped, doubled or out of order."""
    table, diary = timetable(SimClock(START), *((str(index), period) for index, period in enumerate(periods)))
    for cut in sorted([*cuts, 600]):
        table.run_until(START + cut * MINUTE)
    due = [(START + at * MINUTE, index) for index, period in enumerate(periods) for at in range(0, 600, period)]

    assert [(str(index), at) for at, index in sorted(due)] == diary


def test_a_job_without_a_first_time_starts_when_its_trigger_says() -> None:
    """As with a scheduler that runs by itself."""
    clock, diary = SimClock(START + MINUTE), []
    table = SimTimetable(clock)
    table.add_job(lambda: diary.append(clock.now()), every(5), id="tick")
    table.run_until(START + 7 * MINUTE)

    assert [START + 5 * MINUTE] == diary


def test_a_job_that_is_due_once_runs_once() -> None:
    """A trigger that names no further time is done with."""
    diary: list[str] = []
    table = SimTimetable(SimClock(START))
    table.add_job(partial(diary.append, "once"), DateTrigger(START + MINUTE), id="once")
    table.run_until(START + 60 * MINUTE)

    assert ["once"] == diary


def test_a_job_that_is_overdue_does_not_turn_the_clock_back() -> None:
    """It runs at once, at the time that it is."""
    clock, diary = SimClock(START + 10 * MINUTE), []
    table = SimTimetable(clock)
    table.add_job(lambda: diary.append(clock.now()), DateTrigger(START), id="late", next_run_time=START)
    table.run_until(START + 11 * MINUTE)

    assert [START + 10 * MINUTE] == diary


def test_what_a_job_raises_comes_through() -> None:
    """A flight whose journal cannot be written must end."""

    def fail() -> None:
        raise RuntimeError("the disk is full")

    table = SimTimetable(SimClock(START))
    table.add_job(fail, every(1), id="tick", next_run_time=START)

    with pytest.raises(RuntimeError, match="the disk is full"):
        table.run_until(START + MINUTE)

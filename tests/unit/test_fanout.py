"""Asking many networks at once: the slow ones delay nobody."""

from __future__ import annotations

import threading
from datetime import timedelta

from autopilot.clock import stopwatch
from autopilot.daemon.fanout import as_they_come, beside
from autopilot.errors import Transient

LONG = timedelta(seconds=20)


def test_answers_come_in_the_order_in_which_they_are_given() -> None:
    """Not in that of the questions: who answers first is heard first."""
    second = threading.Event()

    def last() -> str:
        assert second.wait(10)
        return "slow"

    answers = as_they_come({"nosana": last, "akash": lambda: "quick"}, LONG)

    assert ("akash", "quick") == next(answers)
    second.set()
    assert [("nosana", "slow")] == list(answers)


def test_all_are_asked_at_the_same_time() -> None:
    """Questions that wait for each other are all answered: none waits for another's answer before it is asked."""
    together = threading.Barrier(4)

    outcomes = dict(as_they_come(dict.fromkeys(range(4), lambda: together.wait(10)), LONG))

    assert {0, 1, 2, 3} == set(outcomes.values())


def test_an_exception_is_an_outcome() -> None:
    """One that fails takes nobody with it."""

    def silent() -> None:
        raise Transient("akash", "no answer")

    outcomes = dict(as_they_come({"akash": silent, "nosana": lambda: 1}, LONG))

    assert isinstance(outcomes["akash"], Transient)
    assert 1 == outcomes["nosana"]


def test_who_is_late_is_not_waited_for() -> None:
    """At the deadline the others have been given out, and the late one is named as such."""
    never = threading.Event()
    began = stopwatch()

    answered, late = as_they_come({"akash": lambda: never.wait(30), "nosana": lambda: 1}, timedelta(milliseconds=200))

    never.set()
    assert ("nosana", 1) == answered
    assert ("akash", "no answer within 0.2s") == (late[0], str(late[1]))
    assert stopwatch() - began < 5


def test_no_question_is_no_outcome() -> None:
    """A rig without networks asks nobody."""
    assert [] == list(as_they_come({}, LONG))


def test_nobody_waits_for_a_question_beside() -> None:
    """It is asked in a thread of its own, and what comes of it is there when it is."""
    go = threading.Event()

    answer = beside(lambda: go.wait(10))

    assert not answer.done()
    go.set()
    assert answer.result(10)


def test_an_exit_in_a_thread_is_an_outcome_too() -> None:
    """A stranger's adapter may raise anything: its future must not stay open for ever."""

    def leaving() -> None:
        raise SystemExit(3)

    assert isinstance(beside(leaving).exception(10), SystemExit)

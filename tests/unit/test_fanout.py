"""Asking many networks at once: the slow ones delay nobody."""

from __future__ import annotations

import threading
from datetime import timedelta

from autopilot.clock import stopwatch
from autopilot.daemon.fanout import at_once
from autopilot.errors import Transient

LONG = timedelta(seconds=20)


def test_answers_come_in_the_order_of_the_questions() -> None:
    """However long each one took."""
    second = threading.Event()

    def first() -> str:
        assert second.wait(10)
        return "first"

    def last() -> str:
        second.set()
        return "last"

    assert ["first", "last"] == at_once(LONG)([first, last])


def test_all_are_asked_at_the_same_time() -> None:
    """Questions that wait for each other are all answered: none waits for another's answer before it is asked."""
    together = threading.Barrier(4)

    outcomes = at_once(LONG)([lambda: together.wait(10)] * 4)

    assert {0, 1, 2, 3} == set(outcomes)


def test_an_exception_is_an_outcome() -> None:
    """One that fails takes nobody with it."""

    def silent() -> None:
        raise Transient("akash", "no answer")

    failed, answered = at_once(LONG)([silent, lambda: 1])

    assert isinstance(failed, Transient)
    assert 1 == answered


def test_who_is_late_is_not_waited_for() -> None:
    """At the deadline the others are given out, and the late one is named as such."""
    never = threading.Event()
    began = stopwatch()

    late, answered = at_once(timedelta(milliseconds=200))([lambda: never.wait(30), lambda: 1])

    never.set()
    assert "no answer within 0.2s" == str(late)
    assert 1 == answered
    assert stopwatch() - began < 5


def test_no_question_is_no_outcome() -> None:
    """A rig without networks asks nobody."""
    assert [] == at_once(LONG)([])

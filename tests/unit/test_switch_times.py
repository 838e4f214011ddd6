"""What switches really take: read from their events, and mixed with what the adapters say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.model.plan import PlanId
from autopilot.model.switch import Event, State, Switch, SwitchId
from autopilot.switch_times import Passage, Sample, passage, percentile
from autopilot.testing.views import START, device, venue

MINUTE = timedelta(minutes=1)
SWITCH = Switch(
    SwitchId("one"), PlanId("plan"), device().id, venue("akash"), venue("nosana"), State.SETTLED, START, START, told=20 * MINUTE
)
SPANS = st.lists(st.integers(0, 600).map(lambda count: count * MINUTE), min_size=1, max_size=80)


def events(*entered: tuple[State, int]) -> list[Event]:
    """The events of a switch that entered these states, in minutes after it was opened; a state that is named twice was resumed."""
    found: list[Event] = []
    for state, minute in entered:
        before = found[-1].after if found else state
        found.append(Event(START + minute * MINUTE, SWITCH.id, before, state, ""))
    return found


GOOD = ((State.PREPARING, 0), (State.DRAINING, 3), (State.STOPPING, 33), (State.STARTING, 34), (State.SETTLED, 44))


def test_each_span_is_measured_by_itself() -> None:
    """The drain against what it was said to take, the wait of the dark GPU, and the boot."""
    assert Passage(10 * MINUTE, MINUTE, 10 * MINUTE) == passage(SWITCH, events(*GOOD))
    assert Passage(None, MINUTE, 10 * MINUTE) == passage(replace(SWITCH, told=None), events(*GOOD))


@pytest.mark.parametrize(
    ("entered", "outcome"),
    [
        (((State.DRAINING, 0), (State.REVERTING, 9), (State.REVERTED, 10)), Passage(None, None, None)),
        (((State.DRAINING, 0), (State.STARTING, 0), (State.SETTLED, 5)), Passage(None, None, 5 * MINUTE)),
        (((State.STARTING, 0), (State.REVERTING, 30), (State.SETTLED, 32)), Passage(None, None, 32 * MINUTE)),
        (((State.STARTING, 0), (State.REVERTING, 30), (State.REVERTED, 32)), Passage(None, None, None)),
        (((State.STOPPING, 0), (State.STARTING, 1), (State.STARTING, 99), (State.SETTLED, 101)), Passage(None, MINUTE, None)),
    ],
)
def test_what_did_not_happen_or_was_not_watched_is_not_measured(entered: tuple[tuple[State, int], ...], outcome: Passage) -> None:
    """A drain that was called back, a boot that failed, a time in which we were away; a boot that came late counts in full."""
    assert outcome == passage(SWITCH, events(*entered))


@given(SPANS, st.integers(0, 600).map(lambda count: count * MINUTE))
def test_the_typical_span_lies_between_the_word_and_the_median(spans: list[timedelta], word: timedelta) -> None:
    """Nearer to the median the more was seen; and a word that is true is kept to the microsecond."""
    sample, honest = Sample(), Sample()
    for span in spans:
        sample.note(span)
        honest.note(word)
    middle = percentile(spans[-50:], 50)

    assert min(word, middle) <= sample.typical(word) <= max(word, middle)
    assert abs(sample.typical(word) - middle) <= abs(word - middle) * 4 / (4 + min(len(spans), 50)) + timedelta(microseconds=1)
    assert word == honest.typical(word) == honest.late(word) == Sample().typical(word) == Sample().late(word)


def test_nine_of_ten_do_not_exceed_the_late_span() -> None:
    """By nearest rank, the adapter's word counted as four of them."""
    sample = Sample()
    for minute in range(1, 17):
        sample.note(minute * MINUTE)

    assert 14 * MINUTE == sample.late(timedelta(0))
    assert [5, 9, 10] == [percentile([minute * MINUTE for minute in range(1, 11)], each) // MINUTE for each in (50, 90, 91)]

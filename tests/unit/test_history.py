"""Rates up to now and never after: what was known stays as it was, however the record grows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from autopilot.model.device import Venue
from autopilot.model.history import Point, Record
from autopilot.testing.views import MODEL, START, answer, device, venue
from autopilot.units import HOUR, UsdPerHour

AKASH, NOSANA = venue("akash"), venue("nosana")
RATES = st.lists(st.none() | st.integers(0, 10**9).map(UsdPerHour), max_size=12)


@dataclass(frozen=True, slots=True)
class Weighed:
    """A step that sums the rates, each so many times."""

    factor: float

    def __call__(self, state: float | None, as_of: datetime, rate: float | None) -> float:  # noqa: ARG002
        return (state or 0.0) + self.factor * (rate or 0.0)


@dataclass(frozen=True, slots=True)
class Trail:
    """A step that keeps every point."""

    def __call__(self, state: tuple[object, ...] | None, as_of: datetime, rate: float | None) -> tuple[object, ...]:
        return (*(state or ()), (as_of, rate))


def recorded(rates: list[UsdPerHour | None], where: Venue = AKASH) -> Record:
    """A record of one venue, hour by hour."""
    record = Record()
    for hour, rate in enumerate(rates):
        record.add((where, MODEL), START + hour * HOUR, rate)
    return record


def test_an_hour_is_known_when_it_is_over() -> None:
    """A history that is imported by the start of its hours is told one hour later."""
    record = Record()
    record.add_hour((AKASH, MODEL), START, UsdPerHour(1))

    assert [Point(START + HOUR, UsdPerHour(1))] == list(record.until_now().points(AKASH, MODEL))


def test_answers_are_learned_by_what_they_describe() -> None:
    """A quote by its as_of, a NoQuote as a missing rate; of several devices of one model, the first speaks."""
    record = Record()
    for number, rate in ((0, "0.4"), (1, "0.9")):
        record.learn(answer("akash", device(number), rate, START, START + HOUR), MODEL)
    record.learn(answer("akash", device(), None, START + HOUR, START + 2 * HOUR), MODEL)

    assert [Point(START, UsdPerHour.of("0.4")), Point(START + HOUR, None)] == list(record.until_now().points(AKASH, MODEL))


def test_old_news_change_nothing() -> None:
    """A point that is not later than the last is passed over: the past of a history is never rewritten."""
    record = recorded([UsdPerHour(1), UsdPerHour(2)])
    record.add((AKASH, MODEL), START + HOUR, UsdPerHour(9))
    record.add((AKASH, MODEL), START, UsdPerHour(9))

    assert [UsdPerHour(1), UsdPerHour(2)] == [point.rate for point in record.until_now().points(AKASH, MODEL)]


def test_models_and_venues_are_apart() -> None:
    """What an H100 earns says nothing of a 4090."""
    record = recorded([UsdPerHour(1)])
    record.add((NOSANA, "H100"), START, UsdPerHour(2))
    history = record.until_now()

    assert {(AKASH, MODEL), (NOSANA, "H100")} == set(history)
    assert 2 == len(history)
    assert [] == list(history.points(NOSANA, MODEL))
    assert history.fold(NOSANA, MODEL, Trail()) is None


@given(RATES, RATES)
def test_what_was_known_stays(before: list[UsdPerHour | None], after: list[UsdPerHour | None]) -> None:
    """A history that was taken does not grow with the record, not in its points, its length, nor its folds."""
    record = recorded(before)
    taken = record.until_now()
    points, length, fold = list(taken.points(AKASH, MODEL)), len(taken), taken.fold(AKASH, MODEL, Trail())
    for hour, rate in enumerate(after, start=len(before)):
        record.add((AKASH, MODEL), START + hour * HOUR, rate)
    record.until_now().fold(AKASH, MODEL, Trail())

    assert points == list(taken.points(AKASH, MODEL))
    assert length == len(taken)
    assert fold == taken.fold(AKASH, MODEL, Trail())
    assert set(taken) == ({(AKASH, MODEL)} if before else set())


@given(RATES, st.lists(st.integers(0, 12), max_size=6))
def test_a_fold_is_the_same_however_it_was_computed(rates: list[UsdPerHour | None], cuts: list[int]) -> None:
    """Whichever histories were folded before, longer or shorter ones, the answer is that of all points in turn."""
    growing, histories = Record(), []
    for hour, rate in enumerate(rates):
        histories.append(growing.until_now())
        growing.add((AKASH, MODEL), START + hour * HOUR, rate)
    histories.append(growing.until_now())
    for cut in [*cuts, len(rates)]:
        history = histories[min(cut, len(rates))]
        expected = tuple((START + hour * HOUR, None if rate is None else float(rate)) for hour, rate in enumerate(rates[: len(history)]))

        assert (expected or None) == history.fold(AKASH, MODEL, Trail())


def test_a_fold_visits_each_point_once() -> None:
    """A running average over years costs one step an hour: points that were seen before are not visited again."""
    visits: list[datetime] = []

    def step(state: int | None, as_of: datetime, rate: float | None) -> int:  # noqa: ARG001
        visits.append(as_of)
        return (state or 0) + 1

    record = Record()
    for hour in range(5):
        record.add((AKASH, MODEL), START + hour * HOUR, UsdPerHour(hour))

        assert hour + 1 == record.until_now().fold(AKASH, MODEL, step)

    assert [START + hour * HOUR for hour in range(5)] == visits


def test_steps_do_not_mix() -> None:
    """Steps that are not equal keep their states apart, though they are of one kind."""
    history = recorded([UsdPerHour.of(1), UsdPerHour.of(2)]).until_now()

    assert [3.0, 30.0, 3.0] == [history.fold(AKASH, MODEL, Weighed(factor)) for factor in (1, 10, 1)]


def test_a_frame_has_a_column_for_each_venue() -> None:
    """In USD an hour, sorted by time, NaN where nothing is known; other models are left out."""
    record = recorded([UsdPerHour.of("0.5"), None])
    record.add((NOSANA, MODEL), START + 2 * HOUR, UsdPerHour.of("0.25"))
    record.add((NOSANA, "H100"), START, UsdPerHour.of(2))
    frame = record.until_now().frame(MODEL)

    assert {AKASH, NOSANA} == set(frame.columns)
    assert [START, START + HOUR, START + 2 * HOUR] == list(frame.index)
    assert [0.5, 0.25] == [frame[AKASH].iloc[0], frame[NOSANA].iloc[2]]
    assert 4 == sum(math.isnan(value) for value in frame.to_numpy().ravel())


def test_a_frame_of_nothing_is_empty() -> None:
    """And no error."""
    assert 0 == len(Record().until_now().frame(MODEL))

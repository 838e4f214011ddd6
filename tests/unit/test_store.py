"""The books of the store: what goes in comes out the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.errors import StoreError
from autopilot.model.device import NetworkId, Venue
from autopilot.model.market import Answer, Basis, Fee, NativePrice, NoQuote, Quote, Room
from autopilot.model.node import Lease, Observation, Phase, Placement
from autopilot.model.plan import EntryCost, ExitCost, PlanId
from autopilot.model.power import Calendar, Draw, Period, PowerPrice
from autopilot.model.switch import Event, State, Switch, SwitchId
from autopilot.store.context import pack, unpack
from autopilot.store.imports import list_rates
from autopilot.store.journal import Arrival, Lesson, Ruling
from autopilot.store.schema import MIGRATIONS, instant, stamp
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, START, answer, device, venue, view
from autopilot.units import HOUR, Share, Usd, UsdPerHour, UsdPerKwh, Watts
from shared.books import rows

GPU = device().id
AKASH, NOSANA = venue("akash"), Venue(NetworkId("nosana"), "rtx-4090")
SWITCH = Switch(SwitchId("one"), PlanId("plan"), GPU, AKASH, NOSANA, State.DRAINING, START, START)


INSTANTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.sampled_from([UTC, timezone(HOUR * 7 / 2)]))  # noqa: DTZ001


@given(INSTANTS, INSTANTS)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    """An instant survives its text, in UTC whatever zone it came in, and SQLite sorts and compares as time does."""
    assert one == instant(stamp(one))
    assert UTC is instant(stamp(one)).tzinfo
    assert (one < other) == (stamp(one) < stamp(other))


RATES = st.integers(0, 10**13).map(UsdPerHour)
SPANS = st.timedeltas(timedelta(0), timedelta(days=40))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NATIVES = st.builds(NativePrice, TEXTS, st.decimals(0, 10**6, places=9), st.decimals(0, 10**6, places=9), st.just(START))
VENUES = st.builds(Venue, TEXTS.map(NetworkId), TEXTS)
QUOTES = st.builds(
    lambda where, rates, times, basis, source, share, length, fees, native, room: Quote(
        where,
        GPU,
        rates[0],
        START,
        START + times[0],
        START + times[0] + times[1] + HOUR,
        basis,
        source,
        rates[1],
        share,
        length,
        fees,
        native,
        room=room,
    ),
    VENUES,
    st.tuples(RATES, RATES),
    st.tuples(SPANS, SPANS),
    st.sampled_from(Basis),
    TEXTS,
    st.integers(0, 10**9).map(Share),
    st.none() | SPANS,
    st.lists(st.builds(Fee, TEXTS, st.integers(0, 10**8).map(Share)), max_size=3).map(tuple),
    st.none() | NATIVES,
    st.builds(Room, st.none() | st.integers(0, 10**6), st.integers(0, 10**9).map(Share)),
)
NO_QUOTES = st.builds(NoQuote, VENUES, st.just(GPU), st.just(START + HOUR), TEXTS, st.none() | st.just(START))


@given(st.lists(QUOTES | NO_QUOTES, max_size=5))
def test_every_answer_is_kept_as_it_was(answers: list[Answer]) -> None:
    """To the last field: a decision can only be made again from what it was made of."""
    store = Store.in_memory()
    with store.atomic():
        store.rates.record((answer, MODEL) for answer in answers)

    assert [(answer, MODEL) for answer in answers] == list(store.rates.answers())


def test_answers_are_given_by_the_time_they_were_seen(store: Store) -> None:
    """After one instant and up to another: half-open, so that no answer is told twice or never."""
    answers = [NoQuote(AKASH, GPU, START + hour * HOUR, "none") for hour in range(4)]
    with store.atomic():
        store.rates.record((answer, MODEL) for answer in answers)

    assert answers[1:3] == [answer for answer, _ in store.rates.answers(START, START + 2 * HOUR)]
    assert answers[2:] == [answer for answer, _ in store.rates.answers(START + HOUR)]


def test_answers_are_numbered_as_they_come_in(store: Store) -> None:
    """By number they are told apart even where they were seen at one instant."""
    answers = [answer(name, device(), "0.40", START, START) for name in ("akash", "nosana", "render")]
    with store.atomic():
        store.rates.record((each, MODEL) for each in answers)

    assert 3 == store.rates.last()
    assert [(each, MODEL) for each in answers[1:]] == list(store.rates.numbered(1, 3))
    assert [] == list(store.rates.numbered(3, 9))


def test_a_lesson_is_kept_with_what_it_was_learned_from(store: Store) -> None:
    """Each by its number, the one that it stands upon, and what arriving cost."""
    costs = {(venue("akash"), MODEL): EntryCost(HOUR, HOUR / 4, Usd.of("0.07"), 2 * HOUR)}
    lessons = [Lesson(START, {"name": "pupil", "parameters": {}}, base, 7, costs) for base in (None, 1)]
    with store.atomic():
        numbers = [store.journal.learn(lesson, START + HOUR) for lesson in lessons]

    assert dict(zip(numbers, lessons, strict=True)) == store.journal.lessons()
    store.connection.execute("UPDATE lessons SET entries = '[[1, 2]]'")
    with pytest.raises(StoreError, match="recorded by another version"):
        store.journal.lessons()


def test_a_decision_of_before_the_lessons_knew_what_was_seen_by_then(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state file of an earlier version is brought to today's shape, and can be replayed as before."""
    with monkeypatch.context() as earlier:
        earlier.setattr("autopilot.store.schema.MIGRATIONS", [each for each in MIGRATIONS if each[0] != "lessons"])
        old = Store.open(path)
        with old.atomic():
            old.rates.record((answer("akash", device(), "0.40", at, at), MODEL) for at in (START, START + HOUR))
            old.connection.execute("INSERT INTO contexts VALUES ('x', '{}')")
            for at in (START - HOUR, START, START + 2 * HOUR):
                old.connection.execute(
                    "INSERT INTO decisions (at, strategy, context, decision, vetoes) VALUES (?, '{}', 'x', '{}', '{}')", (stamp(at),)
                )
        old.close()
    now = Store.open(path)

    assert [(0, None), (1, None), (2, None)] == [(ruling.known, ruling.lesson) for ruling in now.journal.rulings()]
    now.close()


def test_who_only_reads_an_older_file_is_told_what_to_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading changes nothing, so what has come since is missing there."""
    with monkeypatch.context() as earlier:
        earlier.setattr("autopilot.store.schema.MIGRATIONS", MIGRATIONS[:1])
        Store.open(path).close()
    reader = Store.read_only(path)
    with pytest.raises(StoreError, match="an older version of the autopilot made it: `autopilot run` brings it up to date"):
        list(reader.journal.rulings())

    reader.close()


def test_hourly_history_is_kept_by_the_hour(store: Store) -> None:
    """A missing rate is known as missing, and a later word on an hour replaces the first."""
    hours = [(venue("akash"), MODEL, START, UsdPerHour(1)), (venue("akash"), MODEL, START + HOUR, None)]
    with store.atomic():
        store.rates.remember(hours)
        store.rates.remember([(venue("akash"), MODEL, START, UsdPerHour(2))])

    assert [(venue("akash"), MODEL, START, UsdPerHour(2)), hours[1]] == list(store.rates.hours())


def test_a_ruling_is_kept_with_what_it_was_based_on(store: Store, path: Path) -> None:
    """The context that does not change is kept once, however often it recurs, though more was seen of being hired meanwhile."""
    contexts = [{"devices": [1], "experience": [[hour / 3], []]} for hour in range(2)] + [{"devices": [1]}]
    rulings = [
        Ruling(START + hour * HOUR, {"name": "payback", "parameters": {"theta": "0.15"}}, context, {"kind": "hold"}, {GPU: "no"})
        for hour, context in enumerate(contexts)
    ]
    with store.atomic():
        for ruling in rulings:
            store.journal.rule(ruling)

    assert rulings == list(store.journal.rulings())
    assert (3, 1) == (rows(path, "decisions"), rows(path, "contexts"))


def test_a_switch_is_journalled_from_its_opening_to_its_end(store: Store) -> None:
    """Its states are events, and its end an arrival; it is open until then."""
    starting = replace(SWITCH, state=State.STARTING, since=START + HOUR)
    settled = replace(starting, state=State.SETTLED, since=START + 2 * HOUR)
    store.journal.open(SWITCH, "a lead")
    store.journal.change(starting, State.DRAINING, "gone already")

    assert [starting] == store.journal.open_switches()
    store.journal.change(settled, State.STARTING, "it serves")
    assert [] == store.journal.open_switches()
    assert [settled] == store.journal.switches()
    assert [
        Event(START, SWITCH.id, State.DRAINING, State.DRAINING, "a lead"),
        Event(START + HOUR, SWITCH.id, State.DRAINING, State.STARTING, "gone already"),
        Event(START + 2 * HOUR, SWITCH.id, State.STARTING, State.SETTLED, "it serves"),
    ] == store.journal.events()
    assert [Arrival(START + 2 * HOUR, GPU, NOSANA, "switched")] == store.journal.arrivals()


def test_a_stranded_device_is_fenced_with_its_switch(store: Store) -> None:
    """In one transaction; a human lifts the fence, and a later one counts anew."""
    store.journal.open(SWITCH, "a lead")
    store.journal.change(replace(SWITCH, state=State.STRANDED), State.STARTING, "it did not go")

    assert {GPU: "it did not go"} == store.journal.fences()
    store.journal.lift(GPU, START + HOUR)
    assert {} == store.journal.fences()
    store.journal.fence(GPU, START + 2 * HOUR, "seen twice")
    assert {GPU: "seen twice"} == store.journal.fences()


def test_a_resumed_switch_is_journalled_as_such(store: Store) -> None:
    """Its patience starts anew, and whoever reads the journal sees why."""
    store.journal.open(SWITCH, "a lead")
    later = replace(SWITCH, since=START + HOUR)
    store.journal.resume(later)

    assert [later] == store.journal.open_switches()
    assert Event(START + HOUR, SWITCH.id, State.DRAINING, State.DRAINING, "resumed after an outage") == store.journal.events()[-1]


def test_the_database_itself_forbids_two_open_switches_of_a_device(store: Store) -> None:
    """Whatever the code does; another device may have one, and the same device when its first is over."""
    store.journal.open(SWITCH, "a lead")
    with pytest.raises(StoreError, match="UNIQUE"):
        store.journal.open(replace(SWITCH, id=SwitchId("two")), "another lead")
    store.journal.open(replace(SWITCH, id=SwitchId("three"), device=device(1).id), "a lead")
    store.journal.change(replace(SWITCH, state=State.REVERTED), State.DRAINING, "gone")
    store.journal.open(replace(SWITCH, id=SwitchId("four")), "another lead")

    assert {"three", "four"} == {switch.id for switch in store.journal.open_switches()}


def test_the_last_sentence_about_each_device_is_kept(store: Store, path: Path) -> None:
    """One row a device, so that the file does not grow with talk."""
    for hour in range(3):
        store.journal.say(START + hour * HOUR, {GPU: f"hour {hour}", device(1).id: "still"})

    assert 2 == rows(path, "sentences")
    assert [("hour 2",)] == list(store.connection.execute("SELECT sentence FROM sentences WHERE device = ?", (GPU,)))


def test_the_heartbeat_is_one_row(store: Store) -> None:
    """It says when, since when, who and what."""
    for hour in range(2):
        store.journal.beat(START + hour * HOUR, START, 4711, {"live": True})
    (row,) = store.connection.execute("SELECT at, started_at, pid, body FROM heartbeat")

    assert (stamp(START + HOUR), stamp(START), 4711, {"live": True}) == (*row[:3], json.loads(row[3]))


def packed_view() -> Any:
    """A view with something in every field."""
    nights = Calendar(ZoneInfo("Europe/Prague"), (Period(frozenset({5, 6}), time(22), time(6), UsdPerKwh(2)),))
    seen = view({"akash": ["0.40"], "nosana": [None], "render": []}, "akash", devices=2, entry=EntryCost(HOUR, HOUR / 2, Usd(5), 2 * HOUR))
    lease = Lease("job", START, START + 9 * HOUR, breakable=True, pays=UsdPerHour(7))
    busy = Observation(GPU, AKASH, Phase.BUSY, seen.now, (lease, Lease("other", START)))
    return replace(
        seen,
        devices=(replace(seen.devices[0], memory_gib=24, power_limit=Watts.of(450)), replace(seen.devices[1], index=None)),
        placements={**seen.placements, GPU: Placement(GPU, AKASH, START, busy)},
        exits={GPU: ExitCost(HOUR / 3, Usd(11))},
        draws={GPU: Draw(Watts.of(320), Watts.of(20), {Venue(NetworkId("nosana"), "a"): Watts.of(200)})},
        power=PowerPrice(UsdPerKwh(3), {START + HOUR: UsdPerKwh(-1)}, nights),
        fixed=frozenset({device(1).id}),
    )


def test_a_view_is_kept_but_for_its_rates() -> None:
    """With the quotes of the time it is the same view: all that a decision could look at."""
    seen = packed_view()
    later = {(venue("bittensor"), GPU): NoQuote(venue("bittensor"), GPU, START, "it did not count then")}

    assert seen == unpack(json.loads(json.dumps(pack(seen))), seen.now, {**seen.quotes, **later}, seen.history)


def test_a_tariff_is_kept_as_far_as_a_plan_could_look() -> None:
    """The hour in force and two days ahead; the rest of the year is not written again with every decision."""
    seen = replace(packed_view(), power=PowerPrice(UsdPerKwh(1), {START + hour * HOUR: UsdPerKwh(hour) for hour in range(100)}))
    kept = unpack(pack(seen), seen.now, seen.quotes, seen.history).power

    assert seen.power.at(seen.now) == kept.at(seen.now)
    assert [START + hour * HOUR for hour in range(1, 49)] == sorted(kept.hours)


def test_the_history_of_a_market_stays_that_markets() -> None:
    """Two markets of one network are two histories, listed and exported by both names."""
    store = Store.in_memory()
    hour = datetime(2026, 1, 1, tzinfo=UTC)
    venues = [Venue(NetworkId("nosana"), "a"), Venue(NetworkId("nosana"), "b"), Venue(NetworkId("nosana"))]

    with store.atomic():
        store.rates.remember((venue, "H100", hour, UsdPerHour.of(index)) for index, venue in enumerate(venues))

    assert {(venue, UsdPerHour.of(index)) for index, venue in enumerate(venues)} == {(each[0], each[3]) for each in store.rates.hours()}
    assert ["nosana", "nosana/a", "nosana/b"] == [each.network for each in list_rates(store)]

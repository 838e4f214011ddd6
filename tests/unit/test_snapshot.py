"""The snapshot says what the state file says, and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from autopilot.dashboard.reading import Reader, read, read_heartbeat
from autopilot.dashboard.snapshot import DeviceNow, Snapshot, Trend
from autopilot.errors import StoreError
from autopilot.model.device import IDLE, DeviceId
from autopilot.model.experience import Experience, Tally
from autopilot.model.market import Basis, Quote
from autopilot.model.plan import EntryCost, ExitCost, PlanId
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.model.view import View
from autopilot.occupancy import believed
from autopilot.store.context import pack
from autopilot.store.journal import Arrival, Ruling
from autopilot.store.ledger import Entry, Kind
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, START, answer, device, venue, view
from autopilot.units import HOUR, Share, Usd, UsdPerHour, UsdPerKwh, Watts
from shared.daemons import heartbeat

GPU = device()
NOW = START + 30 * HOUR
AKASH, NOSANA = venue("akash"), venue("nosana")
BODY = heartbeat([GPU.id, MODEL, 0], silent={"nosana": "no answer"})


def seen(path: Path, at: datetime = NOW) -> Snapshot:
    """What a reader in another process sees."""
    with closing(Store.read_only(path)) as reader:
        return read(reader, at)


def rule(store: Store, known: View) -> None:
    """A decision was made on this view."""
    with store.atomic():
        store.journal.rule(Ruling(NOW - HOUR, {"name": "payback", "parameters": {}}, pack(known), {"kind": "hold"}, {}))


def known() -> View:
    """A view of one device at nosana, with costs and a power price."""
    small = view(
        {"akash": ["0.40"], "nosana": ["0.30"]}, "nosana", draw=Draw(Watts.of(350), Watts.of(50)), power=PowerPrice(UsdPerKwh.of("0.10"))
    )
    entries = {(AKASH, GPU.id): EntryCost(timedelta(minutes=8)), (NOSANA, GPU.id): EntryCost(timedelta(minutes=12))}
    return View(
        small.now, small.devices, small.placements, small.quotes, small.history, entries,
        {GPU.id: ExitCost(timedelta(minutes=20))}, small.draws, small.power,
    )  # fmt: skip


def quote(store: Store, rates: Mapping[str, str | None], ago: timedelta = timedelta(0)) -> None:
    """The networks answered, some time ago."""
    at = NOW - ago
    with store.atomic():
        store.rates.record((answer(name, GPU, rate, at, at), MODEL) for name, rate in rates.items())


def arrive(store: Store, name: str, ago: timedelta) -> None:
    """The device came to the network, some time ago."""
    with store.atomic():
        store.journal.arrive(Arrival(NOW - ago, GPU.id, venue(name), "switched"))


def move(store: Store, state: State) -> Switch:
    """A switch from nosana to akash, in this state since five minutes."""
    switch = Switch(SwitchId("p/1"), PlanId("p"), GPU.id, NOSANA, AKASH, State.DRAINING, NOW - HOUR, NOW - HOUR)
    store.journal.open(switch, "it pays back")
    moved = Switch(switch.id, switch.plan, GPU.id, NOSANA, AKASH, state, NOW - timedelta(minutes=5), NOW - HOUR)
    store.journal.change(moved, State.DRAINING, "so it goes")
    return moved


def only(snapshot: Snapshot) -> DeviceNow:
    """The one device."""
    (row,) = snapshot.devices
    return row


@pytest.mark.usefixtures("store")
def test_a_state_file_that_nobody_flew_has_nothing_to_show(path: Path) -> None:
    """No device, no money, no sign of life; and no error."""
    snapshot = seen(path)

    assert () == snapshot.devices
    assert None is snapshot.heartbeat
    assert Usd(0) == snapshot.totals.net
    assert {} == snapshot.market


def test_before_the_first_decision_the_heartbeat_names_the_devices(store: Store, path: Path) -> None:
    """A daemon that has just started shows its rig, idle and without a rate."""
    with store.atomic():
        store.journal.beat(NOW, START, 42, BODY)
    row = only(seen(path))

    assert (GPU.id, MODEL, "GPU-0") == (row.device.id, row.device.model, row.device.label)
    assert (IDLE, None, UsdPerHour(0)) == (row.venue, row.since, row.rate)


def test_the_heartbeat_is_read_as_it_was_written(store: Store, path: Path) -> None:
    """Whoever asks whether the daemon lives gets its own words."""
    with store.atomic():
        store.journal.beat(NOW, START, 42, BODY)
    beat = seen(path).heartbeat

    assert beat is not None
    assert (NOW, START, 42, "payback", True) == (beat.at, beat.started_at, beat.pid, beat.strategy, beat.live)
    assert (timedelta(seconds=15), 1.0, False) == (beat.tick, beat.speed, beat.by_hand)
    assert ({"nosana": "no answer"}, {}) == (beat.silent, beat.quarantine)


def test_a_device_has_its_place_its_money_and_its_sentence(store: Store, path: Path) -> None:
    """Everything on its row comes from the journal and the ledger."""
    rule(store, known())
    quote(store, {"nosana": "0.30"})
    arrive(store, "nosana", 3 * HOUR)
    entry = Entry(NOW - HOUR, NOW, GPU.id, NOSANA, Kind.PAID, Usd.of("1.25"), Basis.REALISED, "payout 1")
    fee = Entry(NOW - HOUR, NOW - HOUR, GPU.id, NOSANA, Kind.FEE, Usd.of("0.25"), Basis.ESTIMATE, "p/1")
    with store.atomic():
        store.ledger.book([entry, fee])
        store.journal.say(NOW, {GPU.id: "GPU-0: stay at nosana"})
        store.journal.fence(GPU.id, NOW, "seen twice")
    snapshot = seen(path)
    row = only(snapshot)

    assert (NOSANA, NOW - 3 * HOUR) == (row.venue, row.since)
    assert Usd.of(1) == row.totals.net == snapshot.totals.net
    assert ("GPU-0: stay at nosana", "seen twice") == (row.sentence, row.fence)


def test_the_rate_is_net_of_the_power_that_serving_adds(store: Store, path: Path) -> None:
    """0.30 $/h less 300 W at 0.10 $/kWh."""
    rule(store, known())
    quote(store, {"nosana": "0.30"})
    arrive(store, "nosana", 3 * HOUR)

    assert UsdPerHour.of("0.27") == only(seen(path)).rate


@pytest.mark.parametrize("rate", [None, "0.30"])
def test_a_rate_that_is_not_known_is_none_and_not_zero(store: Store, path: Path, rate: str | None) -> None:
    """A venue that offers nothing has no rate, and a quote that has expired is none."""
    rule(store, known())
    quote(store, {"nosana": rate}, ago=timedelta(0) if rate is None else 2 * HOUR)
    arrive(store, "nosana", 3 * HOUR)

    assert None is only(seen(path)).rate


@pytest.mark.parametrize(
    ("state", "expected", "earns"),
    [
        (State.DRAINING, timedelta(minutes=20), "0.27"),
        (State.STOPPING, None, "0"),
        (State.STARTING, timedelta(minutes=8), "0"),
        (State.REVERTING, timedelta(minutes=12), "0"),
    ],
)
def test_an_open_switch_says_how_long_its_state_should_last(
    store: Store, path: Path, state: State, expected: timedelta | None, earns: str
) -> None:
    """A drain as long as the source's, a start as long as the boot of where it goes; only a drain still earns."""
    rule(store, known())
    quote(store, {"nosana": "0.30"})
    arrive(store, "nosana", 3 * HOUR)
    switch = move(store, state)
    row = only(seen(path))

    assert row.switch is not None
    assert (switch, expected) == (row.switch.switch, row.switch.expected)
    assert UsdPerHour.of(earns) == row.rate


def test_a_switch_that_is_over_is_among_the_ended(store: Store, path: Path) -> None:
    """It is open no more, and the device is where it led."""
    rule(store, known())
    switch = move(store, State.SETTLED)
    snapshot = seen(path)

    assert (switch,) == snapshot.ended
    assert (AKASH, None) == (only(snapshot).venue, only(snapshot).switch)


def test_the_market_has_the_rates_of_a_day_hour_by_hour(store: Store, path: Path) -> None:
    """Hours without a rate stay empty, what is older is not shown, and the newest is the rate of now."""
    for hours, rate in ((30, "9"), (23, "0.1"), (2, None), (1, "0.3"), (0, "0.4")):
        quote(store, {"akash": rate}, ago=hours * HOUR)
    nothing: Trend = (None,) * 21
    rates = tuple(UsdPerHour.of(rate) for rate in ("0.1", "0.3", "0.4"))

    assert {AKASH: {MODEL: (rates[0], *nothing, rates[1], rates[2])}} == seen(path).market


def test_a_late_poll_leaves_the_last_rate_in_force(store: Store, path: Path) -> None:
    """A quote counts until it expires, in whatever hour it was seen; then there is none."""
    quote(store, {"akash": "0.4"}, ago=HOUR - timedelta(minutes=1))
    later = timedelta(minutes=2)

    assert UsdPerHour.of("0.4") == seen(path).market[AKASH][MODEL][-1]
    assert None is seen(path, NOW + later).market[AKASH][MODEL][-1]


def test_devices_are_counted_as_people_count_them(store: Store, path: Path) -> None:
    """By their number on the host, and 10 comes after 9."""
    devices = [[DeviceId(f"id-{11 - index}"), MODEL, index] for index in range(11)]
    with store.atomic():
        store.journal.beat(NOW, START, 42, {**BODY, "devices": devices})

    assert [f"GPU-{index}" for index in range(11)] == [row.device.label for row in seen(path).devices]


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """In one line that names the file."""
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as stranger:
        stranger.execute("CREATE TABLE photos (name TEXT)")
        stranger.commit()

    with pytest.raises(StoreError, match=r"photos\.db: ") as caught, closing(Store.read_only(path)) as reader:
        read_heartbeat(reader)

    assert "\n" not in str(caught.value)


def test_a_reader_that_looks_again_forgets_what_has_grown_old(store: Store, path: Path) -> None:
    """Where nothing was answered for more than a day, there is no trend, and nothing fails."""
    quote(store, {"akash": "0.40"})
    with closing(Store.read_only(path)) as looked_at:
        reader = Reader(looked_at)

        assert [AKASH] == list(reader.read(NOW).market)
        assert not reader.read(NOW + 30 * HOUR).market


def test_a_reader_that_looks_again_hears_what_came_in_between(store: Store, path: Path) -> None:
    """As one that looks for the first time does: the last answer of an hour is the one that stays."""
    quote(store, {"akash": "0.40"}, ago=3 * HOUR)
    with closing(Store.read_only(path)) as looked_at:
        reader = Reader(looked_at)
        reader.read(NOW - 2 * HOUR)
        for minutes, rate in ((70, "0.50"), (65, "0.60"), (0, "0.70")):
            quote(store, {"akash": rate}, ago=timedelta(minutes=minutes))
        again = reader.read(NOW)

    nothing: Trend = (None,) * 20
    assert {AKASH: {MODEL: (*nothing, UsdPerHour.of("0.40"), None, UsdPerHour.of("0.60"), UsdPerHour.of("0.70"))}} == again.market
    assert seen(path).market == again.market


def test_the_learned_occupancy_rests_upon_our_own_jobs(store: Store, path: Path) -> None:
    """Where nine jobs were over within an hour altogether, a GPU is believed to be hired for less of the time than without them."""
    for_jobs = Quote(
        NOSANA, GPU.id, UsdPerHour.of(1), NOW, NOW, NOW + HOUR, Basis.ESTIMATE, "a test", occupancy=Share.of("0.6"), job_length=HOUR
    )
    experience = Experience({(NOSANA, GPU.id): Tally(MODEL, hires=9.0, expected=9.0, jobs=9.0, hours=1.0)})
    rule(store, replace(known(), quotes={(NOSANA, GPU.id): for_jobs}, experience=experience))
    with store.atomic():
        store.rates.record([(for_jobs, MODEL)])
    with closing(Store.read_only(path)) as looked_at:
        offer = Reader(looked_at, days=True).read(NOW).offers[NOSANA, MODEL]

    ours, anybodys = (believed(for_jobs, each, GPU).load for each in (experience, Experience()))
    assert (Share.of("0.6"), Share.nearest(ours / (1 + ours))) == (offer.public, offer.learned)
    assert ours < anybodys / 2


def test_never_having_moved_is_reckoned_by_the_mean_of_the_hours(store: Store, path: Path) -> None:
    """Six hours at 0.30 and 0.60 $/h in turns, less 350 W at 0.10 $/kWh."""
    rule(store, known())
    arrive(store, "nosana", 6 * HOUR)
    for hours in range(1, 6):
        quote(store, {"nosana": "0.30" if hours % 2 else "0.60"}, ago=hours * HOUR - timedelta(minutes=1))
    quote(store, {"nosana": "0.60"}, ago=6 * HOUR - timedelta(minutes=1))
    with closing(Store.read_only(path)) as looked_at:
        stayed = Reader(looked_at, days=True).read(NOW).periods[0].stayed

    assert stayed is not None
    assert pytest.approx(6 * (0.45 - 0.035), abs=0.001) == float(stayed)

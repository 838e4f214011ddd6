"""Answers are taken in as they come: a network that keeps us waiting holds up neither the ticks nor what the others have said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from http.server import ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from autopilot.backtest.replay import replay
from autopilot.clock import SystemClock
from autopilot.contracts import NamedStrategy
from autopilot.daemon.fanout import beside
from autopilot.daemon.service import Cadence, Service
from autopilot.errors import Transient
from autopilot.guards import Dwell
from autopilot.idle import Idle
from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.market import Answer, Silence
from autopilot.model.node import Payout
from autopilot.pilot import Pilot, World
from autopilot.plugins import make_strategy
from autopilot.store.store import Store
from autopilot.testing.views import device, venue
from autopilot.testing.worlds import Fleet, Site
from autopilot.units import HOUR, Usd, UsdPerHour
from shared.servers import HERE, Desk, running

GPU = device()
LIFE = timedelta(seconds=60)
"""Within which whatever is waited for must come, on the slowest machine."""


class Post:
    """Takes questions, and has each answered when the test says so."""

    def __init__(self) -> None:
        self.open: list[tuple[Callable[[], Any], Future[Any]]] = []

    def ask(self, question: Callable[[], Any]) -> Future[Any]:
        """Nobody answers yet."""
        self.open.append((question, Future()))
        return self.open[-1][1]

    def answer(self, index: int = 0) -> None:
        """Let one of the open questions be answered."""
        question, future = self.open.pop(index)
        try:
            future.set_result(question())
        except Transient as error:
            future.set_exception(error)


@pytest.fixture
def post() -> Post:
    """Nobody has asked yet."""
    return Post()


def waiting(post: Post, *names: str) -> Fleet:
    """A fleet whose questions go by post."""
    fleet = Fleet(*names)
    fleet.ask = post.ask
    fleet.restart()
    return fleet


def offered(fleet: Fleet) -> set[str]:
    """The networks whose quotes the strategy was shown last."""
    return {offer.network for offer in fleet.wishes.views[-1].offers(GPU)}


def test_each_answer_is_acted_upon_when_it_comes(post: Post) -> None:
    """The strategy is asked at the next tick, with what is known by then; the others' last rates still count."""
    fleet = waiting(post, "akash", "nosana")
    fleet.decide()
    post.answer(0)
    post.answer(0)
    fleet.tick(timedelta(seconds=15))
    fleet.wish("nosana")
    fleet.sites["nosana"].rate = "0.70"
    fleet.later(HOUR / 2)
    fleet.decide()

    assert 1 == len(fleet.wishes.views)
    post.answer(1)
    fleet.tick(timedelta(seconds=15))
    assert (2, venue("nosana")) == (len(fleet.wishes.views), fleet.at())
    assert UsdPerHour.of("0.70") == fleet.wishes.views[-1].offers(GPU)[venue("nosana")].gross
    post.answer(0)
    fleet.tick(timedelta(seconds=15))
    assert 3 == len(fleet.wishes.views)


def test_nothing_is_decided_before_all_are_known_that_may_answer_in_time(post: Post) -> None:
    """Else a rig that starts would go to whoever answers first, and stay there for as long as a guard says."""
    fleet = waiting(post, "akash", "nosana")
    fleet.pilot._learning.strategy = make_strategy("greedy", {})
    fleet.guards = [Dwell(4 * HOUR)]
    fleet.sites["nosana"].rate = "0.60"
    fleet.decide()
    post.answer(0)
    fleet.tick(timedelta(seconds=15))

    assert [] == list(fleet.store.journal.rulings())
    post.answer(0)
    fleet.tick(timedelta(seconds=15))
    assert venue("nosana") == fleet.at()


def test_a_network_that_owes_an_answer_is_not_asked_again(post: Post) -> None:
    """However often we poll; once it has answered, it is."""
    fleet = waiting(post, "akash", "nosana")
    fleet.decide()
    post.answer(0)
    for _ in range(3):
        fleet.tick(HOUR)
        fleet.pilot.poll()

    assert 2 == len(post.open)
    post.answer(0)
    post.answer(0)
    fleet.decide()
    assert 2 == len(post.open)


def test_who_is_late_is_silent_until_it_answers_after_all(post: Post) -> None:
    """With the reason; its late answer is taken in for what it is."""
    fleet = waiting(post, "akash", "nosana")
    fleet.patience = timedelta(milliseconds=1)
    fleet.restart()
    fleet.decide()
    SystemClock().wait(timedelta(milliseconds=20), threading.Event())
    post.answer(0)
    fleet.tick()

    assert {"nosana": "no answer within 0.001s"} == fleet.pilot.troubles["silent"]
    assert not fleet.pilot.waits
    assert {"akash"} == offered(fleet)
    post.answer(0)
    fleet.tick()
    assert {} == fleet.pilot.troubles["silent"]
    assert {"akash", "nosana"} == offered(fleet)


def test_the_time_until_an_answer_is_booked_by_the_quote_in_force(post: Post) -> None:
    """What is asked at one o'clock and answered a quarter past says nothing of the quarter."""
    fleet = waiting(post, "akash")
    fleet.wish("akash")
    fleet.decide()
    post.answer()
    fleet.tick()
    fleet.sites["akash"].rate = "0.80"
    fleet.later(HOUR)
    fleet.pilot.poll()
    fleet.later(HOUR / 4)
    post.answer()
    fleet.tick()

    assert Usd.of("0.50") == fleet.store.ledger.totals().earned
    fleet.tick(HOUR / 4)
    assert Usd.of("0.70") == fleet.store.ledger.totals().earned


def test_decisions_upon_late_answers_can_be_made_again(post: Post) -> None:
    """An answer that was seen before a decision, and taken in after it, was not known to it."""
    fleet = waiting(post, "akash", "nosana")
    fleet.patience = timedelta(milliseconds=1)
    fleet.restart()
    fleet.pilot._learning.strategy = make_strategy("greedy", {})
    fleet.sites["nosana"].rate = "0.60"
    fleet.decide()
    SystemClock().wait(timedelta(milliseconds=20), threading.Event())
    late = fleet.sites["nosana"].quotes([GPU])
    fleet.later(timedelta(seconds=1))
    post.answer(0)
    fleet.tick()
    post.open.pop()[1].set_result(late)
    fleet.tick(timedelta(seconds=14))

    assert [venue("akash").network, venue("nosana").network] == [switch.target.network for switch in fleet.store.journal.switches()]
    assert [True, True] == [decision.same for decision in replay(fleet.store)]


def test_one_venue_that_is_silent_is_named_and_hides_no_other() -> None:
    """Its last quote counts on, as that of a network would; the next answer ends the silence."""
    fleet = Fleet("akash")
    akash = fleet.sites["akash"]
    east, west = (Venue(akash.network, market) for market in ("east", "west"))
    honest = akash.quotes

    def both(devices: Sequence[Device]) -> Sequence[Answer]:
        return [*honest(devices), *(replace(each, venue=west) for each in honest(devices))]

    akash.quotes = both  # type: ignore[method-assign]
    fleet.decide()
    akash.quotes = lambda devices: [*honest(devices), Silence(west, "503"), Silence(east, "504")]  # type: ignore[method-assign, list-item]
    fleet.later(HOUR / 2)
    fleet.decide()

    assert {"akash": "akash/west: 503; akash/east: 504"} == fleet.pilot.troubles["silent"]
    assert {venue("akash"), west} == set(fleet.wishes.views[-1].offers(GPU))
    akash.quotes = both  # type: ignore[method-assign]
    fleet.decide()
    assert {} == fleet.pilot.troubles["silent"]


class Mute:
    """A network that does not tell what it has paid."""

    def payouts(self, since: object) -> Sequence[Payout]:
        raise Transient("akash", f"nothing since {since}")


def test_a_network_that_does_not_tell_what_it_has_paid_is_named() -> None:
    """Though its rates are answered."""
    fleet = Fleet("akash")
    fleet.sites["akash"].payouts = Mute()
    fleet.decide()

    assert "it does not tell what it has paid: akash: nothing since" in fleet.pilot.troubles["silent"][venue("akash").network]
    assert {"akash"} == offered(fleet)


class Rates(ThreadingHTTPServer):
    """A server on this machine that says a price, or nothing for as long as it is told to hang."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(HERE, _Price)
        self.go = threading.Event()
        self.asked = 0


class _Price(Desk):
    server: Rates

    def answer(self) -> None:
        if "slow" in self.path:
            self.server.asked += 1
            self.server.go.wait(60)
        self.say(b"0.90" if "slow" in self.path else b"0.50")


class Remote(Site):
    """A network whose rates are asked for over the wire."""

    def __init__(self, name: str, clock: Any, url: str) -> None:
        super().__init__(name, clock)
        self._url = url

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        self.rate = httpx.get(self._url, timeout=60).text
        return super().quotes(devices)


@pytest.fixture
def rates() -> Iterator[Rates]:
    """The server, and nobody left waiting at the end."""
    server = Rates()
    with running(server, at_end=server.go.set):
        yield server


def test_the_daemon_ticks_on_while_a_network_hangs(rates: Rates) -> None:
    """It moves by what the other one has answered, for many ticks and two polls, and by the slow one when that answers at last."""
    clock, store, beats = SystemClock(), Store.in_memory(), list[int]()
    sites = [Remote(name, clock, f"http://127.0.0.1:{rates.server_port}/{path}") for name, path in (("akash", "quick"), ("nosana", "slow"))]
    adapters = {**{site.network: site for site in sites}, IDLE.network: Idle(clock)}
    world = World(clock, (GPU,), adapters, store, ask=beside, patience=timedelta(seconds=2))
    pilot = Pilot(world, NamedStrategy("greedy", make_strategy("greedy", {}).strategy))
    scheduler = BackgroundScheduler(timezone="UTC", executors={"default": ThreadPoolExecutor(1)})
    tick = timedelta(seconds=0.05)
    Service(pilot, Cadence(10 * tick, tick, 1000 * tick), lambda said: beats.append(len(said)), pytest.fail).schedule(
        scheduler, clock.now()
    )
    scheduler.start()
    try:
        until(lambda: len(beats) > 30 and pilot.troubles["silent"])

        assert venue("akash") == pilot.placements[GPU.id].venue
        assert {"nosana": "no answer within 2s"} == pilot.troubles["silent"]
        assert 1 == rates.asked
        rates.go.set()
        until(lambda: pilot.placements[DeviceId(GPU.id)].venue == venue("nosana"))
        until(lambda: not pilot.troubles["silent"])
    finally:
        scheduler.shutdown(wait=True)
    assert all(decision.same for decision in replay(store))


def until(reached: Callable[[], bool]) -> None:
    """Wait until it is so."""
    clock = SystemClock()
    end = clock.now() + LIFE
    while not reached():
        assert clock.now() < end, "it did not come"
        clock.wait(timedelta(milliseconds=10), threading.Event())

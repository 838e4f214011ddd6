"""Akash, Nosana, Render and Bittensor for eight GPUs, over a real server on this machine: how long, how often, and when one is down."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot.backtest.replay import replay
from autopilot.clock import SystemClock, stopwatch
from autopilot.daemon import rig
from autopilot.daemon.fanout import beside
from autopilot.daemon.survey import Offer, Survey, survey
from autopilot.model.device import IDLE, NetworkId, Venue
from autopilot.model.market import Quote
from autopilot.model.power import Draw, PowerPrice
from autopilot.pilot import Pilot
from autopilot.pilot.polling import Poller
from autopilot.pilot.world import World
from autopilot.store.store import Store
from autopilot.units import HOUR, Watts

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "data/four_networks/world.py")))
ONE_POLL = {
    "console-api.akash.network": 2,  # the asks, and the oracle's price of AKT
    "api.nosana.com": 3,  # markets, running jobs, finished jobs
    "api.mainnet-beta.solana.com": 1,  # the accounts of all markets
    "stats.renderfoundation.com": 1,  # the epochs, once in six hours
    "lium.io": 2,  # machines and capacity
    "entrypoint-finney.opentensor.ai": 6,  # newest block, UID, hashes, state, state before, and the price for the one miner
    "api.coingecko.com": 1,  # all tokens
    "api.kraken.com": 2,  # RENDER and TAO, of which no network says a price
}
LONGEST = 3
"""Dependent calls: Bittensor's newest block, its hash, its state. Elsewhere two at most."""
SLACK = 1.4
POLLS_AN_HOUR = 12


@pytest.fixture
def sky(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """All is well at first. The clock stands still, unless the test asks for one that runs."""
    internet = W.Internet(W.Running() if hasattr(request, "param") else W.Still(W.NOW))
    thread = threading.Thread(target=internet.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    sky = W.Sky(internet, tmp_path)
    monkeypatch.setattr(rig, "Http", sky.http)
    yield sky
    sky.closing.close()
    internet.stopping.set()
    for http in sky.https:
        http.close()
    internet.shutdown()
    thread.join()
    internet.server_close()


def told(found: Survey, network: str) -> list[Offer]:
    """What one network offers."""
    return [offer for offer in found.offers if offer.answer.venue.network == network]


@pytest.mark.parametrize("sky", [W.Running], ids=["running"], indirect=True)
def test_a_look_takes_as_long_as_the_longest_chain(sky: Any) -> None:
    """Every answer takes a second and a half, the whole look three times that and a bit, start-up excluded. No figure is of the future."""
    sky.survey()  # imports and first connections
    sky.internet.delay = 1.5
    began = stopwatch()
    found = sky.survey()
    took = stopwatch() - began

    assert {} == found.silent
    assert LONGEST * sky.internet.delay <= took <= LONGEST * sky.internet.delay + SLACK
    assert all(timedelta(0) <= offer.answer.age(found.at) for offer in found.offers if isinstance(offer.answer, Quote))


def test_everybody_answers_for_every_gpu(sky: Any) -> None:
    """An answer of each network for each of the eight, and a quote for the RTX 4090s: without it the other tests would show nothing."""
    found = sky.survey()

    for network in W.HOSTS:
        offers = told(found, network)
        assert 8 == len({offer.device.id for offer in offers})
        assert 4 == len({offer.device.id for offer in offers if isinstance(offer.answer, Quote) and "4090" in offer.device.model})


def test_one_poll_asks_each_host_as_often_as_is_stated(sky: Any) -> None:
    """By what the server got, and by what the client counts for its budget."""
    sky.survey()

    assert ONE_POLL == sky.internet.asked
    assert ONE_POLL == sky.https[0].requests()


def test_an_hour_of_polls_asks_no_more(sky: Any) -> None:
    """Polls every five minutes: each host as often as its polls say, and the epochs of Render once."""
    adapters, devices = sky.made()
    for number in range(POLLS_AN_HOUR):
        sky.clock.move_to(W.NOW + number * HOUR / POLLS_AN_HOUR)
        list(survey(adapters, devices, Draw(Watts(0), Watts(0)), PowerPrice(), sky.clock.now(), timedelta(seconds=20)))
    once = {"stats.renderfoundation.com": 1}

    assert {**{host: count * POLLS_AN_HOUR for host, count in ONE_POLL.items()}, **once} == sky.https[0].requests()


@pytest.mark.parametrize("how", ["refused", "500", "garbage"])
@pytest.mark.parametrize("network", W.HOSTS)
def test_one_that_fails_hides_no_other(sky: Any, network: str, how: str) -> None:
    """The others offer what they offered before, to the last word; it is named as silent, with its reason."""
    before = sky.survey()
    sky.fail(network, how)
    after = sky.survey()

    assert {Venue(NetworkId(network))} == set(after.silent)
    assert [] == told(after, network)
    assert [offer for offer in before.offers if offer.answer.venue.network != network] == after.offers


@pytest.mark.parametrize("network", W.HOSTS)
def test_one_that_hangs_delays_no_other(sky: Any, network: str) -> None:
    """The others are seen after their own calls; the look itself ends at its deadline."""
    sky.internet.delay = 0.2
    sky.fail(network, "hung")
    began = stopwatch()
    *_, before, found = ((stopwatch() - began, seen) for seen in sky.surveys(timedelta(seconds=2.5)))

    assert {network} == before[1].awaited
    assert before[0] < LONGEST * sky.internet.delay + SLACK
    assert found[0] < 2.5 + SLACK
    assert {Venue(NetworkId(network)): "no answer within 2.5s"} == found[1].silent
    assert before[1].offers == found[1].offers


def asked(pilot: Pilot | Poller) -> None:
    """Let it poll, and everybody answer."""
    pilot.poll()
    while pilot.waits:
        SystemClock().wait(timedelta(milliseconds=5), threading.Event())
    (pilot.take_in if isinstance(pilot, Pilot) else pilot.take)()


@pytest.mark.parametrize("network", ["akash", "nosana", "bittensor"])
def test_the_last_quotes_count_until_they_expire(sky: Any, network: str) -> None:
    """With their age, while the network is down; then they are gone from what may be acted upon, and the others are not."""
    adapters, devices = sky.made()
    poller = Poller(World(sky.clock, devices, adapters, Store.in_memory(), ask=beside))
    asked(poller)
    last = {key: answer for key, answer in poller.answers.items() if key[0].network == network and isinstance(answer, Quote)}
    ends = min(answer.expires for answer in last.values())
    sky.fail(network, "refused")
    sky.clock.move_to(ends - timedelta(seconds=1))
    asked(poller)

    assert {network} == set(poller.silent)
    assert last.items() <= poller.usable(sky.clock.now()).items()
    assert ends - timedelta(seconds=1) - W.NOW == min(answer.age(sky.clock.now()) for answer in last.values())
    sky.clock.move_to(max(answer.expires for answer in last.values()))
    asked(poller)
    assert W.HOSTS.keys() - {network} == {venue.network for venue, _ in poller.usable(sky.clock.now())}


def test_render_is_remembered_and_says_so(sky: Any) -> None:
    """Its figures change once a week: while the file is away they stay in use, with their age and the trouble."""
    adapters, devices = sky.made()
    render = adapters[NetworkId("render")].rates
    render.quotes(devices)
    sky.fail("render", "500")
    sky.clock.move_to(W.NOW + 7 * HOUR)
    quotes = [answer for answer in render.quotes(devices) if isinstance(answer, Quote)]

    assert 4 == len(quotes)
    assert {7 * HOUR} == {quote.age(sky.clock.now()) for quote in quotes}
    assert all("answered 500" in quote.source for quote in quotes)


def test_a_dry_flight_decides_and_can_be_replayed(sky: Any) -> None:
    """Over all four, one of them down for an hour: each poll is decided and journalled, nothing is moved, and replay agrees."""
    store = Store.in_memory()
    pilot = rig.make_pilot(sky.settings(), sky.clock, store, sky.closing, live=False)
    for hour, down in enumerate(["", "", "akash", "", ""]):
        sky.clock.move_to(W.NOW + hour * HOUR)
        sky.internet.down = dict.fromkeys(W.HOSTS.get(down, ()), "500")
        asked(pilot)
        sentences = pilot.tick()
        assert {down} - {""} == set(pilot.troubles["silent"])

    again = list(replay(store))
    assert 5 == len(again)
    assert all(each.same for each in again)
    assert 8 == len(sentences)
    assert {IDLE} == {placement.venue for placement in pilot.placements.values()}
    assert [] == list(store.journal.switches())

"""Akash as an adapter: what a poll asks for, what coming and going costs, and what is told of the past."""

from __future__ import annotations

import copy
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from autopilot.clock import SystemClock
from autopilot.contracts import Adapter, Scope
from autopilot.errors import Refused, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Basis, NoQuote, Quote
from autopilot.model.node import Lease, Observation, Phase
from autopilot.sim.clock import SimClock
from autopilot.units import HOUR, NONE, Share, Usd, UsdPerHour
from autopilot_adapters.akash.adapter import Akash, AkashSettings, akash
from shared.servers import Desk, served

NOW = datetime(2026, 7, 17, 20, 7, tzinfo=UTC)
DAY = timedelta(days=1)
NETWORK = NetworkId("akash")
VENUE = Venue(NETWORK)
SAID = json.loads(Path(__file__).parents[2].joinpath("data/akash/console.json").read_text())
OURS = "akash18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"
H100 = Device(DeviceId("gpu-0"), "NVIDIA H100 80GB HBM3", 79, pci_id="2330")
RTX4090 = Device(DeviceId("gpu-1"), "NVIDIA GeForce RTX 4090", 23, pci_id="2684")
SILENT = {"/v1/market-data": 500, "/api/v3/simple/price": 500}


class World:
    """The console API and CoinGecko, as recorded; a path may be given another answer, or a status."""

    def __init__(self, said: dict[str, Any] | None = None) -> None:
        self.clock = SimClock(NOW)
        self.said = copy.deepcopy(SAID) | (said or {})
        self.asked: Counter[str] = Counter()
        self.http = Http(self.clock, transport=httpx.MockTransport(self.serve))

    def serve(self, request: httpx.Request) -> httpx.Response:
        """What is said to a path; Kraken, for one, is not there."""
        self.asked[request.url.host] += 1
        answer = self.said.get(request.url.path, 404)
        return httpx.Response(answer, json={}) if isinstance(answer, int) else httpx.Response(200, json=answer)

    def network(self, tmp_path: Path, **settings: Any) -> Akash:
        """The adapter in this world."""
        kit = Kit(NETWORK, self.clock, (H100, RTX4090), tmp_path, self.http.as_(NETWORK), Tokens(self.http, self.clock))
        return akash(AkashSettings(**settings), kit)


def test_it_is_an_adapter(tmp_path: Path) -> None:
    """With every member that the contract names; it takes a rig, and starts no node."""
    network = World().network(tmp_path)

    assert isinstance(network, Adapter)
    assert (NETWORK, Scope.RIG, None) == (network.network, network.scope, network.payouts)
    assert Phase.ABSENT is network.node.observe(H100).phase
    network.close()


def test_a_poll_asks_twice_for_all_devices(tmp_path: Path) -> None:
    """And CoinGecko once, as long as two sources agree."""
    world = World()
    offered = world.network(tmp_path).quotes([H100, RTX4090])

    assert ["2.56 $/h", "0.4 $/h"] == [str(each.gross) for each in offered if isinstance(each, Quote)]
    assert {"console-api.akash.network": 2, "api.coingecko.com": 1} == world.asked


def test_with_a_provider_it_asks_five_times(tmp_path: Path) -> None:
    """Its leases are the rate, and its earnings are shown."""
    world = World()
    (offered,) = world.network(tmp_path, provider=OURS).quotes([H100])

    assert isinstance(offered, Quote)
    assert (Basis.REALISED, UsdPerHour.of("2.452408300")) == (offered.basis, offered.gross)
    assert any(
        "own earnings, 2026-07-10 to 2026-07-17, not used: 412 ACT and 1.5 AKT, 412.815207 $" == line.text for line in offered.workings
    )
    assert 5 == world.asked["console-api.akash.network"]


def test_nobody_asked_nothing_answered(tmp_path: Path) -> None:
    """And no request made."""
    world = World()

    assert [] == world.network(tmp_path).quotes([])
    assert not world.asked


def test_the_questions_are_asked_side_by_side(tmp_path: Path) -> None:
    """All five are on their way before the first is answered."""
    together = threading.Barrier(5, timeout=30)

    class Patient(World):
        def serve(self, request: httpx.Request) -> httpx.Response:
            if request.url.host == "console-api.akash.network":
                together.wait()
            return super().serve(request)

    assert isinstance(Patient().network(tmp_path, provider=OURS).quotes([H100])[0], Quote)


@pytest.mark.parametrize("path", [f"/v1/providers/{OURS}", f"/v1/providers/{OURS}/deployments/0/100"])
def test_own_leases_that_are_not_told_are_not_replaced_by_asks(tmp_path: Path, path: str) -> None:
    """A rate that jumps from one basis to the other for an outage could move a GPU: the last quote stands."""
    with pytest.raises(Transient, match=r"^akash: "):
        World({path: 500}).network(tmp_path, provider=OURS).quotes([H100])


def test_earnings_that_are_not_told_spoil_nothing(tmp_path: Path) -> None:
    """They are there to compare with."""
    (offered,) = World({f"/v1/provider-earnings/{OURS}": 500}).network(tmp_path, provider=OURS).quotes([H100])

    assert isinstance(offered, Quote)
    assert any("own earnings" in line.text and "not known" in line.text for line in offered.workings)


def test_a_refusal_is_one(tmp_path: Path) -> None:
    """Asking again would not help."""
    with pytest.raises(Refused, match=r"^akash: "):
        World({"/v1/gpu-prices": 403}).network(tmp_path).quotes([H100])


def test_the_price_of_akt_is_no_part_of_an_ask(tmp_path: Path) -> None:
    """It is in dollars."""
    (offered,) = World(SILENT).network(tmp_path).quotes([H100])

    assert isinstance(offered, Quote)


def test_leases_in_akt_need_its_price(tmp_path: Path) -> None:
    """No price is not the price of nought."""
    path = f"/v1/providers/{OURS}/deployments/0/100"
    paid = copy.deepcopy(SAID[path])
    paid["deployments"][0]["denom"] = "uakt"

    assert isinstance(World({path: paid}).network(tmp_path, provider=OURS).quotes([H100])[0], Quote)
    with pytest.raises(Transient, match="no price of AKT can be trusted"):
        World({path: paid, **SILENT}).network(tmp_path, provider=OURS).quotes([H100])


def test_entry_costs_the_gas_of_the_bids(tmp_path: Path) -> None:
    """20 bids of 0.005 AKT each; the deposits come back. Until a price is known, one is assumed."""
    network = World().network(tmp_path)

    assert Usd.of("0.1") == network.entry_cost(H100, VENUE).fee
    network.quotes([H100])
    assert Usd.of(Decimal("0.1") * (Decimal("0.5434716") + Decimal("0.543761")) / 2) == network.entry_cost(H100, VENUE).fee


def test_a_price_that_was_known_outlives_an_outage(tmp_path: Path) -> None:
    """Better an old price of gas than a guess."""
    world = World()
    network = world.network(tmp_path)
    network.quotes([H100])
    before = network.entry_cost(H100, VENUE)
    world.said |= SILENT
    world.clock.move_to(NOW + DAY)
    network.quotes([H100])

    assert before == network.entry_cost(H100, VENUE)


def test_entry_takes_what_is_configured(tmp_path: Path) -> None:
    """A window of reclamation that was promised is a stay."""
    settings = {
        "boot": "3m",
        "first_tenant": "2h",
        "bids": 4,
        "gas": "0.01",
        "akt_until_known": "0.5 $",
        "least_stay": "1h",
        "uptime": "0.95",
    }
    cost = World().network(tmp_path, **settings, reclamation_window="48h").entry_cost(H100, VENUE)

    assert (timedelta(minutes=3), 2 * HOUR, Usd.of("0.02"), 2 * DAY) == (cost.boot, cost.ramp, cost.fee, cost.least_stay)
    assert (Share.of("0.95"), None) == (cost.uptime, World().network(tmp_path).entry_cost(H100, VENUE).uptime)


def seen(phase: Phase, *leases: Lease) -> Observation:
    """A look at a node."""
    return Observation(H100.id, VENUE, phase, NOW, leases)


OPEN = Lease("open", NOW - DAY)
ENDING = Lease("ending", NOW - DAY, NOW + 3 * HOUR)
OVER = Lease("over", NOW - DAY, NOW - HOUR)


@pytest.mark.parametrize(
    ("window", "look", "drain"),
    [
        ("0m", seen(Phase.ABSENT), timedelta(0)),
        ("0m", seen(Phase.READY), timedelta(0)),
        ("0m", seen(Phase.BUSY), DAY),
        ("0m", seen(Phase.BUSY, OPEN), DAY),
        ("0m", seen(Phase.DRAINING, OPEN), DAY),
        ("0m", seen(Phase.BUSY, ENDING, OPEN), DAY),
        ("0m", seen(Phase.BUSY, ENDING), 3 * HOUR),
        ("0m", seen(Phase.BUSY, OVER), timedelta(0)),
        ("5h", seen(Phase.BUSY, OPEN), 5 * HOUR),
        ("48h", seen(Phase.BUSY, OPEN), DAY),
    ],
)
def test_leaving_waits_for_the_tenants(tmp_path: Path, window: str, look: Observation, drain: timedelta) -> None:
    """As long as is expected, or known, or as the reclamation window lets us wait; and nothing is forfeited."""
    cost = World().network(tmp_path, reclamation_window=window).exit_cost(look)

    assert (drain, Usd(0)) == (cost.drain, cost.forfeits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider": "akash1abc"},
        {"provider": "cosmos18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"},
        {"provider": f"{OURS}/../../x"},
        {"block_time": "6"},
        {"block_time": "6m"},
        {"block_time": "0s"},
        {"take": 1.5},
        {"occupancy": -0.1},
        {"ask": "max"},
        {"reclamation_window": "10m"},
        {"reclamation_window": "31d"},
        {"gas": -1},
        {"gas": "NaN"},
        {"bids": -1},
        {"history_reach": "1000d"},
        {"akt_until_known": "1"},
        {"expected_drian": "1h"},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """Before anything starts; a word that is misspelt above all."""
    with pytest.raises(ValidationError):
        AkashSettings(**wrong)


def test_the_defaults_take_nothing_and_reckon_as_the_api_does() -> None:
    """Six seconds, no take, the cautious figure."""
    settings = AkashSettings()

    assert (timedelta(seconds=6), NONE, "cautious", None) == (settings.block_time, settings.take, settings.ask.value, settings.occupancy)
    assert Share.of("0.02") == AkashSettings(take="0.02").take


def test_the_past_is_utilisation_times_the_ask_of_today(tmp_path: Path) -> None:
    """48 of 63 leased, one more on offer, at 2.56; every hour of a day alike, and only hours that are over."""
    past = World().network(tmp_path).history.hours([H100], NOW - 3 * DAY)

    assert {VENUE} == {each.venue for each in past}
    assert {H100.model} == {each.model for each in past}
    assert (NOW - 3 * DAY).date() < past[0].hour.date()
    assert 24 + 24 + 20 == len(past)
    assert past[-1].hour + HOUR <= NOW < past[-1].hour + 2 * HOUR
    assert [UsdPerHour.of("1.92"), UsdPerHour.of("1.28"), None] == list(dict.fromkeys(each.rate for each in past))


def test_the_past_begins_where_it_is_asked_for(tmp_path: Path) -> None:
    """With the first whole hour."""
    since = NOW - DAY - timedelta(minutes=30)
    past = World().network(tmp_path).history.hours([H100], since)

    assert datetime(2026, 7, 16, 20, tzinfo=UTC) == past[0].hour


def test_the_ask_of_today_does_not_reach_far(tmp_path: Path) -> None:
    """An ask stands on the bids of 14 days: what was leased before that had another price, which nobody tells."""
    world = World()
    network, long = world.network(tmp_path), world.network(tmp_path, history_reach="60d")
    world.clock.move_to(NOW + 20 * DAY)
    start = NOW - 30 * DAY

    assert [] == network.history.hours([H100], start)
    assert 72 == len(long.history.hours([H100], start))


def test_a_model_without_asks_has_no_past(tmp_path: Path) -> None:
    """And costs no request; nor does nobody."""
    world = World()
    network = world.network(tmp_path)

    assert [] == network.history.hours([], NOW - DAY)
    assert [] == network.history.hours([Device(DeviceId("gpu-9"), "Voodoo 2")], NOW - DAY)
    assert {"console-api.akash.network": 1} == world.asked


def test_devices_of_one_model_have_one_past(tmp_path: Path) -> None:
    """It is told by model."""
    twin = Device(DeviceId("gpu-8"), H100.model, 79, pci_id="2330")
    history = World().network(tmp_path).history

    assert history.hours([H100], NOW - DAY) == history.hours([H100, twin], NOW - DAY)


@contextmanager
def loopback(answers: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A real server that says when nothing has changed, and what it was asked."""
    asked: list[tuple[str, str | None]] = []

    class Console(Desk):
        def answer(self) -> None:
            known = self.headers.get("If-None-Match")
            path = self.path.partition("?")[0]
            asked.append((path, known))
            body = b"" if known else json.dumps(answers[path]).encode()
            self.say(body, 304 if known else 200, ETag='"1"', Content_Type="application/json")

    with served(Console) as url:
        yield url, asked


def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    """Over a real connection: the second poll is confirmed by 304s, and counts as seen anew."""
    tokens = World()
    with loopback(SAID) as (base, asked):
        http = Http(SystemClock(), network="akash")
        kit = Kit(NETWORK, SystemClock(), (H100,), tmp_path, http, Tokens(tokens.http, tokens.clock))
        network = akash(AkashSettings(console=base, provider=OURS), kit)
        first, second = network.quotes([H100])[0], network.quotes([H100])[0]
        http.close()

    assert isinstance(first, Quote)
    assert isinstance(second, Quote)
    assert (first.gross, first.expected) == (second.gross, second.expected)
    assert first.seen_at < second.seen_at
    assert ([None] * 5, ['"1"'] * 5) == ([known for _, known in asked[:5]], [known for _, known in asked[5:]])


@pytest.mark.online
def test_the_live_api_answers_for_an_h100(tmp_path: Path) -> None:
    """Read-only, without a key: it is listed, whatever it costs today."""
    clock = SystemClock()
    http = Http(clock, network="akash")
    network = akash(AkashSettings(), Kit(NETWORK, clock, (H100,), tmp_path, http, Tokens(http, clock)))
    (offered,) = network.quotes([H100])
    http.close()

    assert isinstance(offered, Quote) or (isinstance(offered, NoQuote) and "lists no" not in offered.reason)

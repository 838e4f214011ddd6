"""The adapter of Bittensor: what is asked how often, what one part's silence means for the other, costs and settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from autopilot.clock import SystemClock
from autopilot.contracts import Adapter, Scope
from autopilot.errors import Refused, Transient
from autopilot.kit.http import Http
from autopilot.model.device import Venue
from autopilot.model.market import Answer, NoQuote, Quote, Silence
from autopilot.model.node import Lease, Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.units import HOUR, Usd
from autopilot_adapters.bittensor import codec
from autopilot_adapters.bittensor.adapter import Bittensor
from autopilot_adapters.bittensor.chain import Chain
from autopilot_adapters.bittensor.settings import BittensorSettings
from autopilot_adapters.bittensor.wire import Wanted

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/bittensor/world.py")))
BOTH: Any = {"miners": [W.MINER]}
MARKET, SUBNET = Venue(W.kit(W.World(), Path()).network, "51"), Venue(W.kit(W.World(), Path()).network, "4")
OURS = Wanted(W.NETUID, W.HOTKEY, None)


def silent(host: str, status: int = 503) -> Callable[[httpx.Request], httpx.Response | None]:
    """One host answers with this status, the others as ever."""
    return lambda request: httpx.Response(status) if request.url.host == host else None


def venues(answers: Sequence[Answer | Silence]) -> set[str]:
    """The markets that were quoted."""
    return {answer.venue.market for answer in answers if isinstance(answer, Quote)}


def test_it_is_an_adapter(tmp_path: Path) -> None:
    """Of rates only: nothing is started, and nobody tells what a GPU was paid."""
    made: Adapter = W.adapter(W.World(), tmp_path)

    assert isinstance(made, Adapter)
    assert (None, None, "bittensor") == (made.payouts, made.history, made.network)
    assert made.node.observe(W.gpu()).phase is Phase.ABSENT
    made.close()


def test_a_poll_asks_as_often_as_it_says(tmp_path: Path) -> None:
    """Two requests to lium, four and one for each miner to the chain."""
    world = W.World()
    answers = W.adapter(world, tmp_path, **BOTH).rates.quotes(W.RIG)

    assert {"51", "4"} == venues(answers)
    assert 4 == len(answers)
    assert (2, 5 + 1) == (world.asked["lium.io"], world.asked["entrypoint-finney.opentensor.ai"])


def test_without_miners_only_lium_is_asked(tmp_path: Path) -> None:
    """Neither the chain nor the price of TAO."""
    world = W.World()
    W.adapter(world, tmp_path).rates.quotes(W.RIG)

    assert {"lium.io": 2} == world.asked


@pytest.mark.parametrize(
    ("host", "status", "left"),
    [
        ("lium.io", 503, {"4"}),
        ("lium.io", 403, {"4"}),
        ("entrypoint-finney.opentensor.ai", 503, {"51", "4"}),
        ("api.coingecko.com", 503, {"51"}),
    ],
)
def test_one_part_s_silence_hides_no_other(host: str, status: int, left: set[str], tmp_path: Path) -> None:
    """Its venues say so, with the reason; an endpoint of the chain that fails is replaced by the next."""
    world = W.World()
    world.first = silent(host, status)
    answers = W.adapter(world, tmp_path, **BOTH).rates.quotes(W.RIG)
    mute = [answer for answer in answers if isinstance(answer, Silence)]

    assert left == venues(answers)
    assert {"51", "4"} - left == {each.venue.market for each in mute}
    assert all(str(status) in each.reason or "TAO" in each.reason for each in mute)


@pytest.mark.parametrize(("status", "kind"), [(503, Transient), (401, Refused), (403, Refused)])
def test_silence_everywhere_is_an_error(status: int, kind: type[Exception], tmp_path: Path) -> None:
    """Refused only where everybody refuses."""
    world = W.World()
    world.first = lambda _: httpx.Response(status)
    for settings in ({}, W.ALONE if kind is Transient else {}):
        with pytest.raises(kind):
            W.adapter(world, tmp_path, **settings).rates.quotes(W.RIG)


def test_endpoints_that_all_refuse_are_refused(tmp_path: Path) -> None:
    """One that is merely silent is Transient."""
    world = W.World()
    world.first = lambda request: httpx.Response(403 if request.url.host == "lite.chain.opentensor.ai" or request.method == "PUT" else 503)
    kit = W.kit(world, tmp_path)
    with pytest.raises(Transient):
        Chain(kit.http, [W.ENDPOINT, "https://lite.chain.opentensor.ai"], kit.clock.now).subnets([OURS])
    with pytest.raises(Refused):
        Chain(kit.http, ["https://lite.chain.opentensor.ai"] * 2, kit.clock.now).subnets([OURS])


def test_a_key_in_an_endpoint_or_a_header_is_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither by the settings nor by an error."""
    hidden = "0123abcd4567efgh0123abcd4567efgh"
    world = W.World()
    world.first = lambda request: httpx.Response(503, text=f"who is {hidden if request.method == 'POST' else W.KEY}?")
    written = {**W.ALONE, "endpoints": [f"https://node.example.com/{hidden}"], "taostats_key": W.KEY}
    told = [repr(BittensorSettings(**written)), BittensorSettings(**written).model_dump_json()]
    for source in ("chain", "taostats"):
        with caplog.at_level(logging.DEBUG), pytest.raises(Transient) as caught:
            W.adapter(world, tmp_path, **written, source=source).rates.quotes(W.RIG)
        told.append(str(caught.value))

    assert hidden not in "".join([*told, caplog.text])
    assert W.KEY not in "".join([*told, caplog.text])


def costs(adapter: Bittensor, venue: Venue = SUBNET) -> EntryCost:
    """What arriving costs after one poll."""
    adapter.rates.quotes(W.RIG)
    return adapter.entry_cost(W.RIG[0], venue)


def test_joining_a_subnet_costs_the_registration(tmp_path: Path) -> None:
    """Half a TAO at 300 $, shared by the UID's GPUs; worth it for the immunity of 5000 blocks; the first epoch pays nothing."""
    world = W.World()
    world.state[codec.uid_of(W.NETUID, W.HOTKEY).key] = None
    alone, shared = (W.adapter(world, tmp_path, **{**W.ALONE, "miners": [{**W.MINER, "gpus": gpus}]}) for gpus in (1, 4))

    assert EntryCost(timedelta(minutes=5), timedelta(minutes=72), Usd.of(150), timedelta(seconds=60_000)) == costs(alone)
    assert Usd.of("37.5") == costs(shared).fee


def test_a_miner_that_is_registered_pays_nothing(tmp_path: Path) -> None:
    """It should stay for what is left of its immunity: 4000 blocks, then nothing."""
    world = W.World()
    adapter = W.adapter(world, tmp_path, **W.ALONE)

    assert (Usd(0), timedelta(seconds=48_000)) == (costs(adapter).fee, costs(adapter).least_stay)
    world.state[codec.of_uid("BlockAtRegistration", W.NETUID, W.UID).key] = W.u(W.BLOCK - 6000, 8)
    assert timedelta(0) == costs(adapter).least_stay


def test_a_cost_that_is_not_known_is_not_nothing(tmp_path: Path) -> None:
    """Before the first poll, and at a subnet that nobody spoke of."""
    adapter = W.adapter(W.World(), tmp_path, **W.ALONE)
    for market in ("4", "5", "", "51", "x"):
        with pytest.raises(Transient, match="not known before the first poll"):
            adapter.entry_cost(W.RIG[0], Venue(adapter.network, market))


def test_a_node_of_lium_costs_its_start(tmp_path: Path) -> None:
    """One registered hotkey serves many nodes: nothing is paid for one more."""
    adapter = W.adapter(W.World(), tmp_path)

    assert EntryCost(timedelta(minutes=10), timedelta(minutes=72)) == adapter.entry_cost(W.RIG[0], MARKET)


def test_leaving_lium_waits_for_the_rentals(tmp_path: Path) -> None:
    """To their end; and 48 hours after its removal was announced every rental ends."""
    adapter = W.adapter(W.World(), tmp_path, lium={"notice": "48h"})
    open_ended, short, long, over = (
        Lease(str(until), W.NOW, None if until is None else W.NOW + until * HOUR) for until in (None, 3, 100, -1)
    )

    def drain(*leases: Lease, venue: Venue | None = MARKET) -> timedelta:
        return adapter.exit_cost(Observation(W.gpu().id, venue, Phase.BUSY, W.NOW, leases)).drain  # type: ignore[no-any-return]

    assert [48 * HOUR, 3 * HOUR, 48 * HOUR, 0 * HOUR] == [drain(each) for each in (open_ended, short, long, over)]
    assert 48 * HOUR == drain(short, open_ended)
    assert 0 * HOUR == drain() == drain(open_ended, venue=SUBNET)
    assert ExitCost() == adapter.exit_cost(Observation(W.gpu().id, None, Phase.ABSENT, W.NOW))


def test_a_node_of_eight_takes_the_rig(tmp_path: Path) -> None:
    """One of one takes a GPU."""
    settings = [{"lium": {"gpus": gpus, "enabled": enabled}, "miners": [W.MINER]} for gpus, enabled in ((1, True), (8, True), (8, False))]
    scopes = [W.adapter(W.World(), tmp_path, **each).scope for each in settings]

    assert [Scope.DEVICE, Scope.RIG, Scope.DEVICE] == scopes


def test_taostats_is_the_other_source(tmp_path: Path) -> None:
    """With the same rate; the key goes into the header as it is."""
    world, keys = W.World(), set()
    world.first = lambda request: keys.add(request.headers.get("authorization"))
    (found,) = W.adapter(world, tmp_path, **W.ALONE, source="taostats", taostats_key=W.KEY).rates.quotes([W.gpu()])
    (chain,) = W.adapter(W.World(), tmp_path, **W.ALONE).rates.quotes([W.gpu()])

    assert chain.expected == found.expected
    assert W.KEY in keys
    assert (3, 0) == (world.asked["api.taostats.io"], world.asked["entrypoint-finney.opentensor.ai"])


def test_taostats_without_a_row_knows_no_miner(tmp_path: Path) -> None:
    """No UID, no pool, no subnet: a reason, a pool that is missing apart."""
    for table, told in (("metagraph", "not registered"), ("subnet", "there is no subnet 4")):
        world = W.World()
        world.stats[table] = None
        (found,) = W.adapter(world, tmp_path, **W.ALONE, source="taostats", taostats_key=W.KEY).rates.quotes([W.gpu()])

        assert isinstance(found, NoQuote)
        assert told in found.reason
    world.stats = {**W.World().stats, "dtao/pool": None}
    with pytest.raises(Transient, match="no pool"):
        W.adapter(world, tmp_path, **W.ALONE, source="taostats", taostats_key=W.KEY).rates.quotes([W.gpu()])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"miners": [{"netuid": 4}]}, "needs its hotkey"),
        ({"miners": [{"netuid": 4, "hotkey": "5Nobody"}]}, "no address of Bittensor"),
        ({"miners": [{"netuid": 51, "uid": 3}]}, "subnet 51 is lium"),
        ({"miners": [{"netuid": 4, "uid": 3}, {"netuid": 4, "uid": 5}]}, "two miners"),
        ({"miners": [{"netuid": 0, "uid": 3}]}, "netuid"),
        ({"lium": {"enabled": False}}, "nothing is left to ask"),
        ({"lium": {"ask": "0 $/h"}}, "ask must be more"),
        ({"lium": {"ask": "0.3"}}, "needs its unit"),
        ({"lium": {"rent_kept": "1.5"}}, "between 0 and 1"),
        ({"lium": {"url": "lium.io"}}, "is no address"),
        ({"miners": [{"netuid": 4, "uid": 3}], "source": "taostats"}, "needs taostats_key"),
        ({"miners": [{"netuid": 4, "uid": 3}], "source": "taostats", "taostats_key": " "}, "needs taostats_key"),
        ({"endpoints": ["finney"]}, "written like 'https://host' or 'wss://host'"),
        ({"endpoints": ["ws://"]}, "written like"),
        ({"endpoints": ["wss://[::1"]}, "written like"),
        ({"endpoints": []}, "at least 1"),
        ({"sells_every": "0m"}, "longer than nothing"),
        ({"sell_every": "1h"}, "Extra inputs"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings: dict[str, Any], said: str) -> None:
    """Each says what to do."""
    with pytest.raises(ValidationError, match=said):
        BittensorSettings(**settings)


def test_51_may_be_mined_where_lium_is_off(tmp_path: Path) -> None:
    """Then it is a subnet like any other."""
    made = W.adapter(W.World(), tmp_path, lium={"enabled": False}, miners=[{"netuid": 51, "uid": 3}])

    assert made.scope is Scope.DEVICE


def test_a_websocket_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked."""
    monkeypatch.setattr("autopilot_adapters.bittensor.settings.find_spec", lambda _: None)
    with pytest.raises(ValidationError, match=r"pip install \"yield-autopilot\[websocket\]\""):
        BittensorSettings(endpoints=["wss://entrypoint-finney.opentensor.ai:443"])


@pytest.mark.online
def test_the_real_network_answers(tmp_path: Path) -> None:
    """Read-only: lium's lists, and a subnet from the public endpoints of the chain."""
    http = Http(SystemClock(), network="bittensor")
    kit = W.kit(W.World(), tmp_path)
    live = type(kit)(kit.network, SystemClock(), W.RIG, tmp_path, http, kit.tokens)
    settings = BittensorSettings()

    assert Bittensor(settings, live).rates.quotes(W.RIG)
    endpoints = [endpoint.get_hidden_value() for endpoint in settings.endpoints]
    (found,) = Chain(http, endpoints, SystemClock().now).subnets([Wanted(51, None, 0)])
    assert found is not None
    assert found.price > 0

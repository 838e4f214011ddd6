"""Render as the daemon meets it: what it asks and when, how an outage looks, what coming and going cost, and its settings."""

from __future__ import annotations

import gzip
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from autopilot.contracts import Adapter, Scope
from autopilot.errors import NodeFault, Refused, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, NoQuote, Quote, Silence
from autopilot.model.node import Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.sim.clock import SimClock
from autopilot.units import HOUR, Share, Usd
from autopilot_adapters.render.adapter import Render
from autopilot_adapters.render.client import registry_score
from autopilot_adapters.render.settings import RenderSettings
from shared.servers import Desk, served

RENDER = NetworkId("render")
FRAMES, COMPUTE = Venue(RENDER), Venue(RENDER, "dispersed")
NOW = datetime(2025, 10, 31, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FILE = Path(__file__).parents[2] / "data" / "render" / "liability-epochs-data.json"
OFFLINE: dict[str, Any] = {"utilisation": "0.05", "render_price": "2.49 $"}
STATS = "stats.renderfoundation.com"
DEVICES = (Device(DeviceId("gpu-0"), "NVIDIA GeForce RTX 4090", 24, index=0), Device(DeviceId("gpu-1"), "RTX 3060", 12, index=1))


class Web:
    """The hosts that are asked. Each answer may be replaced by another or by an exception."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self.stats: Any = json.loads(FILE.read_text(encoding="utf-8"))
        self.status = 200
        self.usd: float | None = 2.49
        self.asked: list[httpx.Request] = []
        self.first = threading.Barrier(1)
        """Where the requests to the statistics and to CoinGecko wait for each other."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.host in {STATS, "api.coingecko.com"}:
            self.first.wait(30)
        if request.url.host == STATS:
            return httpx.Response(self.status, json=self.stats)
        if self.usd is None:
            return httpx.Response(404)
        if request.url.host == "api.coingecko.com":
            at = int(self._clock.now().timestamp())
            return httpx.Response(200, json={"render-token": {"usd": self.usd, "last_updated_at": at}})
        book = [str(self.usd), "1", "1"]
        return httpx.Response(200, json={"error": [], "result": {"RENDERUSD": {"a": book, "b": book, "c": book}}})

    def count(self, host: str = STATS) -> int:
        """How often a host was asked."""
        return sum(request.url.host == host for request in self.asked)


@pytest.fixture
def clock() -> SimClock:
    """Friday, two days after epoch 97."""
    return SimClock(NOW)


@pytest.fixture
def web(clock: SimClock) -> Web:
    """All is well."""
    return Web(clock)


Make = Callable[..., Render]


@pytest.fixture
def make(web: Web, clock: SimClock, tmp_path: Path) -> Make:
    """Makes the adapter from its settings, again and again in the same folder."""

    def made(**written: Any) -> Render:
        http = Http(clock, network=RENDER, transport=httpx.MockTransport(web))
        kit = Kit(RENDER, clock, DEVICES, tmp_path, http, Tokens(http, clock))
        return Render(RenderSettings(**{"utilisation": "0.05", **written}), kit)

    return made


def of(answers: Any, venue: Venue = FRAMES, number: int = 0) -> Answer:
    """The answer of a venue for a device."""
    [found] = [answer for answer in answers if (answer.venue, answer.device) == (venue, f"gpu-{number}")]
    return found  # type: ignore[no-any-return]


def quoted(answers: Any, venue: Venue = FRAMES, number: int = 0) -> Quote:
    """The quote that there must be."""
    found = of(answers, venue, number)

    assert isinstance(found, Quote), found
    return found


def refusal(answers: Any, venue: Venue = FRAMES, number: int = 0) -> str:
    """The reason of the NoQuote that there must be."""
    found = of(answers, venue, number)

    assert isinstance(found, NoQuote), found
    return found.reason


# --- what it asks


def test_it_is_an_adapter(make: Make) -> None:
    """With every member that the contract names; what the network does not tell is None."""
    adapter = make()

    assert isinstance(adapter, Adapter)
    assert (None, None) == (adapter.payouts, adapter.history)
    adapter.close()


def test_the_network_is_what_the_configuration_calls_it(make: Make) -> None:
    """And every device has an answer for each of the two venues."""
    answers = make().quotes(DEVICES)

    assert {(venue, f"gpu-{number}") for venue in (FRAMES, COMPUTE) for number in (0, 1)} == {(each.venue, each.device) for each in answers}


def test_the_whole_way_from_the_file_to_dollars(make: Make) -> None:
    """Epoch 97, tier 2, score 1300, 2.49 $: 3.04 $ in an hour of rendering, 0.15 $ expected at 5 %."""
    found = quoted(make(tier=2, scores={"RTX 4090": 1300}, epochs=1).quotes(DEVICES))

    assert ("3.04", "0.15") == (f"{float(found.gross):.2f}", f"{float(found.expected):.2f}")
    assert "epochs 97 to 97, which ended on 2025-10-29" in found.source


def test_both_hosts_are_asked_at_once(make: Make, web: Web) -> None:
    """Neither needs the other's answer: one that waited for it would break the barrier."""
    adapter = make()
    web.first = threading.Barrier(2)
    answers = adapter.quotes(DEVICES)

    assert isinstance(of(answers), Quote)


def test_a_day_of_polls_asks_for_the_file_four_times(make: Make, web: Web, clock: SimClock) -> None:
    """The figures change once a week."""
    adapter = make()
    for hour in range(24):
        clock.move_to(NOW + hour * HOUR)
        adapter.quotes(DEVICES)

    assert 4 == web.count()


def test_a_new_process_remembers_the_file(make: Make, web: Web) -> None:
    """It was read a moment ago."""
    first, again = make().quotes(DEVICES), make().quotes(DEVICES)

    assert 1 == web.count()
    assert quoted(first).expected == quoted(again).expected


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"read_at": 1}', '{"read_at": "2025-10-31T00:30:00+00:00", "data": {"epochs": [{}]}}', "[" * 10**5]
)
def test_a_memory_that_is_torn_is_forgotten(make: Make, web: Web, tmp_path: Path, content: str) -> None:
    """The file is asked for again."""
    (tmp_path / "render-epochs.json").write_text(content, encoding="utf-8")

    assert isinstance(of(make().quotes(DEVICES)), Quote)
    assert 1 == web.count()


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The next start has no memory, which is all."""
    (tmp_path / "render-epochs.json.new").mkdir()

    assert isinstance(of(make().quotes(DEVICES)), Quote)
    assert "were not kept" in caplog.text


def test_more_epochs_than_are_remembered_are_asked_for(make: Make, web: Web) -> None:
    """The configuration was changed."""
    make(epochs=1).quotes(DEVICES)
    found = quoted(make(epochs=3).quotes(DEVICES))

    assert 2 == web.count()
    assert "epochs 95 to 97" in found.source


def test_nothing_is_asked_for_what_is_not_configured(make: Make, web: Web) -> None:
    """Without a utilisation no venue has a rate, and the reasons say what to set."""
    answers = make(utilisation=None).quotes(DEVICES)

    assert not web.asked
    assert "set 'utilisation', or 'log'" in refusal(answers)
    assert "set 'utilisation' in [networks.render.dispersed]" in refusal(answers, COMPUTE)
    assert not make().quotes([])


def test_no_network_is_needed_where_all_is_configured(make: Make, web: Web) -> None:
    """Own pay by the hour, own price, own utilisation: 1274 x 0.001 x 5 % x 2 $."""
    answers = make(render_per_obh="0.001", render_price="2 $", dispersed={"utilisation": "0.1"}).quotes(DEVICES)

    assert not web.asked
    assert "0.1274 $/h" == str(quoted(answers).expected)
    assert isinstance(of(answers, COMPUTE, 1), Quote)


def test_the_site_is_only_claimed_when_it_is_configured(make: Make, web: Web, clock: SimClock) -> None:
    """An honest client claims nothing."""
    make().quotes(DEVICES)
    clock.move_to(NOW + DAY)
    make(stats_origin="https://stats.example").quotes(DEVICES)
    first, second = (request.headers for request in web.asked if request.url.host == STATS)

    assert "origin" not in first
    assert ("https://stats.example", "https://stats.example/") == (second["origin"], second["referer"])


# --- outages


def test_a_file_that_changes_its_shape_leaves_its_last_value_then_nothing(make: Make, web: Web, clock: SimClock) -> None:
    """The last value with its age; three weeks after the epoch's end, a NoQuote that says why; and back when the file is."""
    adapter, whole = make(), web.stats
    before = quoted(adapter.quotes(DEVICES))
    web.stats = {"data": {"weeks": []}}
    clock.move_to(NOW + DAY)
    during = quoted(adapter.quotes(DEVICES))
    clock.move_to(NOW + 20 * DAY)
    after = refusal(adapter.quotes(DEVICES))
    web.stats = new_epochs(whole)
    back = quoted(adapter.quotes(DEVICES))

    assert (before.expected, DAY) == (during.expected, during.age(NOW + DAY))
    assert "data.epochs is missing from the answer" in during.source
    assert "epoch 97, which ended on 2025-10-29, 22 days ago: too old" in after
    assert "data.epochs is missing" in after
    assert timedelta(0) == back.age(NOW + 20 * DAY)


def new_epochs(answer: Any) -> Any:
    """The file three weeks on: the same weeks, later, under the next numbers."""
    later = deepcopy(answer)
    for row in later["data"]["epochs"]:
        if row["channel"] == "node_operator":
            row["epochId"] += 2
            for name in ("start", "end"):
                at = datetime.fromisoformat(row[name]) + 14 * DAY
                row[name] = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return later


def test_a_file_that_stands_still_is_too_old_one_day(make: Make, clock: SimClock) -> None:
    """It answers, and nobody writes it any more."""
    adapter = make()
    adapter.quotes(DEVICES)
    clock.move_to(datetime(2026, 3, 1, tzinfo=UTC))

    assert "too old to reckon with" in refusal(adapter.quotes(DEVICES))


def test_a_file_that_forgets_an_epoch_is_not_believed(make: Make, web: Web, clock: SimClock) -> None:
    """An older copy came back; what was known stays."""
    adapter = make()
    adapter.quotes(DEVICES)
    web.stats["data"]["epochs"] = [row for row in web.stats["data"]["epochs"] if row["epochId"] != 97]
    clock.move_to(NOW + DAY)
    found = quoted(adapter.quotes(DEVICES))

    assert "94 to 97" in found.source
    assert "has forgotten epoch 97" in found.source


def test_the_last_value_outlives_a_restart_in_the_outage(make: Make, web: Web, clock: SimClock) -> None:
    """With the age that it has."""
    make().quotes(DEVICES)
    web.status = 500
    clock.move_to(NOW + DAY)
    found = quoted(make().quotes(DEVICES))

    assert "answered 500" in found.source
    assert found.as_of == NOW


def test_a_refusal_leaves_the_last_value_too(make: Make, web: Web, clock: SimClock) -> None:
    """A site of statistics that turns us away is not the network; without any value it is all we have."""
    adapter = make()
    adapter.quotes(DEVICES)
    web.status = 403
    clock.move_to(NOW + DAY)

    assert "answered 403" in quoted(adapter.quotes(DEVICES)).source


@pytest.mark.parametrize(("status", "error"), [(500, Transient), (404, Transient), (403, Refused), (401, Refused)])
def test_a_first_look_that_fails_is_an_error(make: Make, web: Web, status: int, error: type[Exception]) -> None:
    """Nothing was ever known."""
    web.status = status
    with pytest.raises(error, match=f"render: .*answered {status}"):
        make().quotes(DEVICES)


def test_one_venue_does_not_hide_the_other(make: Make, web: Web) -> None:
    """Dispersed needs no file; the frames, which do, are silent and say why, and so their last quote counts on."""
    web.status = 500
    silence, *answers = make(dispersed={"utilisation": "0.1"}).quotes(DEVICES)

    assert isinstance(silence, Silence)
    assert FRAMES == silence.venue
    assert "answered 500" in silence.reason
    assert {COMPUTE} == {answer.venue for answer in answers}
    assert isinstance(of(answers, COMPUTE), Quote)


def test_without_a_price_nothing_is_answered(make: Make, web: Web) -> None:
    """Unknown is not zero."""
    web.usd = None
    with pytest.raises(Transient, match="no price of RENDER can be trusted"):
        make(dispersed={"utilisation": "0.1"}).quotes(DEVICES)


def test_over_a_real_wire(clock: SimClock, tmp_path: Path) -> None:
    """The packed file from a server on this host."""
    with server(gzip.compress(FILE.read_bytes())) as url:
        http = Http(clock, network=RENDER)
        kit = Kit(RENDER, clock, DEVICES, tmp_path, http, Tokens(http, clock))
        found = quoted(Render(RenderSettings(**{**OFFLINE, "stats_url": url}), kit).quotes(DEVICES))
        http.close()

    assert found.source.startswith(f"{url}: epochs 94 to 97")


@contextmanager
def server(body: bytes) -> Iterator[str]:
    """Answers everything with the same packed body."""

    class Stats(Desk):
        def answer(self) -> None:
            self.say(body, Content_Encoding="gzip")

    with served(Stats) as url:
        yield f"{url}/{FILE.name}"


# --- costs, scope, node


def seen(phase: Phase, venue: Venue = FRAMES) -> Observation:
    """A look at a device."""
    return Observation(DEVICES[0].id, venue, phase, NOW)


def test_arriving_costs_what_the_client_takes(make: Make) -> None:
    """75 s to boot and a scene to download; on the compute subnet, the stake that is kept of the first earnings."""
    adapter = make()

    assert EntryCost(boot=timedelta(seconds=75), ramp=timedelta(minutes=10)) == adapter.entry_cost(DEVICES[0], FRAMES)
    assert Usd.of(100) == adapter.entry_cost(DEVICES[0], COMPUTE).fee
    assert Usd(0) == make(dispersed={"stake": "0 $"}).entry_cost(DEVICES[0], COMPUTE).fee


def test_leaving_waits_for_what_runs(make: Make) -> None:
    """A frame, or a job whose length nobody knows; nothing while the node waits."""
    adapter = make()

    assert ExitCost() == adapter.exit_cost(seen(Phase.READY)) == adapter.exit_cost(seen(Phase.READY, COMPUTE))
    assert ExitCost(drain=timedelta(minutes=30)) == adapter.exit_cost(seen(Phase.BUSY))
    assert ExitCost(drain=DAY) == adapter.exit_cost(seen(Phase.BUSY, COMPUTE))


def test_the_client_takes_the_whole_rig_unless_somebody_knows_better(make: Make) -> None:
    """The careful side is all or nothing."""
    assert (Scope.RIG, Scope.DEVICE) == (make().scope, make(whole_rig=False).scope)


def test_no_node_is_started(make: Make) -> None:
    """It knows rates only."""
    with pytest.raises(NodeFault, match="rates only"):
        make().node.start(DEVICES[0], FRAMES)


# --- settings


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"utilisation": "0.51"}, "at most 0.5 where it is claimed"),
        ({"utilisation": 1}, "at most 0.5 where it is claimed"),
        ({"utilisation": -0.1}, "between 0 and 1"),
        ({"wallet": "E33T"}, "wallet and wallet_score go together"),
        ({"wallet_score": 1300}, "wallet and wallet_score go together"),
        ({"render_price": "0 $"}, "more than nothing"),
        ({"render_price": "2"}, "needs its unit"),
        ({"refresh": "30d"}, "shorter than keeps"),
        ({"keeps": "9999d"}, "not be longer than a year"),
        ({"tier": 1}, "2 or 3"),
        ({"mean_weight": "2.1"}, "less than or equal to 2"),
        ({"scores": {"RTX 4090": "NaN"}}, "finite number"),
        ({"scores": {"RTX 4090": 5}}, "greater than or equal to 10"),
        ({"scores": [1300]}, "valid dictionary"),
        ({"availability": -1}, "greater than or equal to 0"),
        ({"dispersed": {"utilisation": 1}}, "nobody works around the clock"),
        ({"dispersed": {"utilisation": "0.6", "preparation": "0.5"}}, "more than the whole week"),
        ({"dispersed": {"stake": "-1 $"}}, "must not be negative"),
        ({"utilization": "0.1"}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(written: dict[str, Any], told: str) -> None:
    """Before anything is asked, with the remedy."""
    with pytest.raises(ValidationError, match=told):
        RenderSettings(**written)


def test_the_careful_side_is_the_default() -> None:
    """Economy tier, the lower figures of Dispersed, no pay twice, the whole stake, no claim of another site, no utilisation."""
    settings = RenderSettings()
    compute = settings.dispersed

    assert (3, None, None, "", True) == (
        settings.tier,
        settings.utilisation,
        settings.availability,
        settings.stats_origin,
        settings.whole_rig,
    )
    assert (None, Decimal(2), Decimal(10), False) == (compute.utilisation, compute.availability, compute.job, compute.available_at_work)
    assert (Usd.of(100), Share(0)) == (compute.stake, compute.preparation)


# --- the registry of Windows


class Registry:
    """The module of the standard library that only Windows has."""

    HKEY_CURRENT_USER = "HKCU"

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    @contextmanager
    def OpenKey(self, root: str, path: str) -> Iterator[str]:  # noqa: N802
        """The key of the client, where it is installed."""
        if not self._values:
            raise FileNotFoundError(path)
        yield f"{root}\\{path}"

    def QueryValueEx(self, key: str, name: str) -> tuple[Any, int]:  # noqa: N802
        """A value of it."""
        if key != "HKCU\\SOFTWARE\\OTOY" or name not in self._values:
            raise FileNotFoundError(name)
        return self._values[name], 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"SCORE": "1288.5"}, Decimal("1288.5")),
        ({"SCORE": 1288}, Decimal(1288)),
        ({"SCORE": ""}, None),
        ({"SCORE": "nan"}, None),
        ({"SCORE": b"1288"}, None),
        ({"SCORE": 0}, None),
        ({"SCORE": "\u0661\u0662\u0668\u0668"}, None),
        ({"WALLETID": "E33T"}, None),
        ({}, None),
    ],
)
def test_the_clients_own_benchmark_is_read(monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], expected: Decimal | None) -> None:
    """A score that makes sense, or none."""
    monkeypatch.setitem(sys.modules, "winreg", Registry(values))

    assert expected == registry_score()


def test_elsewhere_there_is_no_registry() -> None:
    """And so no score."""
    if sys.platform != "win32":
        assert registry_score() is None


@pytest.mark.online
def test_the_real_statistics_can_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One request for the public file, with a price that is configured."""
    from autopilot.clock import SystemClock

    caplog.set_level(logging.INFO)
    system = SystemClock()
    http = Http(system, network=RENDER)
    kit = Kit(RENDER, system, DEVICES, tmp_path, http, Tokens(http, system))
    answers = Render(RenderSettings(**OFFLINE), kit).quotes(DEVICES)
    http.close()

    assert isinstance(of(answers), Quote | NoQuote)

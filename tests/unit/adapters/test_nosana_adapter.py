"""The adapter of Nosana: what may be configured, what it asks, what it does in an outage, and what coming and going costs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from autopilot.clock import SystemClock, stopwatch
from autopilot.contracts import Adapter, Scope
from autopilot.errors import Refused, Transient
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, NoQuote, Quote
from autopilot.model.node import Lease, Observation, Phase
from autopilot.units import Share
from autopilot_adapters.nosana.adapter import BOOT, NosanaSettings, nosana_network
from autopilot_adapters.nosana.hire import LONGEST_WAIT, MEAN_JOB
from autopilot_adapters.unmanaged import Unmanaged

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))
NOSANA = NetworkId("nosana")
COMMUNITY = Venue(NOSANA, "nvidia-4090-community")
RIG = [W.gpu(0), W.gpu(1, "RTX 3060", 12)]
OURS = {"GPU-0": W.OURS}


def made(nosana: Any, folder: Path, devices: Sequence[Device] = RIG, **settings: Any) -> Adapter:
    """The adapter, connected to the small Nosana."""
    return nosana_network(NosanaSettings(**settings), nosana.kit(devices, folder))


def by_market(answers: Sequence[Answer]) -> dict[str, Answer]:
    """The answers of each market, about whichever device."""
    return {each.venue.market: each for each in answers}


def down(*parts: str) -> Any:
    """What is asked of these is not answered."""
    return lambda request: httpx.Response(404) if any(part in str(request.url) for part in parts) else None


def test_it_is_an_adapter(tmp_path: Path) -> None:
    """GPU by GPU, without a node of its own yet, and without a past: Nosana publishes none."""
    adapter = made(W.Nosana(), tmp_path)

    assert isinstance(adapter, Adapter)
    assert (NOSANA, Scope.DEVICE, None) == (adapter.network, adapter.scope, adapter.payouts)
    assert isinstance(adapter.node, Unmanaged)


def test_nothing_must_be_set() -> None:
    """The newest address first, and Solana's public endpoint, which is hidden like any other."""
    settings = NosanaSettings()

    assert "https://api.nosana.com/api" == settings.base_urls[0]
    assert 3 == len(settings.base_urls)
    assert "solana" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [{"node": W.OURS}, {"nodes": {"GPU-0": "0xabc"}}, {"nodes": {"GPU-0": W.OURS + "1"}}, {"base_urls": []}, {"markets": "nvidia-4090"}],
)
def test_what_cannot_be_set(wrong: dict[str, Any]) -> None:
    """Unknown keys, addresses that are none, no address at all."""
    with pytest.raises(ValidationError):
        NosanaSettings(**wrong)


def test_every_market_that_takes_the_device_is_a_venue(tmp_path: Path) -> None:
    """Named by its slug."""
    answers = made(W.Nosana(), tmp_path).rates.quotes(RIG)

    assert {("nvidia-4090-community", "GPU-0"), ("nvidia-4090", "GPU-0"), ("nvidia-3060", "GPU-1")} == {
        (each.venue.market, each.device) for each in answers
    }


@pytest.mark.parametrize("only", ["nvidia-4090", W.PREMIUM])
def test_only_some_markets(tmp_path: Path, only: str) -> None:
    """By slug or address; a device that none of them takes is told so."""
    answers = by_market(made(W.Nosana(), tmp_path, markets=(only,)).rates.quotes(RIG))

    assert {"nvidia-4090", ""} == set(answers)
    assert "RTX 3060 could serve nvidia-3060, and 'markets' names none of them" in getattr(answers[""], "reason", "")


def test_a_device_without_a_market(tmp_path: Path) -> None:
    """Is named, and neither the chain nor anybody's token price is asked for it."""
    nosana = W.Nosana()
    stranger = W.gpu(0, "GeForce GTX 480", 1)
    (answer,) = made(nosana, tmp_path, [stranger]).rates.quotes([stranger])

    assert isinstance(answer, NoQuote)
    assert "Nosana has no market for GeForce GTX 480" == answer.reason
    assert not [each for each in nosana.asked if "solana" in each or "coingecko" in each]


def test_unsure_of_the_memory(tmp_path: Path) -> None:
    """The markets of the A100 are two: a device that does not say which it is gets no quote, one that was measured gets its own."""
    rig = [W.gpu(0, "A100", 0), W.gpu(1, "A100", 79)]
    answers = made(W.Nosana(), tmp_path, rig).rates.quotes(rig)
    unsure = {each.venue.market: each for each in answers if each.device == "GPU-0"}

    assert {"nvidia-a100-40gb", "nvidia-a100-80gb"} == set(unsure)
    assert all("comes with 40 GB or 80 GB" in getattr(each, "reason", "") for each in unsure.values())
    assert ["nvidia-a100-80gb"] == [each.venue.market for each in answers if each.device == "GPU-1"]


def test_what_a_poll_asks(tmp_path: Path) -> None:
    """Three questions of the API and one of the chain, however many devices there are; two more for a node of our own."""
    nosana, rig = W.Nosana(), [W.gpu(each) for each in range(8)]
    made(nosana, tmp_path, rig).rates.quotes(rig)
    alone = dict(nosana.asked)
    nosana.asked.clear()
    made(nosana, tmp_path, rig, nodes=OURS).rates.quotes(rig)

    assert {
        "api.nosana.com /markets/": 1,
        "api.nosana.com /jobs/running": 1,
        "api.nosana.com /jobs/stats": 1,
        "api.mainnet-beta.solana.com getMultipleAccounts": 1,
        "api.coingecko.com /v3/simple/price": 1,
    } == alone
    more = {f"api.nosana.com /nodes/{W.OURS}/specs": 1, "api.mainnet-beta.solana.com getProgramAccounts": 1}

    assert more == nosana.asked - Counter(alone)


def test_nobody_asks_about_nothing(tmp_path: Path) -> None:
    """No devices, no questions."""
    nosana = W.Nosana()

    assert not made(nosana, tmp_path).rates.quotes([])
    assert not nosana.asked


def test_questions_that_do_not_depend_on_each_other_are_asked_at_once(tmp_path: Path) -> None:
    """The longest chain is two long: the list of markets, and what the chain and CoinGecko say of them."""
    nosana, pause = W.Nosana(), 1.0
    nosana.prices = {"nosana": {"usd": W.NOS_USD}}
    nosana.down = lambda _: threading.Event().wait(pause) and None
    adapter = nosana_network(NosanaSettings(), nosana.kit(RIG, tmp_path, SystemClock()))
    started = stopwatch()
    answers = adapter.rates.quotes(RIG)
    took = stopwatch() - started

    assert all(isinstance(each, Quote) for each in answers)
    assert 2 * pause <= took < 3 * pause


def test_jobs_that_nobody_counts_are_counted_on_the_chain(tmp_path: Path) -> None:
    """And the workings say who was silent."""
    nosana = W.Nosana()
    nosana.down = down("/jobs/running")
    nosana.jobs = {W.key(100 + each): W.job_bytes(W.COMMUNITY) for each in range(4)}
    nosana.runs = {W.key(200 + each): W.run_bytes(W.key(100 + each)) for each in range(4)}
    quote = by_market(made(nosana, tmp_path).rates.quotes(RIG[:1]))["nvidia-4090-community"]

    assert isinstance(quote, Quote)
    assert "jobs running: 4, nodes waiting: 2, ours would be one more: 4 / 7" in "\n".join(line.text for line in quote.workings)
    assert any("/jobs/running" in line.text for line in quote.workings)


def test_the_chain_alone_will_do(tmp_path: Path) -> None:
    """Where no HTTP address answers, after a restart too: prices, queues and jobs come from the accounts of the markets known before."""
    nosana = W.Nosana()
    listed = by_market(made(nosana, tmp_path).rates.quotes(RIG))["nvidia-4090-community"]
    nosana.down = down("nosana.com", "nos.ci")
    nosana.jobs = {W.key(100 + each): W.job_bytes(W.COMMUNITY) for each in range(6)}
    nosana.runs = {W.key(200 + each): W.run_bytes(W.key(100 + each)) for each in range(6)}
    alone = by_market(made(nosana, tmp_path).rates.quotes(RIG))["nvidia-4090-community"]

    assert isinstance(alone, Quote)
    assert isinstance(listed, Quote)
    assert abs(float(listed.gross) - float(alone.gross)) < 1e-5
    assert listed.occupancy == alone.occupancy
    assert "the markets as remembered" in alone.source
    assert alone.job_length is None


def test_the_chain_alone_needs_to_know_the_markets(tmp_path: Path) -> None:
    """It has no names and no GPUs: without a list from before, or with one that cannot be read, there is no answer."""
    nosana = W.Nosana()
    nosana.down = down("nosana.com", "nos.ci")
    with pytest.raises(Transient):
        made(nosana, tmp_path).rates.quotes(RIG)
    for text in ("{", "[3]", '[{"address": 3}]', "[" * 5000):
        (tmp_path / "nosana-markets.json").write_text(text)
        with pytest.raises(Transient):
            made(nosana, tmp_path).rates.quotes(RIG)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """The markets are not remembered, that is all."""
    assert made(W.Nosana(), tmp_path / "missing").rates.quotes(RIG)


@pytest.mark.parametrize("silent", ["/jobs/stats", "/specs"])
def test_what_is_only_nice_to_know_may_be_silent(tmp_path: Path, silent: str) -> None:
    """The quotes come all the same."""
    nosana = W.Nosana()
    nosana.down = down(silent)

    assert isinstance(by_market(made(nosana, tmp_path, nodes=OURS).rates.quotes(RIG))["nvidia-4090-community"], Quote)


def test_both_ways_silent(tmp_path: Path) -> None:
    """No queue, no count, no network-wide figure: no answer, in one line with everything that was tried."""
    nosana = W.Nosana()
    nosana.down = down("solana", "/jobs/running", "/stats/nodes-country")

    with pytest.raises(Transient, match=r"nodes-country answered 404") as caught:
        made(nosana, tmp_path).rates.quotes(RIG)
    assert "solana.com" in str(caught.value)


def test_a_refusal_by_all(tmp_path: Path) -> None:
    """Is Refused where nothing else is left; the markets that are remembered and the chain help otherwise."""
    nosana = W.Nosana()
    nosana.down = lambda request: None if "solana" in request.url.host or "gecko" in request.url.host else httpx.Response(403)
    with pytest.raises(Refused):
        made(nosana, tmp_path).rates.quotes(RIG)
    nosana.down = lambda _: None
    made(nosana, tmp_path).rates.quotes(RIG)
    nosana.down = lambda request: None if "gecko" in request.url.host else httpx.Response(403)

    with pytest.raises(Refused):
        made(nosana, tmp_path).rates.quotes(RIG)


def test_arriving_takes_the_boot_and_the_wait(tmp_path: Path) -> None:
    """The wait as it was at the last poll; a mean job before there was one; a day where nothing runs."""
    nosana, rig = W.Nosana(), [W.gpu(0), W.gpu(1, "A100 80GB PCIe", 80)]
    adapter = made(nosana, tmp_path, rig)
    before = adapter.entry_cost(rig[0], COMMUNITY)
    adapter.rates.quotes(rig)

    assert (BOOT, MEAN_JOB) == (before.boot, before.ramp)
    assert timedelta(hours=1) == adapter.entry_cost(rig[0], COMMUNITY).ramp
    assert LONGEST_WAIT == adapter.entry_cost(rig[1], Venue(NOSANA, "nvidia-a100-80gb")).ramp


def test_a_premium_market_counts_uptime(tmp_path: Path) -> None:
    """99 % unless configured otherwise; a community market, and one that was not polled yet, ask for nothing."""
    premium, counts = Venue(NOSANA, "nvidia-4090"), []
    for settings in ({}, {"uptime": 0.95}, {"uptime": 0}):
        adapter = made(W.Nosana(), tmp_path, **settings)
        counts.append(adapter.entry_cost(RIG[0], premium).uptime)
        adapter.rates.quotes(RIG)
        counts += [adapter.entry_cost(RIG[0], venue).uptime for venue in (premium, COMMUNITY)]

    assert [None, Share.of("0.99"), None, None, Share.of("0.95"), None, None, None, None] == counts


def seen(*leases: Lease, venue: Venue | None = COMMUNITY) -> Observation:
    """A look at the node."""
    return Observation(DeviceId("GPU-0"), venue, Phase.BUSY if leases else Phase.READY, W.NOW, leases)


def test_leaving_waits_for_the_job(tmp_path: Path) -> None:
    """As long as a job of the market is on average; a node that runs none can go at once."""
    adapter, job = made(W.Nosana(), tmp_path), Lease("job", W.NOW)
    unknown = adapter.exit_cost(seen(job)).drain
    adapter.rates.quotes(RIG)

    assert (MEAN_JOB, timedelta(hours=2)) == (unknown, adapter.exit_cost(seen(job)).drain)
    assert timedelta(0) == adapter.exit_cost(seen()).drain
    assert timedelta(0) == adapter.exit_cost(seen(job, venue=None)).drain

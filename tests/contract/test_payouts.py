"""Every network that tells what it has paid or owes passes the suite of payouts; and each check of the suite can fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from inspect import signature
from itertools import count
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from autopilot.contracts import PayoutSource
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import NetworkId
from autopilot.model.node import NativeAmount, Payout
from autopilot.sim.adapter import SimNetwork
from autopilot.sim.clock import SimClock
from autopilot.sim.market import FluidMarket, Tape
from autopilot.sim.node import Manner
from autopilot.sim.panel import Panel
from autopilot.testing.payouts import PayoutSourceContract
from autopilot.testing.views import MODEL, START, device, venue
from autopilot.units import HOUR, Usd
from autopilot_adapters.akash.adapter import AkashSettings, akash
from autopilot_adapters.nosana.adapter import NosanaSettings, nosana_network

DATA = Path(__file__).parents[1] / "data"
NOSANA: Any = SimpleNamespace(**run_path(str(DATA / "nosana/world.py")))
BITTENSOR: Any = SimpleNamespace(**run_path(str(DATA / "bittensor/world.py")))
RENDER: Any = SimpleNamespace(**run_path(str(DATA / "render/world.py")))
NOW = datetime(2026, 7, 17, 20, 7, tzinfo=UTC)
OURS = "akash18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"


class TestAkash(PayoutSourceContract):
    """A week of a provider that is paid in two tokens."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> PayoutSource:
        sums = {"totalUAktEarned": 1500000.1, "totalUUsdcEarned": 412e6, "totalUActEarned": 412e6, "totalUUsdEarned": 412815207.3}
        clock = SimClock(NOW)
        http = Http(clock, network="akash", transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"earnings": sums})))
        kit = Kit(NetworkId("akash"), clock, [device(each) for each in range(3)], tmp_path, http, Tokens(http, clock))
        source = akash(AkashSettings(provider=OURS), kit).payouts

        assert source
        return source

    @pytest.fixture
    def since(self) -> datetime:
        return NOW - timedelta(days=30)


class TestNosana(PayoutSourceContract):
    """Jobs of a node with two GPUs."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> PayoutSource:
        nosana, end = NOSANA.Nosana(), int(NOSANA.NOW.timestamp())
        nosana.history = {"jobs": [self._job(number, end - number * 3600) for number in range(1, 5)], "totalJobs": 4}
        nodes = {"GPU-0": NOSANA.OURS, "GPU-1": NOSANA.OURS}
        adapter = nosana_network(NosanaSettings(nodes=nodes), nosana.kit([NOSANA.gpu(0), NOSANA.gpu(1)], tmp_path))

        assert adapter.payouts
        return adapter.payouts

    def _job(self, number: int, end: int) -> dict[str, Any]:
        times = {"timeStart": end - 1801, "timeEnd": end, "timeout": 7200}
        return {"address": NOSANA.key(number), "market": NOSANA.COMMUNITY, "price": 318, "usdRewardPerHour": 0.34934717, **times}

    @pytest.fixture
    def since(self) -> datetime:
        since: datetime = NOSANA.NOW - timedelta(days=1)
        return since


class TestBittensor(PayoutSourceContract):
    """The last epoch of a miner."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> PayoutSource:
        miner = {**BITTENSOR.MINER, "gpus": None}
        adapter = BITTENSOR.adapter(BITTENSOR.World(), tmp_path, **{**BITTENSOR.ALONE, "miners": [miner]})
        adapter.rates.quotes(BITTENSOR.RIG)
        source: PayoutSource = adapter.payouts
        return source

    @pytest.fixture
    def since(self) -> datetime:
        since: datetime = BITTENSOR.NOW - timedelta(days=1)
        return since


class TestRender(PayoutSourceContract):
    """Two weeks of a wallet."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> PayoutSource:
        world = RENDER.World(tx1=(90, RENDER.PAY), tx2=(10, RENDER.PAY))
        source: PayoutSource = world.source(tmp_path)
        return source

    @pytest.fixture
    def since(self) -> datetime:
        since: datetime = RENDER.NOW - timedelta(days=30)
        return since


class TestSimulator(PayoutSourceContract):
    """Three hours of service."""

    @pytest.fixture
    def source(self) -> PayoutSource:
        where, clock = venue("nosana"), SimClock(START)
        panel = Panel(START, MODEL, (where.network,), np.full((5, 1), 0.3))
        network = SimNetwork(where.network, clock, FluidMarket({MODEL: Tape(panel, panel.rates)}), [device(0)], Manner())
        network.node.start(device(0), where)
        clock.move_to(START + 3 * HOUR)
        network.node.observe(device(0))
        return network.payouts

    @pytest.fixture
    def since(self) -> datetime:
        return START


class Planted:
    """A source without fault, but for what is planted in what it tells."""

    def __init__(self, change: Callable[[list[Payout]], list[Payout]] = list, *, forgets: bool = False) -> None:
        self._change = change
        self._forgets = forgets

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """Two hours."""
        starts = [START, START + HOUR]
        told = [Payout(f"tx{at:%H}", venue("acme"), device().id, at, at + HOUR, Usd.of(1), TOKENS) for at in starts]
        return self._change([payout for payout in told if self._forgets or payout.end > since])


TOKENS = NativeAmount("ACME", Decimal(4), Decimal("0.25"))
CALLS = count()


def each(**changed: Any) -> Callable[[list[Payout]], list[Payout]]:
    """Of every payout."""
    return lambda payouts: [replace(payout, **changed) for payout in payouts]


OFFENCES = {
    "nothing is told": (Planted(lambda _: []), "test_the_same_is_told_again"),
    "a new id at every question": (
        Planted(lambda payouts: [replace(payout, id=f"{next(CALLS)}") for payout in payouts]),
        "test_the_same_is_told_again",
    ),
    "one id for all": (Planted(each(id="tx")), "test_each_payout_has_an_id_of_its_own"),
    "no id": (Planted(each(id="")), "test_each_payout_has_an_id_of_its_own"),
    "all are told again": (Planted(forgets=True), "test_only_what_ended_later_is_told"),
    "it ends before it begins": (Planted(each(end=START - HOUR)), "test_the_figures_make_sense"),
    "no zone": (Planted(each(start=START.replace(tzinfo=None))), "test_the_figures_make_sense"),
    "tokens of another worth": (Planted(each(amount=Usd.of(2))), "test_the_figures_make_sense"),
    "a new id is new money": (
        Planted(lambda payouts: [replace(payout, id=f"{next(CALLS)}") for payout in payouts]),
        "test_asking_twice_books_once",
    ),
}
CHECKS = sorted(name for name in dir(PayoutSourceContract) if name.startswith("test_"))


def checked(check: str, source: PayoutSource) -> None:
    """One check of the suite, as pytest would call it."""
    known = {"source": source, "since": START}
    bound = getattr(PayoutSourceContract(), check)
    bound(**{name: known[name] for name in signature(bound).parameters})


@pytest.mark.parametrize(("offender", "check"), OFFENCES.values(), ids=OFFENCES)
def test_an_offence_against_the_payout_suite_is_caught(offender: Planted, check: str) -> None:
    """By the check that is there for it."""
    with pytest.raises((AssertionError, TypeError)):
        checked(check, offender)


@pytest.mark.parametrize("check", CHECKS)
def test_the_payout_suite_passes_an_honest_source(check: str) -> None:
    """And every check has an offence that it catches."""
    checked(check, Planted())

    assert check in {name for _, name in OFFENCES.values()}

"""From the wire to the ledger: the APIs of four networks are polled by the hour, forecast decides, and real processes come and go."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot.backtest.replay import replay
from autopilot.clock import SystemClock
from autopilot.contracts import Adapter
from autopilot.daemon import rig
from autopilot.kit import Kit
from autopilot.kit.service import ServiceNode
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.model.device import DeviceId, Venue
from autopilot.model.market import Quote
from autopilot.model.switch import State
from autopilot.pilot import Pilot
from autopilot.plugins import make_adapter
from autopilot.settings import Settings
from autopilot.store.ledger import Kind, Row
from autopilot.store.store import Store
from autopilot.units import HOUR, Usd
from shared.nodes import end_all, until
from shared.servers import running

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "data/four_networks/world.py")))
N: Any = W.NOSANA
ASKS = deepcopy(W.CONSOLE["/v1/gpu-prices"]["models"])
RENDER = W.USD["render-token"]
GPUS = 4
TICKS_AN_HOUR = 4
PATIENCE = 12
"""Hours within which whoever pays many times what the others pay is flown to."""
SEASONS = ("bittensor", "render", "akash", "nosana")
"""Who has the lead, one after the other."""
TIMES = 12
COMINGS_AND_GOINGS = [(network, word) for network in SEASONS for word in ("up", "down")][:-1]
"""Of the programs of one GPU: the last one is still there."""
NODE = 'say() { echo "$1 $CUDA_VISIBLE_DEVICES $2" >>"$0"; }; trap "say $1 down; exit 0" TERM; say $1 up; while :; do sleep 0.05; done'
"""A network's program: it writes which GPU it was given, when it comes and when it is told to go."""


def manned(name: str, table: Mapping[str, object], kit: Kit) -> Adapter:
    """The network's own adapter, with a process of this host in the place of its cluster, container or Windows client."""
    adapter: Any = make_adapter(name, table, kit)
    folder = kit.folder / name
    folder.mkdir()
    program = Program(("/bin/sh", "-c", NODE, str(kit.folder / "nodes"), name))
    adapter.node = ServiceNode(kit.network, kit.clock, ProcessShape(kit.network, kit.clock, program, folder), folder)
    return adapter  # type: ignore[no-any-return]


def _times(leader: str, network: str) -> int:
    return TIMES if network == leader else 1


class Flight:
    """A rig of four GPUs on the internet of this machine, from one hour to the next."""

    def __init__(self, internet: Any, folder: Path, closing: ExitStack) -> None:
        self.internet = internet
        self.folder = folder
        self.store = Store.in_memory()
        self.hours = 0
        networks = {"akash": {}, "nosana": {}, "render": {"utilisation": "0.05"}, "bittensor": {"lium": {"ramp": "0m", "notice": "0m"}}}
        settings = Settings(
            state=folder / "autopilot.db",
            rig={"simulated": (f"{GPUS} x NVIDIA GeForce RTX 4090",)},
            power={"price": "0.12 $/kWh", "lit": "320 W", "idle": "20 W"},
            networks=networks,
        )
        self.pilot: Pilot = rig.make_pilot(settings, internet.clock, self.store, closing, live=True)

    def season(self, network: str) -> None:
        """It has the lead, SN51 as it was recorded and another by paying many times that, until all GPUs have been there for an hour."""
        self._pay(network)
        for _ in range(PATIENCE):
            arrived = self._all_at(network)
            self._hour()
            if arrived:
                return
        pytest.fail(f"{PATIENCE} hours, and not all are at {network}: {self.pilot.tick()}")

    def _all_at(self, network: str) -> bool:
        return {network} == {placement.venue.network for placement in self.pilot.placements.values()} and not self.pilot.open_switches

    def _hour(self) -> None:
        """A poll, and ticks until the next. What was told to go is given a moment of our own time."""
        clock = self.internet.clock
        self.hours += 1
        self.pilot.poll()
        until(lambda: not self.pilot.waits)
        for _ in range(TICKS_AN_HOUR):
            self.pilot.tick()
            if self.pilot.open_switches:
                SystemClock().wait(timedelta(seconds=0.1), threading.Event())
            clock.move_to(clock.now() + HOUR / TICKS_AN_HOUR)

    def _pay(self, leader: str) -> None:
        """In each network's own words: what a market pays an hour, what a RENDER is worth, what providers ask."""
        times, nosana = _times(leader, "nosana"), self.internet._nosana
        nosana.markets[1] = N.listed(N.PREMIUM, "NVIDIA 4090", "PREMIUM", 261 * times, 0.2909 * times, *N.RTX4090)
        nosana.accounts[N.PREMIUM] = N.market_bytes(261 * times, minimum=10_000_000, access=N.key(900))
        W.USD["render-token"] = W.PAIRS["RENDERUSD"] = RENDER * _times(leader, "render")
        for model, recorded in ((each, ask) for each, ask in zip(W.CONSOLE["/v1/gpu-prices"]["models"], ASKS, strict=True) if ask["price"]):
            model["price"] = {key: ask if key == "currency" else ask * _times(leader, "akash") for key, ask in recorded["price"].items()}

    def venues(self) -> set[Venue]:
        """Wherever a GPU was sent."""
        return {switch.target for switch in self.store.journal.switches()}

    def earned(self, venue: Venue, device: DeviceId) -> Iterator[Row]:
        """What is in the ledger for it."""
        return self.store.ledger.rows(Kind.EARNED, venue, device, W.NOW)

    def told(self) -> dict[str, list[tuple[str, str]]]:
        """By GPU, what its programs wrote: network and word."""
        told: dict[str, list[tuple[str, str]]] = {}
        for line in (self.folder / "nodes").read_text(encoding="utf-8").splitlines():
            network, device, word = line.split()
            told.setdefault(device, []).append((network, word))
        return told


@pytest.fixture
def flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flight]:
    """With the networks' adapters as they are, and nothing of them left afterwards."""
    internet = W.Internet(W.Still(W.NOW))
    with running(internet, internet.stopping.set), ExitStack() as closing:
        sky = W.Sky(internet, tmp_path)
        monkeypatch.setattr(rig, "Http", sky.http)
        monkeypatch.setattr(rig, "make_adapter", manned)
        yield Flight(internet, tmp_path, closing)
        closing.callback(lambda: [http.close() for http in sky.https])
        end_all(tmp_path.glob("*/*.pid"))


def test_from_the_wire_to_the_ledger(flight: Flight) -> None:
    """Quotes are kept, each season's leader is flown to by all four processes, every minute is booked, and replay decides the same."""
    for network in SEASONS:
        flight.season(network)
    flight.pilot.tick()
    store, devices = flight.store, [device.id for device in flight.pilot.world.devices]
    quotes = Counter((answer.venue.network, answer.device) for answer, _ in store.rates.answers() if isinstance(answer, Quote))
    moves: dict[DeviceId, list[str]] = {device: [] for device in devices}
    for switch in store.journal.switches():
        moves[switch.device].append(f"{switch.target.network} {switch.state}")

    assert {(network, device) for network in SEASONS for device in devices} == set(quotes)
    assert all(count >= flight.hours for count in quotes.values())
    assert {device: [f"{network} {State.SETTLED}" for network in SEASONS] for device in devices} == moves
    assert dict.fromkeys(devices, COMINGS_AND_GOINGS) == flight.told()
    earned = {(venue.network, device) for venue in flight.venues() for device in devices if list(flight.earned(venue, device))}
    assert earned == {(network, device) for network in SEASONS for device in devices}
    for device, totals in store.ledger.by_device().items():
        spans = {kind: span for (owner, kind), (_, span) in store.ledger.sums(W.NOW).items() if owner == device}
        assert flight.internet.clock.now() - W.NOW == spans[Kind.EARNED] + spans[Kind.DARK]
        assert totals.expected_net == totals.earned - totals.power - totals.fees
        assert totals.power > Usd(0)
    again = list(replay(store))
    assert len(again) >= flight.hours
    assert all(each.same for each in again)

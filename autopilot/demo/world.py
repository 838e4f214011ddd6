"""What the demo flies: a rig, a market, and networks that behave like those they are named after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autopilot.contracts import NamedStrategy
from autopilot.errors import DataError
from autopilot.guards import Guard
from autopilot.idle import Idle
from autopilot.model.device import IDLE, Device, NetworkId, Venue
from autopilot.model.power import Draw, PowerPrice
from autopilot.pilot import Pilot, World
from autopilot.sim.adapter import SimNetwork
from autopilot.sim.clock import SimClock
from autopilot.sim.generator import generated_panel
from autopilot.sim.market import FluidMarket, Tape
from autopilot.sim.node import Manner
from autopilot.sim.panel import Panel, read_panel
from autopilot.store.ratefile import Progress, read_rates
from autopilot.store.raterow import BadRow
from autopilot.store.store import Store
from autopilot.units import HOUR, Usd, UsdPerHour, UsdPerKwh, Watts

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A generated market begins on a Monday, the same for everybody."""
_PAST = timedelta(days=14)
"""What is known of the market before the start."""
_DRAW = Draw(lit=Watts.of(350), idle=Watts.of(30))
_POWER = PowerPrice(UsdPerKwh.of("0.12"))


@dataclass(frozen=True, slots=True)
class _Terms:
    """What going to a network and leaving it takes."""

    boot: timedelta
    drain: timedelta
    fee: Usd = Usd(0)
    faults: float = 0.0
    """The share of starts that never come up."""


_TERMS = {
    "akash": _Terms(timedelta(minutes=8), timedelta(minutes=20), Usd.of("0.02")),
    "bittensor": _Terms(timedelta(minutes=25), timedelta(minutes=2), Usd.of("0.25")),
    "nosana": _Terms(timedelta(minutes=12), timedelta(minutes=12), Usd.of("0.01"), faults=0.15),
    "render": _Terms(timedelta(minutes=3), timedelta(minutes=15)),
}
"""Starts fail at one network only, so every switch can turn back: a stranded GPU would wait for a hand that nobody has here."""
_OTHERWISE = _Terms(timedelta(minutes=10), timedelta(minutes=10), Usd.of("0.02"))
_JITTER = 0.3


@dataclass(frozen=True, slots=True)
class Scene:
    """A rig, the market of each of its GPU models, and the span to fly."""

    devices: tuple[Device, ...]
    panels: Mapping[str, Panel]
    """By GPU model."""
    start: datetime
    end: datetime
    seed: int
    """Of boot times, drain times and faults, and of the market where that is generated."""


def generated(devices: tuple[Device, ...], days: float, seed: int) -> Scene:
    """A market that nobody recorded. Raises ConfigError for a GPU model that it does not know."""
    end = START + timedelta(days=days)
    hours = -((START - _PAST - end) // HOUR)
    panels = {model: generated_panel(seed, START - _PAST, hours, model) for model in _models(devices)}
    return Scene(devices, panels, START, end, seed)


def recorded(path: Path, devices: tuple[Device, ...], days: float, seed: int, progress: Progress | None = None) -> Scene:
    """The market of a file, from where a first part of it is known. Raises DataError or ConfigError."""
    panels = {model: read_panel(path, model, progress) for model in _models(devices)}
    first = next(iter(panels.values()))
    start = first.start + min(_PAST, first.hours // 4 * HOUR)
    return Scene(devices, panels, start, min(first.end, start + timedelta(days=days)), seed)


def recorded_models(path: Path) -> list[str]:
    """The GPU models of a rate file. Raises DataError where it has none that can be read."""
    models = {row.gpu for row in read_rates(path) if not isinstance(row, BadRow)}
    if not models:
        raise DataError(f"{path}: no row of it can be read; `autopilot rates import` says why")
    return sorted(models)


def _models(devices: Sequence[Device]) -> list[str]:
    return list(dict.fromkeys(device.model for device in devices))


def take_off(scene: Scene, clock: SimClock, store: Store, strategy: NamedStrategy, guards: Sequence[Guard] = ()) -> Pilot:
    """A pilot with the whole rig and a market of its own, which knows what was paid before the start."""
    with store.atomic():
        store.rates.remember(_past(scene))
    market = FluidMarket({model: Tape(panel, panel.rates) for model, panel in scene.panels.items()})
    names = sorted({NetworkId(name) for panel in scene.panels.values() for name in panel.networks})
    networks = {name: _network(name, scene, clock, market) for name in names}
    draws = {device.id: _DRAW for device in scene.devices}
    world = World(clock, scene.devices, {**networks, IDLE.network: Idle(clock)}, store, draws, _POWER)
    return Pilot(world, strategy, guards)


def _network(name: NetworkId, scene: Scene, clock: SimClock, market: FluidMarket) -> SimNetwork:
    terms = _TERMS.get(name, _OTHERWISE)
    manner = Manner(terms.boot, terms.drain, _JITTER, terms.faults, scene.seed)
    return SimNetwork(name, clock, market, scene.devices, manner, terms.fee, silent=True)


def _past(scene: Scene) -> Iterator[tuple[Venue, str, datetime, UsdPerHour | None]]:
    """The rates of the hours before the start."""
    for model, panel in scene.panels.items():
        market = FluidMarket({model: Tape(panel, panel.rates)})
        for index in range((scene.start - panel.start) // HOUR):
            hour = panel.at(index)
            for column, name in enumerate(panel.networks):
                yield Venue(NetworkId(name)), model, hour, market.shown(model, column, hour)

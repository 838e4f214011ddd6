"""The composition root of the daemon: from settings to a pilot in its world."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from autopilot.clock import Clock, SystemClock
from autopilot.contracts import Adapter, NamedStrategy, Scope
from autopilot.daemon.fanout import beside
from autopilot.daemon.gpus import drawn, find
from autopilot.daemon.learner import Learner, Prober
from autopilot.errors import ConfigError
from autopilot.guards import RigScope, chosen
from autopilot.idle import Idle
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.series import Series
from autopilot.kit.tokens import Tokens
from autopilot.model.device import IDLE, Device, NetworkId, Venue
from autopilot.model.gpu import Needs
from autopilot.pilot import Pilot, World
from autopilot.pilot.mending import Mending
from autopilot.pilot.wishing import Pausing, Wishing
from autopilot.plugins import conditions_of, make_adapter, make_strategy
from autopilot.settings import NeedsSettings, Settings
from autopilot.sim.clock import ScaledClock
from autopilot.store.store import Store
from autopilot.tariff import venue_of


def make_clock(settings: Settings) -> Clock:
    """The machine's clock; for a simulated rig that flies faster than life, one that remembers where its time began."""
    system = SystemClock()
    if settings.rig.speed == 1:
        return system
    anchor = settings.state.with_name(settings.state.name + ".clock")
    if not anchor.exists():
        draft = anchor.with_name(anchor.name + ".new")
        draft.write_text(system.now().isoformat(), encoding="utf-8")
        draft.replace(anchor)
    return ScaledClock(system, datetime.fromisoformat(anchor.read_text(encoding="utf-8")), settings.rig.speed)


def make_pilot(settings: Settings, clock: Clock, store: Store, closing: ExitStack, *, live: bool) -> Pilot:
    """The pilot that the settings ask for; what it holds open is closed with ``closing``. Raises ConfigError for what cannot fly."""
    strategy = require(settings)
    gpus = find(settings, store, closing)
    adapters = make_adapters(settings, clock, gpus.devices, closing)
    scopes = {network: adapter.scope for network, adapter in adapters.items()}
    tending = gpus.tending(settings, store, {network for network, scope in scopes.items() if scope is Scope.RIG}, live=live)
    learner, prober = Learner(), Prober()
    closing.callback(learner.close)
    closing.callback(prober.close)
    draws = dict.fromkeys((device.id for device in gpus.devices), settings.power.draw())
    power, limits, series = settings.power.tariff(), settings.limits.limits(), _series(settings, clock, closing)
    world = World(clock, gpus.devices, adapters, store, draws, power, limits, beside, settings.daemon.answer, learner.teach, series)
    world = replace(world, probe=prober.probe)
    if tending is not None:
        measured = lambda device: drawn(tending.states, device)  # noqa: E731
        world = replace(world, drawn=measured, gpus=lambda: tending.states, holder=tending.holder)
    wishing = Wishing(store, adapters.keys())
    authorities = (Pausing(store), *((tending,) if tending else ()), Mending(store), wishing, gpus.eligibility(asked(settings), store))
    return Pilot(world, strategy, (*chosen(settings.guards, limits), RigScope(scopes)), authorities, live=live)


def asked(settings: Settings) -> dict[Venue, Needs]:
    """What venues ask of a GPU and its host: what their adapters tell, with what the settings say of it over that."""
    told: dict[Venue, Needs] = {}
    for name, table in settings.networks.items():
        conditions = conditions_of(_adapter_and_table(name, table)[0])
        told |= {Venue(NetworkId(name), market): needs for market, needs in {"": conditions.needs, **conditions.markets}.items()}
    tables = {venue_of(name): table for name, table in settings.rig.needs.items()}
    return {venue: _needs(venue, told, tables) for venue in (*told, *tables)}


def _needs(venue: Venue, told: Mapping[Venue, Needs], tables: Mapping[Venue, NeedsSettings]) -> Needs:
    """A table of a network holds for each of its markets, and one of a market goes before it."""
    whole = Venue(venue.network)
    found = told.get(venue) or told.get(whole, Needs())
    for table in (tables.get(whole), tables.get(venue)):
        found = table.over(found) if table else found
    return found


def _series(settings: Settings, clock: Clock, closing: ExitStack) -> Series | None:
    """What asks for the prices of power, where they are told hour by hour."""
    if settings.power.series is None:
        return None
    http = Http(clock)
    closing.callback(http.close)
    return settings.power.series.series(http)


def require(settings: Settings) -> NamedStrategy:
    """The strategy, where a flight has all that it cannot do without. Raises ConfigError, before anything is opened."""
    _require_networks(settings)
    strategy = make_strategy(settings.strategy, settings.strategies.get(settings.strategy, {}))
    _check_patience(settings, strategy.strategy)
    return strategy


def _require_networks(settings: Settings) -> None:
    if not settings.networks:
        raise ConfigError("no network to fly to: add a table like [networks.akash]; `autopilot init` writes an example")


def make_adapters(
    settings: Settings, clock: Clock, devices: tuple[Device, ...], closing: ExitStack, http: Http | None = None
) -> dict[NetworkId, Adapter]:
    """Every network of the settings, and idle; they and the client that they share are closed with ``closing``. Raises ConfigError."""
    _require_networks(settings)
    adapters: dict[NetworkId, Adapter] = {}
    folder = _folder(settings.state)
    http = http or Http(clock)
    closing.callback(http.close)
    tokens = Tokens(http, clock, keys=settings.tokens.keys(), folder=folder)
    for name, table in settings.networks.items():
        if name == IDLE.network:
            raise ConfigError("[networks.idle]: idle is always there, and cannot be configured")
        kit = Kit(NetworkId(name), clock, devices, folder, http.as_(name), tokens)
        adapters[kit.network] = make_adapter(*_adapter_and_table(name, table), kit)
        closing.callback(adapters[kit.network].close)
    return {**adapters, IDLE.network: Idle(clock)}


def _adapter_and_table(name: str, table: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """The plugin of a network: named by ``adapter``, or by ``type`` where the network is described without code, or as the network."""
    rest = dict(table)
    kind = rest.pop("type", name)
    return str(rest.pop("adapter", kind)), rest


def _folder(state: Path) -> Path:
    return state.resolve().parent


def _check_patience(settings: Settings, strategy: object) -> None:
    """A switch that may take longer than its gain is believed to last is no plan."""
    horizon = getattr(strategy, "horizon", None)
    limits = settings.limits
    longest = limits.drain + limits.stop + limits.start
    if horizon is not None and longest >= horizon:
        raise ConfigError(
            f"limits: drain, stop and start together are {longest}, longer than the horizon of {settings.strategy}, {horizon}: "
            "shorten the limits or lengthen the horizon"
        )

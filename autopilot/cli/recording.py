"""``autopilot rates record`` and ``rates fetch``: rates come in, and nothing is decided."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from autopilot.errors import ConfigError

if TYPE_CHECKING:
    from autopilot.clock import Clock
    from autopilot.pilot import Pilot
    from autopilot.settings import Settings

_GLANCE = timedelta(milliseconds=50)


def record_rates(config: Path | None, state: Path | None, *, once: bool) -> None:
    """Poll as the daemon would, under its lock, and keep every answer."""
    from autopilot.clock import SystemClock
    from autopilot.daemon.guard import single_instance
    from autopilot.daemon.rig import make_pilot
    from autopilot.store.store import Store

    settings = _settings(config, state)
    clock, ended = SystemClock(), list[int]()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: ended.append(number))  # a list, as an event's lock is not safe in a handler
    with single_instance(settings.state), closing(Store.open(settings.state)) as store, ExitStack() as held:
        pilot = make_pilot(settings, clock, store, held, live=False)
        _record(pilot, clock, settings.daemon.poll, ended, once=once)


def _record(pilot: Pilot, clock: Clock, every: timedelta, ended: Sequence[int], *, once: bool) -> None:
    """Poll by poll, each taken in once everybody has answered or is late."""
    while not ended:
        pilot.poll()
        while pilot.waits and not ended:
            clock.wait(_GLANCE, threading.Event())
        pilot.take_in()
        troubles = [f"{network}: {why}" for kind in pilot.troubles.values() for network, why in kind.items()]
        asked = len(pilot.world.adapters) - 1
        typer.echo(f"{clock.now():%Y-%m-%d %H:%M:%S} {asked} networks asked; {'; '.join(troubles) or 'all answered'}")
        if once:
            break
        _sleep(clock, clock.now() + every, ended)


def _sleep(clock: Clock, until: datetime, ended: Sequence[int]) -> None:
    """Until then, or until a signal has come."""
    never = threading.Event()
    while not ended and clock.now() < until:
        clock.wait(timedelta(seconds=1), never)


def fetch_rates(network: str, since: datetime, gpu: str | None, config: Path | None, state: Path | None) -> None:
    """Ask a network for its past. Raises ConfigError where it publishes none."""
    from autopilot.cli.live_rates import network_of, rig
    from autopilot.clock import SystemClock
    from autopilot.daemon.rig import make_adapters
    from autopilot.store.store import Store

    settings = _settings(config, state)
    devices = rig(settings, gpu)
    with ExitStack() as held:
        adapter = network_of(make_adapters(settings, SystemClock(), devices, held), network)
        if adapter.history is None:
            raise ConfigError(f"{network} publishes no past rates; `autopilot rates record` keeps them from now on")
        past = adapter.history.hours(devices, since)
    with closing(Store.open(settings.state)) as store, store.atomic():
        store.rates.remember((each.venue, each.model, each.hour, each.rate) for each in past)
    typer.echo(f"{network}: {len(past):,} hours since {since:%Y-%m-%d %H:%M} UTC")


def _settings(config: Path | None, state: Path | None) -> Settings:
    from autopilot.settings import load

    settings = load(config)
    return settings.model_copy(update={"state": state}) if state else settings

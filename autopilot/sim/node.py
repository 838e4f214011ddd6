"""A simulated node: the same verbs as a real one, with boot, drain and fault times drawn from a seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from autopilot.clock import Clock
from autopilot.errors import NodeFault
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Lease, Observation, Phase

_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a node behaves."""

    boot: timedelta = _NO_TIME
    drain: timedelta = _NO_TIME
    """How long the work that it finds itself doing takes to finish."""
    jitter: float = 0.0
    """Boot and drain take their time give or take this share of it."""
    faults: float = 0.0
    """The share of starts that never come up."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """One stretch of serving, from the order to start until the stop."""

    venue: Venue
    started: datetime
    ready: datetime | None
    """When it serves; None where it never will."""
    empty: datetime | None = None
    """When its drain is over; None while it takes new work."""
    stopped: datetime | None = None


@dataclass(slots=True)
class Memory:
    """What the node's host remembers, whatever becomes of the autopilot: kept in a file where a path is given."""

    path: Path | None = None
    services: dict[DeviceId, list[Service]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            self.services = {DeviceId(device): [_load(row) for row in rows] for device, rows in stored.items()}

    def last(self, device: DeviceId) -> Service | None:
        """The newest service, if it has not been stopped."""
        services = self.services.get(device)
        return services[-1] if services and services[-1].stopped is None else None

    def begin(self, device: DeviceId, service: Service) -> None:
        """A new service."""
        self.services.setdefault(device, []).append(service)
        self._save()

    def change(self, device: DeviceId, service: Service) -> None:
        """The newest service, changed."""
        self.services[device][-1] = service
        self._save()

    def _save(self) -> None:
        if self.path is None:
            return
        stored = {device: [_dump(service) for service in services] for device, services in self.services.items()}
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps(stored), encoding="utf-8")
        draft.replace(self.path)


class SimNode:
    """A network's program for the devices of a rig that does not exist."""

    def __init__(self, network: NetworkId, clock: Clock, manner: Manner, memory: Memory) -> None:
        self._network = network
        self._clock = clock
        self._manner = manner
        self._memory = memory

    def observe(self, device: Device) -> Observation:
        """What a look from outside would show now."""
        now = self._clock.now()
        service = self._memory.last(device.id)
        if service is None:
            return Observation(device.id, None, Phase.ABSENT, now)
        return Observation(device.id, service.venue, _phase(service, now), now, _leases(service, now))

    def start(self, device: Device, venue: Venue) -> None:
        """Boot; a node that runs already goes on, and takes new work again. Raises NodeFault for another market than it serves."""
        service = self._memory.last(device.id)
        now = self._clock.now()
        if service is None:
            self._memory.begin(device.id, Service(venue, now, self._ready(device, now)))
        elif service.venue != venue:
            raise NodeFault(self._network, f"{device.label} serves {service.venue}: stop it before {venue} starts")
        elif service.empty is not None:
            self._memory.change(device.id, replace(service, empty=None))

    def drain(self, device: Device) -> None:
        """Take no new work."""
        service = self._memory.last(device.id)
        if service is not None and service.empty is None:
            now = self._clock.now()
            took = self._drawn(device, now, self._manner.drain)
            self._memory.change(device.id, replace(service, empty=now + took))

    def stop(self, device: Device) -> None:
        """Gone at once."""
        service = self._memory.last(device.id)
        if service is not None:
            self._memory.change(device.id, replace(service, stopped=self._clock.now()))

    def served(self, since: datetime) -> Iterator[tuple[DeviceId, Service]]:
        """Every service that went on after an instant."""
        for device, services in self._memory.services.items():
            for service in reversed(services):
                if service.stopped is not None and service.stopped <= since:
                    break
                yield device, service

    def next_change(self, now: datetime) -> datetime | None:
        """The next instant at which a node changes by itself."""
        coming = [
            at
            for device in self._memory.services
            if (service := self._memory.last(device)) is not None
            for at in (service.ready, service.empty)
            if at is not None and at > now
        ]
        return min(coming, default=None)

    def _ready(self, device: Device, now: datetime) -> datetime | None:
        if self._luck(device, now).random() < self._manner.faults:
            return None
        return now + self._drawn(device, now, self._manner.boot)

    def _drawn(self, device: Device, now: datetime, span: timedelta) -> timedelta:
        if not self._manner.jitter:
            return span
        return span * (1 + self._manner.jitter * self._luck(device, now).uniform(-1, 1))

    def _luck(self, device: Device, now: datetime) -> Random:
        """The same draws for the same order, whoever asks again after a crash."""
        return Random(f"{self._manner.seed}/{self._network}/{device.id}/{now.isoformat()}")  # noqa: S311  # a simulation, not a secret


def _phase(service: Service, now: datetime) -> Phase:
    if service.ready is None or now < service.ready:
        return Phase.STARTING
    if service.empty is None:
        return Phase.READY
    return Phase.DRAINING


def _leases(service: Service, now: datetime) -> tuple[Lease, ...]:
    """A drain that takes time is a job that runs on, and that nobody may break."""
    if service.empty is None or now >= service.empty:
        return ()
    return (Lease("last job", service.started, service.empty),)


def _dump(service: Service) -> list[str | None]:
    times = (service.started, service.ready, service.empty, service.stopped)
    return [service.venue.network, service.venue.market, *(at.isoformat() if at else None for at in times)]


def _load(row: list[str]) -> Service:
    network, market, started, *times = row
    ready, empty, stopped = (datetime.fromisoformat(at) if at else None for at in times)
    return Service(Venue(NetworkId(network), market), datetime.fromisoformat(started), ready, empty, stopped)

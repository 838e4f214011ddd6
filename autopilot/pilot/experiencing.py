"""Turning what is seen of the nodes into hires, waits and lengths of jobs (docs/market.md §4).

Only what was seen counts. A wait goes on from one look to the next; where nobody looked in between (a restart, a node that
could not be asked), there may have been a job, so that time is neither a wait nor a hire. A lease that ran already at the
first look is nobody's hire, and its length is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from autopilot import occupancy
from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.experience import Experience, Hire, Tally
from autopilot.model.market import Answer, Quote
from autopilot.model.node import Lease, Observation, Phase, Placement
from autopilot.occupancy import aged, known
from autopilot.pilot.observing import Sightings, end_of
from autopilot.pilot.world import World
from autopilot.units import HOUR

_UNSEEN = timedelta(hours=2)
"""A look after a longer time than this follows no other: the host slept, or the clock jumped."""


@dataclass(frozen=True, slots=True)
class _Stint:
    """A device at a venue, as it was last seen there."""

    venue: Venue
    at: datetime
    hireable: bool
    """Whether it would be given work from then on."""
    running: Mapping[str, tuple[Hire, Lease]]


@dataclass(frozen=True, slots=True)
class _Public:
    """What a venue publishes for a device, in hours and per hour."""

    hazard: float
    """Of a typical rig, as likely by all that is known."""
    length: float


class Experiencer:
    """The running sums of every device, on the disk as soon as they have grown."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._book = world.store.experience
        self._models = {device.id: device.model for device in world.devices}
        self._tallies = {(venue, device): (at, tally) for venue, device, at, tally in self._book.tallies()}
        self._odds = {(venue, model): (as_of, odds) for venue, model, as_of, odds in self._book.odds()}
        self._known = {(hire.device, hire.venue, hire.lease): hire for hire in self._book.running()}
        self._stints: dict[DeviceId, _Stint] = {}
        self._public: dict[tuple[Venue, DeviceId], _Public] = {}
        """In force since the last look."""
        self._grown: set[tuple[Venue, DeviceId]] = set()
        self._learned: set[tuple[Venue, str]] = set()
        self._began: list[Hire] = []
        self._over: list[Hire] = []

    def experience(self, now: datetime) -> Experience:
        """All that is known at this instant."""
        tallies = ((*key, at, tally) for key, (at, tally) in self._tallies.items())
        return known(tallies, ((*key, *odds) for key, odds in self._odds.items()), now)

    def publish(self, answers: Mapping[tuple[Venue, DeviceId], Answer]) -> None:
        """Follow the figures that the venues publish, and wait by them from now on. One that is paid for every hour is hired by nobody."""
        jobs = {key: answer for key, answer in answers.items() if isinstance(answer, Quote) and occupancy.for_jobs(answer)}
        for (venue, device), quote in jobs.items():
            self._follow((venue, self._models[device]), quote)
        if self._learned:
            with self._world.store.atomic():
                self._keep_odds()
        self._public = {key: self._published(key, quote) for key, quote in jobs.items()}

    def _follow(self, key: tuple[Venue, str], quote: Quote) -> None:
        told = occupancy.told(quote)
        if key not in self._odds:
            odds = occupancy.first(told)
        else:
            as_of, before = self._odds[key]
            if quote.as_of <= as_of:
                return
            odds = occupancy.followed(before, told, (quote.as_of - as_of) / HOUR)
        self._odds[key] = (quote.as_of, odds)
        self._learned.add(key)

    def _published(self, key: tuple[Venue, DeviceId], quote: Quote) -> _Public:
        venue, device = key
        _, odds = self._odds[venue, self._models[device]]
        length = occupancy.published_length(quote)
        return _Public(occupancy.public_load(odds) / length, length)

    def look(self, placements: Mapping[DeviceId, Placement], sightings: Mapping[DeviceId, Sightings], now: datetime) -> None:
        """Compare what is seen of every device with the last look, and keep what it comes to."""
        for device in self._world.devices:
            venue = placements[device.id].venue
            seen = sightings[device.id].get(venue.network)
            self._stints.pop(device.id, None) if seen is None else self._see(device, venue, end_of(seen, venue), now)
        if not (self._grown or self._began or self._over):
            return
        with self._world.store.atomic():
            self._book.add((*key, *self._tallies[key]) for key in sorted(self._grown))
            self._keep_odds()
            for hire in self._over:
                self._book.ended(hire, now)
            for hire in self._began:
                self._book.hired(hire, now)
        self._grown.clear()
        self._over.clear()
        self._began.clear()

    def _see(self, device: Device, venue: Venue, seen: Observation, now: datetime) -> None:
        last = self._stints.pop(device.id, None)
        if seen.phase is Phase.UNKNOWN or not seen.tells_work:
            return
        before = last if last is not None and last.venue == venue and now - last.at <= _UNSEEN else None
        leases = {} if venue == IDLE else _leases(seen)
        if before is not None:
            self._finish(device, before, leases, seen)
            self._wait(device, before, leases, seen)
        running = {ident: (self._hire(device, venue, lease, before), lease) for ident, lease in leases.items()}
        self._stints[device.id] = _Stint(venue, now, seen.phase.serves and venue != IDLE, running)
        for key, hire in list(self._known.items()):
            if hire.device == device.id and (hire.venue != venue or hire.lease not in running):
                self._over.append(self._known.pop(key))

    def _finish(self, device: Device, before: _Stint, leases: Mapping[str, Lease], seen: Observation) -> None:
        """The jobs that are over, and how long they were; of one that vanished with its node, nobody knows."""
        public = self._public.get((before.venue, device.id))
        for ident, (hire, lease) in before.running.items():
            told = lease.until is not None and lease.until <= seen.at
            if public is None or ident in leases or hire.since is None or not (told or seen.phase.lit):
                continue
            end = lease.until if told and lease.until else seen.at
            hours = occupancy.capped((end - hire.since) / HOUR, public.length)
            tally = self._tally(before.venue, device, end)
            self._keep(before.venue, device, end, replace(tally, jobs=tally.jobs + 1.0, hours=tally.hours + hours))

    def _wait(self, device: Device, before: _Stint, leases: Mapping[str, Lease], seen: Observation) -> None:
        """The time between two looks in which the device waited: from the last job's end, or the look, to the next one's beginning."""
        public = self._public.get((before.venue, device.id))
        if public is None or not before.hireable or any(ident in leases for ident in before.running):
            return
        news = [lease.since for lease in leases.values()]
        end = min(min(news, default=seen.at if seen.phase.serves else before.at), seen.at)
        start = max((lease.until or end for _, lease in before.running.values()), default=before.at)
        if before.at <= start < end:
            tally = self._tally(before.venue, device, start)
            expected = occupancy.waited(tally.expected, public.hazard, (end - start) / HOUR)
            self._keep(before.venue, device, end, replace(aged(tally, end - start), expected=expected))
            self._learn(before.venue, device, waited=(end - start) / HOUR / public.length)

    def _hire(self, device: Device, venue: Venue, lease: Lease, before: _Stint | None) -> Hire:
        """The hire that a lease is: one that is known, or a new one, which counts where the device was seen to be ready for it."""
        key = (device.id, venue, lease.id)
        if key not in self._known:
            witnessed = before is not None and before.hireable
            self._known[key] = Hire(device.id, venue, lease.id, lease.since if witnessed else None)
            self._began.append(self._known[key])
            if witnessed and (venue, device.id) in self._public:
                tally = self._tally(venue, device, lease.since)
                self._keep(venue, device, lease.since, replace(tally, hires=tally.hires + 1.0))
                self._learn(venue, device, hires=1.0)
        return self._known[key]

    def _tally(self, venue: Venue, device: Device, at: datetime) -> Tally:
        """A device's sums, carried to an instant."""
        since, tally = self._tallies.get((venue, device.id), (at, Tally(device.model)))
        return aged(tally, at - since)

    def _keep(self, venue: Venue, device: Device, at: datetime, tally: Tally) -> None:
        key = (venue, device.id)
        self._tallies[key] = (max(at, self._tallies[key][0]) if key in self._tallies else at, tally)
        self._grown.add(key)

    def _learn(self, venue: Venue, device: Device, hires: float = 0.0, waited: float = 0.0) -> None:
        """Add to what the rig has seen since the venue's newest figure, whichever of its GPUs it was."""
        as_of, odds = self._odds[venue, device.model]
        self._odds[venue, device.model] = (as_of, odds._replace(hires=odds.hires + hires, waited=odds.waited + waited))
        self._learned.add((venue, device.model))

    def _keep_odds(self) -> None:
        self._book.publish((*key, *self._odds[key]) for key in sorted(self._learned))
        self._learned.clear()


def _leases(seen: Observation) -> dict[str, Lease]:
    """What runs; a node that is busy and names no lease has one without a name."""
    if seen.phase is Phase.BUSY and not seen.leases:
        return {"": Lease("", seen.at)}
    return {lease.id: lease for lease in seen.leases}

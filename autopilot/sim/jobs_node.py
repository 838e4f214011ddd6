"""A simulated node that is hired: jobs come and go by the tape, and every one of them is a lease."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile

from autopilot.clock import Clock
from autopilot.errors import NodeFault
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Lease, Observation, Payout, Phase
from autopilot.sim.jobs import Tape, snapped, to_hours, wait
from autopilot.sim.jobs_setting import Jobs
from autopilot.units import HOUR, UsdPerHour, hour_start


@dataclass(frozen=True, eq=False)
class JobsMarket:
    """A tape in the calendar, and how its jobs end."""

    tape: Tape
    start: datetime
    """Of the first scored hour."""
    jobs: Jobs = field(default_factory=Jobs)

    def hours(self, at: datetime) -> float:
        """The instant as the tape counts it."""
        return to_hours(at - self.start)

    def at(self, hours: float) -> datetime:
        """The instant that the tape counts so."""
        return self.start + timedelta(hours=hours)


@dataclass(slots=True)
class Seat:
    """One device at the node's venue. Its luck outlasts its stays; times are the tape's hours."""

    need: float
    """Exposure that the next hire still takes."""
    hires: int = 0
    ready: float | None = None
    """When it serves; None while it is absent."""
    drains: bool = False
    since: float | None = None
    """When the present wait began; None while it does not wait for work."""
    due: float = 0.0
    """When that wait ends with a hire."""
    lease: Lease | None = None
    until: float = 0.0
    """When the lease ends."""
    paid: float = 0.0
    """Until when payouts have been made."""
    payouts: list[Payout] = field(default_factory=list)


class JobsMemory(dict[DeviceId, Seat]):
    """What the node's host remembers, whatever becomes of the autopilot."""


class JobsNode:
    """The program of one network with one venue, for the devices of a rig, each with draws of its own."""

    def __init__(
        self, network: NetworkId, clock: Clock, market: JobsMarket, devices: Sequence[Device], boot: timedelta, memory: JobsMemory
    ) -> None:
        self._network = network
        self._venue = Venue(network)
        self._clock = clock
        self._market = market
        self._truth = market.tape.truth
        self._column = market.tape.venues.index(network)
        self._boot = boot
        self._numbers = {device.id: number for number, device in enumerate(devices)}
        self._seats = memory

    def observe(self, device: Device) -> Observation:
        """What a look from outside would show now: READY while it waits, BUSY with its lease."""
        now = self._clock.now()
        seat = self._seat(device.id)
        if seat.ready is None:
            return Observation(device.id, None, Phase.ABSENT, now)
        leases = (seat.lease,) if seat.lease else ()
        return Observation(device.id, self._venue, self._phase(seat), now, leases)

    def start(self, device: Device, venue: Venue) -> None:
        """Boot, and wait for work; this also undoes a drain. Raises NodeFault for a market that the network has not."""
        if venue != self._venue:
            raise NodeFault(self._network, f"there is no {venue} to serve {device.label} at")
        seat, now = self._seat(device.id), self._market.hours(self._clock.now())
        if seat.ready is None:
            seat.ready = seat.paid = self._market.hours(self._clock.now() + self._boot)
            self._advance(device.id, seat, now)
        elif seat.drains:
            seat.drains = False
            if seat.lease is None and seat.ready <= now:
                self._begin_wait(seat, now)

    def drain(self, device: Device) -> None:
        """Take no new work. The job that runs is paid to its end."""
        seat = self._seat(device.id)
        if seat.ready is not None:
            self._end_wait(seat)
            seat.drains = True

    def stop(self, device: Device) -> None:
        """Gone at once. A job that runs is broken: it is paid until now, less the forfeit."""
        seat, now = self._seat(device.id), self._market.hours(self._clock.now())
        if seat.ready is None:
            return
        self._end_wait(seat)
        self._pay(device.id, seat, now)
        if seat.lease and self._market.jobs.forfeit:
            at = self._clock.now()
            # Due a moment later: payouts that end now may have been told already.
            due = at + timedelta(microseconds=1)
            seat.payouts.append(Payout(f"{seat.lease.id} broken", self._venue, device.id, at, due, -self._market.jobs.forfeit))
        seat.ready, seat.drains, seat.lease = None, False, None

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """What was really earned: the pay that each job locked, and idle pay, in pieces that end with an hour, a wait or a job."""
        told: list[Payout] = []
        for device in self._numbers:
            newest = reversed(self._seat(device).payouts)
            told += takewhile(lambda payout: payout.end > since, newest)
        return told

    def next_change(self, now: datetime) -> datetime | None:
        """The next instant at which the node changes by itself: it is up, hired, or a job has ended."""
        present = self._market.hours(now)
        coming = [at for device in self._numbers for at in self._changes(self._seat(device)) if at > present]
        return self._market.at(min(coming)) if coming else None

    def _changes(self, seat: Seat) -> list[float]:
        if seat.ready is None:
            return []
        return [seat.ready, *([seat.until] if seat.lease else []), *([seat.due] if seat.since is not None else [])]

    def _phase(self, seat: Seat) -> Phase:
        if seat.ready is None or self._market.hours(self._clock.now()) < seat.ready:
            return Phase.STARTING
        if seat.drains:
            return Phase.DRAINING
        return Phase.BUSY if seat.lease else Phase.READY

    def _seat(self, device: DeviceId) -> Seat:
        """The device's seat as it stands now."""
        if device not in self._seats:
            self._seats[device] = Seat(float(self._truth.waits[self._column, self._numbers[device], 0]))
        seat = self._seats[device]
        self._advance(device, seat, self._market.hours(self._clock.now()))
        return seat

    def _advance(self, device: DeviceId, seat: Seat, now: float) -> None:
        """Let happen what has happened by now."""
        if seat.ready is None or now < seat.ready:
            return
        if seat.lease is None and seat.since is None and not seat.drains:
            self._begin_wait(seat, seat.ready)
        while True:
            if seat.lease and seat.until <= now:
                self._pay(device, seat, seat.until)
                seat.lease = None
                if not seat.drains:
                    self._begin_wait(seat, seat.until)
            elif seat.since is not None and seat.due <= now and seat.due < self._market.tape.hours:
                self._hire(device, seat)
            else:
                break
        self._pay(device, seat, float(int(now)))

    def _begin_wait(self, seat: Seat, at: float) -> None:
        seat.since = at
        seat.due, _ = wait(self._truth, self._column, at, self._market.tape.hours, self._came(seat), seat.need)

    def _end_wait(self, seat: Seat) -> None:
        """Nobody hires it any more. What it has waited through counts for the next time."""
        if seat.since is not None:
            now = self._market.hours(self._clock.now())
            _, seat.need = wait(self._truth, self._column, seat.since, now, self._came(seat), seat.need)
            seat.since = None

    def _came(self, seat: Seat) -> float:
        return seat.ready or 0.0

    def _hire(self, device: DeviceId, seat: Seat) -> None:
        truth, column, number = self._truth, self._column, self._numbers[device]
        self._pay(device, seat, seat.due)
        hour = int(seat.due)
        seat.until = snapped(seat.due + truth.job_hours[hour, column] * truth.lengths[column, number, seat.hires])
        seat.hires += 1
        seat.need = float(truth.waits[column, number, seat.hires])
        seat.since = None
        jobs, pays = self._market.jobs, UsdPerHour.nearest(truth.pay[hour, column])
        end = self._market.at(seat.until) if jobs.end_known else None
        seat.lease = Lease(f"{self._network}-{device}-{seat.hires}", self._market.at(seat.due), end, jobs.breakable, pays)

    def _pay(self, device: DeviceId, seat: Seat, until: float) -> None:
        """Make the payouts until then, each within an hour."""
        start, end = self._market.at(seat.paid), self._market.at(min(until, float(self._market.tape.hours)))
        while start < end:
            stop = min(hour_start(start) + HOUR, end)
            amount = self._rate(seat, start) * (stop - start)
            if amount:
                ident = f"{seat.lease.id if seat.lease else f'{device} waits'}@{start.isoformat()}"
                seat.payouts.append(Payout(ident, self._venue, device, start, stop, amount))
            start = stop
        seat.paid = max(seat.paid, until)

    def _rate(self, seat: Seat, at: datetime) -> UsdPerHour:
        if seat.lease and seat.lease.pays is not None:
            return seat.lease.pays
        return UsdPerHour.nearest(self._truth.idle[int(self._market.hours(at)), self._column])

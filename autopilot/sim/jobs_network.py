"""A simulated network that hires: an adapter like any other, whose market is a tape of the jobs model (docs/market.md §1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import isnan

from autopilot.clock import Clock
from autopilot.contracts import Scope
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.market import NO_QUOTE_LIFE, Answer, Basis, NoQuote, Quote
from autopilot.model.node import Observation
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.sim.jobs import remaining, to_hours
from autopilot.sim.jobs_node import JobsMarket, JobsMemory, JobsNode
from autopilot.units import HOUR, Share, Usd, UsdPerHour, hour_start


class JobsNetwork:
    """One network of a tape. What it quotes is what the public is told; what it pays is what really happens."""

    scope = Scope.DEVICE
    history = None

    def __init__(
        self,
        network: NetworkId,
        clock: Clock,
        market: JobsMarket,
        devices: Sequence[Device],
        boot: timedelta = timedelta(0),
        fee: Usd = Usd(0),
        *,
        late: int = 1,
        memory: JobsMemory | None = None,
    ) -> None:
        self.network = network
        self.node = JobsNode(network, clock, market, devices, boot, JobsMemory() if memory is None else memory)
        self._clock = clock
        self._market = market
        self._column = market.tape.venues.index(network)
        # Waiting behind others costs about as much as coming later by half the queue.
        self._entry = EntryCost(boot, ramp=timedelta(hours=market.tape.truth.queue / 2), fee=fee)
        self._late = late * HOUR

    @property
    def rates(self) -> JobsNetwork:
        return self

    @property
    def payouts(self) -> JobsNode:
        return self.node

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """What the public is told now."""
        return [self._answer(device) for device in devices]

    def _answer(self, device: Device) -> Answer:
        now, venue = self._clock.now(), Venue(self.network)
        hour = hour_start(now)
        # A figure describes the end of its hour; with no lag it is that of the hour that begins now.
        as_of = hour - self._late + min(self._late, HOUR)
        shown, cell = self._market.tape.shown, (int(self._market.hours(hour)), self._column)
        known = 0 <= cell[0] < self._market.tape.hours and not isnan(shown.pay[cell])
        if not known:
            return NoQuote(venue, device.id, now, "no rate in this hour", as_of)
        return Quote(
            venue,
            device.id,
            UsdPerHour.nearest(shown.pay[cell]),
            as_of,
            now,
            now + NO_QUOTE_LIFE,
            Basis.ASK,
            "tape",
            UsdPerHour.nearest(shown.idle[cell]),
            Share.nearest(shown.occupancy[cell]),
            timedelta(hours=shown.job_hours[cell]),
        )

    def exit_cost(self, seen: Observation) -> ExitCost:
        """How long the job that runs is expected to go on, by the length that jobs are said to have; and what breaking it costs."""
        if not seen.leases:
            return ExitCost()
        lease, jobs = seen.leases[0], self._market.jobs
        forfeits = jobs.forfeit if lease.breakable else Usd(0)
        if lease.until is not None:
            return ExitCost(max(lease.until - seen.at, timedelta(0)), forfeits)
        hour = min(int(self._market.hours(seen.at)), self._market.tape.hours - 1)
        mean = float(self._market.tape.shown.job_hours[hour, self._column])
        left = remaining(to_hours(seen.at - lease.since), mean, self._market.tape.sigmas[self._column])
        return ExitCost(timedelta(hours=left), forfeits)

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002
        """The boot, the queue and the fee, the same for all."""
        return self._entry

    def close(self) -> None:
        """Nothing is open."""

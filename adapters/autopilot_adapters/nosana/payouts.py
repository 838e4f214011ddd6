"""What our own nodes were paid, job by job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.clock import Clock
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.node import Payout
from autopilot.units import UsdPerHour
from autopilot_adapters.nosana.answers import Job
from autopilot_adapters.nosana.directory import Directory
from autopilot_adapters.nosana.wire import PAGE, Api

_MOST_PAGES = 10
"""For each node in one call: the list is limited to 20 requests in 30 s. The newest 500 jobs are told, older ones never."""
_PATIENCE = timedelta(days=1)
"""So long after its end a job without a price is waited for; those that ended later are held back with it, lest it be skipped."""


class JobPayouts:
    """The jobs that our nodes have finished. A node of several GPUs shares its pay among them."""

    def __init__(self, network: NetworkId, clock: Clock, api: Api, directory: Directory, nodes: Mapping[str, str]) -> None:
        """``nodes`` names the node of each device."""
        self._network = network
        self._clock = clock
        self._api = api
        self._directory = directory
        self._nodes = nodes

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """Every job that ended after the instant, for each of the node's devices."""
        slugs = {market.address: market.slug for market in self._directory.markets()}
        paid = []
        for node in sorted(set(self._nodes.values())):
            devices = [DeviceId(device) for device, each in self._nodes.items() if each == node]
            for job, usd_per_hour in self._priced(node, since):
                venue = Venue(self._network, slugs.get(job.market, job.market))
                rate = UsdPerHour.of(usd_per_hour / len(devices))
                idents = {device: f"{job.address}/{device}" if len(devices) > 1 else job.address for device in devices}
                paid += [Payout(ident, venue, device, job.start, job.end, rate * job.paid) for device, ident in idents.items()]
        return paid

    def _priced(self, node: str, since: datetime) -> Iterator[tuple[Job, Decimal]]:
        """Finished jobs with what an hour was paid, oldest first, up to the first whose price is still to come."""
        for job in sorted(self._finished(node, since), key=lambda job: job.end):
            if job.usd_per_hour is not None:
                yield job, job.usd_per_hour
            elif self._clock.now() - job.end < _PATIENCE:
                return

    def _finished(self, node: str, since: datetime) -> Iterator[Job]:
        """Newest first. A node runs one job after the other, so the first that is too old ends the search."""
        for page in range(_MOST_PAGES):
            jobs = self._api.jobs(node, page * PAGE).value
            for job in jobs:
                if job.end <= since:
                    return
                if job.start < job.end:
                    yield job
            if len(jobs) < PAGE:
                return

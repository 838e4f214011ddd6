"""What our own nodes were paid, job by job: in NOS when a job ends, so all of it is settled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.clock import Clock
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.node import NativeAmount, Payout
from autopilot.units import UsdPerHour
from autopilot_adapters.nosana.answers import Job
from autopilot_adapters.nosana.directory import Directory
from autopilot_adapters.nosana.wire import PAGE, Api

_MOST_PAGES = 10
"""For all nodes in one call, but one for each: the list is limited to 20 requests in 30 s. Of the jobs of a node alone, the newest 500
are told, older ones never."""
_PATIENCE = timedelta(days=1)
"""So long after its end a job without a price is waited for; what ended later, on any node, is held back with it, lest it be skipped."""


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
        paid: list[Payout] = []
        for node, job, usd_per_hour in self._priced(since):
            devices = [DeviceId(device) for device, each in self._nodes.items() if each == node]
            venue = Venue(self._network, slugs.get(job.market, job.market))
            amount = UsdPerHour.of(usd_per_hour) * job.paid
            whole = Payout(job.address, venue, devices[0], job.start, job.end, amount, _native(job, usd_per_hour))
            paid += whole.among(devices)
        return paid

    def _priced(self, since: datetime) -> Iterator[tuple[str, Job, Decimal]]:
        """Finished jobs of all nodes with what an hour was paid, oldest first, up to the first whose price is still to come."""
        done = [(node, job) for node in sorted(set(self._nodes.values())) for job in self._finished(node, since)]
        now = self._clock.now()
        waits = min((job.end for _, job in done if job.usd_per_hour is None and now - job.end < _PATIENCE), default=None)
        for node, job in sorted(done, key=lambda each: each[1].end):
            if job.usd_per_hour is not None and (waits is None or job.end < waits):
                yield node, job, job.usd_per_hour

    def _finished(self, node: str, since: datetime) -> Iterator[Job]:
        """Newest first. A node runs one job after the other, so the first that is too old ends the search."""
        for page in range(max(1, _MOST_PAGES // len(set(self._nodes.values())))):
            jobs = self._api.jobs(node, page * PAGE).value
            for job in jobs:
                if job.end <= since:
                    return
                if job.start < job.end:
                    yield job
            if len(jobs) < PAGE:
                return


def _native(job: Job, usd_per_hour: Decimal) -> NativeAmount | None:
    """NOS by the price that was fixed when the job was listed, all of which goes to the host: the network's fee comes on top of it.

    The price of NOS is the one at which the network reckoned its dollars (nosana-programs: ``finish``; nosana-kit: its fixture of a job
    says 318 micro-NOS a second and 0.34934717 $ an hour). None where the job cost nothing.
    """
    if not job.price:
        return None
    seconds = Decimal(job.paid // timedelta(seconds=1))
    return NativeAmount("NOS", job.price * seconds, usd_per_hour / (job.price * 3600))

"""Where a node stands by the chain's word: in which queue, and at which job. The node's own word for its state is not to be relied on."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autopilot.clock import Clock
from autopilot.errors import Transient
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot_adapters.nosana.answers import Market
from autopilot_adapters.nosana.chain import Chain
from autopilot_adapters.nosana.codec import JobAccount, MarketAccount, RunAccount
from autopilot_adapters.nosana.directory import Directory
from autopilot_adapters.nosana.names import takes


@dataclass(frozen=True, slots=True)
class Standing:
    """One node at one instant."""

    queue: Market | None = None
    """The market in whose queue it waits."""
    place: int = 0
    """How many nodes wait there before it."""
    run: RunAccount | None = None
    """The job that it was given, from the moment of being given it."""
    job: JobAccount | None = None
    market: Market | None = None
    """That of the job."""

    @property
    def idle(self) -> bool:
        """Whether it waits for a job and has none: the one state in which it may be told to go without harm."""
        return self.queue is not None and self.run is None


@dataclass(frozen=True, slots=True)
class _Look:
    at: datetime
    markets: Sequence[Market]
    accounts: Mapping[str, MarketAccount | None]
    runs: Mapping[str, RunAccount]
    jobs: Mapping[str, JobAccount]

    def of(self, node: str) -> Standing:
        run = self.runs.get(node)
        job = self.jobs.get(run.job) if run else None
        market = next((each for each in self.markets if job and each.address == job.market), None)
        for each in self.markets:
            account = self.accounts.get(each.address)
            if account and node in account.nodes:
                return Standing(each, account.nodes.index(node), run, job, market)
        return Standing(run=run, job=job, market=market)


class Standings:
    """Asks the chain about all our nodes at once: two calls, and a third while one of them works.

    The public endpoint counts calls, so an answer stands for a while; whoever decides on it asks anew.
    """

    def __init__(
        self,
        network: NetworkId,
        clock: Clock,
        chain: Chain,
        directory: Directory,
        devices: Sequence[Device],
        nodes: Mapping[DeviceId, str],
        stands: timedelta,
    ) -> None:
        self.network = network
        self._clock = clock
        self._chain = chain
        self._directory = directory
        self._devices = [device for device in devices if device.id in nodes]
        self._nodes = nodes
        self._stands = stands
        self._turn = threading.Lock()
        self._last: _Look | None = None

    def of(self, node: str, *, anew: bool = False) -> Standing:
        """Where it stands, as the chain said it a while ago at most. Raises Transient or Refused."""
        with self._turn:
            last = self._last
            if anew or last is None or not timedelta(0) <= self._clock.now() - last.at < self._stands:
                last = self._last = self._look()
        return last.of(node)

    def _look(self) -> _Look:
        """The queues first: whoever is given a job in between is seen with it, rather than in neither place."""
        at, markets = self._clock.now(), self._directory.markets()
        suited = [market for market in markets if any(takes(market.gpu_types, device) for device in self._devices)]
        if not suited:
            raise Transient(self.network, "no market that takes our devices was listed yet, so no queue can be looked at")
        accounts = self._chain.markets([market.address for market in suited]).value
        ours = set(self._nodes.values())
        runs = {run.node: run for run in self._chain.runs().value if run.node in ours}
        jobs = self._chain.jobs([run.job for run in runs.values()]) if runs else {}
        return _Look(at, markets, accounts, runs, jobs)

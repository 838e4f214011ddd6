"""The job of a Nosana node, from the account on the chain that ties the two together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from autopilot.errors import Transient
from autopilot.kit.prices import TokenPrice
from autopilot.model.device import Device, DeviceId
from autopilot.model.node import Lease
from autopilot.units import UsdPerHour
from autopilot_adapters.nosana.codec import MOST_SECONDS
from autopilot_adapters.nosana.standing import Standing, Standings

_LAST = 2**32
"""Seconds: the year 2106."""

Price = Callable[[], TokenPrice | None]
"""What a NOS is worth, as last heard."""


class NosanaWork:
    """The job that a device runs.

    There is no way to be given no more: a node queues again after every job, ten seconds later. So a node that is to go is told so
    while it waits; where jobs wait for nodes it never does, and runs on until the switch gives up.
    """

    def __init__(self, nodes: Mapping[DeviceId, str], standings: Standings, price: Price) -> None:
        self._nodes = nodes
        self._standings = standings
        self._price = price
        self._told: dict[DeviceId, frozenset[str]] = {}

    def node(self, device: Device) -> str:
        """Its address. Raises Transient where the configuration names none, for then the chain cannot be asked."""
        node = self._nodes.get(device.id)
        if node is None:
            raise Transient(self._standings.network, f"{device.label} has no address in 'nodes', so nobody can be asked about it")
        return node

    def leases(self, device: Device) -> tuple[Lease, ...]:
        """The one job, from the moment it is given to the node. Raises Transient or Refused."""
        self._told.pop(device.id, None)  # where nobody answers, nothing is told
        lease = self._lease(self._standings.of(self.node(device)))
        leases = (lease,) if lease else ()
        self._told[device.id] = frozenset(each.id for each in leases)
        return leases

    def told(self, device: Device) -> Collection[str]:
        """The jobs that we last told of: whoever decided since then that the node must go knew of no other."""
        return self._told.get(device.id, frozenset())

    def refuse(self, device: Device) -> None:
        """Nothing that the network could be told."""

    def accept(self, device: Device) -> None:
        """Nothing that the network could be told."""

    def _lease(self, standing: Standing) -> Lease | None:
        run, job = standing.run, standing.job
        if run is None:
            return None
        since = _at(run.time)
        until = since + timedelta(seconds=job.timeout) if job and 0 <= job.timeout <= MOST_SECONDS else None
        return Lease(run.job, since, until, pays=self._pays(standing))

    def _pays(self, standing: Standing) -> UsdPerHour | None:
        """The price was fixed when the job was listed, in NOS, for all GPUs of the node."""
        price = self._price()
        if standing.job is None or price is None:
            return None
        nos_per_hour = Decimal(standing.job.price) * 3600 / 10**6
        return UsdPerHour.of(nos_per_hour * price.usd / (standing.market.gpus if standing.market else 1))


def _at(seconds: int) -> datetime:
    """An instant of the chain; the bounds of what a calendar holds stand in for a clock that went mad."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST), UTC)

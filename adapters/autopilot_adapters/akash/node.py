"""The node of Akash: its provider, a StatefulSet on the rig's own Kubernetes, scaled between 0 and 1 with all GPUs of the rig.

Akash has no way to say "no more": its price script has. It is the owner's, given to the chart as ``bidpricescript``, and must begin
with a line that looks for the file of ``refusal``, which is mounted from the host::

    [ -e /refusal/akash.refuse ] && exit 1

Scaled to 0 with leases in force, a provider leaves the tenants' pods on the GPUs and serves nobody: so it is only scaled down when the
provider and the chain say that there is none, and it counts as gone when no tenant's pod holds a GPU any more.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from autopilot.kit import Kit
from autopilot.kit.fields import SpanField, Table
from autopilot.kit.service import Look, ServiceNode, Shape
from autopilot.kit.service.cluster import server
from autopilot.kit.service.replica_set import Replicas, ReplicaSetShape
from autopilot.model.device import Device, Venue
from autopilot_adapters.akash.chain import NODES, Chain
from autopilot_adapters.akash.status import ProviderStatus
from autopilot_adapters.akash.work import AkashWork, Price

GRACE = timedelta(seconds=60)
"""For closing the bids that nobody took."""
TENANTS = "akash.network=true"
"""The label of what a provider runs for its tenants."""


class NodeSettings(Table):
    """What ``[networks.akash.node]`` may say."""

    refusal: Path
    """The file that the price script looks for. Its folder must be there, and be mounted into the provider's pod."""
    status: str = "https://127.0.0.1:8443/status"
    """Where the provider tells of itself."""
    certificate: Path | None = None
    """A copy of the provider's certificate, as PEM. Without it, any is taken: who could answer in its place could hide leases from us,
    but not from the chain."""
    chain: tuple[str, ...] = Field(default=NODES, min_length=1)
    """The REST addresses of full nodes, in the order in which to try."""
    kubeconfig: Path | None = None
    """How to reach the cluster; KUBECONFIG and the usual places without."""
    host: str = ""
    """The name of this host in the cluster; its host name without."""
    namespace: str = "akash-services"
    name: str = "akash-provider"
    look: SpanField = Field(default=timedelta(seconds=90), ge=timedelta(0))
    """How long what was said of the leases stands. A stop is never decided on an old answer."""


class ProviderShape:
    """The provider, which takes bids again whenever it is brought up, and does not go from tenants that nobody knew of."""

    def __init__(self, shape: Shape, work: AkashWork) -> None:
        self._shape = shape
        self._work = work

    def look(self, device: Device) -> Look:
        """As the cluster shows it."""
        return self._shape.look(device)

    def launch(self, device: Device, venue: Venue) -> None:
        """Scale it up. The file of an old drain would have it refuse for ever."""
        self._work.accept(device)
        self._shape.launch(device, venue)

    def end(self, device: Device, grace: timedelta) -> None:
        """Scale it down. A lease that began since this was decided is honoured: the next look shows it. Raises Transient in doubt."""
        if not self._work.unheard_of():
            self._shape.end(device, grace)


class ProviderNode(ServiceNode):
    """The driver, and the connections that it holds."""

    def __init__(self, kit: Kit, shape: Shape, work: AkashWork, status: ProviderStatus) -> None:
        super().__init__(kit.network, kit.clock, ProviderShape(shape, work), kit.folder, work, grace=GRACE)
        self.close = status.close


def managed(kit: Kit, settings: NodeSettings, provider: str, block: timedelta, price: Price) -> ProviderNode:
    """The driver of the provider with this address. Raises ConfigError for a certificate that is none."""
    status = ProviderStatus(kit.network, kit.clock, settings.status, settings.certificate, provider)
    chain = Chain(kit.http, kit.clock, settings.chain)
    refusal = settings.refusal.expanduser()
    work = AkashWork(kit, provider, status, chain, refusal, stands=settings.look, block=block, price=price)
    replicas = Replicas(settings.name, settings.namespace, node=settings.host, tenants=TENANTS)
    shape = ReplicaSetShape(kit.network, kit.clock, replicas, lambda: server(settings.kubeconfig))
    return ProviderNode(kit, shape, work, status)

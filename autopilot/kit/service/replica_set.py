"""A program as a StatefulSet or Deployment of Kubernetes, of a device or of the whole rig. The owner installed it; we scale it.

Annotations on the object itself say that it was scaled up by us, for which market, and when it was asked to go: whoever looks at the
cluster sees them, and no file of ours can be lost that says so. What was scaled up without them, or after we had scaled it down, is
somebody else's, and is never ended. ABSENT is said when nothing is wanted, no pod is left, and the controller has seen that.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from autopilot.clock import Clock
from autopilot.errors import NodeFault, Transient
from autopilot.kit.service.cluster import Cluster, Connect, Kind, server
from autopilot.kit.service.pods import Kept, Pod
from autopilot.kit.service.shape import ABSENT, Look
from autopilot.kit.service.words import filled
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import Phase

_MARK = "yield-autopilot"
_MARKET, _ASKED = f"{_MARK}.market", f"{_MARK}.asked"
_TRIES = 5
"""A controller may write its status between our look and our word, which is then not taken."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """What to scale for a device. ``{device}``, ``{index}`` and ``{market}`` are filled in as for a process.

    A name without ``{device}`` and ``{index}`` serves the whole rig.
    """

    name: str
    namespace: str = "default"
    kind: Kind = "StatefulSet"
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that are set in the pod's template before it is scaled up."""
    container: str = ""
    """Whose variables; the first container where none is named."""
    node: str = ""
    """This host's name in the cluster; its host name where none is given."""
    tenants: str = ""
    """A label selector of the pods that this program starts for others, as ``akash.network=true``: as long as one of them holds a GPU
    of this host, the program is not ABSENT, whatever it is scaled to."""


@dataclass(frozen=True, slots=True)
class GpuPod:
    """A pod that holds GPUs of this host."""

    namespace: str
    name: str
    gpus: int

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name} ({self.gpus} GPU{'' if self.gpus == 1 else 's'})"


class ReplicaSetShape:
    """Scales what the owner installed between 0 and 1."""

    def __init__(self, network: NetworkId, clock: Clock, replicas: Replicas, connect: Connect = server) -> None:
        self._network = network
        self._clock = clock
        self._replicas = replicas
        self._cluster = Cluster(network, connect)

    def look(self, device: Device) -> Look:
        """By what is wanted and by the pods that there are: image, exit code, restarts and scheduler are in the note."""
        kept = self._read(device)
        rests = kept is None or self._cluster.rests(kept)
        pods = self._pods(device)  # after it was seen that no more are made
        if kept is None:
            return Look(Phase.DRAINING, note=f"deleted; {_names(pods)} may still run", ours=False) if pods else self._gone(None)
        venue = self._venue(kept)
        if rests and not pods:
            return self._gone(venue)
        wanted = kept.spec.replicas and kept.metadata.deletion_timestamp is None
        look = self._up(kept, pods) if wanted else Look(Phase.DRAINING, note=_going(pods))
        if self._ours(kept):
            return replace(look, venue=venue)
        remedy = f"to hand it over: kubectl annotate --overwrite {kept.path} {_MARK}={self._network} {_ASKED}-"
        return replace(look, note="; ".join(filter(None, (look.note, remedy))), ours=False)

    def _gone(self, venue: Venue | None) -> Look:
        """Nothing of the program is left; what it started for others may be."""
        held = self.gpu_pods(self._replicas.tenants) if self._replicas.tenants else ()
        if not held:
            return ABSENT
        return Look(Phase.FAULT, venue, f"it is down, and GPUs are held for it by {_listed(held)}", lives=True)

    def _up(self, kept: Kept, pods: Sequence[Pod]) -> Look:
        if any(pod.ready for pod in pods):
            return Look(Phase.READY)
        if trouble := next((f"{pod.path}: {pod.trouble}" for pod in pods if pod.trouble), ""):
            return Look(Phase.FAULT, note=trouble, lives=True)
        if waits_for := next((pod.waits_for for pod in pods if pod.waits_for), ""):
            return Look(Phase.STARTING, note=f"{waits_for}; {self._holders()}")
        return Look(Phase.STARTING, note="its pod is not ready yet" if pods else self._cluster.complaint(kept) or "it has no pod yet")

    def _holders(self) -> str:
        try:
            return f"GPUs are held by {_listed(self.gpu_pods())}"
        except Transient as error:
            return str(error)

    def gpu_pods(self, selector: str = "") -> tuple[GpuPod, ...]:
        """The pods of every namespace that hold GPUs of this host, or those with these labels. Transient where that cannot be told."""
        pods = self._cluster.pods_on(self._replicas.node or socket.gethostname().lower(), selector)
        return tuple(GpuPod(pod.metadata.namespace, pod.metadata.name, pod.gpus) for pod in pods if pod.lives and pod.gpus)

    def launch(self, device: Device, venue: Venue) -> None:
        """Mark it as ours, then scale it to 1. A pod that cannot come up is made anew.

        Raises NodeFault where there is no such object, where somebody else scaled it up, or where the API server refuses.
        """
        any(self._scaled_up(device, venue) for _ in range(_TRIES))
        for pod in self._pods(device):
            if pod.trouble:
                self._cluster.kill(pod)

    def _scaled_up(self, device: Device, venue: Venue) -> bool:
        kept = self._read(device)
        if kept is None:
            raise NodeFault(self._network, f"the cluster has no {self._replicas.kind} {self._replicas.namespace}/{self._name(device)}")
        if kept.spec.replicas and not self._ours(kept):
            raise NodeFault(self._network, f"{kept.kind} {kept.metadata.name} was scaled up by somebody else: nothing is started there")
        env = {name: filled(value, device, venue) for name, value in self._replicas.env.items()}
        marked = self._cluster.mark(kept, {_MARK: self._network, _MARKET: venue.market, _ASKED: None}, env, self._replicas.container)
        return marked is not None and self._cluster.scale(marked, 1)

    def end(self, device: Device, grace: timedelta) -> None:
        """Scale to 0, whereupon its pods are asked to go; SIGKILL to those that are left when that was ``grace`` ago.

        The time is written after it was told: a crash in between costs a second telling, not a pod that nobody ever asked.
        """
        any(self._told_to_go(device) for _ in range(_TRIES))
        kept = self._read(device)
        asked = _asked(kept) if kept and self._ours(kept) else None
        if asked is not None and self._clock.now() - asked >= grace:
            for pod in self._pods(device):
                self._cluster.kill(pod)

    def _told_to_go(self, device: Device) -> bool:
        kept = self._read(device)
        if kept is None or not self._ours(kept):
            return True
        if kept.spec.replicas:
            self._cluster.scale(kept, 0)
            return False
        return _asked(kept) is not None or self._cluster.mark(kept, {_ASKED: self._clock.now().isoformat()}, {}) is not None

    def _ours(self, kept: Kept) -> bool:
        """Whether we scaled it up, and it was not scaled up again since we scaled it down."""
        return kept.marks.get(_MARK) == self._network and not (kept.spec.replicas and _ASKED in kept.marks)

    def _venue(self, kept: Kept) -> Venue | None:
        market = kept.marks.get(_MARKET)
        return None if market is None or kept.marks.get(_MARK) != self._network else Venue(self._network, market)

    def _read(self, device: Device) -> Kept | None:
        return self._cluster.read(self._replicas.kind, self._replicas.namespace, self._name(device))

    def _pods(self, device: Device) -> tuple[Pod, ...]:
        kind, name = self._replicas.kind, self._name(device)
        return tuple(pod for pod in self._cluster.pods(self._replicas.namespace) if pod.kept_by(kind, name) and pod.lives)

    def _name(self, device: Device) -> str:
        """Names in a cluster are in lower case (RFC 1123)."""
        return filled(self._replicas.name, device).lower()


def _asked(kept: Kept) -> datetime | None:
    """When it was asked to go; None where it was not, or nobody can read when."""
    try:
        asked = datetime.fromisoformat(kept.marks[_ASKED])
    except (KeyError, ValueError):
        return None
    return asked if asked.tzinfo else None


def _going(pods: Sequence[Pod]) -> str:
    return f"{_names(pods)} is on its way out" if pods else "its controller has not seen yet that it is to go"


def _names(pods: Sequence[Pod]) -> str:
    return ", ".join(pod.path for pod in pods)


def _listed(pods: Sequence[GpuPod]) -> str:
    return ", ".join(map(str, pods)) or "nobody"

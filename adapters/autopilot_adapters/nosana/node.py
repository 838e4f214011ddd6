"""The node of Nosana: raised in two containers, looked at from the chain, and only told to go while it waits for a job.

The node leaves its market by a transaction of its own when it is told to go, and swallows the signal between two jobs; killed, it stays
in the queue and is given a job that nobody runs. So it is told by SIGTERM, which is how ``podman stop -t 120`` begins, and again
for as long as its key stands in the queue. The SIGKILL that would end those 120 seconds is ours to withhold: from a key that
still stands in the queue, and from a job that slipped in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import base58
from pydantic import Field

from autopilot.clock import Clock
from autopilot.errors import NodeFault, Transient
from autopilot.kit import Kit
from autopilot.kit.fields import SpanField, Table
from autopilot.kit.service import Look, ServiceNode
from autopilot.kit.service.container import Connect, Image, engine
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.shape import ABSENT
from autopilot.kit.service.words import filled
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Phase, Readiness
from autopilot_adapters.nosana.outer import Inner, Outer
from autopilot_adapters.nosana.standing import Standing, Standings
from autopilot_adapters.nosana.work import NosanaWork

GRACE = timedelta(seconds=120)
"""What a node is given to go. The ten seconds of a container engine are too few: it leaves the queue by a transaction first."""
_FETCH = timedelta(minutes=15)
"""The image of the node comes within it, or does not come."""
_BETWEEN = timedelta(minutes=2)
"""After a job a node rests for ten seconds, and queues again by a transaction."""
_AGAIN = timedelta(seconds=30)
"""A node that stands in the queue so long after it was told to go has not heard it."""
_THEIRS = (
    "the container podman, of start.sh, is up: to hand over, docker exec podman podman stop -t 120 nosana-node"
    " while it waits for a job, then docker stop podman"
)
_SECRET, _KEYPAIR = 32, 64


class NodeSettings(Table):
    """What ``[networks.nosana.node]`` may say. ``{index}`` and ``{device}`` stand for the GPU's number and UUID."""

    keys: str = "~/.nosana"
    """The folder that holds ``nosana_key.json``. Every GPU needs a key of its own, and so a folder of its own."""
    cache: str = "podman-cache"
    """The volume that keeps the images of the jobs, tens of gigabytes. It is never removed. Two nodes must not share one."""
    outer: str = "nosana/podman:v1.1.2"
    """The image of the outer container."""
    image: str = "docker.io/nosana/nosana-node:latest"
    """The image of the node, fetched at every start: the network refuses old ones."""
    arguments: tuple[str, ...] = ("start", "--network", "mainnet")
    """What the node is told. ``{market}`` stands for the market's slug."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """Of the node: ``NODE_OPTIONS = "--dns-result-order=ipv4first"`` where a host has no IPv6."""
    boot: SpanField = timedelta(minutes=10)
    """From the order to start until it stands in the queue."""
    look: SpanField = Field(default=timedelta(minutes=1), ge=timedelta(0))
    """How long an answer of the chain stands. A stop is never decided on an old one."""

    def apart(self, nodes: Mapping[str, str]) -> None:
        """Raises ValueError where two nodes would be one: the network refuses the second, and engines that share a store break it."""
        if not nodes:
            raise ValueError("a node needs its address: write it in 'nodes', by the device's id")
        if len(set(nodes.values())) < len(nodes):
            raise ValueError("two devices have the same address in 'nodes': every GPU needs a key of its own")
        for name in ("keys", "cache"):
            if len(nodes) > 1 and not any(word in getattr(self, name) for word in ("{index}", "{device}")):
                raise ValueError(f"{len(nodes)} nodes cannot share one {name!r} of the node: put {{index}} in it")

    def container(self) -> Image:
        """The outer container, as ``start.sh`` makes it, but with one GPU."""
        keys = Path(self.keys).expanduser()
        return Image(
            self.outer,
            ("unix:/podman.sock",),
            env={"ENABLE_GPU": "true", "NVIDIA_DRIVER_CAPABILITIES": "all"},
            mounts=(f"{self.cache}:/var/lib/containers", f"{keys}:/root/.nosana", "/run/nvidia-persistenced:/run/nvidia-persistenced"),
            options={"privileged": True, "devices": ["/dev/fuse"]},
        )


class NosanaShape:
    """Runs a node for each device. READY is what the chain says: it stands in a queue, or has a job."""

    def __init__(self, clock: Clock, settings: NodeSettings, outer: Outer, orders: Orders, work: NosanaWork, standings: Standings) -> None:
        self._network = orders.network
        self._clock = clock
        self._settings = settings
        self._outer = outer
        self._orders = orders
        self._work = work
        self._standings = standings
        self._raised: dict[DeviceId, datetime] = {}
        self._stood: dict[DeviceId, datetime] = {}

    def look(self, device: Device) -> Look:
        """Both containers, and what the chain says of the key. Gone is only who has left the queue as well."""
        outer = self._outer.look(device)
        if outer.phase is Phase.ABSENT:
            return self._nothing(device)
        if not outer.ours:
            return outer
        venue = self._orders.venue(device)
        if outer.phase is Phase.DRAINING:
            return Look(Phase.DRAINING, venue, outer.note)
        if outer.phase is Phase.FAULT:
            broken = Look(Phase.FAULT, venue, f"the outer container {outer.note}", lives=outer.lives)
            return self._orders.seen(device, broken) if outer.lives else self._gone(device, broken)
        inner = self._outer.inner(device)
        if inner.runs:
            return self._orders.seen(device, self._running(device, inner, venue))
        if inner.over:
            return self._gone(device, Look(Phase.FAULT, venue, f"the node {inner.note}"))
        return self._gone(device, self._coming(device, venue))

    def _nothing(self, device: Device) -> Look:
        if self._outer.theirs():
            return Look(Phase.READY, note=_THEIRS, ours=False)
        return self._gone(device, ABSENT)

    def _running(self, device: Device, inner: Inner, venue: Venue | None) -> Look:
        standing, now = self._standings.of(self._work.node(device)), self._clock.now()
        if standing.queue or standing.run:
            self._stood[device.id] = now
            return Look(Phase.READY, venue, _place(standing, venue))
        if inner.status == "running" and self._stood_lately(device):
            return Look(Phase.READY, venue, "between two jobs")
        return Look(Phase.STARTING, venue, f"its node is {inner.status}, and stands in no queue")

    def _coming(self, device: Device, venue: Venue | None) -> Look:
        since = self._raised.setdefault(device.id, self._clock.now())
        if self._clock.now() - since < _FETCH:
            return Look(Phase.STARTING, venue, f"{self._settings.image} is on its way")
        return Look(Phase.FAULT, venue, f"no node came up: docker exec the outer container, podman pull {self._settings.image}")

    def _gone(self, device: Device, otherwise: Look) -> Look:
        """Of a node that is not there: ABSENT when it was asked to go, and its key has left the queue as well."""
        if self._orders.asked(device) is None:
            return otherwise
        if self._left(device).exists():
            return ABSENT
        standing = self._standings.of(self._work.node(device), anew=True)
        if standing.queue or standing.run:
            where = f"in the queue of {standing.queue.slug}" if standing.queue else "at a job"
            note = f"it is gone, and its key still stands {where}: nobody runs what it is given. Started again, it can leave in good order"
            return Look(Phase.FAULT if self._orders.late(device, GRACE) else Phase.DRAINING, self._orders.venue(device), note)
        self._left(device).touch()
        return ABSENT

    def _left(self, device: Device) -> Path:
        """Remembers that the key has left the queue: where it stands later, on another host it may be, is no concern of this one."""
        return self._orders.folder / f"{self._network}-{device.id}.left"

    def _stood_lately(self, device: Device) -> bool:
        stood = self._stood.get(device.id)
        return stood is not None and self._clock.now() - stood < _BETWEEN

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        """Whether the image of the outer container is here. That of the node is fetched inside it, at every start."""
        return self._outer.prepare(device, venue)

    def launch(self, device: Device, venue: Venue) -> None:
        """Raise both containers. Raises NodeFault without its key, and where the key works elsewhere already."""
        try:
            node = self._work.node(device)
        except Transient as error:
            raise NodeFault(self._network, str(error)) from None
        self._check_key(device, node)
        standing = self._standings.of(node, anew=True)
        ours = self._orders.venue(device) is not None and not self._left(device).exists()
        if not ours and (standing.queue or standing.run):
            raise NodeFault(self._network, f"{device.label}: the node {node} works somewhere else: stop it there first")
        self._left(device).unlink(missing_ok=True)
        self._stood.pop(device.id, None)
        self._raised[device.id] = self._clock.now()
        self._orders.serve(device, venue)
        self._outer.launch(device, venue)
        env = [word for name, value in self._settings.env.items() for word in ("-e", f"{name}={value}")]
        arguments = [filled(word, device, venue) for word in self._settings.arguments]
        self._outer.kindle(device, [*env, self._settings.image, *arguments])

    def _check_key(self, device: Device, node: str) -> None:
        """A node without a key makes itself one, and earns for it. Only the public half of the key is looked at."""
        file = Path(filled(self._settings.keys, device)).expanduser() / "nosana_key.json"
        try:
            held = bytes(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise NodeFault(self._network, f"{device.label}: {file} holds no key: put that of {node} there") from None
        if len(held) != _KEYPAIR or base58.b58encode(held[_SECRET:]).decode() != node:
            raise NodeFault(self._network, f"{device.label}: {file} holds the key of another node than {node}")

    def end(self, device: Device, grace: timedelta) -> None:
        """Told to go while it waits; told again while it stands in the queue; made to go when it has left it, and does not end.

        A job that nobody knew of when this was decided is honoured: then the node is not to go any more. An outer container that is
        broken and lives goes after it, for one that is well must come in its place.
        """
        outer = self._outer.look(device)
        up = outer.lives or outer.phase in (Phase.STARTING, Phase.READY)
        inner = self._outer.inner(device) if up else Inner("missing")
        if inner.over and not outer.lives:
            self._orders.go(device)
        elif not inner.runs:  # whatever may still be fetching it must not raise it later
            self._outer.end(device, grace)
            self._orders.go(device)
        else:
            self._press(device, grace)

    def _press(self, device: Device, grace: timedelta) -> None:
        standing = self._standings.of(self._work.node(device), anew=True)
        if standing.run and standing.run.job not in self._work.told(device):
            self._orders.serve(device, self._orders.venue(device) or Venue(self._network))
        elif self._orders.asked(device) is None:
            self._ask(device, standing)
        elif self._orders.late(device, _AGAIN if standing.idle else grace):
            self._outer.tell(device, "SIGTERM" if standing.idle else "SIGKILL")

    def _ask(self, device: Device, standing: Standing) -> None:
        """Not between two jobs: there it would not hear it."""
        if standing.queue or standing.run or not self._stood_lately(device):
            self._outer.tell(device, "SIGTERM")
            self._orders.go(device)


def managed(
    kit: Kit, settings: NodeSettings, image: Image, standings: Standings, work: NosanaWork, connect: Connect = engine
) -> ServiceNode:
    """The driver."""
    network = NetworkId(kit.network)
    folder = kit.folder / "outer"
    folder.mkdir(exist_ok=True)
    outer = Outer(network, kit.clock, image, Orders(network, kit.clock, folder), connect)
    shape = NosanaShape(kit.clock, settings, outer, Orders(network, kit.clock, kit.folder), work, standings)
    return ServiceNode(network, kit.clock, shape, kit.folder, work, grace=GRACE)


def _place(standing: Standing, venue: Venue | None) -> str:
    """Where it stands, and that it is not where it was to be, if so."""
    market = standing.market if standing.run else standing.queue
    where = "works" if standing.run else f"waits, {standing.place} before it,"
    if market is None or venue is None or market.slug == venue.market:
        return where
    return f"{where} in {market.slug}: which market a node serves is Nosana's to say"

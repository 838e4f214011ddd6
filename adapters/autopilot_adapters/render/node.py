"""The nodes of Render: the Windows client for frames, and Dispersed's client, a program of Linux.

The client has no command to drain, so a drain waits for a moment without a frame: the registry's flag says idle, the log has no frame
that was begun and not ended, and both say so again 40 seconds later, with no frame begun in between. Only then its window is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from autopilot.clock import Clock
from autopilot.contracts import NodeDriver
from autopilot.errors import Transient
from autopilot.kit import Kit
from autopilot.kit.service import Look, ServiceNode
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.shape import ABSENT
from autopilot.model.device import Device, Venue
from autopilot.model.node import Lease, Phase
from autopilot_adapters.programs import WholeRig, by_number, home, node_of
from autopilot_adapters.render.dispersed import MARKET
from autopilot_adapters.render.settings import ClientSettings, RenderSettings
from autopilot_adapters.render.windows import Sight, Windows
from autopilot_adapters.unmanaged import Unmanaged
from autopilot_adapters.venues import Venues

_FRAMES = ""
"""The market of the venue ``render``."""
_APART = timedelta(seconds=40)
"""Between the two looks that must agree."""


def nodes_of(settings: RenderSettings, kit: Kit) -> NodeDriver:
    """The driver of the venues that have a table ``node``. No GPU ever serves both: the network wants them apart (RNP-019)."""
    nodes: dict[str, NodeDriver] = {}
    if settings.node:
        nodes[_FRAMES] = _client_node(kit, settings.node, settings)
    if settings.dispersed.node:
        nodes[MARKET] = node_of(kit, settings.dispersed.node, MARKET)
    return Venues(kit.network, kit.clock, nodes, kit.devices) if nodes else Unmanaged(kit.network, kit.clock)


def _client_node(kit: Kit, node: ClientSettings, settings: RenderSettings) -> NodeDriver:
    folder = home(kit, _FRAMES)
    host = Windows(kit.network, node.host, (node.launcher, node.client), node.log)
    client = FrameClient(kit.clock, host, Orders(kit.network, kit.clock, folder), Terms(settings.boot, node.finishes))
    driver = ServiceNode(kit.network, kit.clock, client, folder, client, grace=settings.frame)
    return WholeRig(driver, by_number(kit)[0]) if settings.whole_rig else driver


@dataclass(frozen=True, slots=True)
class Terms:
    """What is known of a client."""

    boot: timedelta
    """From its start until it may be judged."""
    finishes: bool
    """Whether one that is closed finishes its frame."""


class FrameClient:
    """The Windows client: a shape, and the work that it does, seen by one look at its host."""

    def __init__(self, clock: Clock, host: Windows, orders: Orders, terms: Terms) -> None:
        self._clock = clock
        self._host = host
        self._orders = orders
        self._terms = terms
        self._sight: Sight | None = None
        self._quiet: tuple[datetime, str] | None = None
        """Since when, and after which frame, every look of a drain found the client idle."""

    def look(self, device: Device) -> Look:
        """By the programs that run on its host."""
        sight = self._sight = self._host.look()
        venue, asked = self._orders.venue(device), self._orders.asked(device) is not None
        if self._boots(device):
            # Between the launcher's end and the client's beginning neither is there: it may still come.
            return Look(Phase.DRAINING if asked else Phase.STARTING, venue, "it was started a moment ago")
        if sight.runs:
            note = "asked to go; where it does not, look for a watchdog that brings it back" if asked else ""
            return self._orders.seen(device, Look(Phase.READY, venue, note))
        if asked or self._launched(device) is None:
            return ABSENT
        return Look(Phase.FAULT, venue, "the client ended by itself: its log says why")

    def launch(self, device: Device, venue: Venue) -> None:
        """Start the launcher. Raises NodeFault where that fails."""
        self._orders.serve(device, venue)
        self._stamp(device).write_text(self._clock.now().isoformat(), encoding="utf-8")
        self._host.start()

    def end(self, device: Device, grace: timedelta) -> None:
        """Close its window, again while it boots; kill it when that was ``grace`` ago, which is the length of a frame."""
        if self._orders.late(device, grace):
            self._host.kill()
        elif self._orders.asked(device) is None or self._boots(device):
            self._host.close()
        self._orders.go(device)

    def leases(self, device: Device) -> tuple[Lease, ...]:
        """The frame that is rendered, by the flag or by the log; while draining, also what two looks have not agreed about yet."""
        sight, now = self._sight, self._clock.now()
        if sight is None:
            raise Transient(self._orders.network, "the host of the client was not looked at yet")
        job = sight.job
        name, age = (job.id, job.age if job.runs else timedelta(0)) if job else ("a frame", timedelta(0))
        lease = Lease(name, now - age, breakable=self._terms.finishes)
        if not sight.idle or (job is not None and job.runs):
            self._quiet = None
            return (lease,)
        if not self._drains(device).exists():
            return ()
        if self._quiet is None or self._quiet[1] != name:
            self._quiet = (now, name)
        return () if now - self._quiet[0] >= _APART else (lease,)

    def refuse(self, device: Device) -> None:
        """Nobody can be told: from now on, two looks have to agree that it is idle. Told again, what they saw so far still counts."""
        if not self._drains(device).exists():
            self._quiet = None
            self._drains(device).touch()

    def accept(self, device: Device) -> None:
        """It never stopped taking frames."""
        self._drains(device).unlink(missing_ok=True)

    def _boots(self, device: Device) -> bool:
        launched = self._launched(device)
        return launched is not None and timedelta(0) <= self._clock.now() - launched < self._terms.boot

    def _launched(self, device: Device) -> datetime | None:
        try:
            return datetime.fromisoformat(self._stamp(device).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def _stamp(self, device: Device) -> Path:
        return self._orders.folder / f"{device.id}.launched"

    def _drains(self, device: Device) -> Path:
        return self._orders.folder / f"{device.id}.looks-twice"

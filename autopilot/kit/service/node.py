"""A node driver out of an engine's shape and a network's work."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from autopilot.clock import Clock
from autopilot.errors import NodeFault, Transient
from autopilot.kit.service.shape import LastingWork, Look, PreparedShape, Shape, UnheardWork, Work
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import PREPARED, Lease, Observation, Phase, Readiness

_GRACE = timedelta(seconds=30)
_UNHEARD = UnheardWork()
_TOLD = "told"


class ServiceNode:
    """One network's program on this host, device by device.

    That a device is to drain is remembered in a file before the network is told, and that it was told after: a crash in between
    leaves a node that is told again, and one that was told in vain is never taken to refuse work.
    """

    def __init__(
        self, network: NetworkId, clock: Clock, shape: Shape, folder: Path, work: Work = _UNHEARD, *, grace: timedelta = _GRACE
    ) -> None:
        self._network = network
        self._clock = clock
        self._shape = shape
        self._folder = folder
        self._work = work
        self._grace = grace

    def observe(self, device: Device) -> Observation:
        """Look, and change nothing. UNKNOWN where the engine or the network cannot be asked."""
        try:
            look = self._shape.look(device)
            return self._seen(device, look) if look.phase is Phase.READY else self._plain(device, look)
        except Transient as error:
            return Observation(device.id, None, Phase.UNKNOWN, self._clock.now(), note=str(error))

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        """What the engine says of a start to come. Where it can be asked only by starting, that is not known to fail."""
        return self._shape.prepare(device, venue) if isinstance(self._shape, PreparedShape) else PREPARED

    def start(self, device: Device, venue: Venue) -> None:
        """Bring the node up at the venue; one that drains takes new work again. Raises NodeFault where it cannot."""
        look = self._shape.look(device)
        if look.phase in (Phase.ABSENT, Phase.FAULT):
            self._shape.launch(device, venue)
            with suppress(Transient):  # a network that does not listen before the node is up is told at the next start
                self._undo_drain(device)
        elif look.venue not in (None, venue):
            raise NodeFault(self._network, f"{device.label} serves {look.venue}: stop it before {venue} starts")
        elif look.phase is not Phase.UNKNOWN:
            self._undo_drain(device)

    def drain(self, device: Device) -> None:
        """Take no new work; what runs may finish."""
        if self._may_work(self._shape.look(device)):
            if not self._mark(device).exists():
                self._mark(device).touch()
            self._work.refuse(device)
            self._mark(device).write_text(_TOLD, encoding="utf-8")

    def stop(self, device: Device) -> None:
        """Be ABSENT: asked first, made to go after the grace. Raises NodeFault where somebody else started it."""
        look = self._shape.look(device)
        if not look.ours:
            raise NodeFault(
                self._network, f"{device.label}: we did not start this node, and do not stop it: {look.note or 'stop it by hand'}"
            )
        if look.phase is not Phase.ABSENT:
            self._shape.end(device, self._grace)

    def _seen(self, device: Device, look: Look) -> Observation:
        leases = self._work.leases(device)
        working = Phase.BUSY if leases else Phase.READY
        phase = Phase.DRAINING if self._refuses(device) else working
        tells = not isinstance(self._work, UnheardWork)
        return Observation(device.id, look.venue, phase, self._clock.now(), leases, look.note, tells)

    def _plain(self, device: Device, look: Look) -> Observation:
        """Of a node that is not known to serve. One that boots although it is to drain is drained at once, and not started again."""
        phase = Phase.DRAINING if look.phase is Phase.STARTING and self._refuses(device) else look.phase
        venue = None if phase in (Phase.ABSENT, Phase.UNKNOWN) else look.venue
        leases = self._told_of(device) if self._may_work(look) else ()
        return Observation(device.id, venue, phase, self._clock.now(), leases, look.note)

    def _may_work(self, look: Look) -> bool:
        """Whether work may run: on a node that comes up or serves, and on a broken one that still lives or that its work outlives."""
        outlived = look.phase is Phase.FAULT and isinstance(self._work, LastingWork)
        return outlived or look.lives or look.phase in (Phase.STARTING, Phase.READY)

    def _told_of(self, device: Device) -> tuple[Lease, ...]:
        """The work of a node that comes up or is broken. Where that cannot be told it has none, unless its work outlives it."""
        if isinstance(self._work, LastingWork):
            return self._work.lasting(device)
        try:
            return self._work.leases(device)
        except Transient:
            return ()

    def _undo_drain(self, device: Device) -> None:
        if self._mark(device).exists():
            self._work.accept(device)
            self._mark(device).unlink(missing_ok=True)

    def _refuses(self, device: Device) -> bool:
        try:
            return self._mark(device).read_text(encoding="utf-8") == _TOLD
        except FileNotFoundError:
            return False

    def _mark(self, device: Device) -> Path:
        return self._folder / f"{self._network}-{device.id}.draining"

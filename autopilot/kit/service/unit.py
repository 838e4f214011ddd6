"""A program as a unit of systemd, the system's own or a user's. The owner wrote the unit; we start it, stop it and look at it.

``systemctl show`` (systemctl(1), since version 230 in this form) tells of a unit without changing it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from autopilot.errors import NodeFault, Transient
from autopilot.kit.service.command import run
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.shape import ABSENT, Look
from autopilot.kit.service.words import filled
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import PREPARED, Phase, Readiness, Stage

_PHASES = {
    "active": Phase.READY,
    "reloading": Phase.READY,
    "activating": Phase.STARTING,
    "deactivating": Phase.DRAINING,
    "failed": Phase.FAULT,
    "inactive": Phase.ABSENT,
}


@dataclass(frozen=True, slots=True)
class Unit:
    """Which unit serves a device: ``nosana@{index}.service``."""

    name: str
    user: bool = False
    """Of this user's own manager rather than the system's."""


class UnitShape:
    """Has systemd run a unit for each device."""

    def __init__(self, network: NetworkId, unit: Unit, orders: Orders) -> None:
        self._network = network
        self._unit = unit
        self._orders = orders

    def look(self, device: Device) -> Look:
        """By systemd's own word. Where no manager answers, nothing can be told."""
        state = self._state(device)
        phase = _PHASES.get(state.get("ActiveState", ""))
        if phase is None:
            raise Transient(self._network, f"systemd says {state.get('ActiveState')!r} of {self._name(device)}")
        if state.get("LoadState") == "not-found":
            return ABSENT
        note = f"{self._name(device)}: {state['Result']}" if phase is Phase.FAULT else ""
        return self._orders.seen(device, Look(phase, note=note))

    def prepare(self, device: Device, venue: Venue) -> Readiness:  # noqa: ARG002
        """Whether systemd knows the unit, and may start it."""
        loaded = self._state(device).get("LoadState", "")
        if loaded == "loaded":
            return PREPARED
        return Readiness(Stage.REFUSED, f"systemd says {loaded!r} of {self._name(device)}: install or unmask it, or correct its name")

    def launch(self, device: Device, venue: Venue) -> None:
        """Raises NodeFault where there is no such unit, or systemd refuses."""
        self._orders.serve(device, venue)
        self._tell(device, "reset-failed", blame=False)
        self._tell(device, "start", "--no-block")

    def end(self, device: Device, grace: timedelta) -> None:
        """Stop, which systemd does in its own time; SIGKILL to all of it when that was ``grace`` ago."""
        late = self._orders.late(device, grace)
        if late:
            self._tell(device, "kill", "--signal=SIGKILL", blame=False)
        self._tell(device, "stop", "--no-block")
        self._orders.go(device)

    def _state(self, device: Device) -> dict[str, str]:
        argv = [*self._systemctl(), "show", "--property=LoadState,ActiveState,SubState,Result", self._name(device)]
        said = run(self._network, argv)
        if said.code:
            raise Transient(self._network, f"systemd does not answer: {said.complaint}")
        return dict(line.split("=", 1) for line in said.out.splitlines() if "=" in line)

    def _tell(self, device: Device, verb: str, *options: str, blame: bool = True) -> None:
        said = run(self._network, [*self._systemctl(), verb, *options, self._name(device)])
        if said.code and blame:
            raise NodeFault(self._network, f"{device.label}: systemctl {verb} {self._name(device)}: {said.complaint}")

    def _systemctl(self) -> list[str]:
        return ["systemctl", "--user"] if self._unit.user else ["systemctl"]

    def _name(self, device: Device) -> str:
        return filled(self._unit.name, device)

"""A program as an app of pm2, the process manager of Node.js, in which many miners are run. The owner registered the app."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from autopilot.errors import NodeFault, Transient
from autopilot.kit.service.command import run
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.shape import ABSENT, Look
from autopilot.kit.service.words import filled
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import PREPARED, Phase, Readiness, Stage

_LIMIT = timedelta(seconds=60)
"""pm2 starts its own daemon on the first call."""
_PHASES = {
    "online": Phase.READY,
    "launching": Phase.STARTING,
    "waiting restart": Phase.STARTING,
    "stopping": Phase.DRAINING,
    "stopped": Phase.ABSENT,
    "errored": Phase.FAULT,
}


class Pm2Shape:
    """Has pm2 run an app for each device: ``miner-{index}``."""

    def __init__(self, network: NetworkId, app: str, orders: Orders) -> None:
        self._network = network
        self._app = app
        self._orders = orders

    def look(self, device: Device) -> Look:
        """By ``pm2 jlist``; its first call prints a banner before the JSON, so only the last line counts."""
        app = self._find(device)
        if app is None:
            return ABSENT
        status = app["pm2_env"]["status"]
        phase = _PHASES.get(status)
        if phase is None:
            raise Transient(self._network, f"pm2 says {status!r} of {app['name']}")
        code = app["pm2_env"].get("exit_code")
        note = f"{app['name']}: {status}, exit code {code}, restarted {app['pm2_env'].get('restart_time', 0)} times"
        return self._orders.seen(device, Look(phase, note=note if phase is Phase.FAULT else ""))

    def prepare(self, device: Device, venue: Venue) -> Readiness:  # noqa: ARG002
        """Whether the owner has registered the app."""
        if self._find(device) is not None:
            return PREPARED
        name = self._name(device)
        return Readiness(Stage.REFUSED, f"pm2 knows no app {name}: register it with `pm2 start --name {name} ...`")

    def launch(self, device: Device, venue: Venue) -> None:
        """Raises NodeFault where pm2 knows no such app."""
        self._orders.serve(device, venue)
        self._tell(device, "start")

    def end(self, device: Device, grace: timedelta) -> None:  # noqa: ARG002  # pm2 has a grace of its own
        """pm2 sends SIGINT, and SIGKILL after the app's ``kill_timeout``; to wait for that would be to wait for the app."""
        if self._orders.asked(device) is None:
            self._tell(device, "stop")
            self._orders.go(device)

    def _find(self, device: Device) -> Mapping[str, Any] | None:
        said = run(self._network, ["pm2", "jlist"], _LIMIT)
        try:
            apps = json.loads(said.out.strip().splitlines()[-1])
            return next((app for app in apps if app["name"] == self._name(device)), None)
        except (IndexError, ValueError, TypeError, KeyError):
            raise Transient(self._network, f"pm2 does not answer: {said.complaint}") from None

    def _tell(self, device: Device, verb: str) -> None:
        said = run(self._network, ["pm2", verb, self._name(device)], _LIMIT)
        if said.code:
            raise NodeFault(self._network, f"{device.label}: pm2 {verb} {self._name(device)}: {said.complaint}")

    def _name(self, device: Device) -> str:
        return filled(self._app, device)

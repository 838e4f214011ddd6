"""The rentals of an executor of SN51, as lium's portal for providers tells them.

The portal has a button "Pause New Rentals", and no call for it is known: so a drain runs the owner's ``drain`` command, or tells nobody
and waits until the node happens to be empty. A pod that is killed under a rental costs a penalty, so none may be broken: the executor
goes down only when the portal says that no pod is left, and one that died is cleared away only then: its pods may run on. The routes are
those of the PyPI package lium.io 0.32.0 (``lium/provider``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autopilot.errors import Refused, Transient
from autopilot.kit import Kit
from autopilot.kit.reading import Field
from autopilot.model.device import Device
from autopilot.model.node import Lease
from autopilot_adapters.bittensor.settings import LiumNodeSettings
from autopilot_adapters.programs import DrainCommands, home

_PATIENCE = timedelta(seconds=5)
_FRESH = timedelta(seconds=60)
"""How long an answer is believed while nothing hangs on it: a look every 15 s would ask the portal 240 times an hour."""
_MOST_PODS = 64


@dataclass(frozen=True, slots=True)
class _Heard:
    at: datetime
    leases: tuple[Lease, ...]
    broken: bool
    """Whether the executor was, or came up: one that is not can have been rented since."""


class LiumWork:
    """The pods on this host's executors."""

    def __init__(self, kit: Kit, settings: LiumNodeSettings) -> None:
        self._kit = kit
        self._settings = settings
        self._commands = DrainCommands(kit.network, settings)
        self._folder = home(kit, "51")
        self._heard: dict[str, _Heard] = {}
        self._since: dict[str, datetime] = {}

    def leases(self, device: Device) -> tuple[Lease, ...]:
        """A lease for each pod. Raises Transient where the portal cannot be asked, or says what makes no sense.

        A drain believes no old answer that nothing runs.
        """
        return self._known(device, broken=False)

    def lasting(self, device: Device) -> tuple[Lease, ...]:
        """The same: the portal can be asked whether the executor lives or not. What was heard before it broke is not believed."""
        return self._known(device, broken=True)

    def _known(self, device: Device, *, broken: bool) -> tuple[Lease, ...]:
        node = self._settings.executor or self._settings.executors.get(device.id, "")
        if not node:
            raise Transient(self._kit.network, f"{device.label} has no id in the portal: name it in lium.node.executors")
        heard, now = self._heard.get(node), self._kit.clock.now()
        trusted = heard is not None and heard.broken is broken and (heard.leases or not self._drains(device).exists())
        if heard is None or not trusted or not timedelta(0) <= now - heard.at < _FRESH:
            heard = self._heard[node] = _Heard(now, self._ask(node, now), broken)
        return heard.leases

    def refuse(self, device: Device) -> None:
        """Pause new rentals, where the owner gave a command for that."""
        self._drains(device).touch()
        self._commands.refuse(device)

    def accept(self, device: Device) -> None:
        """Let them come again."""
        self._commands.accept(device)
        self._drains(device).unlink(missing_ok=True)

    def _ask(self, node: str, now: datetime) -> tuple[Lease, ...]:
        http, network = self._kit.http, self._kit.network
        headers = {"authorization": f"Bearer {self._settings.token.get_secret_value().strip()}"}
        try:
            said = http.get(f"{self._settings.portal}/executors/{node}/pods", headers=headers, timeout=_PATIENCE).json
        except Refused as error:
            # Of the node nothing is known then, and it is not to be left alone either.
            raise Transient(network, f"the portal does not let us see the pods: {str(error).removeprefix(f'{network}: ')}") from None
        answer = Field(network, "pods:", said)
        rows = (answer.member("data") if isinstance(said, dict) else answer).items()
        if len(rows) > _MOST_PODS:
            raise answer.wrong(f"{_MOST_PODS} pods at most")
        return tuple(self._lease(row, now) for row in rows)

    def _lease(self, row: Field, now: datetime) -> Lease:
        """Of a pod: open-ended, unless its removal is scheduled, which an announced notice does."""
        ident = row.member("id").text()
        begun = _instant(row, "created_at")
        since = self._since.setdefault(ident, min(begun, now) if begun else now)
        return Lease(ident, since, _instant(row, "removal_scheduled_at"))

    def _drains(self, device: Device) -> Path:
        return self._folder / f"{device.id}.asked-anew"


def _instant(row: Field, name: str) -> datetime | None:
    """A time of a pod, where it is told; the portal writes UTC, with or without saying so."""
    value: Any = row.value.get(name) if isinstance(row.value, dict) else None
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at and (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)

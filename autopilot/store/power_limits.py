"""The power limits that were in force before ours: written down before they are changed, so that a crash loses none."""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.model.device import DeviceId
from autopilot.store.schema import Connection
from autopilot.units import Watts


@dataclass(frozen=True, slots=True)
class Changed:
    """A limit that is ours, and the one that it took the place of."""

    before: Watts
    ours: Watts


class PowerLimitBook:
    """One row for each GPU whose limit is ours."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def changed(self) -> dict[DeviceId, Changed]:
        """The GPUs whose limit is ours, or was about to be."""
        rows = self._connection.execute("SELECT device, before_milliwatts, ours_milliwatts FROM power_limits")
        return {DeviceId(device): Changed(Watts(before), Watts(ours)) for device, before, ours in rows}

    def change(self, device: DeviceId, changed: Changed) -> None:
        """Remember it, before it is done."""
        row = (device, changed.before.count, changed.ours.count)
        self._connection.execute("INSERT OR REPLACE INTO power_limits VALUES (?, ?, ?)", row)

    def forget(self, device: DeviceId) -> None:
        """The limit is not ours any more."""
        self._connection.execute("DELETE FROM power_limits WHERE device = ?", (device,))

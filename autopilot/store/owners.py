"""When the owner of each GPU was last seen on it: a restart must not bring a node back while he may come back himself."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from autopilot.model.device import DeviceId
from autopilot.store.schema import Connection, instant, stamp


class LastSeen(NamedTuple):
    """When an owner was last on his GPU."""

    at: datetime
    programs: str
    """With which, in words."""


class OwnerBook:
    """One row for each GPU that its owner was ever seen on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def seen(self) -> dict[DeviceId, LastSeen]:
        """When each was last on his GPU."""
        rows = self._connection.execute("SELECT device, at, programs FROM owners")
        return {DeviceId(device): LastSeen(instant(at), programs) for device, at, programs in rows}

    def note(self, device: DeviceId, at: datetime, programs: str) -> None:
        """He is on it now."""
        self._connection.execute("INSERT OR REPLACE INTO owners VALUES (?, ?, ?)", (device, stamp(at), programs))

"""At which rates a decision would have been another: found after it, beside the ticks, and read by who wants to know why."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime

from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.plan import Tips
from autopilot.store.schema import Connection, stamp
from autopilot.units import UsdPerHour


class TipBook:
    """By the instant of the decision. No decision rests on it: a replay does without."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, at: datetime, found: Tips) -> None:
        """Keep what was found. Devices for which it is the same share a row of it: a rig of equal GPUs needs no more room than one."""
        alike: dict[tuple[tuple[str, str, int | None], ...], list[DeviceId]] = defaultdict(list)
        for device, rates in found.items():
            own = ((venue.network, venue.market, None if rate is None else rate.count) for venue, rate in rates.items())
            alike[tuple(own)].append(device)
        body = json.dumps([[devices, rates] for rates, devices in alike.items()])
        self._connection.execute("INSERT OR REPLACE INTO tips VALUES (?, ?)", (stamp(at), body))

    def of(self, at: datetime) -> Tips:
        """What was found of the decision of this instant; nothing where nothing was looked for, or not yet."""
        row = self._connection.execute("SELECT body FROM tips WHERE at = ?", (stamp(at),)).fetchone()
        return {
            DeviceId(device): {Venue(NetworkId(n), market): None if nanos is None else UsdPerHour(nanos) for n, market, nanos in rates}
            for devices, rates in (json.loads(row[0]) if row else ())
            for device in devices
        }

"""What was told to people, and what of the journal they may want to be told: kept, so that a restart tells nothing twice."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.switch import State, SwitchId
from autopilot.store.schema import Connection, stamp

_ENDED = (
    "SELECT events.id, device, source_network, source_market, target_network, target_market, after, switches.id,"
    " (SELECT why FROM events AS opened WHERE opened.switch = switches.id ORDER BY opened.id LIMIT 1)"
    " FROM events JOIN switches ON switches.id = events.switch"
    " WHERE events.id > ? AND events.at >= ? AND before <> after"
    " AND after IN ('settled', 'reverted', 'cleared', 'stranded') ORDER BY events.id"
)
_EARNED = "SELECT DISTINCT device FROM ledger WHERE hour >= ? AND kind = 'earned' AND amount_nanos > 0 AND \"end\" > ?"


class Ended(NamedTuple):
    """A switch that is over."""

    event: int
    device: DeviceId
    source: Venue
    target: Venue
    state: State
    switch: SwitchId
    why: str
    """Why it was begun."""


class ToldBook:
    """One row, and what it is made from."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def kept(self) -> str | None:
        """What was kept last; None where nothing ever was."""
        row = self._connection.execute("SELECT body FROM told").fetchone()
        return str(row[0]) if row else None

    def keep(self, body: str) -> None:
        """On disk when this returns."""
        self._connection.execute("INSERT INTO told VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", (body,))

    def last_event(self) -> int:
        """The number of the journal's newest event; 0 where it has none."""
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0])

    def ended(self, after: int, since: datetime) -> list[Ended]:
        """The switches that were over after an event, and not before an instant, oldest first."""
        return [
            Ended(event, DeviceId(device), Venue(NetworkId(source), at), Venue(NetworkId(target), to), State(state), SwitchId(switch), why)
            for event, device, source, at, target, to, state, switch, why in self._connection.execute(_ENDED, (after, stamp(since)))
        ]

    def earned(self, hour: datetime, since: datetime) -> set[DeviceId]:
        """The devices with any income after an instant; ``hour`` is the start of its hour."""
        return {DeviceId(device) for (device,) in self._connection.execute(_EARNED, (stamp(hour), stamp(since)))}

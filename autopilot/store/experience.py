"""What the rig has seen of being hired: every hire, the sums that are kept of them, and what the networks published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.experience import Hire, Odds, Tally
from autopilot.store.schema import Connection, instant, stamp


class ExperienceBook:
    """Sums are written as they grow, in the transaction of what made them grow: a restart finds all that was seen, once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hired(self, hire: Hire, at: datetime) -> None:
        """A lease was seen for the first time. Call it inside a transaction."""
        self._connection.execute(
            "INSERT INTO hires (seen_at, device, network, market, lease, since) VALUES (?, ?, ?, ?, ?, ?)",
            (stamp(at), hire.device, hire.venue.network, hire.venue.market, hire.lease, hire.since and stamp(hire.since)),
        )

    def ended(self, hire: Hire, at: datetime) -> None:
        """A lease is over, or was last seen before this instant. Call it inside a transaction."""
        self._connection.execute(
            "UPDATE hires SET ended = ? WHERE device = ? AND network = ? AND market = ? AND lease = ? AND ended IS NULL",
            (stamp(at), hire.device, hire.venue.network, hire.venue.market, hire.lease),
        )

    def running(self) -> Iterator[Hire]:
        """The leases that were not seen to end, oldest first."""
        rows = self._connection.execute("SELECT device, network, market, lease, since FROM hires WHERE ended IS NULL ORDER BY id")
        for device, network, market, lease, since in rows:
            yield Hire(DeviceId(device), Venue(NetworkId(network), market), lease, since and instant(since))

    def first_hire(self, device: DeviceId, venue: Venue, since: datetime) -> datetime | None:
        """When a device was first hired at a venue from an instant on; None where it was not."""
        (first,) = self._connection.execute(
            "SELECT min(since) FROM hires WHERE device = ? AND network = ? AND market = ? AND since >= ?",
            (device, venue.network, venue.market, stamp(since)),
        ).fetchone()
        return first and instant(first)

    def add(self, tallies: Iterable[tuple[Venue, DeviceId, datetime, Tally]]) -> None:
        """Keep sums as they stand at an instant. Call it inside a transaction."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (venue.network, venue.market, device, tally.model, stamp(at), tally.hires, tally.expected, tally.jobs, tally.hours)
                for venue, device, at, tally in tallies
            ),
        )

    def tallies(self) -> Iterator[tuple[Venue, DeviceId, datetime, Tally]]:
        """Every sum, each with the instant at which it stood so."""
        rows = self._connection.execute("SELECT * FROM tallies ORDER BY network, market, device")
        for network, market, device, model, at, *sums in rows:
            yield Venue(NetworkId(network), market), DeviceId(device), instant(at), Tally(model, *sums)

    def publish(self, odds: Iterable[tuple[Venue, str, datetime, Odds]]) -> None:
        """Keep what is known of a venue's odds, each with the instant of the newest figure in it. Call it inside a transaction."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO odds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((venue.network, venue.market, model, stamp(as_of), *each) for venue, model, as_of, each in odds),
        )

    def odds(self) -> Iterator[tuple[Venue, str, datetime, Odds]]:
        """What is known of every venue's odds, by device model."""
        rows = self._connection.execute("SELECT * FROM odds ORDER BY network, market, model")
        for network, market, model, as_of, *figures in rows:
            yield Venue(NetworkId(network), market), model, instant(as_of), Odds(*figures)

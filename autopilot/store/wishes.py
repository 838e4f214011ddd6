"""What persons ask for: rows that a command writes, and that the daemon obeys at its next tick."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.store.schema import Connection, instant, stamp

_WISH = "kind, made_at, device, network, market, until, id, ended_at, outcome"


class Want(StrEnum):
    """What can be asked for."""

    PAUSE = "pause"
    """Finish what is under way, then only watch and book: nothing else is started or stopped."""
    HOLD = "hold"
    """A GPU stays where it is."""
    PIN = "pin"
    """A GPU goes to a venue, and stays there."""
    MOVE = "move"
    """A GPU goes to a venue once; from there on it is the strategy's again."""
    BAN = "ban"
    """A venue is not gone to, and is left."""
    LEND = "lend"
    """The owner lends the pilot a GPU in the owner's own time."""


_WHERE_TO = (Want.HOLD, Want.PIN, Want.MOVE)
"""A GPU has one of these at a time: where a person wants it to be."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that a person asks for."""

    want: Want
    made_at: datetime
    device: DeviceId | None = None
    """None asks it for all of them."""
    venue: Venue | None = None
    until: datetime | None = None
    """None: until it is done, or taken back."""
    number: int = 0
    """The store counts them from 1."""
    ended_at: datetime | None = None
    """When it was done, failed or taken back; None where its time ran out, and while it stands."""
    outcome: str = ""
    """How it ended, in words."""

    def words(self, label: str) -> str:
        """It in short, with what a person calls its device: ``pin GPU-0 to akash``."""
        whom = f" {label}" if self.device else ""
        what = f" {self.venue}{whom and ' for' + whom}" if self.want is Want.BAN else whom + (f" to {self.venue}" if self.venue else "")
        return f"{self.want}{what}" + (f" until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else "")


class Wishes:
    """A wish stands until it has ended, or its time is over. None is ever removed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, wish: Wish) -> int:
        """Ask for something, in place of what was asked for in the same matter before. Its number.

        It reads nothing first: a transaction that has read cannot write once the daemon has written.
        """
        ends = (wish.venue.network, wish.venue.market) if wish.venue else (None, None)
        made_at, until = stamp(wish.made_at), wish.until and stamp(wish.until)
        rivals, anywhere = (_WHERE_TO, True) if wish.want in _WHERE_TO else ((wish.want,), False)
        with self._connection.atomic():
            self._connection.execute(
                "UPDATE wishes SET ended_at = ?, outcome = 'something else was asked for'"
                " WHERE ended_at IS NULL AND (until IS NULL OR until > ?) AND kind IN (SELECT value FROM json_each(?))"
                " AND device IS ? AND (? OR (network IS ? AND market IS ?))",
                (made_at, made_at, json.dumps(rivals), wish.device, anywhere, *ends),
            )
            cursor = self._connection.execute(
                "INSERT INTO wishes (kind, made_at, device, network, market, until) VALUES (?, ?, ?, ?, ?, ?)",
                (wish.want.value, made_at, wish.device, *ends, until),
            )
        return int(cursor.lastrowid or 0)

    def end(self, number: int, at: datetime, outcome: str) -> None:
        """A wish was done, cannot be done, or was taken back. One that has ended stays as it ended."""
        self._connection.execute(
            "UPDATE wishes SET ended_at = ?, outcome = ? WHERE id = ? AND ended_at IS NULL", (stamp(at), outcome, number)
        )

    def standing(self, now: datetime) -> list[Wish]:
        """What is asked for at an instant, oldest first."""
        return list(self._read("ended_at IS NULL AND (until IS NULL OR until > ?)", now))

    def ended(self, since: datetime) -> list[Wish]:
        """What was done, failed or was taken back since an instant, oldest first."""
        return list(self._read("ended_at >= ?", since))

    def lent(self, now: datetime) -> dict[DeviceId, datetime]:
        """The GPUs that their owner lends at an instant, and until when."""
        return {wish.device: wish.until for wish in self.standing(now) if wish.want is Want.LEND and wish.device and wish.until}

    def _read(self, which: str, at: datetime) -> Iterator[Wish]:
        rows = self._connection.execute(f"SELECT {_WISH} FROM wishes WHERE {which} ORDER BY id", (stamp(at),))  # noqa: S608
        return map(_wish, rows)


def _wish(row: tuple[Any, ...]) -> Wish:
    want, made_at, device, network, market, until, number, ended_at, outcome = row
    return Wish(
        Want(want),
        instant(made_at),
        None if device is None else DeviceId(device),
        None if network is None else Venue(NetworkId(network), market),
        until and instant(until),
        number,
        ended_at and instant(ended_at),
        outcome,
    )

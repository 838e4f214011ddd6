"""Which place each GPU of a rig has at a simulated venue, and what it pays there (docs/market.md §4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from autopilot.model.device import DeviceId
from autopilot.model.market import Room
from autopilot.units import ALL, NONE, Share, UsdPerHour


@dataclass(frozen=True, slots=True)
class Guest:
    """A GPU that serves a venue for a while."""

    device: DeviceId
    rate: UsdPerHour
    """What it would earn there alone."""
    start: datetime
    end: datetime

    @property
    def rank(self) -> tuple[int, datetime, DeviceId]:
        """The best paid GPU has the first place; of equals the one that came first."""
        return -self.rate.count, self.start, self.device


def shares(room: Room, guest: Guest, others: Sequence[Guest], start: datetime, end: datetime) -> Iterator[tuple[timedelta, Share]]:
    """The spans of a part of a guest's time, each with the share that it earns of what it would earn alone.

    In place m, counted from 0, that is (1 - fall)^m; beyond the last place it is nothing.
    """
    ahead = [other for other in others if other.rank < guest.rank]
    edges = {edge for other in ahead for edge in (other.start, other.end) if start < edge < end}
    for since, until in pairwise(sorted({start, end, *edges})):
        place = sum(other.start <= since < other.end for other in ahead)
        yield until - since, NONE if room.places is not None and place >= room.places else _share(room.fall, place)


def _share(fall: Share, place: int) -> Share:
    share = ALL
    for _ in range(place):
        share = share.scaled(fall.complement())
    return share

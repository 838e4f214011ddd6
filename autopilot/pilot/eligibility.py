"""Whether a GPU and its host have what a venue asks for, looked at before a move is planned."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from autopilot.model.device import Device, DeviceId, Venue
from autopilot.model.gpu import Needs
from autopilot.model.node import Placement
from autopilot.model.order import Bounds
from autopilot.store.rates import RateBook

_REMEMBERED = 5000
"""How many of the newest answers name the venues that there are."""


@dataclass(frozen=True, slots=True)
class Host:
    """What a host has besides its GPUs."""

    driver: str
    """The version of the GPUs' driver; empty where it is not known."""
    disk_gib: Callable[[], int]
    """What is free now."""


def lacks(device: Device, host: Host, needs: Needs) -> str:
    """What is missing, in words; empty where all is there. What is not known of a GPU or a host is not missing."""
    if needs.models and device.model not in needs.models:
        return f"it takes {' or '.join(needs.models)}, not {device.model}"
    if 0 < device.memory_gib < needs.memory_gib:
        return f"it needs {needs.memory_gib} GiB of memory, and {device.label} has {device.memory_gib}"
    if (has := _version(host.driver)) < _version(needs.driver)[: len(has)]:
        return f"it needs driver {needs.driver}, and this host has {host.driver}"
    if needs.disk_gib and (free := host.disk_gib()) < needs.disk_gib:
        return f"it needs {needs.disk_gib} GiB of free disk, and this host has {free}"
    return ""


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))


class Eligibility:
    """Closes the venues that ask for more than there is. Whoever is there already stays."""

    def __init__(self, devices: Sequence[Device], host: Host, needs: Mapping[Venue, Needs], rates: RateBook) -> None:
        self._devices = devices
        self._host = host
        self._needs = needs
        self._rates = rates
        self._venues: set[Venue] = set()
        self._known = 0

    def bounds(self, now: datetime, placements: Mapping[DeviceId, Placement]) -> Bounds:  # noqa: ARG002
        """Of every venue that has answered lately; needs of a network hold for each of its venues."""
        last = self._rates.last()
        self._venues |= {answer.venue for answer, _ in self._rates.numbered(max(self._known, last - _REMEMBERED), last)}
        self._known = last
        asked = {venue: self._needs.get(venue) or self._needs.get(Venue(venue.network)) for venue in self._venues}
        found = {(venue, each.id): lacks(each, self._host, needs) for venue, needs in asked.items() if needs for each in self._devices}
        return Bounds(closed={key: why for key, why in found.items() if why})

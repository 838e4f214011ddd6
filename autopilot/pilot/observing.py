"""Looking at every device on every network, and saying where each one is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from autopilot.contracts import Adapter
from autopilot.errors import AdapterError
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Observation, Phase, Placement
from autopilot.store.journal import Arrival, Journal

log = logging.getLogger(__name__)

Sightings = dict[NetworkId, Observation]
"""What each network's node shows of one device."""


def look(adapters: Mapping[NetworkId, Adapter], device: Device, networks: Iterable[NetworkId], now: datetime) -> Sightings:
    """Observe one device on some networks. A node that raises is UNKNOWN: nothing may be concluded from it."""
    return {network: _observe(adapters[network], device, now) for network in networks}


def _observe(adapter: Adapter, device: Device, now: datetime) -> Observation:
    try:
        return adapter.node.observe(device)
    except AdapterError as error:
        return Observation(device.id, None, Phase.UNKNOWN, now, note=str(error))
    except Exception as error:  # a stranger's adapter may raise anything; the rig must fly on
        log.exception("%s: observing %s failed", adapter.network, device.label)
        return Observation(device.id, None, Phase.UNKNOWN, now, note=f"{type(error).__name__}: {error}")


def end_of(seen: Observation, venue: Venue) -> Observation:
    """What a network's observation says about one of its venues: serving another market of it is absence here."""
    if seen.venue is None or seen.venue == venue or seen.phase is Phase.ABSENT:
        return seen
    return replace(seen, venue=None, phase=Phase.ABSENT, leases=())


def present(sightings: Sightings) -> Sightings:
    """The networks that are seen to hold the device. Idle holds nothing."""
    away = (Phase.ABSENT, Phase.UNKNOWN)
    return {network: seen for network, seen in sightings.items() if network != IDLE.network and seen.phase not in away}


class Register:
    """Where every device is, as the journal and the nodes together say."""

    def __init__(self, devices: Iterable[Device], journal: Journal, now: datetime) -> None:
        self._journal = journal
        self.placements: dict[DeviceId, Placement] = {}
        self.doubts: dict[DeviceId, str] = {}
        """Devices that some network could not be asked about, and which: nothing is begun on them meanwhile."""
        for device in devices:
            self._place(device.id, IDLE, now)
        for arrival in journal.arrivals():
            if arrival.device in self.placements:
                self._place(arrival.device, arrival.venue, arrival.at)

    def _place(self, device: DeviceId, venue: Venue, since: datetime) -> None:
        self.placements[device] = Placement(device, venue, since, Observation(device, venue, Phase.UNKNOWN, since))

    def arrived(self, device: DeviceId, venue: Venue, at: datetime) -> None:
        """A switch brought the device here; the journal has it already."""
        self._place(device, venue, at)

    def take_note(self, device: Device, sightings: Sightings, now: datetime) -> str | None:
        """Compare what is seen with what is believed, for a device that no switch is moving.

        What is found running elsewhere is adopted; what is gone is idle; a device that is UNKNOWN anywhere, or was at a
        network that is not asked any more, is left as it was believed. Two networks at once are never legal: the answer is
        the reason for a fence.
        """
        held = present(sightings)
        believed = self.placements[device.id].venue
        self._doubt(device, believed.network, sightings)
        if len(held) > 1:
            names = " and ".join(sorted(str(seen.venue or network) for network, seen in held.items()))
            return f"seen at {names} at once: stop all but one by hand"
        for network, seen in held.items():
            untold = believed if believed.network == network else Venue(network)
            self._adopt(device, seen.venue or untold, "found there", now)
            self.placements[device.id] = replace(self.placements[device.id], seen=seen)
        if not held and device.id not in self.doubts:
            self._adopt(device, IDLE, "no network holds it", now)
            self.placements[device.id] = replace(self.placements[device.id], seen=sightings[IDLE.network])
        return None

    def keep_watching(self, device: DeviceId, sightings: Sightings) -> None:
        """Renew what is seen of a device that a switch is moving, as long as it is at its venue: how long its work takes yet, say."""
        placement = self.placements[device]
        seen = present(sightings).get(placement.venue.network)
        if seen is not None:
            self.placements[device] = replace(placement, seen=seen)

    def _doubt(self, device: Device, believed: NetworkId, sightings: Sightings) -> None:
        blind = [f"{network} ({seen.note})" for network, seen in sightings.items() if seen.phase is Phase.UNKNOWN]
        if believed not in sightings:
            blind.append(f"{believed} (it is not configured any more)")
        if blind:
            self.doubts[device.id] = f"nothing is moved while {' and '.join(blind)} cannot be seen"
        else:
            self.doubts.pop(device.id, None)

    def _adopt(self, device: Device, venue: Venue, why: str, now: datetime) -> None:
        if venue == self.placements[device.id].venue:
            return
        self._journal.arrive(Arrival(now, device.id, venue, why))
        self._place(device.id, venue, now)

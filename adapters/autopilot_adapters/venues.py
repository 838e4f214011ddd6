"""The nodes of a network that has several markets, as one driver: at most one of them holds a device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from autopilot.clock import Clock
from autopilot.contracts import NodeDriver, Prepares
from autopilot.errors import NodeFault, Transient
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import PREPARED, Observation, Phase, Readiness, Stage
from autopilot_adapters.programs import WholeRig


class Venues:
    """Asks the node of each market. A market without a node is for its rates alone."""

    def __init__(self, network: NetworkId, clock: Clock, nodes: Mapping[str, NodeDriver], devices: Sequence[Device]) -> None:
        self._network = network
        self._clock = clock
        self._nodes = nodes
        self._devices = devices

    def observe(self, device: Device) -> Observation:
        """The one that holds the device. UNKNOWN where one cannot be asked, or two hold it: then nothing may be concluded."""
        sights = [seen for _, seen in self._sights(device)]
        held = [seen for seen in sights if seen.phase is not Phase.ABSENT]
        blind = [seen for seen in held if seen.phase is Phase.UNKNOWN]
        up = [seen for seen in held if seen.phase is not Phase.FAULT]
        if len(up) > 1 and not blind:
            both = " and ".join(str(seen.venue) for seen in up)
            return Observation(device.id, None, Phase.UNKNOWN, self._clock.now(), note=f"{both} hold it at once: stop one by hand")
        notes = "; ".join(dict.fromkeys(seen.note for seen in sights if seen.note))
        return (blind or up or held or [Observation(device.id, None, Phase.ABSENT, self._clock.now(), note=notes)])[0]

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        """What the market's node says; one without a node cannot be started."""
        node = self._nodes.get(venue.market)
        if node is None:
            return Readiness(Stage.REFUSED, f"{venue} is known by its rates only: give it a table 'node'")
        return node.prepare(device, venue) if isinstance(node, Prepares) else PREPARED

    def start(self, device: Device, venue: Venue) -> None:
        """Bring up the market's node. Raises NodeFault where it has none, or another one holds a GPU that it would take."""
        node = self._nodes.get(venue.market)
        if node is None:
            raise NodeFault(self._network, f"{device.label}: {venue} is known by its rates only: give it a table 'node'")
        for each in self._devices if isinstance(node, WholeRig) else [device]:
            self._check_free(each, venue)
        node.start(device, venue)

    def drain(self, device: Device) -> None:
        """Whichever holds the device."""
        for market in self._holders(device):
            self._nodes[market].drain(device)

    def stop(self, device: Device) -> None:
        """Whichever holds the device."""
        for market in self._holders(device):
            self._nodes[market].stop(device)

    def _check_free(self, device: Device, venue: Venue) -> None:
        for market, seen in self._sights(device, but=venue.market):
            if seen.phase is not Phase.ABSENT:
                kind = Transient if seen.phase is Phase.UNKNOWN else NodeFault
                raise kind(
                    self._network, f"{device.label}: {Venue(self._network, market)} is {seen.phase}: it must go before {venue} comes"
                )

    def _holders(self, device: Device) -> Sequence[str]:
        """The markets to tell. An only one needs no look to be found."""
        if len(self._nodes) == 1:
            return list(self._nodes)
        return [market for market, seen in self._sights(device) if seen.phase is not Phase.ABSENT]

    def _sights(self, device: Device, but: str | None = None) -> Iterator[tuple[str, Observation]]:
        """Each market's node, without those that show another market's program: an engine may know both by one name."""
        for market, node in self._nodes.items():
            if market == but:
                continue
            seen, own = node.observe(device), Venue(self._network, market)
            if seen.venue not in (None, own):
                seen = Observation(device.id, None, Phase.ABSENT, seen.at)
            told = seen.phase not in (Phase.ABSENT, Phase.UNKNOWN)
            yield market, replace(seen, venue=own) if told else seen

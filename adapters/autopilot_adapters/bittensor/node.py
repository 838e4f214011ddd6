"""The nodes of Bittensor on this host: a generic miner for each own UID, and the executor of SN51.

A miner is started and stopped by whatever keeps its process; no call to the chain is needed for either, and none is made: nothing here
ever pays for a registration, and only the hotkey is on the rig. What a stop does put at stake is the UID: validators stop giving it
weight, its emission reaches zero within a few epochs, and once it is not immune any more the next newcomer takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.clock import Clock
from autopilot.contracts import NodeDriver, Prepares
from autopilot.errors import ConfigError, NodeFault
from autopilot.kit import Kit
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import PREPARED, Lease, Observation, Phase, Readiness, Stage
from autopilot.model.plan import ExitCost
from autopilot.units import Usd
from autopilot_adapters.bittensor.figures import plain
from autopilot_adapters.bittensor.lium_node import LiumWork
from autopilot_adapters.bittensor.miner_rates import Sighting
from autopilot_adapters.bittensor.settings import BittensorSettings, MinerSettings
from autopilot_adapters.bittensor.wire import LIUM, Miner
from autopilot_adapters.programs import ProgramSettings, by_number, node_of
from autopilot_adapters.unmanaged import Unmanaged
from autopilot_adapters.venues import Venues

ABSENCE = timedelta(hours=6)
"""A leave is reckoned to last so long: whoever is immune for longer can come back to the same UID."""

Sight = Callable[[], Sighting | None]
"""What was last seen of a miner's subnet; None before the first poll."""


def nodes_of(settings: BittensorSettings, kit: Kit, sight: Callable[[int], Sighting | None]) -> NodeDriver:
    """The driver of every venue that has a table ``node``. Raises ConfigError where a rig cannot serve it as configured."""
    nodes: dict[str, NodeDriver] = {}
    if settings.lium.enabled and settings.lium.node:
        work = LiumWork(kit, settings.lium.node)
        nodes[str(LIUM)] = node_of(kit, settings.lium.node, str(LIUM), work, whole=settings.lium.gpus > 1)
    for miner in settings.miners:
        if miner.node:
            nodes[str(miner.netuid)] = _miner_node(kit, miner, miner.node, sight)
    return Venues(kit.network, kit.clock, nodes, kit.devices) if nodes else Unmanaged(kit.network, kit.clock)


def whole(miner: MinerSettings, devices: Sequence[Device]) -> bool:
    """Whether the one program of a UID takes all of several GPUs."""
    return miner.gpus != 1 and len(devices) > 1


def _miner_node(kit: Kit, miner: MinerSettings, program: ProgramSettings, sight: Callable[[int], Sighting | None]) -> NodeDriver:
    if miner.gpus not in (None, 1, len(by_number(kit))):
        place, there = f"networks.{kit.network}: the miner of subnet {miner.netuid}", len(kit.devices)
        raise ConfigError(f"{place} has a node for {miner.gpus} GPUs: it can be started for 1 or for all {there} of this rig")
    together = whole(miner, kit.devices)
    node = node_of(kit, program, str(miner.netuid), whole=together)
    alone = () if together else tuple(kit.devices)
    return MinerNode(kit.network, kit.clock, node, miner.netuid, alone, lambda: sight(miner.netuid))


class MinerNode:
    """A miner, whose UID is its work: a lease for as long as it mines, let go by a drain at the price that the exit cost names."""

    def __init__(self, network: NetworkId, clock: Clock, node: NodeDriver, netuid: int, rivals: Sequence[Device], sight: Sight) -> None:
        """``rivals`` are the devices that compete for the UID; none where they serve it together."""
        self._network = network
        self._clock = clock
        self._node = node
        self._netuid = netuid
        self._rivals = rivals
        self._sight = sight

    def observe(self, device: Device) -> Observation:
        """What its program does, the UID that it holds, and what it is worth."""
        seen, sight = self._node.observe(device), self._sight()
        miner = sight.subnet.miner if sight else None
        if sight is None or miner is None or seen.phase in (Phase.UNKNOWN, Phase.FAULT):
            return seen
        note = "; ".join(filter(None, (seen.note, _prospect(sight, miner, self._clock.now(), mines=seen.phase is not Phase.ABSENT))))
        if seen.phase is not Phase.READY:
            return replace(seen, note=note)
        since = min(sight.subnet.look.at - _blocks(sight, sight.subnet.look.block - _registered(sight, miner)), seen.at)
        lease = Lease(f"UID {miner.uid} of subnet {self._netuid}", since, breakable=True)
        return replace(seen, phase=Phase.BUSY, leases=(lease,), note=note)

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        """Whether the miner is registered, and what its engine says."""
        if unregistered := self._unregistered():
            return Readiness(Stage.REFUSED, unregistered)
        return self._node.prepare(device, venue) if isinstance(self._node, Prepares) else PREPARED

    def start(self, device: Device, venue: Venue) -> None:
        """Raises NodeFault where the miner is not registered, which we never pay for, or serves another device."""
        if unregistered := self._unregistered():
            raise NodeFault(self._network, f"{device.label}: {unregistered}")
        for rival in self._rivals:
            if rival != device and self._node.observe(rival).phase is not Phase.ABSENT:
                raise NodeFault(
                    self._network, f"{device.label}: {rival.label} has the UID of subnet {self._netuid}, which only one may use"
                )
        self._node.start(device, venue)

    def drain(self, device: Device) -> None:
        """A miner has no work to finish."""
        self._node.drain(device)

    def stop(self, device: Device) -> None:
        """The UID stays registered, for as long as nobody takes its place."""
        self._node.stop(device)

    def _unregistered(self) -> str:
        """What is to be done first where no miner is registered; empty where one is, or where nobody can tell."""
        sight = self._sight()
        if sight is None or sight.subnet.miner is not None:
            return ""
        return f"no miner is registered on subnet {self._netuid}: register it by hand, for {plain(sight.subnet.burn)} TAO"


def at_stake(sight: Sighting, gpus: int, now: datetime) -> Usd:
    """What a device puts at stake by leaving: its part of what the registration would cost anew.

    Nothing where there is none, or where it is immune for so long that one can come back to it. That a subnet has a free slot left is
    not reckoned with.
    """
    miner = sight.subnet.miner
    if miner is None or _immune_until(sight, miner) > now + ABSENCE:
        return Usd(0)
    return Usd.of(sight.subnet.burn * sight.tao.usd / gpus)


def leaving(sight: Sighting, gpus: int, now: datetime) -> ExitCost:
    """What it costs to stop mining, and what becomes of the UID where that is at stake."""
    stake, miner = at_stake(sight, gpus, now), sight.subnet.miner
    return ExitCost(forfeits=stake, identity=_prospect(sight, miner, now, mines=True) if stake and miner else "")


def _prospect(sight: Sighting, miner: Miner, now: datetime, *, mines: bool) -> str:
    """What becomes of a UID that nobody mines for."""
    worth = f"{plain(sight.subnet.burn)} TAO, {plain(sight.subnet.burn * sight.tao.usd)} $"
    until = _immune_until(sight, miner)
    uid = f"UID {miner.uid} of subnet {sight.subnet.netuid}"
    state = "" if mines else " and nobody mines for it"
    if until > now:
        return f"{uid} is immune until {until:%Y-%m-%d %H:%M} UTC{state}: whoever is away then can lose a registration worth {worth}"
    return f"{uid} is not immune{state}: without a miner the next newcomer can take its place, worth {worth}"


def _immune_until(sight: Sighting, miner: Miner) -> datetime:
    return sight.subnet.look.at + _blocks(sight, miner.immune_until - sight.subnet.look.block)


def _registered(sight: Sighting, miner: Miner) -> int:
    return miner.immune_until - sight.subnet.immunity


def _blocks(sight: Sighting, blocks: int) -> timedelta:
    return sight.epoch.span(Decimal(blocks))

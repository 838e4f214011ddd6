"""The GPUs themselves have a say: one that cannot be seen stays where it is, and its owner goes before every network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from fnmatch import fnmatchcase

from autopilot.model.device import IDLE, Device, DeviceId, NetworkId
from autopilot.model.gpu import Ailment, GpuProcess, GpuState, Kin, Reading
from autopilot.model.node import Placement
from autopilot.model.order import Bounds, Order
from autopilot.model.owner import OwnerRule, Policy
from autopilot.pilot.limiting import Limiter
from autopilot.store.owners import LastSeen, OwnerBook
from autopilot.units import span_text

log = logging.getLogger(__name__)

Look = Callable[[Sequence[Device]], Mapping[DeviceId, Reading | Ailment]]
"""Looks at some GPUs and returns soon, whatever the driver does."""
_NAMED = 2
"""How many programs a sentence names."""


@dataclass(frozen=True, slots=True)
class Household:
    """Who may be on a GPU, and what holds for its owner."""

    kin: Callable[[int], Kin] = lambda _: Kin.UNTOLD
    """Who started the program of a process id."""
    rules: Mapping[DeviceId, OwnerRule] = field(default_factory=dict)
    ignored: Sequence[str] = ()
    """Names of programs that may be there at any time, also as patterns: a desktop, a monitor."""
    lent: Callable[[datetime], Container[DeviceId]] = lambda _: ()
    """The GPUs that their owner lends at an instant, whatever he does with them and in his own hours too."""
    zone: tzinfo | None = None
    """Of the hours of the day; this host's where none is given."""


class Tending:
    """Looks at every GPU at every tick, and speaks for it.

    When an owner's program was last seen is in the state file: a restart in a quiet period does not end it.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        look: Look,
        household: Household,
        owners: OwnerBook,
        moving: Callable[[], Container[DeviceId]],
        *,
        limiter: Limiter | None = None,
        whole: Container[NetworkId] = (),
    ) -> None:
        self._devices = devices
        self._look = look
        self._house = household
        self._owners = owners
        self._moving = moving
        """The devices that a switch is moving."""
        self._limiter = limiter
        self._whole = whole
        """The networks that take all GPUs of a rig, or none."""
        self._doubts: dict[DeviceId, str] = {}
        self.states: Mapping[DeviceId, GpuState] = {}
        """What is known of each GPU, as of the last tick."""

    def bounds(self, now: datetime, placements: Mapping[DeviceId, Placement]) -> Bounds:
        """One that its owner wants has to be idle. One that cannot be seen stays, which also turns back what still drains."""
        seen = self._look(self._devices)
        if self._limiter is not None:
            self._limiter.settle(placements, seen)
        last = self._owners.seen()
        self.states = {
            device.id: self._state(device.id, seen[device.id], placements[device.id], now, last.get(device.id)) for device in self._devices
        }
        found = {device: self._order(device, state, placements[device]) for device, state in self.states.items()}
        orders = {device: order for device, order in found.items() if order is not None}
        held = {device: _why(state.seen) for device, state in self.states.items() if isinstance(state.seen, Ailment)}
        return Bounds({**self._together(orders, placements), **orders}, held)

    def holder(self, device: Device) -> str:
        """Whose program is on a GPU right now, ours or not, but for those that may always be there; empty where nobody can tell."""
        seen = self._look([device])[device.id]
        programs = (seen.processes or ()) if isinstance(seen, Reading) else ()
        there = [each for each in programs if not self._ignored(each.name)]
        return f"{_names(there)} still on {device.label}" if there else ""

    def _order(self, device: DeviceId, state: GpuState, placement: Placement) -> Order | None:
        if isinstance(state.seen, Ailment):  # there is no way back from a venue to idle: what boots is not called off on a guess
            return None if placement.venue == IDLE else Order(placement.venue, _why(state.seen))
        return Order(IDLE, state.owner, at_once=self._rule(device).policy is Policy.STOP) if state.owner else None

    def _together(self, orders: Mapping[DeviceId, Order], placements: Mapping[DeviceId, Placement]) -> dict[DeviceId, Order]:
        """A network that takes the whole rig is left by all GPUs where one has to leave."""
        networks = {device: placement.venue.network for device, placement in placements.items()}
        leaving = {networks[device]: order for device, order in orders.items() if order.target == IDLE and networks[device] in self._whole}
        return {
            device: replace(leaving[network], why=f"{network} takes the whole rig, and {leaving[network].why}")
            for device, network in networks.items()
            if network in leaving
        }

    def _state(self, device: DeviceId, seen: Reading | Ailment, placement: Placement, now: datetime, last: LastSeen | None) -> GpuState:
        if isinstance(seen, Ailment):
            return GpuState(seen)
        theirs, unclear = self._strangers(seen, placement)
        if theirs:
            self._owners.note(device, now, _names(theirs))
        return GpuState(seen, self._owner(device, theirs, now, last), self._doubt(device, seen, unclear))

    def _owner(self, device: DeviceId, theirs: Sequence[GpuProcess], now: datetime, last: LastSeen | None) -> str:
        """What its owner does with it, in words."""
        rule = self._rule(device)
        if rule.policy is Policy.IGNORE or device in self._house.lent(now):
            return ""
        local = now.astimezone(self._house.zone)
        hours = next((each for each in rule.hours if each.holds(local)), None)
        if hours is not None:
            return f"its owner has it from {hours.start:%H:%M} to {hours.end:%H:%M}"
        if theirs:
            return f"its owner is on it with {_names(theirs)}, and it is his until {span_text(rule.quiet)} after that ends"
        if last is None:
            return ""
        left, names = self._left(device, last, now), last.programs
        if now >= left + rule.quiet:
            return ""
        return f"its owner was on it with {names}, and may come back until {left + rule.quiet:%H:%M:%S} UTC"

    def _left(self, device: DeviceId, last: LastSeen, now: datetime) -> datetime:
        """When its owner was last on it. Where the clock was put back since, it was just now."""
        if last.at <= now:
            return last.at
        self._owners.note(device, now, last.programs)
        return now

    def _strangers(self, seen: Reading, placement: Placement) -> tuple[list[GpuProcess], list[GpuProcess]]:
        """The programs of its owner, and those of which nobody can tell.

        A container is the node's own, or its tenant's, as long as there is a node; where there is none, it is its owner's.
        """
        named = [each for each in seen.processes or () if not self._ignored(each.name)]
        kin = {each.pid: self._house.kin(each.pid) for each in named}
        if Kin.BOXED in kin.values() and placement.venue == IDLE and placement.device not in self._moving():
            kin = {pid: Kin.FOREIGN if each is Kin.BOXED else each for pid, each in kin.items()}
        return [each for each in named if kin[each.pid] is Kin.FOREIGN], [each for each in named if kin[each.pid] is Kin.UNTOLD]

    def _ignored(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._house.ignored)

    def _doubt(self, device: DeviceId, seen: Reading, unclear: Sequence[GpuProcess]) -> str:
        doubt = ""
        if seen.processes is None:
            doubt = "the driver does not tell who is on it: its owner is not noticed"
        elif unclear:
            doubt = f"{_names(unclear)} cannot be looked at by this user: taken for nobody's"
        if doubt and self._doubts.get(device) != doubt:
            log.warning("%s: %s", device, doubt)
        self._doubts[device] = doubt
        return doubt

    def _rule(self, device: DeviceId) -> OwnerRule:
        return self._house.rules.get(device, OwnerRule())


def _why(ailment: Ailment) -> str:
    return f"{ailment.condition}: {ailment.remedy}; until it is back, its node is left alone"


def _names(programs: Sequence[GpuProcess]) -> str:
    """The first of them, each with its process id."""
    named = [f"{each.name or 'a program'} ({each.pid})" for each in programs[:_NAMED]]
    more = len(programs) - len(named)
    return " and ".join([*named, f"{more} more"] if more else named)

"""Carrying switches out: show the machine what is seen, journal what it says, then obey."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from autopilot.contracts import Prepares, Scope
from autopilot.errors import AdapterError, NodeFault
from autopilot.model.device import IDLE, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, Basis
from autopilot.model.node import PREPARED, Observation, Phase, Readiness, Stage
from autopilot.model.plan import EntryCost, Move, PlanId
from autopilot.model.switch import Limits, State, Switch, SwitchId
from autopilot.pilot.costs import Costs
from autopilot.pilot.observing import Sightings, end_of, look
from autopilot.pilot.world import World
from autopilot.store.ledger import Entry, Kind
from autopilot.switching import Command, Sight, Verb, advance, promised, resume

log = logging.getLogger(__name__)

_NO_TIME = timedelta(0)
_PASSES = 16
"""A switch has at most seven states; more passes than this in one instant is a node that plays tricks."""

_LEAST_FIRST = (Stage.REFUSED, Stage.WORKING, Stage.READY)


@dataclass(frozen=True, slots=True)
class Progress:
    """An open switch and what was last said of it."""

    switch: Switch
    why: str


class Executor:
    """Every open switch, carried as far as the world allows."""

    def __init__(self, world: World, costs: Costs, now: datetime) -> None:
        self._world = world
        self._costs = costs
        self._journal = world.store.journal
        self._devices = {device.id: device for device in world.devices}
        self.open: dict[DeviceId, Progress] = {}
        self.stuck: dict[DeviceId, str] = {}
        """Devices with an open switch to or from a network that is not there any more: nothing is told to any node about them."""
        self._faults: dict[tuple[DeviceId, Venue], str] = {}
        self._recalls: dict[DeviceId, str] = {}
        self._called_off: dict[DeviceId, str] = {}
        self._served: dict[DeviceId, datetime] = {}
        """Since when the target of a switch is seen to serve. A restart forgets it, and it counts anew."""
        self._whole: dict[NetworkId, Readiness] = {}
        """What networks that take whole rigs have said in the present pass."""
        self._hurried: set[DeviceId] = set()
        """Devices whose work is not waited for, where it may be broken."""
        for switch in self._journal.open_switches():
            self._take_up(switch, now)

    def _take_up(self, switch: Switch, now: datetime) -> None:
        """Go on with a switch of an earlier run, where its device and both its networks are still there."""
        gone = [end.network for end in (switch.source, switch.target) if end.network not in self._world.adapters]
        if gone or switch.device not in self._devices:
            self.stuck[switch.device] = f"{switch.source} -> {switch.target} waits: configure {' and '.join(gone)} again"
            log.error("%s cannot go on: its device or network is not there any more", switch.id)
            return
        fresh = resume(switch, now)
        self._journal.resume(fresh)
        self.open[switch.device] = Progress(fresh, "resumed after an outage")

    def begin(self, move: Move, plan: PlanId, why: str, now: datetime) -> None:
        """Open the switch of a move: in the journal first, and nothing is told to any node yet."""
        ident = SwitchId(f"{move.device}@{now:%Y-%m-%dT%H:%M:%S.%f}")
        prepares = isinstance(self._world.adapters[move.target.network].node, Prepares)
        state = State.PREPARING if prepares else State.DRAINING
        told = self._costs.told(move.device, move.source)
        switch = Switch(ident, plan, move.device, move.source, move.target, state, now, now, told=told)
        self._journal.open(switch, why)
        self.open[move.device] = Progress(switch, "opened")

    def doubtful(self, answers: Mapping[tuple[Venue, DeviceId], Answer]) -> set[DeviceId]:
        """The devices that are still there, and whose move deserves another look: something was heard since it was decided."""
        leaving = (progress.switch for progress in self.open.values() if progress.switch.state.leaving)
        return {switch.device for switch in leaving if _heard(answers, switch)}

    def moves(self, devices: Iterable[DeviceId]) -> dict[DeviceId, Move]:
        """What devices with an open switch are doing, as moves."""
        switches = (self.open[device].switch for device in devices)
        return {switch.device: Move(switch.device, switch.source, switch.target) for switch in switches}

    def free_to_return(self, devices: Iterable[DeviceId]) -> set[DeviceId]:
        """Of devices with an open switch, those that may turn back: to and from a network that takes whole rigs, all go or none does."""
        rigs = [network for network, adapter in self._world.adapters.items() if adapter.scope is Scope.RIG]
        switches = [progress.switch for progress in self.open.values()]
        bound = [{each.device for each in switches if network in (each.source.network, each.target.network)} for network in rigs]
        free = set(devices)
        while split := [together for together in bound if together & free and not together <= free]:
            free.difference_update(*split)
        return free

    def recall(self, device: DeviceId, why: str) -> None:
        """The move of a device that is still there is not wanted any more: it turns back when it is settled next."""
        self._recalls[device] = why

    def call_off(self, device: DeviceId, why: str) -> None:
        """A device that has left must serve neither end: where nothing serves when it is settled next, it becomes idle."""
        self._called_off[device] = why

    def hurry(self, device: DeviceId, *, at_once: bool) -> None:
        """Whether the drain of a device is to be cut short where its work may be broken."""
        (self._hurried.add if at_once else self._hurried.discard)(device)

    def settle(self, sightings: dict[DeviceId, Sightings], now: datetime) -> list[Switch]:
        """Advance every open switch until nothing changes at this instant. Returns those that ended.

        What was seen is renewed in ``sightings`` after every command, so a node that obeys at once costs no further tick.
        """
        ended: list[Switch] = []
        for _ in range(_PASSES):
            before = self._signature(sightings)
            self._whole.clear()
            for device in list(self.open):
                switch = self._advance(device, sightings[device], now)
                if switch.state.over:
                    ended.append(switch)
                    self._close(switch)
                ends = {switch.source.network, switch.target.network}
                sightings[device].update(look(self._world.adapters, self._devices[device], ends, now))
            if self._signature(sightings) == before:
                break
        return ended

    def _close(self, switch: Switch) -> None:
        del self.open[switch.device]
        self._hurried.discard(switch.device)
        self._served.pop(switch.device, None)
        self._costs.learn(switch)

    def _signature(self, sightings: Mapping[DeviceId, Sightings]) -> list[tuple[object, ...]]:
        """What must change for another look to be worth it."""
        return [
            (device, progress.switch.state, *((seen.phase, len(seen.leases)) for seen in sightings[device].values()))
            for device, progress in self.open.items()
        ]

    def _advance(self, device: DeviceId, sightings: Sightings, now: datetime) -> Switch:
        """Ask the machine until it stays, journal every state, obey the last command."""
        switch = self.open[device].switch
        sight = self._sight(switch, sightings, now)
        limits = self._limits(switch, sight.source)
        step = advance(switch, sight, now, limits)
        while step.switch.state is not switch.state:
            self._enter(step.switch, switch.state, step.why, now)
            switch = step.switch
            step = advance(switch, sight, now, limits)
        self.open[device] = Progress(switch, step.why)
        if step.command:
            self._obey(step.command, switch, sightings)
        return switch

    def _limits(self, switch: Switch, source: Observation) -> Limits:
        limits = self._world.limits.covering(self._costs.longest_boot(self._devices[switch.device], (switch.source, switch.target)))
        hurried = switch.device in self._hurried and source.phase is not Phase.UNKNOWN and not promised(source)
        return replace(limits, drain=_NO_TIME) if hurried else limits

    def _enter(self, switch: Switch, before: State, why: str, now: datetime) -> None:
        log.info("%s: %s -> %s: %s", switch.id, before, switch.state, why)
        with self._world.store.atomic():
            self._journal.change(switch, before, why)
            if switch.state is State.STARTING:
                self._pay_entry(switch, now)

    def _pay_entry(self, switch: Switch, now: datetime) -> None:
        fee = (self._costs.entry(self._devices[switch.device], switch.target) or EntryCost()).fee
        if fee:
            entry = Entry(now, now, switch.device, switch.target, Kind.FEE, fee, Basis.ESTIMATE, switch.id)
            self._world.store.ledger.book([entry])

    def _sight(self, switch: Switch, sightings: Sightings, now: datetime) -> Sight:
        source = end_of(sightings[switch.source.network], switch.source)
        target = end_of(sightings[switch.target.network], switch.target)
        fault, refusal = (self._faults.pop((switch.device, end), None) for end in (switch.target, switch.source))
        if fault is not None and switch.state is State.STARTING:
            target = replace(target, phase=Phase.FAULT, note=fault)
        return Sight(
            source,
            target,
            self._recalls.pop(switch.device, ""),
            self._called_off.pop(switch.device, ""),
            (refusal or "") if switch.state is State.STOPPING else "",
            self._readiness(switch) if switch.state is State.PREPARING else PREPARED,
            self._world.holder(self._devices[switch.device]),
            self._steady(switch.device, target, now),
        )

    def _steady(self, device: DeviceId, target: Observation, now: datetime) -> timedelta:
        """For how long the target has been seen to serve without a break."""
        if not target.phase.serves:
            self._served.pop(device, None)
        return now - self._served.setdefault(device, now) if target.phase.serves else _NO_TIME

    def _readiness(self, switch: Switch) -> Readiness:
        """What the target says. Of a network that takes whole rigs, the least ready answer counts for all: all go, or none does."""
        network = switch.target.network
        if self._world.adapters[network].scope is not Scope.RIG:
            return self._told(switch)
        if network not in self._whole:
            preparing = (each.switch for each in self.open.values() if each.switch.state is State.PREPARING)
            together = [each for each in preparing if each.target.network == network]
            self._whole[network] = min(map(self._told, together), key=lambda told: _LEAST_FIRST.index(told.stage))
        return self._whole[network]

    def _told(self, switch: Switch) -> Readiness:
        """What the target says of one device. One that cannot say it now is asked again, for as long as preparations may take."""
        node = self._world.adapters[switch.target.network].node
        if not isinstance(node, Prepares):
            return PREPARED
        try:
            return node.prepare(self._devices[switch.device], switch.target)
        except NodeFault as error:
            return Readiness(Stage.REFUSED, str(error))
        except Exception as error:  # noqa: BLE001  # a stranger's driver may raise anything
            return Readiness(Stage.WORKING, str(error) if isinstance(error, AdapterError) else f"{type(error).__name__}: {error}")

    def _obey(self, command: Command, switch: Switch, sightings: Sightings) -> None:
        network = command.venue.network
        if command.verb is Verb.START and (others := self._others(network, sightings)):
            self.open[switch.device] = Progress(switch, f"{command.venue} waits: {' and '.join(others)} may hold the device")
            return
        node, device = self._world.adapters[network].node, self._devices[switch.device]
        try:
            if command.verb is Verb.START:
                node.start(device, command.venue)
            elif command.verb is Verb.DRAIN:
                node.drain(device)
            else:
                node.stop(device)
        except NodeFault as error:
            self._faults[switch.device, command.venue] = str(error)
            self._complain(switch, str(error))
        except AdapterError as error:
            self._complain(switch, str(error))
        except Exception as error:  # a stranger's driver may raise anything; the verb is repeated at the next tick
            log.exception("%s: %s failed", command.venue, command.verb)
            self._complain(switch, f"{type(error).__name__}: {error}")

    def _complain(self, switch: Switch, message: str) -> None:
        log.warning("%s: %s", switch.id, message)
        self.open[switch.device] = Progress(switch, message)

    def _others(self, network: NetworkId, sightings: Sightings) -> Sequence[str]:
        """The networks, besides the one to be started, that are not seen to have let go of the device."""
        free = (network, IDLE.network)
        return [str(other) for other, seen in sightings.items() if other not in free and seen.phase is not Phase.ABSENT]


def _heard(answers: Mapping[tuple[Venue, DeviceId], Answer], switch: Switch) -> bool:
    """Whether both ends are known, and one of them anew since the switch was opened: silence takes no offer back."""
    told = [answers.get((venue, switch.device)) for venue in (switch.source, switch.target) if venue != IDLE]
    return None not in told and any(answer is not None and answer.seen_at > switch.opened_at for answer in told)

"""Pilot: poll, tick, learn. It keeps no plan in its head: what it intends is in the journal before it is done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from autopilot.contracts import NamedStrategy
from autopilot.guards import Closed, Guard
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Observation, Phase, Placement
from autopilot.model.plan import Decision, Plan
from autopilot.model.switch import State, Switch
from autopilot.model.view import View
from autopilot.pilot.booking import Booker, Mode, mode_of
from autopilot.pilot.costs import Costs
from autopilot.pilot.deciding import Lapse, ask, describe, judge
from autopilot.pilot.executing import Executor, Progress
from autopilot.pilot.experiencing import Experiencer
from autopilot.pilot.learning import Learning
from autopilot.pilot.observing import Register, Sightings, look
from autopilot.pilot.ordering import Authority, Orderer
from autopilot.pilot.polling import Poller
from autopilot.pilot.realising import Realiser
from autopilot.pilot.remembering import Memory
from autopilot.pilot.speaking import Speaker
from autopilot.pilot.supplying import Supply
from autopilot.pilot.tipping import Tipping
from autopilot.pilot.viewing import Viewer
from autopilot.pilot.world import World
from autopilot.store.context import pack
from autopilot.store.journal import Ruling

log = logging.getLogger(__name__)


class Pilot:
    """Flies the devices of a world by a strategy, within guards.

    With ``live=False`` it decides, journals and says what it would do, and tells no node anything.
    Raises StoreError when the journal cannot be written: then nothing more is done, and every node runs on.
    """

    def __init__(
        self,
        world: World,
        strategy: NamedStrategy,
        guards: Sequence[Guard] = (),
        authorities: Sequence[Authority] = (),
        *,
        live: bool = True,
    ) -> None:
        now = world.clock.now()
        self._world = world
        self._learning = Learning(world, strategy)
        self._tipping = Tipping(world)
        self._guards = guards
        self._live = live
        self._devices = tuple(sorted(world.devices, key=lambda device: device.id))
        self._register = Register(self._devices, world.store.journal, now)
        self._costs = Costs(world)
        self._executor = Executor(world, self._costs, now)
        self._poller = Poller(world)
        self._supply = Supply(world)
        self._viewer = Viewer(world, self._costs, self._poller.record, self._supply)
        self._booker = Booker(world, self._supply)
        self._experiencer = Experiencer(world)
        self._realiser = Realiser(world, self._poller.record)
        self._fences = world.store.journal.fences()
        self._past: dict[DeviceId, list[Switch]] = {device.id: [] for device in self._devices}
        for switch in world.store.journal.switches():
            if switch.state.over:
                self._past.setdefault(switch.device, []).append(switch)
        self._speaker = Speaker(self._devices, world.store, live=live)
        self._memory = Memory(world)
        self._orderer = Orderer(authorities, guards, self._executor, world.store, self._memory)
        self._last = now

    @property
    def world(self) -> World:
        """What it flies in."""
        return self._world

    @property
    def placements(self) -> dict[DeviceId, Placement]:
        """Where every device is, as of the last tick."""
        return dict(self._register.placements)

    @property
    def troubles(self) -> dict[str, dict[NetworkId, str]]:
        """The networks that did not answer when they were last asked, and those that are not asked any more, each with the reason."""
        return {"silent": dict(self._poller.silent), "quarantine": dict(self._poller.quarantine)}

    @property
    def ignorance(self) -> str:
        """Why the strategy could not learn its last lesson; empty where it could."""
        return self._learning.trouble

    @property
    def waits(self) -> bool:
        """Whether some network may still answer in time what it was asked."""
        return self._poller.waits

    def poll(self) -> None:
        """Begin to ask every network for its rates and for what it has paid. What they answer is taken in as it comes.

        The time until an answer is taken in is booked first: it was flown by the quotes that were in force.
        """
        self.take_in()
        self._book(self._world.clock.now())
        self._supply.poll()
        self._poller.collect()
        self._poller.poll()

    def collect(self) -> None:
        """Begin to ask every network for what it has paid. Nothing is decided for it."""
        self._poller.collect()

    def take_in(self) -> None:
        """Take in what the networks have answered until now, and what was learned. Every tick does it first."""
        if self._poller.come or self._supply.come:
            self._book(self._world.clock.now())
        self._poller.take()
        if self._supply.take(self._world.clock.now()):
            self._poller.fresh = True
        if self._learning.wanted and not self._poller.waits:
            now = self._world.clock.now()
            self._viewer.note_costs(self._poller.usable(now), self._register.placements)
            self._learning.begin(self._poller.record, now)
        if self._learning.take():
            self._poller.fresh = True
        self._tipping.go_on()

    def heading(self, device: DeviceId) -> Venue:
        """The venue that a device is on, or on its way to."""
        progress = self._executor.open.get(device)
        if progress is None:
            return self._register.placements[device].venue
        return progress.switch.heading

    @property
    def open_switches(self) -> dict[DeviceId, Progress]:
        """The switches under way, by device, each with the last that was said of it."""
        return dict(self._executor.open)

    def learn(self) -> None:
        """Let the strategy learn from all that is known, once the networks that were asked have answered; one that fails stays as it is."""
        self._learning.want()
        self.take_in()

    def tick(self) -> dict[DeviceId, str]:
        """Observe, settle, book, decide, guard, open; then say one sentence about each device.

        It goes on until nothing more can change at this instant, so it may be called as often or as seldom as one likes.
        """
        self.take_in()
        now = self._world.clock.now()
        if now < self._last:
            return self._speaker.alarm(now, f"the clock went back from {self._last} to {now}: nothing is done until it catches up")
        self._last = now
        self._fences = self._world.store.journal.fences()  # a human may have lifted one since the last tick
        sightings = {device.id: look(self._world.adapters, device, self._world.adapters, now) for device in self._devices}
        self._book(now)
        self._experiencer.look(self._register.placements, sightings, now)
        self._settle(sightings, now)
        freed = self._freed(sightings)
        self._take_note(sightings, now)
        if self._order(now):
            self._settle(sightings, now)
        self._experiencer.publish(self._poller.usable(now))
        ripe = self._poller.ripe(now)
        self._poller.fresh = self._poller.fresh and not ripe
        waiting = set() if ripe else {device.id for device in self._devices} - freed
        if (ripe or freed) and self._decide(now, waiting):
            self._settle(sightings, now)
        self._experiencer.look(self._register.placements, sightings, now)  # what this tick has brought about begins here
        self._booker.set({device.id: self._mode(device, sightings[device.id]) for device in self._devices}, now)
        return self._say(now)

    def _book(self, now: datetime) -> None:
        entries = self._booker.book(now, self._poller.answers)
        if entries:
            with self._world.store.atomic():
                self._world.store.ledger.book(entries)
                self._supply.keep()

    def _settle(self, sightings: dict[DeviceId, Sightings], now: datetime) -> None:
        if not self._live or not self._executor.open:
            return
        for switch in self._executor.settle(sightings, now):
            self._past[switch.device].append(switch)
            self._speaker.asides.pop(switch.device, None)
            if switch.state is State.SETTLED:
                self._register.arrived(switch.device, switch.target, now)
            elif switch.state is State.CLEARED:
                self._register.arrived(switch.device, IDLE, now)
            elif switch.state is State.STRANDED:
                self._fences = self._world.store.journal.fences()
            self._speaker.notes[switch.device] = f"{self._label(switch.device)}: {switch.source} -> {switch.target} {switch.state}"

    def _freed(self, sightings: dict[DeviceId, Sightings]) -> set[DeviceId]:
        """Those whose job has ended since the last tick, so that moving breaks nothing (docs/market.md §4), and those set free by it."""
        before = [each for each in self._register.placements.values() if each.seen.phase is Phase.BUSY]
        freed = {each.device for each in before if sightings[each.device][each.venue.network].phase is Phase.READY}
        return (freed | self._orderer.released) - self._executor.open.keys()

    def _take_note(self, sightings: dict[DeviceId, Sightings], now: datetime) -> None:
        for device in self._devices:
            if device.id in self._executor.open:
                self._register.keep_watching(device.id, sightings[device.id])
            if device.id in self._executor.open or device.id in self._executor.stuck:
                continue
            conflict = self._register.take_note(device, sightings[device.id], now)
            if conflict and device.id not in self._fences:
                log.error("%s is fenced: %s", device.label, conflict)
                with self._world.store.atomic():
                    self._world.store.journal.fence(device.id, now, conflict)
                self._fences[device.id] = conflict

    def _order(self, now: datetime) -> bool:
        """True when a switch was opened, or is to turn, because somebody besides the strategy asks for it."""
        turning = self._orderer.listen(now, self._register.placements)
        moves = self._orderer.wanted(self._immovable, self._register.placements)
        return (self._live and bool(moves) and self._orderer.open(moves, self._view(now, set()), self._past)) or turning

    @property
    def _immovable(self) -> set[DeviceId]:
        """Devices that nobody may move: what they do is not known, or a person must look first."""
        return {*self._executor.stuck, *self._fences, *self._register.doubts}

    def _decide(self, now: datetime, waiting: set[DeviceId]) -> bool:
        """True when a switch was opened, or is to turn back. Those that wait for the next quotes are not asked about."""
        strategy, view = self._learning.strategy, self._view(now, waiting)
        decision = ask(strategy, view)
        under_way = {device.id for device in view.free()} & self._executor.open.keys()
        unwanted = self._unwanted(decision, under_way)
        guards = (Closed(self._orderer.bounds.closed), *self._guards)
        verdict = judge(decision, view, guards, self._past, self._executor.moves(under_way - unwanted), self._memory)
        vetoes = {str(device): veto for device, veto in verdict.vetoes.items()}
        known, lesson = self._world.store.rates.last(), self._learning.lesson
        ruling = Ruling(now, strategy.named, pack(view), describe(decision), vetoes, known, lesson)
        with self._world.store.atomic():
            self._world.store.journal.rule(ruling)
            if self._live and isinstance(decision, Plan):
                for move in verdict.allowed:
                    self._executor.begin(move, decision.id, decision.reason, now)
        self._speaker.take(verdict, {device.id for device in self._devices} - waiting)
        self._look_again(decision, under_way, unwanted)
        self._tipping.want(strategy, view)
        return bool(unwanted) or (self._live and bool(verdict.allowed))

    def _unwanted(self, decision: Decision, under_way: set[DeviceId]) -> set[DeviceId]:
        """Those who still drain, would not be moved any more, and may turn back."""
        if isinstance(decision, Lapse):  # doubt moves nothing, and turns nothing back
            return set()
        return self._executor.free_to_return(under_way - {move.device for move in decision.moves})

    def _look_again(self, decision: Decision, under_way: set[DeviceId], unwanted: set[DeviceId]) -> None:
        """Turn back those whose move is not wanted any more.

        A move to somewhere else than where they are going is a reason to go on: from there the next decision may move them.
        """
        if isinstance(decision, Lapse):
            return
        targets = {move.device: move.target for move in decision.moves}
        for device in under_way:
            switch = self._executor.open[device].switch
            wanted = targets.get(device, switch.source)
            self._speaker.asides.pop(device, None)
            if device in unwanted:
                self._executor.recall(device, f"the gain is gone: {decision.notes.get(device) or decision.reason}")
            elif wanted != switch.target:
                self._speaker.asides[device] = f"{wanted} is wanted now, and looked at again from {switch.target}"

    def _view(self, now: datetime, waiting: set[DeviceId]) -> View:
        quotes = self._poller.usable(now)
        going = self._executor.open.keys() - self._executor.doubtful(quotes)
        fixed = {*going, *self._immovable, *self._orderer.bound, *waiting}
        view = self._viewer.view(now, quotes, self._register.placements, fixed, self._orderer.bounds.closed)
        experience = self._experiencer.experience(now)
        return replace(view, experience=replace(experience, realised=self._realiser.known(now, experience.odds)))

    def _mode(self, device: Device, sightings: Sightings) -> Mode:
        venue = self._register.placements[device.id].venue
        seen: Observation | None = sightings.get(venue.network)
        progress = self._executor.open.get(device.id)
        return mode_of(venue, seen, progress.switch if progress else None)

    def _label(self, device: DeviceId) -> str:
        return next((each.label for each in self._devices if each.id == device), device)

    def _say(self, now: datetime) -> dict[DeviceId, str]:
        fenced = {device: f"fenced: {why}" for device, why in self._fences.items()}
        under_way = self._speaker.under_way(self._executor.open)
        reasons = (fenced, under_way, self._executor.stuck, self._register.doubts, *self._orderer.reasons)
        return self._speaker.say(now, reasons, self._register.placements, self._supply.trouble(now))

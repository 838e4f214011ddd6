"""Pilot: poll, tick, learn. It keeps no plan in its head: what it intends is in the journal before it is done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from autopilot.contracts import NamedStrategy
from autopilot.guards import Guard
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Observation, Placement
from autopilot.model.plan import Hold, Plan
from autopilot.model.switch import State, Switch
from autopilot.model.view import View
from autopilot.pilot.booking import Booker, Mode, mode_of
from autopilot.pilot.costs import Costs
from autopilot.pilot.deciding import Verdict, ask, describe, judge
from autopilot.pilot.executing import Executor, Progress
from autopilot.pilot.observing import Register, Sightings, look
from autopilot.pilot.polling import Poller
from autopilot.pilot.world import World
from autopilot.store.context import pack
from autopilot.store.journal import Ruling

log = logging.getLogger(__name__)


class Pilot:
    """Flies the devices of a world by a strategy, within guards.

    With ``live=False`` it decides, journals and says what it would do, and tells no node anything.
    Raises StoreError when the journal cannot be written: then nothing more is done, and every node runs on.
    """

    def __init__(self, world: World, strategy: NamedStrategy, guards: Sequence[Guard] = (), *, live: bool = True) -> None:
        now = world.clock.now()
        self._world = world
        self._strategy = strategy
        self._guards = guards
        self._live = live
        self._devices = tuple(sorted(world.devices, key=lambda device: device.id))
        self._register = Register(self._devices, world.store.journal, now)
        self._costs = Costs(world.adapters)
        self._executor = Executor(world, self._costs, now)
        self._poller = Poller(world)
        self._booker = Booker(world)
        self._fences = world.store.journal.fences()
        self._past: dict[DeviceId, list[Switch]] = {device.id: [] for device in self._devices}
        for switch in world.store.journal.switches():
            if switch.state.over:
                self._past.setdefault(switch.device, []).append(switch)
        self._notes: dict[DeviceId, str] = {}
        self._said: dict[DeviceId, str] = {}
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
        """The networks that did not answer the last poll, and those that are not asked any more, each with the reason."""
        return {"silent": dict(self._poller.silent), "quarantine": dict(self._poller.quarantine)}

    def poll(self) -> None:
        """Ask every network for its rates and for what it has paid, and keep the answers.

        The time until now is booked first: it was flown by the quotes that were in force.
        """
        self._book(self._world.clock.now())
        self._poller.collect()
        self._poller.poll()

    def collect(self) -> None:
        """Ask every network for what it has paid, and book it. Nothing is decided for it."""
        self._poller.collect()

    def heading(self, device: DeviceId) -> Venue:
        """The venue that a device is on, or on its way to."""
        progress = self._executor.open.get(device)
        if progress is None:
            return self._register.placements[device].venue
        return progress.switch.source if progress.switch.state is State.REVERTING else progress.switch.target

    @property
    def open_switches(self) -> dict[DeviceId, Progress]:
        """The switches under way, by device, each with the last that was said of it."""
        return dict(self._executor.open)

    def learn(self) -> None:
        """Let the strategy learn from all that is known; one that fails stays as it is."""
        try:
            wiser = self._strategy.strategy.fit(self._poller.record.until_now())
        except Exception:  # a stranger's strategy may raise anything; the last good one flies on
            log.exception("strategy %s could not learn", self._strategy.name)
            return
        self._strategy = NamedStrategy(self._strategy.name, wiser, self._strategy.parameters)

    def tick(self) -> dict[DeviceId, str]:
        """Observe, settle, book, decide, guard, open; then say one sentence about each device.

        It goes on until nothing more can change at this instant, so it may be called as often or as seldom as one likes.
        """
        now = self._world.clock.now()
        if now < self._last:
            return self._say(now, f"the clock went back from {self._last} to {now}: nothing is done until it catches up")
        self._last = now
        self._fences = self._world.store.journal.fences()  # a human may have lifted one since the last tick
        sightings = {device.id: look(self._world.adapters, device, self._world.adapters, now) for device in self._devices}
        self._book(now)
        self._settle(sightings, now)
        self._take_note(sightings, now)
        if self._poller.fresh and self._decide(now):
            self._settle(sightings, now)
        self._booker.set({device.id: self._mode(device, sightings[device.id]) for device in self._devices}, now)
        return self._say(now)

    def _book(self, now: datetime) -> None:
        entries = self._booker.book(now, self._poller.answers)
        if entries:
            with self._world.store.atomic():
                self._world.store.ledger.book(entries)

    def _settle(self, sightings: dict[DeviceId, Sightings], now: datetime) -> None:
        if not self._executor.open:
            return
        for switch in self._executor.settle(sightings, self._view(now)):
            self._past[switch.device].append(switch)
            if switch.state is State.SETTLED:
                self._register.arrived(switch.device, switch.target, now)
            elif switch.state is State.STRANDED:
                self._fences = self._world.store.journal.fences()
            self._notes[switch.device] = f"{self._label(switch.device)}: {switch.source} -> {switch.target} {switch.state}"

    def _take_note(self, sightings: dict[DeviceId, Sightings], now: datetime) -> None:
        for device in self._devices:
            if device.id in self._executor.open or device.id in self._executor.stuck:
                continue
            conflict = self._register.take_note(device, sightings[device.id], now)
            if conflict and device.id not in self._fences:
                log.error("%s is fenced: %s", device.label, conflict)
                with self._world.store.atomic():
                    self._world.store.journal.fence(device.id, now, conflict)
                self._fences[device.id] = conflict

    def _decide(self, now: datetime) -> bool:
        """True when a switch was opened."""
        self._poller.fresh = False
        view = self._view(now)
        decision = ask(self._strategy, view)
        verdict = judge(decision, view, self._guards, self._past)
        ruling = Ruling(
            now,
            {"name": self._strategy.name, "parameters": dict(self._strategy.parameters)},
            pack(view),
            describe(decision),
            {str(device): veto for device, veto in verdict.vetoes.items()},
        )
        with self._world.store.atomic():
            self._world.store.journal.rule(ruling)
            if self._live and isinstance(decision, Plan):
                for move in verdict.allowed:
                    self._executor.begin(move, decision, now)
        self._notes = {device.id: self._note(device, verdict) for device in self._devices}
        return self._live and bool(verdict.allowed)

    def _note(self, device: Device, verdict: Verdict) -> str:
        decision = verdict.decision
        note = decision.notes.get(device.id) or f"{device.label}: {decision.reason if isinstance(decision, Hold) else 'not asked about'}"
        if device.id in verdict.vetoes:
            return f"{note}; held back: {verdict.vetoes[device.id]}"
        if not self._live and any(move.device == device.id for move in verdict.allowed):
            return f"{note}; dry run: nothing was moved"
        return note

    def _view(self, now: datetime) -> View:
        quotes = self._poller.usable(now)
        venues = {venue for venue, _ in quotes} | {IDLE} | {placement.venue for placement in self._register.placements.values()}
        costs = {(venue, device.id): self._costs.entry(device, venue) for venue in sorted(venues) for device in self._devices}
        entries = {key: cost for key, cost in costs.items() if cost is not None}
        leaving = {device: self._costs.exit(placement) for device, placement in self._register.placements.items()}
        exits = {device: cost for device, cost in leaving.items() if cost is not None}
        fixed = {*self._executor.open, *self._executor.stuck, *self._fences, *self._register.doubts, *(leaving.keys() - exits.keys())}
        return View(
            now,
            self._devices,
            self.placements,
            {key: answer for key, answer in quotes.items() if key in entries},
            self._poller.record.until_now(),
            entries,
            exits,
            self._world.draws,
            self._world.power,
            frozenset(fixed),
        )

    def _mode(self, device: Device, sightings: Sightings) -> Mode:
        venue = self._register.placements[device.id].venue
        seen: Observation | None = sightings.get(venue.network)
        progress = self._executor.open.get(device.id)
        return mode_of(venue, seen, progress.switch if progress else None)

    def _label(self, device: DeviceId) -> str:
        return next((each.label for each in self._devices if each.id == device), device)

    def _say(self, now: datetime, alarm: str = "") -> dict[DeviceId, str]:
        sentences = {device.id: self._sentence(device, alarm) for device in self._devices}
        news = {device: sentence for device, sentence in sentences.items() if self._said.get(device) != sentence}
        if news:
            with self._world.store.atomic():
                self._world.store.journal.say(now, news)
            for sentence in news.values():
                log.info("%s", sentence)
            self._said.update(news)
        return sentences

    def _sentence(self, device: Device, alarm: str) -> str:
        if alarm:
            return f"{device.label}: {alarm}"
        if device.id in self._fences:
            return f"{device.label}: fenced: {self._fences[device.id]}"
        if device.id in self._executor.open:
            progress = self._executor.open[device.id]
            return f"{device.label}: {progress.switch.source} -> {progress.switch.target}: {progress.why}"
        for reasons in (self._executor.stuck, self._register.doubts):
            if device.id in reasons:
                return f"{device.label}: {reasons[device.id]}"
        where = self._register.placements[device.id].venue
        return self._notes.get(device.id) or f"{device.label}: at {where}, nothing decided yet"

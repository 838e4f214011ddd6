"""One flight of the demo: the autopilot and its two controls over the same market, on one timetable."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import NoReturn

from autopilot.daemon.service import Cadence, Service
from autopilot.dashboard.snapshot import Control
from autopilot.demo.outcome import CONTROLS, Outcome
from autopilot.demo.world import Scene, take_off
from autopilot.guards import chosen
from autopilot.model.device import DeviceId
from autopilot.model.switch import State
from autopilot.pilot import Pilot
from autopilot.plugins import make_strategy
from autopilot.settings import GuardSettings
from autopilot.sim.clock import SimClock
from autopilot.sim.timetable import SimTimetable
from autopilot.store.store import Store
from autopilot.units import HOUR, hour_start

STRATEGY = "forecast"
_CADENCE = Cadence(poll=HOUR, tick=timedelta(minutes=3), learn=timedelta(days=1))
_DAY = timedelta(days=1)


class Flight:
    """The autopilot writes to the store, as the daemon does; its controls have no guards and leave nothing behind."""

    def __init__(self, scene: Scene, store: Store, speed: float) -> None:
        self.scene = scene
        self.clock = SimClock(scene.start)
        self._store = store
        self._timetable = SimTimetable(self.clock)
        self._pilot = take_off(scene, self.clock, store, make_strategy(STRATEGY, {}), chosen(GuardSettings()))
        self._controls = {name: take_off(scene, self.clock, Store.in_memory(), make_strategy(name, {})) for name in CONTROLS}
        self._body = {
            "version": version("yield-autopilot"),
            "strategy": STRATEGY,
            "live": True,
            "tick_seconds": _CADENCE.tick.total_seconds(),
            "speed": speed,
            "by_hand": True,
            "devices": [[device.id, device.model, device.index] for device in scene.devices],
        }
        self._schedule(self._pilot, self._after_tick)
        for pilot in self._controls.values():
            self._schedule(pilot, lambda _: None)

    def _schedule(self, pilot: Pilot, beat: Callable[[Mapping[DeviceId, str]], None]) -> None:
        Service(pilot, _CADENCE, beat, _fail).schedule(self._timetable, self.clock.now())

    def _after_tick(self, _: Mapping[DeviceId, str]) -> None:
        # Once an hour is enough: how long ago it was means nothing on a clock that is moved by hand, and each beat waits for the disk.
        if self.clock.now() == hour_start(self.clock.now()):
            self._beat()

    def _beat(self) -> None:
        with self._store.atomic():
            self._store.journal.beat(self.clock.now(), self.scene.start, os.getpid(), {**self._body, **self._pilot.troubles})

    def fly_to(self, at: datetime) -> None:
        """Do everything that is due before the instant, and be there. Raises StoreError."""
        self._timetable.run_until(min(at, self.scene.end))

    def fly(self, stopped: Callable[[], bool], on_hour: Callable[[], None]) -> None:
        """Fly as fast as the machine can, to the end or until stopped; ``on_hour`` is called after every hour."""
        while not self.over and not stopped():
            self.fly_to(self.clock.now() + HOUR)
            on_hour()

    @property
    def over(self) -> bool:
        """Whether the market has no more hours."""
        return self.clock.now() >= self.scene.end

    @property
    def controls(self) -> tuple[Control, ...]:
        """What the controls have earned."""
        return tuple(Control(CONTROLS[name], pilot.world.store.ledger.totals()) for name, pilot in self._controls.items())

    def land(self, *, kept: bool) -> Outcome:
        """Book what is left to book, and sum up."""
        for pilot in (self._pilot, *self._controls.values()):
            pilot.tick()
            pilot.collect()
        self._beat()
        totals = {"autopilot": self._store.ledger.totals()}
        totals |= {name: pilot.world.store.ledger.totals() for name, pilot in self._controls.items()}
        switches = self._store.journal.switches()
        states = Counter(switch.state for switch in switches)
        placements = self._pilot.placements
        return Outcome(
            self.scene.seed,
            (self.clock.now() - self.scene.start) / _DAY,
            tuple(device.model for device in self.scene.devices),
            {name: float(each.net) for name, each in totals.items()},
            len(switches),
            states[State.REVERTED],
            states[State.STRANDED],
            totals["autopilot"].dark / HOUR,
            {device.label: str(placements[device.id].venue) for device in self.scene.devices},
            self._store.connection.path if kept else None,
        )


def _fail(error: Exception) -> NoReturn:
    raise error

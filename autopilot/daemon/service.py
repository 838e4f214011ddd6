"""The daemon's life: when to poll, tick and learn, and how to end."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from autopilot.clock import Clock, SystemClock
from autopilot.daemon.gpus import told
from autopilot.daemon.guard import Notifier, single_instance
from autopilot.daemon.leaps import Leaps
from autopilot.daemon.rig import make_clock, make_pilot
from autopilot.daemon.steady import Steady
from autopilot.errors import AutopilotError, StoreError
from autopilot.model.device import DeviceId
from autopilot.pilot import Pilot
from autopilot.settings import DaemonSettings, Settings, load
from autopilot.store.store import Store
from autopilot.units import HOUR, hour_start

log = logging.getLogger(__name__)

Beat = Callable[[Mapping[DeviceId, str]], None]
"""What is done after every good tick, with its sentences."""
Beside = Callable[[Settings, Clock, ExitStack], Callable[[], None]]
"""Makes what else is to hear of every good tick, for as long as one configuration flies. It must never hold one up."""


def nobody_beside(_settings: Settings, _clock: Clock, _closing: ExitStack) -> Callable[[], None]:
    """Nobody else hears of it."""
    return lambda: None


class Timetable(Protocol):
    """What runs jobs when they are due: an APScheduler scheduler, or one that is driven by hand."""

    def add_job(self, func: Callable[[], None], trigger: Steady, *, id: str, next_run_time: datetime, **options: Any) -> object:  # noqa: A002
        """Run the job at its first time, and then whenever its trigger says."""
        ...


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often the daemon polls, ticks and learns."""

    poll: timedelta
    tick: timedelta
    learn: timedelta
    jitter: timedelta = timedelta(0)

    @classmethod
    def of(cls, settings: DaemonSettings, speed: float = 1.0) -> Cadence:
        """As configured; a simulated rig that flies faster than life is looked at as much more often."""
        spans = (settings.poll, settings.tick, settings.learn, settings.jitter)
        return cls(*(span / speed for span in spans))


class Service:
    """Puts a pilot's work on a timetable. A tick that cannot be journalled ends the service: ``on_failure`` is told why.

    Nothing more is done either once the clock has leapt, where one is watched: every limit of a switch would be missed at once.
    """

    def __init__(
        self, pilot: Pilot, cadence: Cadence, beat: Beat, on_failure: Callable[[Exception], None], leaps: Leaps | None = None
    ) -> None:
        self._pilot = pilot
        self._cadence = cadence
        self._beat = beat
        self._on_failure = on_failure
        self._leaps = leaps
        self._failed = False

    def schedule(self, timetable: Timetable, now: datetime) -> None:
        """At once, then poll on the full hour, learn once a day, tick steadily; in this order where they meet.

        ``now`` is by the timetable's clock. Late runs are made up once, and no job overlaps another.
        """
        cadence = self._cadence
        first_poll = hour_start(now) + HOUR if cadence.poll >= HOUR else now + cadence.poll
        jobs = (
            ("poll", self._pilot.poll, Steady(first_poll, cadence.poll, cadence.jitter)),
            ("learn", self._pilot.learn, Steady(now, cadence.learn)),
            ("tick", self._tick, Steady(now, cadence.tick)),
        )
        for name, work, trigger in jobs:
            timetable.add_job(
                self._guarded(name, work),
                trigger,
                id=name,
                next_run_time=now,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )

    def _tick(self) -> None:
        self._beat(self._pilot.tick())

    def _guarded(self, name: str, work: Callable[[], None]) -> Callable[[], None]:
        def job() -> None:
            if self._failed or (self._leaps and self._leaps.leap):  # after a failure, what the pilot intends and the journal may differ
                return
            try:
                work()
            except Exception as error:
                self._failed = True
                if not isinstance(error, StoreError):
                    log.exception("%s failed", name)
                self._on_failure(error)

        return job


class Daemon:
    """Flies by a configuration until it is told to end, and starts afresh when it is told to reload."""

    def __init__(self, config: Path | None, settings: Settings, *, live: bool, beside: Beside = nobody_beside) -> None:
        self._config = config
        self._settings = settings
        self._live = live
        self._beside = beside
        self._calls: SimpleQueue[None] = SimpleQueue()
        """Whoever wants the main thread to look up puts something in; unlike an Event's lock, this may be done in a signal handler."""
        self._ending = False
        self._failure: Exception | None = None
        self._notifier = Notifier()

    def run(self) -> None:
        """Fly until a signal. Raises StoreError when the journal cannot be written, ConfigError when another daemon flies."""
        with single_instance(self._settings.state):
            self._listen()
            store = Store.open(self._settings.state)
            try:
                while not self._ending and self._failure is None:
                    self._fly(store)
            finally:
                self._notifier.stopping()
                store.close()
        if self._failure is not None:
            raise self._failure

    def _listen(self) -> None:
        """Signals only set flags; everything else happens in the loop."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)
        signal.signal(signal.SIGHUP, lambda *_: self._calls.put(None))

    def _end(self, *_: object) -> None:
        self._ending = True
        self._calls.put(None)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._calls.put(None)

    def _sleep(self, leaps: Leaps) -> None:
        """Until somebody calls, or the clock leaps: then all that we were away for counts against no limit, as after any outage.

        Looking up now and then: a signal may be taken in by another thread, and then wakes nobody.
        """
        while not leaps.leap:
            with suppress(Empty):
                self._calls.get(timeout=1.0)
                break
        if leaps.leap:
            log.warning("the clock has leapt by %s: flying on as after an outage", leaps.leap)
        while not self._calls.empty():
            self._calls.get()

    def _fly(self, store: Store) -> None:
        """Fly with one configuration: reloading is an end and a start, through the same door as after a crash."""
        with ExitStack() as closing:
            self._fly_until_called(store, closing)
        if not self._ending and self._failure is None:
            self._reload()

    def _fly_until_called(self, store: Store, closing: ExitStack) -> None:
        clock = make_clock(self._settings)
        pilot = make_pilot(self._settings, clock, store, closing, live=self._live)
        cadence = Cadence.of(self._settings.daemon, self._settings.rig.speed)
        scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})
        beside = self._beside(self._settings, clock, closing)
        beat = _heart(self._settings, pilot, self._notifier, beside, live=self._live)
        # The timetable is kept by the machine's clock, even where the rig's own time is made to fly.
        system = SystemClock()
        leaps = Leaps(system)
        Service(pilot, cadence, beat, self._fail, leaps).schedule(scheduler, system.now())
        scheduler.start()
        self._notifier.ready()
        self._sleep(leaps)
        scheduler.shutdown(wait=True)

    def _reload(self) -> None:
        try:
            settings = load(self._config).model_copy(update={"state": self._settings.state})
            with ExitStack() as closing:
                make_pilot(settings, make_clock(settings), Store.in_memory(), closing, live=False)
        except AutopilotError as error:
            log.error("the configuration was not taken over, the old one flies on: %s", error)  # noqa: TRY400  # one line, no traceback
            return
        log.info("the configuration was read again; the state file stays %s", settings.state)
        self._settings = settings


def _heart(settings: Settings, pilot: Pilot, notifier: Notifier, beside: Callable[[], None], *, live: bool) -> Beat:
    """What happens after every good tick: the heartbeat row, a word to systemd, and to whoever else is to hear of it."""
    clock = pilot.world.clock
    started_at = clock.now()
    body = {
        "version": version("yield-autopilot"),
        "strategy": settings.strategy,
        "live": live,
        "tick_seconds": settings.daemon.tick.total_seconds(),
        "speed": settings.rig.speed,
        "devices": [[device.id, device.model, device.index] for device in pilot.world.devices],
    }

    def beat(sentences: Mapping[DeviceId, str]) -> None:
        store = pilot.world.store
        now = {**pilot.troubles, "ignorance": pilot.ignorance, "gpus": told(pilot.world.gpus())}
        with store.atomic():
            store.journal.beat(clock.now(), started_at, os.getpid(), {**body, **now})
        notifier.alive(f"{len(sentences)} devices, {len(pilot.open_switches)} switches under way")
        beside()

    return beat

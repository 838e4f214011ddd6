"""What can happen to a rig, from a seed: a daemon that is killed again and again, and faults around it meanwhile."""

from __future__ import annotations

import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from random import Random
from threading import Event
from typing import Any

from autopilot.units import HOUR
from wire.jumping_clock import Ahead
from wire.rig_of_containers import GPUS, MODELS, NETWORKS, Rig

DAY = 24 * HOUR
SWITCHES = ("broken", "deaf")
"""What may be wrong with a network's program: it ends as soon as it is started, or does not hear when it is told to go."""


class Chaos:
    """Flies the rig by one daemon after the other. ``happened`` counts what was done to it."""

    def __init__(self, rig: Rig, flight: Any, ahead: Ahead, seed: int) -> None:
        self.rig = rig
        self.flight = flight
        self._random = Random(seed)  # noqa: S311
        self._variables = {**ahead.variables, "DOCKER_HOST": rig.engine.host}
        self._ahead = ahead
        self._ballast = flight.folder / "ballast"
        self.happened: Counter[str] = Counter()

    def life(self) -> None:
        """One daemon's, with at most one fault, until it is killed at a random moment."""
        process = self.flight.launch_warm(**self._variables)
        self._repair_soon()
        if self._random.random() < 0.75 and not self._ballast.exists():
            self.flight.wait_for("WATCHDOG=1")
        self.flight.warm_up(**self._variables)
        self._pause(0.5)
        self.rig.rates.change(self._random, self._random.choice(MODELS))
        if self._random.random() < 0.6:
            self._fault()()
        self._pause(1.5)
        self._kill(process)

    def _kill(self, process: Any) -> None:
        ended = process.poll()

        assert ended is None or (3 == ended and self._ballast.exists()), f"it ended with {ended} by itself: {self.flight.log[-3000:]}"
        self._ballast.unlink(missing_ok=True)
        before = self.flight.acknowledged()
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.flight.check_left(before)
        self.happened["daemon killed" if ended is None else "daemon ended by a full disk"] += 1

    def _pause(self, longest: float) -> None:
        Event().wait(self._random.random() * longest)

    def _fault(self) -> Callable[[], None]:
        return self._random.choice([self._kill_engine, self._remove, self._starve, self._spoil, self._spoil, self._jump, self._fill])

    def _kill_engine(self) -> None:
        """It comes back in this life or in the next."""
        self.rig.say("-", "-", "died")
        self.rig.engine.kill()
        self.happened["engine killed"] += 1
        if self._random.random() < 0.5:
            self._pause(1.0)
            self._revive()

    def _revive(self) -> None:
        self.rig.engine.start()
        self.rig.say("-", "-", "back")

    def _remove(self) -> None:
        """A container, by hand."""
        for network, gpu in self._some_of(self.rig.running()):
            self.rig.say(network, gpu, "removed")
            self.rig.remove(network, gpu)
            self.happened["container removed by hand"] += 1

    def _starve(self) -> None:
        """A node takes more memory than it may, as soon as it has no job."""
        for network, gpu in self._some_of(self.rig.running()):
            (self.rig.shared / f"hungry-{network}-{gpu}").touch()
            self.happened["node made to want memory"] += 1

    def _some_of(self, running: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return self._random.sample(running, min(1, len(running)))

    def _spoil(self) -> None:
        """A network's program."""
        what, network = self._random.choice(SWITCHES), self._random.choice(NETWORKS)
        (self.rig.shared / f"{what}-{network}").touch()
        self.happened[f"program {what}"] += 1

    def _jump(self) -> None:
        """The time of day, by a day, there or back."""
        before = self._ahead.get()
        after = self._random.choice([span for span in (-DAY, timedelta(0), DAY) if span != before])
        self._ahead.set(after)
        self.happened["clock put forward" if after > before else "clock put back"] += 1

    def _fill(self) -> None:
        """The disk of the state file, to the last byte, until this daemon has ended. Its log starts from nothing, and so has to grow."""
        with closing(sqlite3.connect(self.flight.state, timeout=30)) as state:
            state.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while ballast.write(bytes(4096)):
                pass
        self.happened["disk filled"] += 1

    def _repair_soon(self) -> None:
        """What the last life left broken is mended in this one, mostly."""
        if not self.rig.engine.up:
            self._pause(2.0)
            self._revive()
        for what in SWITCHES:
            for network in NETWORKS:
                if self._random.random() < 0.4:
                    (self.rig.shared / f"{what}-{network}").unlink(missing_ok=True)

    def calm(self) -> None:
        """All is mended, the rates stay, and the last daemon flies until nothing is left to do."""
        if not self.rig.engine.up:
            self._revive()
        for flag in (*self.rig.shared.glob("broken-*"), *self.rig.shared.glob("deaf-*"), *self.rig.shared.glob("hungry-*")):
            flag.unlink()
        self.flight.launch_warm(**self._variables)
        self.flight.wait_until(self._settled)

    def _settled(self) -> bool:
        """Every GPU serves where it is paid best, by the journal and by the engine."""
        best = {gpu: max(NETWORKS, key=lambda network: self.rig.rates.paid[network][_name(gpu)]) for gpu in GPUS}
        there = self.flight.rows("SELECT device, network FROM placements WHERE id IN (SELECT max(id) FROM placements GROUP BY device)")
        moving = self.flight.rows("SELECT 1 FROM switches WHERE state NOT IN ('settled', 'reverted', 'cleared', 'stranded')")
        return not moving and best == dict(there) and sorted((network, gpu) for gpu, network in best.items()) == self.rig.running()


def _name(gpu: str) -> str:
    """What the networks call the model of a GPU."""
    return gpu.split("-", 2)[2].lower()

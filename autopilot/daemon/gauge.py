"""Looking at the GPUs in a thread of its own: a driver that hangs holds up nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any, TypeVar

from autopilot.clock import stopwatch
from autopilot.daemon.fanout import beside
from autopilot.gpu import GpuProbe
from autopilot.model.device import Device, DeviceId
from autopilot.model.gpu import Ailment, Census, Condition, Reading
from autopilot.units import Watts, span_text

T = TypeVar("T")
Readings = Mapping[DeviceId, Reading | Ailment]
_WAIT = timedelta(seconds=3)
_LIFE = timedelta(minutes=1)


class Gauge:
    """The GPUs of this host as they were last seen.

    One question is put at a time, and is waited for so long. While one hangs no other is put, and what was seen last counts for a
    while; after that nothing is known.
    """

    def __init__(self, probe: GpuProbe, *, wait: timedelta = _WAIT, life: timedelta = _LIFE) -> None:
        self._probe = probe
        self._wait = wait
        self._life = life
        self._hanging: Future[Any] | None = None
        self._last: dict[DeviceId, tuple[float, Reading | Ailment]] = {}
        """By the stopwatch, when each was last seen."""

    def census(self) -> Census:
        """Every GPU that there is."""
        outcome = self._put(self._probe.census)
        return Census((), (outcome,)) if isinstance(outcome, Ailment) else outcome

    def look(self, devices: Sequence[Device]) -> Readings:
        """Look at some GPUs."""
        outcome = self._put(lambda: {device.id: self._probe.read(device.id) for device in devices})
        now = stopwatch()
        if not isinstance(outcome, Ailment):
            self._last |= {device: (now, seen) for device, seen in outcome.items()}
            return outcome
        young = {device: seen for device, (at, seen) in self._last.items() if now - at <= self._life.total_seconds()}
        return {device.id: young.get(device.id, outcome) for device in devices}

    def limit(self, device: DeviceId, power: Watts) -> Ailment | None:
        """Set a power limit; None where that was done."""
        return self._put(lambda: self._probe.limit(device, power))

    def _put(self, question: Callable[[], T]) -> T | Ailment:
        if self._hanging is None or self._hanging.done():
            asked: Future[T] = beside(question)
            self._hanging = asked
            if wait([asked], self._wait.total_seconds()).done:
                return _outcome(asked)
        waited = span_text(self._wait)
        return Ailment(Condition.HUNG, f"its driver has given no answer within {waited}: look into `dmesg`; a reboot brings it back")


def _outcome(asked: Future[T]) -> T | Ailment:
    """What is wrong with a driver's library must not end a flight."""
    error = asked.exception()
    return asked.result() if error is None else Ailment(Condition.UNREADABLE, f"its driver's library fails: {error!r}")

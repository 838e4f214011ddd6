"""Work beside the ticks: in a thread of its own, and asked for through a queue that never fills up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Thread

from autopilot.errors import AutopilotError

log = logging.getLogger(__name__)

_PARTING = 2.0
"""Seconds that an end waits for what is under way; then it goes with the process."""


class Aside:
    """Does one work again and again. Whoever asks never waits: while it is under way, further requests become one."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._wanted: Queue[Callable[[], None] | None] = Queue(maxsize=1)
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Have it done soon."""
        try:
            self._wanted.put_nowait(self._work)
        except Full:
            return  # it is asked for already

    def close(self) -> None:
        """End it, after what is under way."""
        with suppress(Empty):
            self._wanted.get_nowait()
        self._wanted.put(None)
        self._thread.join(_PARTING)

    def _run(self) -> None:
        while work := self._wanted.get():
            try:
                work()
            except AutopilotError as error:
                log.warning("%s: %s", self._name, error)
            except Exception as error:  # noqa: BLE001  # whatever it was, the flight goes on, and a stranger's words may hold a key
                log.warning("%s failed: %s", self._name, type(error).__name__)

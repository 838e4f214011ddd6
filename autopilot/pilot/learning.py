"""The strategy that flies, and how it becomes wiser."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from autopilot.contracts import NamedStrategy, Strategy
from autopilot.model.history import Record
from autopilot.pilot.world import World
from autopilot.store.journal import Lesson

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A lesson that is not over: what becomes of it, and what it will be journalled with."""

    wiser: Future[Strategy]
    lesson: Lesson


class Learning:
    """One lesson at a time. Where one fails, the last good strategy flies on."""

    def __init__(self, world: World, strategy: NamedStrategy) -> None:
        self._world = world
        self._under_way: _UnderWay | None = None
        self._wanted = False
        self.strategy = strategy
        self.lesson: int | None = None
        """The lesson that the strategy has learned last, as the journal counts them; None as long as it is as configured."""
        self.trouble = ""
        """Why the last lesson failed; empty where it did not."""

    @property
    def wanted(self) -> bool:
        """Whether a lesson was asked for that can be begun now."""
        return self._wanted and self._under_way is None

    def want(self) -> None:
        """Ask for a lesson. A strategy that has nothing to learn gets none, and one at a time is enough."""
        self._wanted = self._under_way is None and getattr(self.strategy.strategy, "learns", True)

    def begin(self, record: Record, now: datetime) -> None:
        """Cut the history and let the strategy be fitted to it."""
        self._wanted = False
        history = record.until_now()
        known = self._world.store.rates.last()
        lesson = Lesson(now, self.strategy.named, self.lesson, known, history.entries)
        self._under_way = _UnderWay(self._world.teach(self.strategy.strategy, history), lesson)

    def take(self) -> bool:
        """True where a lesson is over and has made the strategy wiser: journalled first, and in force from now on."""
        if self._under_way is None or not self._under_way.wiser.done():
            return False
        over, self._under_way = self._under_way, None
        try:
            wiser = over.wiser.result()
        except Exception as error:  # a stranger's strategy may raise anything
            self.trouble = f"{self.strategy.name} could not learn, and flies on as it was: {error}"
            log.exception("strategy %s", self.trouble)
            return False
        self.trouble = ""
        if wiser is self.strategy.strategy:
            return False
        with self._world.store.atomic():
            self.lesson = self._world.store.journal.learn(over.lesson, self._world.clock.now())
        self.strategy = NamedStrategy(self.strategy.name, wiser, self.strategy.parameters)
        return True

"""Deciding again from the record: the same quotes, the same lessons and the same view must give the same decision."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from autopilot.contracts import NamedStrategy
from autopilot.errors import StrategyError
from autopilot.model.device import DeviceId, Venue
from autopilot.model.history import History, Record
from autopilot.model.market import Answer
from autopilot.model.plan import Decision, Hold
from autopilot.model.view import View
from autopilot.pilot.costs import dearest
from autopilot.pilot.deciding import ask, describe
from autopilot.plugins import make_strategy
from autopilot.store.context import answered, unpack
from autopilot.store.journal import Lesson, Ruling
from autopilot.store.store import Store


@dataclass(frozen=True, slots=True)
class Redecision:
    """A recorded decision and the one that is made now."""

    at: datetime
    recorded: Mapping[str, Any]
    now: Mapping[str, Any]

    @property
    def same(self) -> bool:
        """Whether both say the same, to the last word."""
        return self.recorded == self.now


def replay(store: Store) -> Iterator[Redecision]:
    """Every decision of a state file, made again. Raises ConfigError where a strategy is no longer installed."""
    past, school = _Past(store), _School(store)
    for ruling in store.journal.rulings():
        school.attend(past, ruling.known)
        view = past.view(ruling)
        try:
            decision = ask(school.strategy(ruling), view)
        except StrategyError as error:
            decision = Hold(view.now, str(error))
        yield Redecision(ruling.at, ruling.decision, _told(decision))


def recall(store: Store, ruling: Ruling, shown: Ruling | None = None) -> tuple[NamedStrategy, View]:
    """The strategy as it was when it decided, and all that it was shown then, or would be shown in a later ruling's place.

    It learns again, which may take seconds: at once what its last lesson was cut from, and lesson by lesson only where that does not
    give the recorded decision. Raises StrategyError where that cannot be, ConfigError where the strategy is no longer installed.
    """
    past, school = _Glimpse(store), _School(store)
    school.attend(past, ruling.known)
    view = past.view(ruling)
    strategy = school.shortcut(ruling)
    if ruling.lesson is not None and not Redecision(ruling.at, ruling.decision, _told(ask(strategy, view))).same:
        strategy = school.strategy(ruling)
    return strategy, past.view(shown) if shown else view


def _told(decision: Decision) -> dict[str, Any]:
    """As the journal gives it back."""
    return dict(json.loads(json.dumps(describe(decision))))


class _Past:
    """What was known, growing as it did: answer by answer, in the order in which they were taken in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = 0
        self._quotes: dict[tuple[Venue, DeviceId], Answer] = {}
        self._record = Record()
        for venue, model, hour, rate in store.rates.hours():
            self._record.add_hour((venue, model), hour, rate)

    def _grow(self, known: int) -> None:
        for answer, model in self._store.rates.numbered(self._known, known):
            self._quotes[answer.venue, answer.device] = answer
            self._record.learn(answer, model)
        self._known = max(known, self._known)

    def view(self, ruling: Ruling) -> View:
        """What the strategy was shown."""
        self._grow(ruling.known)
        view = unpack(ruling.context, ruling.at, self._quotes, self._record.until_now())
        self._record.enter(dearest(view.entries, view.devices))
        return replace(view, history=self._record.until_now())

    def history(self, lesson: Lesson) -> History:
        """What the strategy was to learn from."""
        self._grow(lesson.known)
        self._record.enter(lesson.entries)
        return self._record.until_now()


class _Glimpse(_Past):
    """The same for few views: of the answers, no more is read than the rates, and those that the views show."""

    def _grow(self, known: int) -> None:
        for venue, model, as_of, rate in self._store.rates.points(self._known, known):
            self._record.add((venue, model), as_of, rate)
        self._known = max(known, self._known)

    def view(self, ruling: Ruling) -> View:
        """What the strategy was shown."""
        self._quotes = self._store.rates.newest(answered(ruling.context), ruling.known)
        return super().view(ruling)


class _School:
    """Every lesson learned again: its history is cut in passing, and it is fitted when the first decision needs it."""

    def __init__(self, store: Store) -> None:
        self._lessons = store.journal.lessons()
        self._ahead = sorted(self._lessons, key=lambda number: (self._lessons[number].known, number))
        self._histories: dict[int, History] = {}
        self._made: dict[str, NamedStrategy] = {}
        self._wiser: dict[int, NamedStrategy] = {}

    def attend(self, past: _Past, known: int) -> None:
        """Cut the histories of the lessons that were begun before the answer of this number was known, or with it."""
        while self._ahead and self._lessons[self._ahead[0]].known <= known:
            number = self._ahead.pop(0)
            self._histories[number] = past.history(self._lessons[number])

    def strategy(self, ruling: Ruling) -> NamedStrategy:
        """As it was when it decided. Raises StrategyError where a lesson cannot be learned again."""
        if ruling.lesson is None:
            return self._as_configured(ruling.strategy)
        if ruling.lesson not in self._wiser:
            self._wiser = {ruling.lesson: self._learned(ruling.lesson)}
        return self._wiser[ruling.lesson]

    def shortcut(self, ruling: Ruling) -> NamedStrategy:
        """As it was when it decided, if its last lesson taught it all by itself. Raises StrategyError."""
        if ruling.lesson is None:
            return self._as_configured(ruling.strategy)
        if ruling.lesson not in self._histories:
            raise StrategyError(f"lesson {ruling.lesson} is not in the journal")
        return self._fitted(self._as_configured(self._lessons[ruling.lesson].strategy), ruling.lesson)

    def _learned(self, number: int) -> NamedStrategy:
        """A lesson, and those that it stands upon."""
        if number in self._wiser:
            return self._wiser[number]
        lesson = self._lessons.get(number)
        if lesson is None or number not in self._histories or (lesson.base or 0) >= number:
            raise StrategyError(f"lesson {number} is not in the journal, or stands upon what was not known yet")
        return self._fitted(self._as_configured(lesson.strategy) if lesson.base is None else self._learned(lesson.base), number)

    def _fitted(self, base: NamedStrategy, number: int) -> NamedStrategy:
        try:
            wiser = base.strategy.fit(self._histories[number])
        except Exception as error:
            raise StrategyError(f"lesson {number} cannot be learned again: {type(error).__name__}: {error}") from error
        return NamedStrategy(base.name, wiser, base.parameters)

    def _as_configured(self, named: Mapping[str, Any]) -> NamedStrategy:
        key = json.dumps(named, sort_keys=True)
        if key not in self._made:
            self._made[key] = make_strategy(named["name"], named["parameters"])
        return self._made[key]

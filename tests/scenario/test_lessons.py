"""A strategy that learns: live and backtest learn the same, and every lesson can be learned again from the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Self

import numpy as np
import pytest

from autopilot.backtest import replay as replaying
from autopilot.backtest import runner
from autopilot.backtest.replay import replay
from autopilot.backtest.runner import Course, Terms
from autopilot.contracts import NamedStrategy, Strategy
from autopilot.daemon.service import Cadence, Service
from autopilot.model.history import History
from autopilot.model.plan import Decision, EntryCost, Hold, Move, Plan, PlanId
from autopilot.model.view import View
from autopilot.pilot import Pilot
from autopilot.sim.clock import SimClock
from autopilot.sim.panel import Panel
from autopilot.sim.timetable import SimTimetable
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, START, device, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd

GPU = device()


@dataclass(frozen=True, slots=True)
class Pupil:
    """Goes where its lessons have found the most, each counting as much as all before it; unlearned it stays."""

    means: Mapping[str, float] = field(default_factory=dict)
    lessons: int = 0

    def decide(self, view: View) -> Decision:
        """Every device to the best venue that offers anything now."""
        word = f"lesson {self.lessons}: {json.dumps(self.means)}"
        moves = []
        for each in view.free():
            best = max(view.offers(each), key=lambda offer: self.means.get(str(offer), 0.0), default=view.venue(each))
            if self.lessons and best != view.venue(each):
                moves.append(Move(each.id, view.venue(each), best))
        if not moves:
            return Hold(view.now, word)
        return Plan(PlanId(f"pupil-{view.now:%Y%m%dT%H}"), view.now, tuple(moves), Usd(0), Usd(0), HOUR, word)

    def fit(self, history: History) -> Self:
        """The mean over what is known, less what arriving costs, and half of what was known before."""
        means = dict(self.means)
        for place, model in history:
            rates = [float(point.rate) for point in history.points(place, model) if point.rate is not None]
            cost = history.entries.get((place, model), EntryCost())
            means[str(place)] = (means.get(str(place), 0.0) + sum(rates) / max(1, len(rates)) - float(cost.fee)) / 2
        return replace(self, means=means, lessons=self.lessons + 1)


PUPIL = NamedStrategy("pupil", Pupil())


def course() -> Course:
    """Four days at three networks, of which one is rising."""
    random = np.random.default_rng(4)
    rates = np.abs(0.4 + np.cumsum(random.normal((0, 0, 0.01), 0.03, (120, 3)), axis=0)).round(9)
    panel = Panel(START - 24 * HOUR, MODEL, ("akash", "nosana", "render"), rates)
    return Course(panel, panel.rates, START, START + 96 * HOUR)


TERMS = Terms(HOUR / 4, Usd.of("0.01"), gpus=2)


def live(flown: Course, spans: int = 1) -> Store:
    """The course through the daemon's wiring, by daemons that are started anew so many times."""
    clock, store, failures = SimClock(flown.start), Store.in_memory(), list[Exception]()
    with store.atomic():
        store.rates.remember(runner._past(flown, TERMS.lag))
    for span in range(spans):
        devices = runner.rig(TERMS.gpus, MODEL)
        world = runner._world(clock, devices, runner.simulated(flown, TERMS, devices, clock), store, TERMS)
        timetable = SimTimetable(clock)
        Service(Pilot(world, PUPIL), Cadence(HOUR, HOUR / 4, 24 * HOUR), lambda _: None, failures.append).schedule(timetable, clock.now())
        timetable.run_until(flown.end if span == spans - 1 else clock.now() + 37 * HOUR)

    assert [] == failures
    return store


def rows(store: Store, table: str) -> list[tuple[object, ...]]:
    """All that a table of the journal holds."""
    return list(store.connection.execute(f"SELECT * FROM {table} ORDER BY id"))  # noqa: S608


def test_live_and_backtest_learn_the_same() -> None:
    """Every lesson, at the same instant, of the same history; and what was decided for it."""
    flown = course()
    backtest, daemon = runner.fly(flown, TERMS, PUPIL).store, live(flown)

    assert 4 == len(rows(backtest, "lessons"))
    assert rows(backtest, "lessons") == rows(daemon, "lessons")
    assert rows(backtest, "decisions") == rows(daemon, "decisions")
    assert len(backtest.journal.switches()) > 2


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Store:
    """The record of daemons that were started anew twice; a new one has yet to learn."""
    monkeypatch.setattr(replaying, "make_strategy", lambda name, parameters: replace(PUPIL, name=name, parameters=parameters))
    return live(course(), spans=3)


def test_every_lesson_is_learned_again(recorded: Store) -> None:
    """Each upon the one before it, or afresh after a restart; every decision is the same to the last digit."""
    decisions = list(replay(recorded))

    assert [None, 1, None, 3, None] == [lesson.base for lesson in recorded.journal.lessons().values()]
    assert 96 == len(decisions)
    assert [] == [decision for decision in decisions if not decision.same]


def tamper_with(statement: str) -> Callable[[Store], None]:
    """Change the record."""

    def tamper(store: Store) -> None:
        store.connection.execute("PRAGMA foreign_keys = 0")
        store.connection.execute(statement)

    return tamper


@pytest.mark.parametrize(
    ("statement", "least", "words"),
    [
        ("UPDATE lessons SET known = known - 30 WHERE id = 2", 10, "lesson 2: "),
        ("UPDATE lessons SET entries = '[]' WHERE id = 4", 10, "lesson 2: "),
        ("UPDATE lessons SET base = NULL WHERE id = 2", 10, "lesson 1: "),
        ("UPDATE lessons SET base = 2 WHERE id = 2", 10, "lesson 2 is not in the journal, or stands upon what was not known yet"),
        ("UPDATE lessons SET known = 100000 WHERE id = 2", 10, "lesson 2 is not in the journal, or stands upon what was not known yet"),
        ("DELETE FROM lessons WHERE id = 4", 10, "lesson 4 is not in the journal"),
        ("UPDATE decisions SET lesson = NULL WHERE lesson = 4", 10, "lesson 0: "),
    ],
)
def test_a_lesson_that_was_tampered_with_is_found(recorded: Store, statement: str, least: int, words: str) -> None:
    """What was decided does not follow any more from what was learned."""
    tamper_with(statement)(recorded)
    wrong = [decision for decision in replay(recorded) if not decision.same]

    assert least <= len(wrong) < 96
    assert all(words in decision.now["reason"] for decision in wrong)


def test_a_lesson_that_cannot_be_learned_again_is_told(recorded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another version of the strategy, say; it ends no replay."""

    def fit(*_: object) -> Pupil:
        raise ValueError("I have changed")

    monkeypatch.setattr(Pupil, "fit", fit)
    wrong = [decision for decision in replay(recorded) if not decision.same]

    assert 96 == len(wrong)
    assert "lesson 1 cannot be learned again: ValueError: I have changed" == wrong[0].now["reason"]


class School:
    """Has lessons end when the test says so."""

    def __init__(self) -> None:
        self.begun: list[tuple[Strategy, History, Future[Strategy]]] = []

    def teach(self, strategy: Strategy, history: History) -> Future[Strategy]:
        """Nothing is learned yet."""
        self.begun.append((strategy, history, Future()))
        return self.begun[-1][2]


def pupils() -> tuple[Fleet, School]:
    """A fleet that is flown by a pupil, which learns in its own time."""
    fleet, school = Fleet("akash", "nosana"), School()
    fleet.teach = school.teach
    fleet.wishes = Pupil()  # type: ignore[assignment]
    fleet.restart()
    return fleet, school


def test_the_old_strategy_flies_until_the_new_one_has_learned() -> None:
    """A tick swaps it in, journals that, and lets it decide at once; meanwhile no second lesson is begun."""
    fleet, school = pupils()
    fleet.decide()
    fleet.pilot.learn()
    fleet.sites["nosana"].rate = "0.90"
    fleet.later(HOUR)
    fleet.pilot.learn()
    fleet.decide()
    ((strategy, history, over),) = school.begun

    assert "lesson 0" in fleet.tick()
    over.set_result(strategy.fit(history))
    fleet.tick(timedelta(seconds=15))
    assert [START] == [lesson.cut_at for lesson in fleet.store.journal.lessons().values()]
    assert [(0, None), (0, None), (1, 1)] == [
        (ruling.decision["reason"].count("lesson 1"), ruling.lesson) for ruling in fleet.store.journal.rulings()
    ]
    fleet.pilot.learn()
    assert 2 == len(school.begun)


def test_a_lesson_knows_what_arriving_costs() -> None:
    """As it was last known, by venue and model."""
    fleet, school = pupils()
    fleet.sites["akash"].entry = EntryCost(fee=Usd.of("0.07"))
    fleet.decide()
    fleet.pilot.learn()

    assert EntryCost(fee=Usd.of("0.07")) == school.begun[0][1].entries[venue("akash"), MODEL]


def test_a_lesson_that_fails_leaves_the_last_good_strategy(caplog: pytest.LogCaptureFixture) -> None:
    """And says so, until one succeeds."""
    fleet, school = pupils()
    fleet.decide()
    fleet.pilot.learn()
    school.begun[0][2].set_exception(ValueError("too little to learn from"))
    fleet.tick(timedelta(seconds=15))

    assert "wishes could not learn, and flies on as it was: too little to learn from" == fleet.pilot.ignorance
    assert fleet.pilot.ignorance in caplog.text
    assert {} == fleet.store.journal.lessons()
    fleet.pilot.learn()
    strategy, history, over = school.begun[1]
    over.set_result(strategy.fit(history))
    fleet.tick()
    assert "" == fleet.pilot.ignorance


def test_who_learns_nothing_is_no_news() -> None:
    """A strategy that gives itself back has had no lesson; one that says it does not learn is not asked."""
    fleet, school = pupils()
    fleet.decide()
    fleet.pilot.learn()
    strategy, _, over = school.begun[0]
    over.set_result(strategy)
    fleet.tick()

    assert {} == fleet.store.journal.lessons()
    assert 1 == len(list(fleet.store.journal.rulings()))
    fleet.pilot._learning.strategy = NamedStrategy("fixed", Fixed())
    fleet.pilot.learn()
    assert 1 == len(school.begun)


class Fixed(Pupil):
    """A pupil that has nothing to learn."""

    __slots__ = ()
    learns = False


def test_a_lesson_waits_for_the_networks_that_were_asked() -> None:
    """They are asked when the daemon starts, and so is the strategy to learn: what they answer is part of the first lesson."""
    fleet, school = pupils()
    answers: list[Callable[[], None]] = []

    def ask(question: Callable[[], object]) -> Future[object]:
        future: Future[object] = Future()
        answers.append(lambda: future.set_result(question()))
        return future

    fleet.ask = ask
    fleet.restart()
    fleet.pilot.poll()
    fleet.pilot.learn()

    assert [] == school.begun
    for answer in answers:
        answer()
    fleet.tick()
    assert 2 == len(school.begun[0][1])

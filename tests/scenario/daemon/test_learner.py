"""Learning in a process of its own: what it gives, how it may fail, and that it never outlives the daemon."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import pytest

from autopilot.clock import SystemClock, stopwatch
from autopilot.daemon.learner import Learner
from autopilot.errors import StrategyError
from autopilot.model.history import History, Record
from autopilot.model.plan import EntryCost
from autopilot.testing.views import MODEL, START, venue
from autopilot.units import HOUR, Usd, UsdPerHour

PATIENCE = 60
"""Seconds within which anything that is waited for must come, on the slowest machine."""
SCHOOL = '''
"""Strategies that learn, each in its way."""
import os, sys, time
from dataclasses import dataclass, replace
from pathlib import Path

from autopilot.model.plan import Hold


@dataclass(frozen=True)
class Pupil:
    how: str = "well"
    knows: tuple = ()

    def decide(self, view):
        return Hold(view.now, f"it knows {len(self.knows)} things")

    def fit(self, history):
        return getattr(self, self.how)(history)

    def well(self, history):
        import wave
        print("learning")
        return replace(self, knows=(len(history), dict(history.entries), os.getpid(), tuple(history.points(*next(iter(history))))))

    def nothing(self, history):
        return self

    def badly(self, history):
        raise ValueError("too little to learn from")

    def deadly(self, history):
        os._exit(7)

    def slowly(self, history):
        Path("pupil").write_text(str(os.getpid()))
        time.sleep(300)

    def crowded(self, history):
        helping = os.fork()
        if helping:
            Path("pupil").write_text(str(helping))
        time.sleep(300)


class Sleeper(Pupil):
    Settings = None

    def __init__(self):
        super().__init__("slowly")
'''


@pytest.fixture
def school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of strategies that this process and those that it starts can import; a plugin, for the daemon."""
    folder = tmp_path / "plugins"
    info = folder / "sleeper-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "school_of_strategies.py").write_text(SCHOOL, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sleeper\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[autopilot.strategies]\nsleeper = school_of_strategies:Sleeper\n", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "school_of_strategies", raising=False)
    return import_module("school_of_strategies")


def past() -> tuple[Record, History]:
    """Three hours at akash, of which one is known to be missing and one paid nothing; and the record that they are of."""
    record = Record()
    for hour, rate in enumerate((UsdPerHour.of("0.40"), None, UsdPerHour(0))):
        record.add_hour((venue("akash"), MODEL), START + hour * HOUR, rate)
    record.enter({(venue("akash"), MODEL): EntryCost(HOUR, fee=Usd.of("0.02"))})
    return record, record.until_now()


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def until(reached: Any) -> None:
    """Wait until it is so."""
    began = stopwatch()
    while not reached():
        assert stopwatch() - began < PATIENCE, "it never is so"
        SystemClock().wait(timedelta(milliseconds=20), Event())


def test_a_lesson_is_learned_elsewhere(school: ModuleType) -> None:
    """From the same points and costs; what it imports for that is not imported here, and what it prints is no answer."""
    sys.modules.pop("wave", None)
    _, history = past()
    wiser = Learner().teach(school.Pupil(), history).result(PATIENCE)

    assert (3, dict(history.entries)) == wiser.knows[:2]
    assert os.getpid() != wiser.knows[2]
    assert tuple(history.points(venue("akash"), MODEL)) == wiser.knows[3]
    assert "wave" not in sys.modules
    assert gone(wiser.knows[2])


def test_a_history_travels_without_what_came_later() -> None:
    """The record grows on; what was cut for the lesson is what arrives."""
    record, history = past()
    record.add_hour((venue("akash"), MODEL), START + 9 * HOUR, UsdPerHour(1))
    arrived = pickle.loads(pickle.dumps(history))  # noqa: S301  # we wrote it

    assert list(history.points(venue("akash"), MODEL)) == list(arrived.points(venue("akash"), MODEL))
    assert (3, history.entries) == (len(arrived), arrived.entries)


def test_who_learned_nothing_is_the_same_object(school: ModuleType) -> None:
    """So the pilot sees that there is nothing new."""
    pupil = school.Pupil("nothing")

    assert pupil is Learner().teach(pupil, past()[1]).result(PATIENCE)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("badly", "ValueError: too little to learn from"),
        ("deadly", "the process that learned ended with 7"),
        ("slowly", "the process that learned took longer than 3s"),
    ],
)
def test_a_lesson_may_fail(school: ModuleType, how: str, why: str) -> None:
    """By itself, by the death of its process, or by taking too long: it is said, and no process is left."""
    learner = Learner(timedelta(seconds=3) if how == "slowly" else timedelta(seconds=PATIENCE))
    lesson = learner.teach(school.Pupil(how), past()[1])
    with pytest.raises(StrategyError, match=why):
        lesson.result(PATIENCE)

    assert learner._errand._process is not None
    assert gone(learner._errand._process.pid)


def test_what_cannot_travel_is_told() -> None:
    """A strategy that cannot be pickled is an error like any other."""
    lesson = Learner().teach(lambda: None, past()[1])  # type: ignore[arg-type]

    assert isinstance(lesson.exception(PATIENCE), (pickle.PicklingError, AttributeError))


def test_closing_ends_the_lesson(school: ModuleType) -> None:
    """At once; and none is begun any more."""
    learner = Learner()
    lesson = learner.teach(school.Pupil("slowly"), past()[1])
    until(lambda: Path("pupil").exists() and Path("pupil").read_text(encoding="utf-8"))
    learner.close()

    assert "ended with -9" in str(lesson.exception(PATIENCE))
    assert gone(int(Path("pupil").read_text(encoding="utf-8")))
    assert "the daemon ends" == str(learner.teach(school.Pupil(), past()[1]).exception(PATIENCE))


@pytest.mark.parametrize("ends", ["late", "closed"])
def test_what_a_lesson_has_started_ends_with_it(school: ModuleType, ends: str) -> None:
    """It would keep the pipe open, and us waiting for a word."""
    started = Path("pupil")
    for seconds in (3, 10, 30) if ends == "late" else (PATIENCE,):
        learner = Learner(timedelta(seconds=seconds))
        lesson = learner.teach(school.Pupil("crowded"), past()[1])
        if ends == "closed":
            until(lambda: started.exists() and started.read_text(encoding="utf-8"))
            learner.close()

        assert isinstance(lesson.exception(PATIENCE), StrategyError)
        if started.exists() and started.read_text(encoding="utf-8"):
            break  # on a busy machine a lesson may be over before it has started anything
    until(lambda: gone(int(started.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.usefixtures("school")
def test_a_daemon_flies_on_while_it_learns_and_takes_the_process_along(flight: Any, number: signal.Signals) -> None:
    """It ticks and decides meanwhile; told to end it ends in order and soon, and however it ends, the lesson ends too."""
    flight.configure("sleeper")
    flight.launch()
    pupil = flight.folder / "pupil"
    flight.wait_until(lambda: pupil.exists() and pupil.read_text(encoding="utf-8"))
    decided = len(flight.rows("SELECT 1 FROM decisions"))
    flight.wait_until(lambda: len(flight.rows("SELECT 1 FROM decisions")) > decided + 3)
    began = stopwatch()

    assert {signal.SIGTERM: 0, signal.SIGKILL: -9}[number] == flight.ended(number)
    assert stopwatch() - began < 45
    assert "Traceback" not in flight.log
    until(lambda: gone(int(pupil.read_text(encoding="utf-8"))))

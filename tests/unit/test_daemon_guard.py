"""One daemon a state file, a word to systemd, and nothing more after a failure."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.clock import SystemClock, stopwatch
from autopilot.daemon.guard import Notifier, single_instance
from autopilot.daemon.service import Cadence, Service
from autopilot.daemon.steady import Steady
from autopilot.errors import ConfigError, StoreError
from autopilot.settings import DaemonSettings
from autopilot.sim.timetable import SimTimetable
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR

HOLDER = """
import sys, pathlib, time
from autopilot.daemon.guard import single_instance
with single_instance(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where a state file may be."""
    return tmp_path / "autopilot.db"


def refusal(state: Path) -> str:
    """Why the lock cannot be had."""
    with pytest.raises(ConfigError) as caught, single_instance(state):
        pytest.fail("two hold the lock")
    message = str(caught.value)

    assert "\n" not in message
    return message


def test_a_state_file_is_flown_by_one(state: Path) -> None:
    """The second is refused, told whose it is and what to do; afterwards it may have it."""
    with single_instance(state):
        assert f"{state} is flown already by process {os.getpid()}: end it first, or choose another --state" == refusal(state)
    with single_instance(state):
        assert f"{os.getpid()}\n" == (state.parent / "autopilot.db.lock").read_text()


def test_a_name_that_leads_to_the_same_file_is_no_way_around(state: Path, tmp_path: Path) -> None:
    """A link to the file, or to its folder."""
    state.touch()
    (tmp_path / "link.db").symlink_to(state)
    (tmp_path / "folder").symlink_to(tmp_path)
    with single_instance(state):
        assert "is flown already" in refusal(tmp_path / "link.db")
        assert "is flown already" in refusal(tmp_path / "folder" / "autopilot.db")


def test_a_killed_holder_leaves_nothing_to_clean_up(state: Path) -> None:
    """The kernel lets go of the lock, however the process ends; its old number in the file misleads nobody."""
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert b"held\n" == holder.stdout.readline()
        assert f"process {holder.pid}:" in refusal(state)
        holder.send_signal(signal.SIGKILL)
    with single_instance(state):
        assert f"{os.getpid()}\n" == (state.parent / "autopilot.db.lock").read_text()


def test_where_no_lock_can_be(tmp_path: Path) -> None:
    """One line that says what to choose instead."""
    (tmp_path / "file").touch()

    assert "choose a state file in a folder that this user may write" in refusal(tmp_path / "missing" / "autopilot.db")
    assert "choose a state file in a folder" in refusal(tmp_path / "file" / "autopilot.db")
    assert "/ is a folder: name a state file in it" == refusal(Path("/"))


@pytest.fixture(params=["path", "abstract"])
def watcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd has it, and what NOTIFY_SOCKET says of it."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@autopilot-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + address[1:] if address.startswith("@") else address)
        channel.settimeout(5)
        yield channel, address


def test_systemd_is_told_how_we_are(watcher: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of sd_notify(3), to the socket that it named."""
    channel, address = watcher
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notifier = Notifier()
    notifier.ready()
    notifier.alive("2 devices, 1 switches under way")
    notifier.stopping()

    assert ["READY=1", "WATCHDOG=1\nSTATUS=2 devices, 1 switches under way", "STOPPING=1"] == [channel.recv(256).decode() for _ in range(3)]


def test_without_systemd_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody asked, and where whoever asked has gone."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready()
    Notifier(str(tmp_path / "gone")).ready()


def test_a_watcher_that_does_not_listen_holds_nothing_up(watcher: tuple[socket.socket, str]) -> None:
    """Its queue is full after some words: those that follow are lost, and the tick goes on."""
    notifier, began = Notifier(watcher[1]), stopwatch()
    for _ in range(1000):
        notifier.alive("all is well")

    assert stopwatch() - began < 5


def test_the_cadence_keeps_up_with_a_faster_clock() -> None:
    """A rig whose time runs faster is looked at as much more often."""
    settings = DaemonSettings(tick="15s", poll="1h", learn="1d", jitter="2m")  # type: ignore[arg-type]

    assert Cadence(HOUR, HOUR / 240, 24 * HOUR, HOUR / 30) == Cadence.of(settings)
    assert Cadence(HOUR / 60, HOUR / 240 / 60, 24 * HOUR / 60, HOUR / 30 / 60) == Cadence.of(settings, 60)


STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 2), timezones=st.just(UTC))  # noqa: DTZ001
EVERY = st.timedeltas(timedelta(seconds=1), HOUR)


@given(STARTS, EVERY, st.floats(0, 0.99), st.timedeltas(timedelta(microseconds=1), timedelta(days=1)))
def test_a_steady_job_keeps_step(first: datetime, every: timedelta, share: float, early: timedelta) -> None:
    """However early its first run was, and however late each one: delays are never added up."""
    trigger, due = Steady(first, every, every * share), first - early
    for step in range(20):
        due = trigger.get_next_fire_time(due, due)

        assert first + step * every <= due < first + (step + 1) * every


def flown(fleet: Fleet, span: timedelta) -> tuple[list[dict[str, str]], list[Exception]]:
    """What the heart was told, and what went wrong, in so much time."""
    beats: list[dict[str, str]] = []
    failures: list[Exception] = []
    timetable = SimTimetable(fleet.clock)
    service = Service(fleet.pilot, Cadence(HOUR, HOUR / 4, 24 * HOUR), lambda sentences: beats.append(dict(sentences)), failures.append)
    service.schedule(timetable, fleet.clock.now())
    timetable.run_until(fleet.clock.now() + span)
    return beats, failures


def test_it_polls_at_once_and_then_on_the_hour() -> None:
    """So that a restart knows soon what there is, and quotes of an hour are asked for when it is over."""
    fleet = Fleet("akash")
    fleet.later(HOUR / 4)
    beats, failures = flown(fleet, 2 * HOUR)

    assert [(0, 15), (1, 0), (2, 0)] == [(view.now.hour, view.now.minute) for view in fleet.wishes.views]
    assert (8, []) == (len(beats), failures)


@pytest.mark.parametrize("error", [StoreError("autopilot.db: disk is full"), RuntimeError("a bug")])
def test_after_a_failure_nothing_more_is_done(error: Exception) -> None:
    """What the pilot intends and what the journal says may differ then: the daemon is told once, and ends."""
    fleet = Fleet("akash")
    ticks = []

    def failing() -> dict[str, str]:
        ticks.append(fleet.clock.now())
        if len(ticks) == 3:
            raise error
        return {}

    fleet.pilot.tick = failing  # type: ignore[assignment, method-assign]
    beats, failures = flown(fleet, 24 * HOUR)

    assert (2, [error], 3) == (len(beats), failures, len(ticks))
    assert 1 == len(list(fleet.store.rates.answers()))


def test_a_system_clock_runs_in_utc() -> None:
    """And forward, as far as we are concerned."""
    one, other = SystemClock().now(), SystemClock().now()

    assert timedelta(0) == one.utcoffset()
    assert one <= other

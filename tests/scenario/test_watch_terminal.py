"""The dashboard on a real terminal: tmux holds one, types its keys and reads its screen."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from autopilot.clock import SystemClock, stopwatch
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, answer, device
from shared.daemons import heartbeat
from shared.needs import unable

PATIENCE = 60.0
"""Seconds in which anything that is waited for must come, on the slowest machine."""
AUTOPILOT = Path(sys.executable).with_name("autopilot")


class Terminal:
    """A terminal of a server of its own, with one command in it."""

    def __init__(self, folder: Path, command: str) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        # In the folder itself, so that no long path is in the way of what is looked for.
        self.tell("new-session", "-d", "-x", "100", "-y", "30", "-c", str(folder), f"{command}; echo ended with $?; read never")

    def tell(self, *words: str) -> str:
        """One order to tmux."""
        return subprocess.run([*self._tmux, *words], check=True, capture_output=True, text=True).stdout

    def screen(self) -> str:
        """What a person sees."""
        return self.tell("capture-pane", "-p")

    def until(self, seen: Callable[[str], bool]) -> str:
        """The first screen that shows it. Fails with the last one where none does."""
        began = stopwatch()
        while not seen(screen := self.screen()):
            assert stopwatch() - began < PATIENCE, screen
            SystemClock().wait(timedelta(milliseconds=100), Event())
        return screen

    def end(self) -> None:
        """Whatever runs in it."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state file of two flown days."""
    path = tmp_path_factory.mktemp("flown") / "autopilot.db"
    subprocess.run([AUTOPILOT, "demo", "--headless", "--days", "2", "--state", path], check=True, capture_output=True)
    return path


@pytest.fixture
def state(flown: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    with closing(sqlite3.connect(flown)) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "autopilot.db"),))
    return tmp_path / "autopilot.db"


Look = Callable[[Path], Terminal]


@pytest.fixture
def look() -> Iterator[Look]:
    """Opens the dashboard of a state file, on a terminal of 100 x 30."""
    if not shutil.which("tmux"):
        unable("tmux is not installed, and no terminal can be held")
    held: list[Terminal] = []

    def opened(state: Path) -> Terminal:
        held.append(Terminal(state.parent, f"env -u TMUX -u COLUMNS -u LINES {AUTOPILOT} watch --state {state.name}"))
        return held[-1]

    yield opened
    for each in held:
        each.end()


@pytest.fixture
def terminal(state: Path, look: Look) -> Terminal:
    """The dashboard of the two flown days."""
    return look(state)


def test_a_person_walks_through_the_dashboard(terminal: Terminal) -> None:
    """Every key leads where the help says, a new size is filled at once, and q ends it with the terminal as it was."""
    terminal.until(lambda screen: "6 GPUs, flown by forecast" in screen and "Enter why" in screen)
    terminal.tell("send-keys", "jj", "Enter")
    terminal.until(lambda screen: screen.startswith("GPU-2 ") and "venue" in screen)
    terminal.tell("send-keys", "k")
    terminal.until(lambda screen: screen.startswith("GPU-1 "))
    terminal.tell("send-keys", "?")
    terminal.until(lambda screen: "keys and words" in screen)
    terminal.tell("send-keys", "Escape")
    terminal.until(lambda screen: "6 GPUs" in screen)
    terminal.tell("resize-window", "-x", "140", "-y", "45")
    assert 45 == len(terminal.until(lambda screen: "Enter why" in screen.splitlines()[-1]).splitlines())
    terminal.tell("send-keys", "Space")
    terminal.until(lambda screen: "held still" in screen)
    terminal.tell("send-keys", "q")
    terminal.until(lambda screen: "ended with 0" in screen)


def _words(screen: str) -> str:
    """What is written on it, wherever the lines break."""
    return " ".join(screen.split())


def test_a_daemon_that_is_gone_and_a_state_file_that_is_held_are_said(state: Path, terminal: Terminal) -> None:
    """The picture stays, with the trouble on top of it, until it is over."""
    terminal.until(lambda screen: "6 GPUs" in screen)
    ago = (SystemClock().now() - timedelta(minutes=10)).isoformat()
    with closing(sqlite3.connect(state, isolation_level=None)) as writer:
        writer.execute("UPDATE heartbeat SET at = ?, body = json_set(body, '$.by_hand', json('false'), '$.speed', 1.0)", (ago,))
        terminal.until(lambda screen: "not running?" in _words(screen))
        writer.execute("PRAGMA journal_mode = DELETE")
    with closing(sqlite3.connect(state, isolation_level=None)) as writer:
        writer.execute("ALTER TABLE heartbeat RENAME TO gone")
        screen = terminal.until(lambda screen: "no state file" in _words(screen))
        writer.execute("ALTER TABLE gone RENAME TO heartbeat")

    assert "6 GPUs" in screen
    terminal.until(lambda screen: "no state file" not in _words(screen))


def test_a_locked_state_file_is_said_until_it_is_free(state: Path, terminal: Terminal) -> None:
    """A program that holds it exclusively takes nothing from the screen, and no key is lost meanwhile."""
    terminal.until(lambda screen: "6 GPUs" in screen)
    with closing(sqlite3.connect(state, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        screen = terminal.until(lambda screen: "database is locked; another program holds the file" in _words(screen))
        terminal.tell("send-keys", "?")
        terminal.until(lambda screen: "keys and words" in screen)
        terminal.tell("send-keys", "?")
        other.execute("COMMIT")

    assert "6 GPUs" in screen
    terminal.until(lambda screen: "6 GPUs" in screen and "locked" not in screen)


def test_a_state_file_that_nobody_flew_says_what_to_do(tmp_path: Path, look: Look) -> None:
    """No figure is made up, and q ends it as ever."""
    Store.open(tmp_path / "autopilot.db").close()
    terminal = look(tmp_path / "autopilot.db")

    terminal.until(lambda screen: "`autopilot run` starts one" in screen and "no GPU is known yet" in screen)
    terminal.tell("send-keys", "q")
    terminal.until(lambda screen: "ended with 0" in screen)


def test_a_large_rig_is_walked_through_to_its_end(tmp_path: Path, look: Look) -> None:
    """64 GPUs at 12 venues: what does not fit is counted, and the chosen one is in sight on a small terminal as well."""
    path, rig = tmp_path / "autopilot.db", [device(number) for number in range(64)]
    now = SystemClock().now()
    with closing(Store.open(path)) as store, store.atomic():
        store.rates.record([(answer(f"network-{number}", gpu, 0.4, now, now), MODEL) for number in range(12) for gpu in rig])
        store.journal.beat(now, now, os.getpid(), heartbeat(*([gpu.id, MODEL, gpu.index] for gpu in rig)))
    terminal = look(path)

    terminal.until(lambda screen: "64 GPUs" in screen and "more" in screen)
    terminal.tell("resize-window", "-x", "80", "-y", "24")
    terminal.tell("send-keys", "j" * 70)
    screen = terminal.until(lambda screen: "GPU-63" in screen and "… and 5 more" in screen)

    assert "GPU-0 " not in screen


def test_without_a_terminal_one_frame_is_printed_when_asked_for(state: Path) -> None:
    """And where it was not asked for, one line says how; an empty file is said as well."""
    once = subprocess.run([AUTOPILOT, "watch", "--once", "--state", state], capture_output=True, text=True, check=True)
    piped = subprocess.run([AUTOPILOT, "watch", "--state", state], capture_output=True, text=True, check=False)
    empty = state.with_name("empty.db")
    empty.touch()
    nothing = subprocess.run([AUTOPILOT, "watch", "--once", "--state", empty], capture_output=True, text=True, check=False)

    assert "GPU-5" in once.stdout
    assert "\x1b" not in once.stdout
    assert (2, "autopilot: watch needs a terminal; `autopilot watch --once` prints one frame\n") == (piped.returncode, piped.stderr)
    assert (3, 1) == (nothing.returncode, nothing.stderr.count("\n"))
    assert os.linesep not in nothing.stdout

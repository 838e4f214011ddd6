"""A real daemon in a process of its own: it flies a simulated rig whose time runs 3,600 times as fast as ours."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from autopilot.clock import SystemClock
from autopilot.units import HOUR, hour_start
from shared.daemons import UNGUARDED

NETWORKS = ("akash", "nosana", "render")
PATIENCE = 60
"""Seconds in which anything that is waited for must come, on the slowest machine."""
CONFIG = """
strategy = "{strategy}"
[rig]
simulated = ["2 x RTX 4090"]
speed = 3600
[daemon]
tick = "3m"
poll = "1h"
jitter = "0m"
[limits]
stop = "2h"
start = "4h"
revert = "4h"
"""
NETWORK = """
[networks.{name}]
adapter = "simulator"
rates = "rates.csv"
boot = "10m"
drain = "15m"
jitter = 0.5
fee = "0.01 $"
"""


WARM = """
import sys
import autopilot.telling.beside, autopilot_adapters.http.adapter, docker
from autopilot.cli import main
from autopilot.daemon.service import Daemon
from autopilot.store.store import Store
Store.in_memory().close()
sys.stdin.readline() and main()
"""
"""A program that has imported all that a daemon needs, and becomes one at a word; without one it ends."""


APPENDED = {
    "quotes": "id, seen_at, network, device, expected_nanos",
    "decisions": "id, at, context, decision",
    "events": "id, at, switch, before, after, why",
    "placements": "id, at, device, network, why",
}


def read(connection: sqlite3.Connection) -> dict[str, Any]:
    """Everything that must never shrink; nothing where there are no tables yet."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'heartbeat'").fetchone():
        return {}
    books: dict[str, Any] = {
        book: connection.execute(f"SELECT {columns} FROM {book} ORDER BY id").fetchall()  # noqa: S608
        for book, columns in APPENDED.items()
    }
    over = "('settled', 'reverted', 'cleared', 'stranded')"
    books["ended"] = dict(connection.execute(f"SELECT id, state FROM switches WHERE state IN {over}"))  # noqa: S608
    ledger = "SELECT kind || network || device || hour || ref, micros, amount_nanos FROM ledger"
    books["ledger"] = {key: (span, amount) for key, span, amount in connection.execute(ledger)}
    return books


def pause(seconds: float) -> None:
    """Let some time go by."""
    Event().wait(seconds)


class Flight:
    """A folder with all that a daemon needs, the daemon, and what it tells systemd."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.state = folder / "autopilot.db"
        self.config = folder / "autopilot.toml"
        self.processes: list[subprocess.Popen[str]] = []
        self._warm: subprocess.Popen[str] | None = None
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind(str(folder / "notify"))
        self.configure("greedy")
        self._write_rates()

    def configure(self, strategy: str) -> None:
        """Write the configuration."""
        networks = (NETWORK.format(name=name) for name in NETWORKS)
        self.config.write_text(CONFIG.format(strategy=strategy) + UNGUARDED + "".join(networks), encoding="utf-8")

    def _write_rates(self) -> None:
        """Rates around now: every hour another network has the lead, so that there is always a switch to make."""
        start = hour_start(SystemClock().now()) - 12 * HOUR
        rows = ["timestamp,network,gpu,usd_per_hour"]
        for hour in range(600):
            for number, name in enumerate(NETWORKS):
                rows.append(f"{start + hour * HOUR:%Y-%m-%dT%H:%M:%SZ},{name},RTX 4090,{0.6 if hour % 3 == number else 0.4}")
        (self.folder / "rates.csv").write_text("\n".join(rows), encoding="utf-8")

    def launch(self, **variables: str) -> subprocess.Popen[str]:
        """Start a daemon. What was said before is not waited for any more."""
        list(self._hear(0))
        self.processes.append(self._program("-m", "autopilot", **variables))
        return self.processes[-1]

    def warm_up(self, **variables: str) -> None:
        """Have the next daemon ready while this one flies: most of the time that one takes to start, it imports."""
        self._warm = self._program("-c", WARM, stdin=subprocess.PIPE, **variables)

    def launch_warm(self, **variables: str) -> subprocess.Popen[str]:
        """Let the one begin that is ready, or is about to be."""
        list(self._hear(0))
        if self._warm is None:
            self.warm_up(**variables)
        process, self._warm = self._warm, None
        with process.stdin as word:
            word.write("\n")
        self.processes.append(process)
        return process

    def _program(self, *how: str, stdin: int = subprocess.DEVNULL, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, *how, "run", "--live", "--config", str(self.config), "--state", str(self.state)]
        where = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "NOTIFY_SOCKET": str(self.folder / "notify")}
        environment = {**os.environ, **where, **variables}
        with (self.folder / f"log-{len(self.processes)}").open("w", encoding="utf-8") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdin=stdin, stderr=log, text=True)

    @property
    def log(self) -> str:
        """What the last daemon has said on stderr."""
        return (self.folder / f"log-{len(self.processes) - 1}").read_text(encoding="utf-8")

    def wait_for(self, word: str) -> str:
        """What the daemon tells systemd, once it has this in it."""
        end = SystemClock().now() + timedelta(seconds=PATIENCE)
        while SystemClock().now() < end and self.processes[-1].poll() is None:
            for message in self._hear(0.2):
                if word in message:
                    return message
        pytest.fail(f"{word} did not come: {self.processes[-1].poll()}, {self.log[-2000:]}")

    def _hear(self, seconds: float) -> Iterator[str]:
        """Every word that is there, waiting a little for the first."""
        self._channel.settimeout(seconds)
        try:
            while True:
                yield self._channel.recv(4096).decode()
                self._channel.settimeout(0)
        except (TimeoutError, BlockingIOError):
            return

    def wait_until(self, reached: Callable[[], Any]) -> None:
        """Until it is so."""
        end = SystemClock().now() + timedelta(seconds=PATIENCE)
        while not reached():
            assert SystemClock().now() < end, f"it never is so: {self.log[-2000:]}"
            pause(0.05)

    def ended(self, number: signal.Signals | None = None) -> int:
        """How the last daemon ends, sent a signal or not."""
        process = self.processes[-1]
        if number is not None:
            process.send_signal(number)
        return process.wait(PATIENCE)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What another process reads, which is what was committed."""
        with closing(sqlite3.connect(f"file:{self.state}?mode=ro", uri=True, timeout=30)) as reader:
            return reader.execute(sql).fetchall()

    def beat(self) -> tuple[datetime, dict[str, Any]]:
        """The last heartbeat."""
        ((at, body),) = self.rows("SELECT at, body FROM heartbeat")
        return datetime.fromisoformat(at), json.loads(body)

    def services(self) -> dict[str, list[tuple[str, datetime, datetime]]]:
        """By device, what the nodes remember: who served it, from when, until when."""
        found: dict[str, list[tuple[str, datetime, datetime]]] = {}
        for name in NETWORKS:
            memory = self.folder / f"simulated-{name}.json"
            stored = json.loads(memory.read_text(encoding="utf-8")) if memory.exists() else {}
            for device, services in stored.items():
                for _, _, started, _, _, stopped in services:
                    end = datetime.fromisoformat(stopped) if stopped else datetime.max.replace(tzinfo=UTC)
                    found.setdefault(device, []).append((name, datetime.fromisoformat(started), end))
        return found

    def acknowledged(self) -> dict[str, Any]:
        """All that another process can read at this moment: it was committed."""
        if not self.state.exists():
            return {}
        with closing(sqlite3.connect(f"file:{self.state}?mode=ro", uri=True, timeout=30)) as reader:
            reader.execute("BEGIN")
            return read(reader)

    def check_left(self, before: dict[str, Any]) -> None:
        """What a dead daemon left is whole, and every row that could be read before is there as it was; money has only grown.

        It is read from a copy: the next daemon has to recover the file itself.
        """
        after = self._left()
        for book in APPENDED if before else ():
            assert before[book] == after[book][: len(before[book])], f"{book} lost a row"
        for switch, state in before.get("ended", {}).items():
            assert state == after["ended"][switch]
        for key, (span, amount) in before.get("ledger", {}).items():
            assert span <= after["ledger"][key][0]
            assert amount <= after["ledger"][key][1]

    def _left(self) -> dict[str, Any]:
        folder = self.folder / "copy"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for part in self.folder.glob("autopilot.db*"):
            shutil.copy(part, folder / part.name)
        if not (folder / "autopilot.db").exists():
            return {}
        with closing(sqlite3.connect(folder / "autopilot.db")) as copy:
            assert [("ok",)] == copy.execute("PRAGMA integrity_check").fetchall()
            assert [] == copy.execute("PRAGMA foreign_key_check").fetchall()
            return read(copy)

    def check_nodes(self) -> None:
        """No device was ever held by two nodes at once."""
        for device, services in self.services().items():
            services.sort(key=lambda service: service[1])
            for (one, _, end), (other, start, _) in pairwise(services):
                assert end <= start, f"{one} and {other} held {device} at {start}"

    def close(self) -> None:
        """Leave nothing running."""
        for process in filter(None, (*self.processes, self._warm)):
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self._channel.close()


@pytest.fixture
def flights(tmp_path: Path) -> Iterator[Callable[[str], Flight]]:
    """Makes flights, each in a folder of its own."""
    made: list[Flight] = []

    def make(name: str) -> Flight:
        made.append(Flight(tmp_path / name))
        return made[-1]

    yield make
    for flight in made:
        flight.close()


@pytest.fixture
def flight(flights: Callable[[str], Flight]) -> Flight:
    """One flight."""
    return flights("flight")

"""What the daemon does with a disk that breaks or is full, and with a state file that is none: one line, and nothing half-written."""

from __future__ import annotations

import errno
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from shared.needs import unable

SOURCE = Path(__file__).parents[2] / "data" / "breaking_disk.c"


@pytest.fixture(scope="session")
def breaking_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that breaks a disk."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        unable("no C compiler here: the library that breaks a disk cannot be made")
    library = tmp_path_factory.mktemp("library") / "breaking_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def complaint(flight: Any) -> str:
    """The one line that the daemon ended with."""
    lines = [line for line in flight.log.splitlines() if not line[:4].isdigit()]

    assert 1 == len(lines), flight.log
    assert lines[0].startswith(f"autopilot: {flight.state}")
    return lines[0]


IO_ERROR, FULL = (errno.EIO, "disk I/O error"), (errno.ENOSPC, "database or disk is full; free some space")


@pytest.mark.parametrize(
    ("call", "after", "fault"),
    [
        ("fdatasync", 0, IO_ERROR),
        ("fdatasync", 3, IO_ERROR),
        ("fdatasync", 50, IO_ERROR),
        ("pwrite64", 0, FULL),
        ("pwrite64", 30, FULL),
        ("pwrite64", 300, FULL),
    ],
)
def test_a_disk_that_breaks_ends_the_flight_and_no_node(
    flight: Any, breaking_disk: Path, call: str, after: int, fault: tuple[int, str]
) -> None:
    """Exit code 3 and one line. The nodes run on, and after the repair nothing is missing that was acknowledged."""
    flight.configure("stay")
    error, words = fault
    faults = {"CALL": call, "AFTER": str(after), "ERROR": str(error), "FILE": "autopilot.db-wal"}
    process = flight.launch(LD_PRELOAD=str(breaking_disk), **{f"BREAKING_{key}": value for key, value in faults.items()})
    before: dict[str, Any] = {}
    while process.poll() is None:
        Event().wait(0.02)
        if flight.state.with_name("autopilot.db-wal").exists():
            before = flight.acknowledged() or before

    assert 3 == process.returncode, flight.log
    assert words in complaint(flight)
    flight.check_left(before)
    holding = [device for device, services in flight.services().items() if services[-1][2].year == 9999]
    flight.launch()
    flight.wait_for("WATCHDOG=1")
    assert 0 == flight.ended(signal.SIGTERM), flight.log
    assert set(holding) <= {device for device, services in flight.services().items() if services[-1][2].year == 9999}
    assert len(holding) == 2 or after < 50, "the nodes were stopped"
    flight.check_nodes()


def other_program(path: Path) -> None:
    """The cookies of a browser."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE cookies (name TEXT)")


def newer_version(path: Path) -> None:
    """A state file of years to come."""
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)")
        newer.execute(
            "INSERT INTO _sqlite_migrations VALUES (1, 'yield-autopilot', 'first_flight', '2026'), (2, 'yield-autopilot', 'moon', '')"
        )
        newer.commit()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("timestamp,network\n" * 99), "is not a database; the file is damaged or not ours"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 8000), "the file is damaged or not ours: move it away"),
        (lambda path: path.mkdir(), "unable to open database file; check that"),
        (other_program, "it is another program's file, and was left as it is; choose another --state"),
        (newer_version, "a newer version of the autopilot made it (moon); update this one"),
    ],
    ids=["text", "garbage", "folder", "another program", "newer version"],
)
def test_a_file_that_is_no_state_file_is_left_as_it_is(flight: Any, make: Callable[[Path], object], words: str) -> None:
    """Exit code 3, one line with the remedy, and not a byte of it is changed."""
    make(flight.state)
    before = flight.state.read_bytes() if flight.state.is_file() else b""
    flight.launch()

    assert 3 == flight.ended(), flight.log
    assert words in complaint(flight)
    assert before == (flight.state.read_bytes() if flight.state.is_file() else b"")
    assert [] == [path for path in flight.folder.iterdir() if path.name.startswith("simulated")]


@pytest.mark.parametrize("place", ["/sys", "missing", "rates.csv"])
def test_a_place_that_cannot_be_written_to(flight: Any, place: str) -> None:
    """A folder that not even root may write, one that is not there, one that is none: exit code 2, and nothing was begun."""
    flight.state = Path(place if place.startswith("/") else flight.folder / place) / "autopilot.db"
    flight.launch()

    assert 2 == flight.ended(), flight.log
    assert complaint(flight).endswith("choose a state file in a folder that this user may write")


def test_a_full_disk_is_one_line_from_the_start(flight: Any, breaking_disk: Path) -> None:
    """Exit code 3 before anything is begun: not even the lock could be signed."""
    faults = {"CALL": "pwrite64", "AFTER": "0", "ERROR": str(errno.ENOSPC), "FILE": "autopilot.db.lock"}
    flight.launch(LD_PRELOAD=str(breaking_disk), **{f"BREAKING_{key}": value for key, value in faults.items()})

    assert 3 == flight.ended(), flight.log
    assert "free some space, then start again" in complaint(flight)

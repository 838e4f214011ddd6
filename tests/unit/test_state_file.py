"""The state file as a file: all of a transaction or nothing, on the disk when it ends, and only a file that is ours."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from autopilot.errors import StoreError
from autopilot.model.market import NoQuote
from autopilot.model.plan import PlanId
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.store.journal import Arrival
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, START, device, venue
from shared.books import rows

GPU = device().id
AKASH = venue("akash")
SWITCH = Switch(SwitchId("one"), PlanId("plan"), GPU, AKASH, venue("nosana"), State.DRAINING, START, START)
TABLES = {"quotes", "decisions", "switches", "events", "placements", "fences", "ledger", "sentences", "heartbeat", "rates", "contexts"}


def test_a_statement_by_itself_is_on_the_disk(store: Store, path: Path) -> None:
    """And leaves no transaction open: what comes after it would wait there, and be lost."""
    store.journal.arrive(Arrival(START, GPU, AKASH, "found there"))

    assert 1 == rows(path, "placements")
    with store.atomic():
        store.journal.say(START, {GPU: "at akash"})
    assert 1 == rows(path, "sentences")


def test_all_of_it_or_nothing(store: Store, path: Path) -> None:
    """Whatever ends the block, be it a pulled plug; and nothing is on the disk before it ends."""

    def interrupted(end: type[BaseException]) -> None:
        with store.atomic():
            store.journal.fence(GPU, START, "one")
            assert 0 == rows(path, "fences")
            raise end

    for end in (ValueError, KeyboardInterrupt, StoreError):
        with pytest.raises(end):
            interrupted(end)
    with store.atomic():
        store.journal.fence(GPU, START, "two")

    assert {GPU: "two"} == store.journal.fences()
    assert 1 == rows(path, "fences")


def test_a_block_in_a_block_can_fail_alone(store: Store, path: Path) -> None:
    """What stood before it stays, and both end with the outer one."""

    def failing() -> None:
        with store.atomic():
            store.journal.fence(GPU, START, "two")
            store.connection.execute("INSERT INTO fences (at) VALUES (NULL)")

    with store.atomic():
        store.journal.fence(GPU, START, "one")
        with pytest.raises(StoreError):
            failing()

    assert {GPU: "one"} == store.journal.fences()
    assert 1 == rows(path, "fences")


def test_the_file_is_safe_against_a_power_cut(store: Store) -> None:
    """A write-ahead log that is synced at every commit (2 is FULL), and references that are checked."""
    settings = [store.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert ["wal", 2, 1] == settings


def test_a_state_file_is_found_again(path: Path) -> None:
    """Opening it once more changes nothing."""
    first = Store.open(path)
    first.journal.open(SWITCH, "a lead")
    first.close()
    again = Store.open(path)

    assert [SWITCH] == again.journal.open_switches()
    again.close()


def test_a_reader_can_change_nothing(store: Store, path: Path) -> None:
    """It sees what is there, and is refused by SQLite itself when it writes."""
    store.journal.fence(GPU, START, "one")
    reader = Store.read_only(path)

    assert {GPU: "one"} == reader.journal.fences()
    with pytest.raises(StoreError, match="readonly database; check that"):
        reader.journal.fence(GPU, START, "two")
    reader.close()


def refused(opening: Callable[[Path], Store], path: Path) -> str:
    """Why a file is not opened: one line."""
    with pytest.raises(StoreError) as caught:
        opening(path)
    message = str(caught.value)

    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


OPENINGS = pytest.mark.parametrize("opening", [Store.open, Store.read_only])


@OPENINGS
@pytest.mark.parametrize("content", [b"timestamp,network\n" * 50, b"\0" * 5000, b"SQLite format 3\0" + b"\xff" * 4000])
def test_what_is_no_database_is_left_as_it_is(opening: Callable[[Path], Store], path: Path, content: bytes) -> None:
    """Not a byte of it is changed."""
    path.write_bytes(content)

    assert "move it away, or restore a copy" in refused(opening, path)
    assert content == path.read_bytes()


@OPENINGS
def test_the_database_of_another_program_is_left_as_it_is(opening: Callable[[Path], Store], path: Path) -> None:
    """Ours could be put beside its tables, but it is not ours."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE cookies (name TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()

    assert "another program's file" in refused(opening, path)
    assert before == path.read_bytes()


@OPENINGS
def test_the_file_of_a_newer_version_is_left_as_it_is(opening: Callable[[Path], Store], store: Store, path: Path) -> None:
    """A migration that this version does not know: it would write into tables whose meaning has changed."""
    store.connection.execute("INSERT INTO _sqlite_migrations VALUES (99, 'yield-autopilot', 'second_flight', '2031-01-01')")

    assert "a newer version of the autopilot made it (second_flight); update" in refused(opening, path)


def test_a_folder_is_no_state_file(tmp_path: Path) -> None:
    """Nor is a file in a folder that is not there, or below a file."""
    (tmp_path / "file").touch()

    assert "unable to open" in refused(Store.open, tmp_path)
    assert "check that the folder exists" in refused(Store.open, tmp_path / "missing" / "autopilot.db")
    assert "check that the folder exists" in refused(Store.open, tmp_path / "file" / "autopilot.db")


def test_there_must_be_something_to_read(path: Path) -> None:
    """A reader makes no file, and an empty one is not taken for a rig without devices."""
    assert "no such file" in refused(Store.read_only, path)
    assert not path.exists()
    path.touch()
    assert "nothing is in it yet" in refused(Store.read_only, path)


def test_a_damaged_page_is_one_line(store: Store, path: Path) -> None:
    """It is only found when it is read, long after the file was opened."""
    with store.atomic():
        store.rates.record((NoQuote(AKASH, GPU, START, "x" * 500), MODEL) for _ in range(200))
    store.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    opened = Store.open(path)

    with pytest.raises(StoreError, match="malformed; the file is damaged"):
        list(opened.rates.answers())
    opened.close()


def test_a_crash_while_the_file_is_made_leaves_an_empty_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables come whole or not at all, so that the next start can make them."""
    monkeypatch.setattr("autopilot.store.schema.MIGRATIONS", (("first_flight", "CREATE TABLE quotes (id INTEGER);\nCREATE NONSENSE"),))
    assert "syntax error" in refused(Store.open, path)
    monkeypatch.undo()
    store = Store.open(path)

    assert 0 == rows(path, "quotes")
    store.close()


def test_a_full_disk_keeps_what_was_acknowledged(store: Store, path: Path) -> None:
    """The transaction that does not fit is undone whole, and said so in one line; those before it stay."""
    store.journal.fence(GPU, START, "acknowledged")
    (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
    store.connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone()

    def too_much() -> None:
        with store.atomic():
            for number in range(1, 50):
                store.journal.fence(device(number).id, START, "x" * 2000)

    with pytest.raises(StoreError, match="disk is full; free some space"):
        too_much()

    assert {GPU: "acknowledged"} == store.journal.fences()
    store.connection.execute("PRAGMA max_page_count = 1000000").fetchone()
    store.journal.fence(device(3).id, START, "there is room again")
    assert 2 == rows(path, "fences")


def test_a_writer_that_waits_too_long_says_who_is_to_blame(store: Store, path: Path) -> None:
    """Another program holds the file: that is not our damage, and not a crash."""
    store.connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked; another program holds the file"):
        store.journal.fence(GPU, START, "one")
    other.close()
    store.journal.fence(GPU, START, "two")

    assert {GPU: "two"} == store.journal.fences()


def test_a_copy_of_the_file_is_a_state_file(store: Store, path: Path, tmp_path: Path) -> None:
    """With its log beside it, taken while it is open: what a crash would leave."""
    store.journal.open(SWITCH, "a lead")
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", tmp_path / f"copy.db{end}")
    copy = Store.open(tmp_path / "copy.db")

    assert [SWITCH] == copy.journal.open_switches()
    copy.close()


def test_a_store_in_memory_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the same tables, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    store = Store.in_memory()
    names = {name for (name,) in store.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    store.close()

    assert TABLES <= names
    assert [] == list(tmp_path.iterdir())

"""The connection, and how a state file is brought up to date."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopilot.errors import StoreError
from autopilot.store.migrations import MIGRATIONS

if TYPE_CHECKING:
    from sqlite_utils import Database


@contextmanager
def _light_import() -> Iterator[None]:
    """Keep pandas and numpy out while sqlite-utils is imported.

    It imports both where they are installed, only to map their types to columns, which we never need: that costs 1.5 s
    and 85 MB, more than the whole daemon. Modules that are loaded already stay.
    """
    absent = [name for name in ("pandas", "numpy") if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None makes an import fail, as documented
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


_MIGRATION_SET = "yield-autopilot"


@lru_cache(maxsize=1024)  # a poll writes the same few instants a hundred times over
def stamp(at: datetime) -> str:
    """An instant as the store writes it: UTC, all digits, so that text order is time order."""
    return at.isoformat(timespec="microseconds") if at.tzinfo is UTC else at.astimezone(UTC).isoformat(timespec="microseconds")


@lru_cache(maxsize=1024)
def instant(text: str) -> datetime:
    """The instant that ``stamp`` wrote. Its zone is ``datetime.UTC`` itself."""
    return datetime.fromisoformat(text).astimezone(UTC)


@contextmanager
def store_errors(path: str) -> Iterator[None]:
    """Turn what SQLite says into one line with the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(path, error) from error


def _explained(path: str, error: sqlite3.Error) -> StoreError:
    return StoreError(f"{path}: {error}; {_remedy(error)}")


def _remedy(error: sqlite3.Error) -> str:
    text = str(error)
    if "disk is full" in text:
        return "free some space, then start again: nothing that was acknowledged is lost"
    if "readonly" in text or "unable to open" in text:
        return "check that the folder exists and that this user may write there"
    if "malformed" in text or "not a database" in text:
        return "the file is damaged or not ours: move it away, or restore a copy"
    if "no such table" in text or "no such column" in text:
        return "an older version of the autopilot made it: `autopilot run` brings it up to date"
    if "locked" in text:
        return "another program holds the file: close it and try again"
    return "nothing was half-written; see the SQLite error above"


class _Cursor(sqlite3.Cursor):
    """Rows that raise nothing but StoreError: a damaged page is only seen when it is read."""

    path = ""

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error

    def fetchone(self) -> Any:
        """The next row; None where there is none."""
        return next(self, None)


class Connection:
    """A SQLite connection that raises nothing but StoreError."""

    def __init__(self, raw: sqlite3.Connection, path: str) -> None:
        self.path = path
        self._raw = raw

    @cached_property
    def _database(self) -> Database:
        """Only who writes pays for this import."""
        with _light_import():
            from sqlite_utils import Database
        return Database(self._raw, execute_plugins=False)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        cursor = self._raw.cursor(_Cursor)
        cursor.path = self.path
        try:
            return cursor.execute(sql, values)
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows."""
        try:
            self._raw.executemany(sql, rows)
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """All of it or nothing; on disk when the block ends. Blocks nest."""
        with store_errors(self.path), self._database.atomic():
            yield

    def migrate(self) -> None:
        """Bring the tables to today's shape, whole or not at all."""
        with _light_import():
            from sqlite_utils.migrations import Migrations
        steps = Migrations(_MIGRATION_SET)
        for name, statements in MIGRATIONS:
            steps(name=name)(_runner(statements))
        with self.atomic():
            steps.apply(self._database)

    def close(self) -> None:
        """Close the file."""
        self._raw.close()


def _runner(statements: str) -> Any:
    def run(database: Database) -> None:
        for statement in statements.split(";\n"):
            if statement.strip():
                database.conn.execute(statement)

    return run


def _refuse_strangers(raw: sqlite3.Connection, name: str, *, empty_will_do: bool) -> None:
    """Raises StoreError where the file is another program's, or a newer version's, or has nothing in it to be read."""
    tables = {table for (table,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables and empty_will_do:
        return
    if not tables:
        raise StoreError(f"{name}: nothing is in it yet; `autopilot run` or `autopilot demo` writes there")
    applied: set[str] = set()
    if "_sqlite_migrations" in tables:
        rows = raw.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (_MIGRATION_SET,))
        applied = {step for (step,) in rows}
    if not applied:
        raise StoreError(f"{name}: it is another program's file, and was left as it is; choose another --state")
    newer = applied - {step for step, _ in MIGRATIONS}
    if newer:
        raise StoreError(f"{name}: a newer version of the autopilot made it ({', '.join(sorted(newer))}); update this one")


def connect(path: Path | None) -> Connection:
    """The state file, made where it is missing; None is a database in memory.

    Write-ahead log with ``synchronous=FULL``: a row is on the disk when its transaction ends, or the transaction failed.
    A statement outside of ``atomic`` is a transaction of its own. Raises StoreError where the file cannot be used.
    """
    name = ":memory:" if path is None else str(path)
    with store_errors(name):
        raw = sqlite3.connect(name, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            _refuse_strangers(raw, name, empty_will_do=True)
            if path is not None:
                raw.execute("PRAGMA journal_mode=WAL")
                raw.execute("PRAGMA synchronous=FULL")
            raw.execute("PRAGMA foreign_keys=ON")
            connection = Connection(raw, name)
            connection.migrate()
        except BaseException:
            raw.close()
            raise
    return connection


def connect_read_only(path: Path) -> Connection:
    """The state file for a reader in another process: it can change nothing. Raises StoreError where there is no such file."""
    if not path.exists():
        raise StoreError(f"{path}: no such file; `autopilot run`, `demo --state` and `rates import` make one")
    if path.is_dir():
        raise StoreError(f"{path}: is a folder; name the state file in it")
    with store_errors(str(path)):
        raw = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            _refuse_strangers(raw, str(path), empty_will_do=False)
        except BaseException:
            raw.close()
            raise
    return Connection(raw, str(path))

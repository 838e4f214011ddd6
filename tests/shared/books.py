"""State files as another process sees them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def rows(path: Path, table: str) -> int:
    """How many rows another connection sees: those that are on the disk."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608

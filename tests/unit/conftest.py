"""What the unit tests share: a new state file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from autopilot.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a state file may be."""
    return tmp_path / "autopilot.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A new state file, and this process at its writing end."""
    with closing(Store.open(path)) as opened:
        yield opened

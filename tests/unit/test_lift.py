"""A fence is lifted by a human, and by nobody else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autopilot.cli import app
from autopilot.errors import ConfigError, StoreError
from autopilot.model.device import DeviceId
from autopilot.store.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state file in which one of two GPUs is fenced."""
    path = tmp_path / "autopilot.db"
    store = Store.open(path)
    with store.atomic():
        store.journal.beat(NOW, NOW, 1, {"devices": [["GPU-aaaa", "H100", 0], ["GPU-bbbb", "H100", 1]]})
        store.journal.fence(DeviceId("GPU-bbbb"), NOW, "seen at akash and nosana at once")
    store.close()
    return path


@pytest.mark.parametrize("name", ["GPU-1", "GPU-bbbb"])
def test_a_fence_is_lifted_by_label_or_id(state: Path, name: str) -> None:
    """And the answer says why it was there."""
    done = CliRunner().invoke(app, ["lift", name, "--state", str(state)])

    assert 0 == done.exit_code
    assert f"{name} is free again; it was fenced: seen at akash and nosana at once\n" == done.stdout
    store = Store.read_only(state)
    assert {} == store.journal.fences()
    store.close()


def test_a_gpu_that_is_not_fenced_is_told_apart(state: Path) -> None:
    """Nothing is lifted by a slip of the hand."""
    done = CliRunner().invoke(app, ["lift", "GPU-0", "--state", str(state)])

    assert isinstance(done.exception, ConfigError)
    assert "'GPU-0' is not fenced; did you mean GPU-" in str(done.exception)


def test_no_state_file_is_made(tmp_path: Path) -> None:
    """Lifting where nothing flies is an error, and leaves nothing behind."""
    path = tmp_path / "none.db"

    done = CliRunner().invoke(app, ["lift", "GPU-0", "--state", str(path)])

    assert isinstance(done.exception, StoreError)
    assert not path.exists()

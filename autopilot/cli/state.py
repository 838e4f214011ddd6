"""Where the state file is, and what time it is there. Who only looks at it must answer at once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autopilot.errors import ConfigError

if TYPE_CHECKING:
    from autopilot.dashboard.snapshot import Heartbeat
    from autopilot.store.store import Store


def state_of(config: Path | None) -> Path:
    """What the configuration says, by the one key that matters here: to check all of it would take longer than to answer."""
    variable = os.environ.get("AUTOPILOT_STATE")
    where = config or Path("autopilot.toml")
    if variable or (config is None and not where.exists()):
        return Path(variable or "autopilot.db")
    try:
        return Path(tomllib.loads(where.read_text(encoding="utf-8")).get("state", "autopilot.db"))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{where}: cannot be read: {error}; name the state file with --state") from None


@contextmanager
def looked_at(state: Path | None, config: Path | None) -> Iterator[tuple[Store, datetime]]:
    """The state file, for one who changes nothing, and the instant there. Raises StoreError, ConfigError."""
    from autopilot.dashboard.reading import read_heartbeat
    from autopilot.store.store import Store

    path = state or state_of(config)
    with closing(Store.read_only(path)) as store:
        yield store, now_of(path, read_heartbeat(store))


def now_of(path: Path, beat: Heartbeat | None) -> datetime:
    """The instant by the daemon's own clock, which may run faster than ours or be moved by hand."""
    from autopilot.clock import SystemClock

    if beat is None or beat.by_hand:
        return beat.at if beat else SystemClock().now()
    origin = path.with_name(path.name + ".clock")
    if beat.speed == 1 or not origin.exists():
        return SystemClock().now()
    from autopilot.sim.clock import ScaledClock

    return ScaledClock(SystemClock(), datetime.fromisoformat(origin.read_text(encoding="utf-8")), beat.speed).now()

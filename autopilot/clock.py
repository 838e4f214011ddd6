"""The only place that may ask what time it is."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time, given from outside."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def wait(self, span: timedelta, until: threading.Event) -> bool:
        """Let the span go by, or less when the event is set first. True if it was set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, span: timedelta, until: threading.Event) -> bool:
        return until.wait(max(0.0, span.total_seconds()))


def stopwatch() -> float:
    """Seconds on a clock that only runs forward. For durations; it says nothing about the date."""
    return time.perf_counter()

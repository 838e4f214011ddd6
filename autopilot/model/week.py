"""Parts of the week, by local time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time


@dataclass(frozen=True, slots=True)
class Hours:
    """The same hours of certain days."""

    days: frozenset[int]
    """On which they begin; Monday is 0."""
    start: time
    end: time
    """Exclusive; midnight is the end of the day. Where it is not later than the start, they end on the next day."""

    def holds(self, local: datetime) -> bool:
        """Whether an instant, by local time, is in them."""
        at, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= at < self.end
        began_yesterday = (today - 1) % 7 in self.days and at < self.end
        return began_yesterday or (today in self.days and at >= self.start)

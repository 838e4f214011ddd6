"""How much is asked of each host: counted, spaced, and paused where the host wants to be left alone."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from autopilot.kit.unheard import Unheard
from autopilot.units import HOUR

SHORT = timedelta(seconds=10)
"""As long as this a request waits for a host that wants to be left alone; longer, and it is given up at once."""


class Traffic:
    """The requests to every host. Many threads may book at once: each gets an instant of its own."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._sent: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._spacing: dict[str, timedelta] = {}
        self._left_alone: dict[str, datetime] = {}

    def keep_apart(self, host: str, span: timedelta) -> None:
        """From now on, at least this span lies between two requests to the host. Where two ask for it, the longer one holds."""
        with self._lock:
            self._spacing[host] = max(span, self._spacing.get(host, span))

    def leave_alone(self, host: str, until: datetime) -> None:
        """The host wants no request before this instant."""
        with self._lock:
            self._left_alone[host] = until

    def book(self, host: str, now: datetime, latest: datetime) -> timedelta:
        """How long to wait before a request may go to the host; it counts from here on.

        Raises Unheard, and counts nothing, where the budget of the hour is used up or the wait would go past ``latest``.
        """
        with self._lock:
            sent = self._of_last_hour(host, now)
            if len(sent) >= self._budget:
                raise Unheard(f"not asked: {len(sent)} requests went to {host} in the last hour, and {self._budget} are its budget")
            start = max(now, self._left_alone_until(host, now), sent[-1] + self._spacing.get(host, timedelta(0)) if sent else now)
            if start > latest:
                raise Unheard(f"not asked: {host} is asked so often that the next turn is in {_seconds(start - now)}")
            sent.append(start)
            return start - now

    def counts(self, now: datetime) -> Mapping[str, int]:
        """Requests of the last hour, for every host that had one."""
        with self._lock:
            hosts = {host: len(self._of_last_hour(host, now)) for host in list(self._sent)}
            return {host: count for host, count in hosts.items() if count}

    def _left_alone_until(self, host: str, now: datetime) -> datetime:
        until = self._left_alone.get(host, now)
        if until - now > SHORT:
            raise Unheard(f"not asked: {host} wants to be left alone for {_seconds(until - now)} more")
        return until

    def _of_last_hour(self, host: str, now: datetime) -> deque[datetime]:
        sent = self._sent[host]
        while sent and not now - HOUR < sent[0] <= now + HOUR:  # a clock that was set back must not block the host for long
            sent.popleft()
        return sent


def host_of(url: str) -> str:
    """The host, with its port where that is not the usual one: what has one budget."""
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.hostname}" if parts.port in {None, usual} else f"{parts.hostname}:{parts.port}"


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"

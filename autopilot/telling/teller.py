"""Tells people what is news: a look at the state file after a beat, and now and then a message."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from typing import Any

from autopilot.clock import stopwatch
from autopilot.notices import NotifySettings, Topic
from autopilot.store.store import Store
from autopilot.store.told import ToldBook
from autopilot.telling.gathering import Gatherer
from autopilot.telling.news import Memory, News, Standing, news
from autopilot.telling.services import body_of

Send = Callable[[str], bool]
"""Sends a text, and says whether anybody took it."""
_ROOM = 30
"""Sentences that may wait; of more, the oldest go."""
_RETRY = timedelta(minutes=5)
"""After a message that nobody took."""


class Teller:
    """Looks, and sends. What nobody took waits in the state file, so that neither a restart nor a broken line loses it or says it twice."""

    def __init__(self, store: Store, settings: NotifySettings, send: Send, watch: Callable[[], float] = stopwatch) -> None:
        self._store = store
        self._told = ToldBook(store.connection)
        self._gatherer = Gatherer(store, self._told, settings)
        self._settings = settings
        self._send = send
        self._watch = watch
        self._memory = restored(self._told.kept())
        self._free_at = watch()
        """When the next message may go, by the stopwatch."""

    def look(self) -> None:
        """See what is new, and send what is to be told, if a message may go already. Raises StoreError."""
        with self._store.atomic():
            after = self._gathered()
        if after is None:
            return
        self._keep(after)
        if after.outbox and self._watch() >= self._free_at:
            self._deliver(after)

    def _gathered(self) -> Memory | None:
        looked = self._gatherer.look(self._memory)
        if looked is None:
            return None
        before, seen = looked
        told, after = news(before, seen)
        if after.day > before.day:
            told = (*told, self._gatherer.digest(after, seen.at))
        return _filled(after, [each for each in told if each.topic in self._settings.events])

    def _deliver(self, memory: Memory) -> None:
        took = self._send(body_of(memory.outbox, memory.dropped))
        pause = self._settings.every if took else max(_RETRY, self._settings.every)
        self._free_at = self._watch() + pause.total_seconds()
        if took:
            self._keep(replace(memory, outbox=(), dropped=0))

    def _keep(self, memory: Memory) -> None:
        if memory != self._memory:
            self._told.keep(packed(memory))
            self._memory = memory


def _filled(memory: Memory, told: list[News]) -> Memory:
    outbox = (*memory.outbox, *(each.sentence for each in told))
    return replace(memory, outbox=outbox[-_ROOM:], dropped=memory.dropped + max(0, len(outbox) - _ROOM))


def packed(memory: Memory) -> str:
    """As JSON."""
    return json.dumps(asdict(memory), default=lambda each: each.isoformat())


def restored(body: str | None) -> Memory | None:
    """What ``packed`` has made; None of nothing."""
    if body is None:
        return None
    kept: dict[str, Any] = json.loads(body)
    standing = {key: _standing(each) for key, each in kept["standing"].items()}
    return Memory(kept["event"], date.fromisoformat(kept["day"]), standing, tuple(kept["outbox"]), kept["dropped"])


def _standing(kept: Mapping[str, Any]) -> Standing:
    gone = kept["gone"] and datetime.fromisoformat(kept["gone"])
    return Standing(datetime.fromisoformat(kept["since"]), Topic(kept["topic"]), kept["over"], kept["told"], gone)

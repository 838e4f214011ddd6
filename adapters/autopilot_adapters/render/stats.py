"""The last closed epochs, and the memory of them: one figure a week needs no question an hour, and outlives a file that breaks."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autopilot.clock import Clock
from autopilot.errors import AdapterError, Transient
from autopilot.kit.http import Http
from autopilot.kit.reading import Field
from autopilot_adapters.render.wire import FILE, Epoch, closed_epochs, statistics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """Epochs, and when they were read."""

    epochs: Sequence[Epoch]
    read_at: datetime
    trouble: str = ""
    """Why the file could not be read since; empty where it could."""

    @property
    def newest(self) -> Epoch:
        """The one that closed last."""
        return self.epochs[-1]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the statistics are, and how they are asked for."""

    url: str
    origin: str
    count: int
    """How many epochs are wanted."""
    refresh: timedelta


class Stats:
    """Asks again when what is known is old, when it is too little, and at every poll while the file is in trouble."""

    def __init__(self, http: Http, clock: Clock, place: Place, memory: Path) -> None:
        self._http = http
        self._clock = clock
        self._place = place
        self._memory = memory
        self._known: Known | None = None

    def known(self) -> Known:
        """What is known, with what went wrong since. Raises Transient or Refused where nothing ever was."""
        now = self._clock.now()
        known = self._known or self._recalled(now)
        if known is None or not self._fresh(known, now):
            known = self._asked(known)
        self._known = known
        return known

    def _fresh(self, known: Known, now: datetime) -> bool:
        enough = not known.trouble and len(known.epochs) >= self._place.count
        return enough and known.read_at <= now < known.read_at + self._place.refresh

    def _asked(self, before: Known | None) -> Known:
        try:
            reply = statistics(self._http, self._place.url, self._place.origin)
            known = Known(self._epochs(reply.json, reply.seen_at), reply.seen_at)
            if before and known.newest.number < before.newest.number:
                raise Transient(self._http.network, f"{FILE}:data.epochs has forgotten epoch {before.newest.number}, which it had")
        except AdapterError as error:
            if before is None:
                raise
            log.warning("%s; the figures of epoch %d stay in use", error, before.newest.number)
            return replace(before, trouble=str(error))
        self._remember(known)
        return known

    def _epochs(self, answer: object, now: datetime) -> Sequence[Epoch]:
        return closed_epochs(Field(self._http.network, f"{FILE}:", answer), now, self._place.count)

    def _remember(self, known: Known) -> None:
        """Keep the rows as they came. Where that fails, the next start has none: no reason to stop."""
        kept = {"read_at": known.read_at.isoformat(), "data": {"epochs": [epoch.row for epoch in known.epochs]}}
        try:
            draft = self._memory.with_name(f"{self._memory.name}.new")
            draft.write_text(json.dumps(kept), encoding="utf-8")
            draft.replace(self._memory)
        except OSError as error:
            log.warning("the epochs of %s were not kept: %s", self._http.network, error)

    def _recalled(self, now: datetime) -> Known | None:
        """What an earlier run kept, checked like any answer; None where that cannot be used."""
        try:
            kept = json.loads(self._memory.read_text(encoding="utf-8"))
            read_at = Field(self._http.network, f"{self._memory.name}:", kept).member("read_at").instant()
            return Known(self._epochs(kept, now), min(read_at, now.astimezone(UTC)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError, AdapterError) as error:
            log.warning("the epochs in %s are not read: %s", self._memory, error)
            return None

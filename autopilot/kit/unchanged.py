"""Conditional requests: bodies that are kept, because their server can say that they are unchanged."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from autopilot.kit.exchange import Heard

_MOST_BODIES = 64
_MOST_BYTES = 32 * 1024 * 1024
_VALIDATORS = {"if-none-match": "etag", "if-modified-since": "last-modified"}
"""What to ask with, and where an answer says it (RFC 9110, 13.1)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One body, and the headers that ask whether it changed."""

    validators: Mapping[str, str]
    body: bytes
    status: int


class Unchanged:
    """The bodies that are kept, bounded in number and size: the oldest give way. Many threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def find(self, question: Hashable) -> Kept | None:
        """The body that answered this question last."""
        with self._lock:
            return self._kept.get(question)

    def keep(self, question: Hashable, heard: Heard) -> None:
        """Keep the answer where its server can confirm it and does not forbid to keep it; forget the one before."""
        said = {name: heard.headers.get(source, "") for name, source in _VALIDATORS.items()}
        validators = {name: value for name, value in said.items() if value and value.isascii()}
        with self._lock:
            self._kept.pop(question, None)
            if validators and "no-store" not in heard.headers.get("cache-control", "").lower():
                self._kept[question] = Kept(validators, heard.body, heard.status)
            while len(self._kept) > _MOST_BODIES or sum(len(each.body) for each in self._kept.values()) > _MOST_BYTES:
                self._kept.popitem(last=False)

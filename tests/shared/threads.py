"""Threads that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Self

from autopilot.errors import AdapterError


class Inline:
    """In place of a pool: real threads cost more than what is tested with it."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, ask: Callable[..., Any], *given: Any) -> Future[Any]:
        """Ask here and now."""
        future: Future[Any] = Future()
        try:
            future.set_result(ask(*given))
        except AdapterError as error:
            future.set_exception(error)
        return future

    def map(self, ask: Callable[..., Any], *given: Iterable[Any]) -> Iterator[Any]:
        """Ask here and now."""
        return map(ask, *given)

"""Asking many networks at once, so that a slow one delays none of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, as_completed
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from autopilot.units import span_text

K = TypeVar("K")


def beside(question: Callable[[], Any]) -> Future[Any]:
    """Ask in a thread of its own, and do not wait for the answer.

    The thread runs on until its own time limit; it keeps no process from ending.
    """
    future: Future[Any] = Future()

    def ask() -> None:
        try:
            outcome = question()
        except BaseException as error:  # noqa: BLE001  # the asker sorts them
            future.set_exception(error)
        else:
            future.set_result(outcome)

    threading.Thread(target=ask, daemon=True).start()
    return future


def as_they_come(questions: Mapping[K, Callable[[], Any]], deadline: timedelta) -> Iterator[tuple[K, Any]]:
    """Ask everybody at once; what each one gave, in the order in which they answer: its answer, or the exception that it ended with.

    Who has no answer by the deadline comes last, with a TimeoutError.
    """
    asked = {beside(question): key for key, question in questions.items()}
    with suppress(TimeoutError):
        for future in as_completed(asked, deadline.total_seconds()):
            yield asked.pop(future), future.exception() or future.result()
    for key in asked.values():
        yield key, TimeoutError(f"no answer within {span_text(deadline)}")

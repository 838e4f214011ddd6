"""Asking many networks at once, so that a slow one delays none of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from autopilot.clock import stopwatch
from autopilot.pilot.world import Gather
from autopilot.units import span_text


def at_once(deadline: timedelta) -> Gather:
    """A gatherer that gives every question a thread of its own, and all of them together so much time.

    What has no answer by then is a TimeoutError; its thread runs on until its own time limit and is not listened to any more.
    """

    def gather(questions: Sequence[Callable[[], Any]]) -> list[Any]:
        late = TimeoutError(f"no answer within {span_text(deadline)}")
        outcomes: list[Any] = [late] * len(questions)

        def ask(index: int) -> None:
            try:
                outcomes[index] = questions[index]()
            except Exception as error:  # noqa: BLE001  # the asker sorts them
                outcomes[index] = error

        threads = [threading.Thread(target=ask, args=(index,), daemon=True) for index in range(len(questions))]
        end = stopwatch() + deadline.total_seconds()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - stopwatch()))
        return list(outcomes)

    return gather

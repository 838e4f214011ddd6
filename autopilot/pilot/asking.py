"""Asking many networks side by side, and taking in each answer when it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from autopilot.clock import stopwatch
from autopilot.model.device import NetworkId
from autopilot.pilot.world import Ask
from autopilot.units import span_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Question(Generic[T]):
    answers: Future[Sequence[T]]
    since: float
    """By the stopwatch, seconds."""


class Round(Generic[T]):
    """One question to each of many networks. It belongs to one thread; only the futures are shared with those who answer.

    A network that still owes an answer is not asked again beside it: a network that hangs costs one thread, however often we poll.
    """

    def __init__(self, ask: Ask, patience: timedelta) -> None:
        self._ask = ask
        self._patience = patience
        self._under_way: dict[NetworkId, _Question[T]] = {}

    def begin(self, questions: Mapping[NetworkId, Callable[[], Sequence[T]]]) -> None:
        """Ask each network, unless it owes an answer."""
        for network, question in questions.items():
            if network not in self._under_way:
                self._under_way[network] = _Question(self._ask(question), stopwatch())

    @property
    def come(self) -> bool:
        """Whether there is anything to take in."""
        return any(question.answers.done() for question in self._under_way.values())

    @property
    def awaited(self) -> set[NetworkId]:
        """The networks that owe an answer and are not late yet."""
        return {network for network, question in self._under_way.items() if not question.answers.done() and not self._late(question)}

    def take(self) -> Iterator[tuple[NetworkId, Sequence[T] | BaseException]]:
        """What has come, in the order in which it was asked, each the answers or the exception that it ended with.

        A network that is late is a TimeoutError at every look, until it answers after all: an answer says itself how old it is.
        """
        for network, question in list(self._under_way.items()):
            if question.answers.done():
                del self._under_way[network]
                yield network, question.answers.exception() or question.answers.result()
            elif self._late(question):
                yield network, TimeoutError(f"no answer within {span_text(self._patience)}")

    def _late(self, question: _Question[T]) -> bool:
        return stopwatch() - question.since > self._patience.total_seconds()

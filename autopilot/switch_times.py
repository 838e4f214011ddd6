"""How long switches really take: measured from their events, and mixed with what the adapters say. Pure.

A drain is learned as what it took beyond the adapter's word, which knows the job that runs; what an end takes by itself is learned as
it is. Each belongs to one end of a switch, so what is learned at one pair of venues serves every pair with that end: the times of a
pair are those of its source and those of its target.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from autopilot.model.switch import Event, State, Switch

KEPT = 50
"""So many of the last observations count: programs change."""
_WORD = 4
"""The adapter's word counts as so many observations."""
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Passage:
    """What one switch took. None where it did not come so far, or where nobody looked meanwhile."""

    excess: timedelta | None
    """Of the drain, beyond what it was said to take; less than nothing where it was shorter."""
    wait: timedelta | None
    """From the source being empty to the order to start the target: nothing earns."""
    boot: timedelta | None
    """From the order to start the target until it served."""


def passage(switch: Switch, events: Iterable[Event]) -> Passage:
    """What a switch took, by its events in order."""
    entered: dict[State, datetime] = {}
    away: list[datetime] = []
    for event in events:
        if event.after in entered and event.before is event.after:
            away.append(event.at)
        entered.setdefault(event.after, event.at)

    def between(first: State, last: State) -> timedelta | None:
        if first not in entered or last not in entered or any(entered[first] <= at <= entered[last] for at in away):
            return None
        return entered[last] - entered[first]

    drained = between(State.DRAINING, State.STOPPING)
    excess = None if drained is None or switch.told is None else drained - switch.told
    return Passage(excess, between(State.STOPPING, State.STARTING), between(State.STARTING, State.SETTLED))


class Sample:
    """The last observations of one span, and what they make of an adapter's word."""

    def __init__(self) -> None:
        self._spans: deque[timedelta] = deque(maxlen=KEPT)
        self._median = _NO_TIME

    def note(self, span: timedelta) -> None:
        """One more."""
        self._spans.append(span)
        self._median = percentile(self._spans, 50)

    def typical(self, word: timedelta) -> timedelta:
        """Their median, drawn towards the adapter's word: that is believed as if it had been observed a few times."""
        if not self._spans:
            return word
        count = len(self._spans)
        return (word * _WORD + self._median * count) / (_WORD + count)

    def late(self, word: timedelta) -> timedelta:
        """The span that nine of ten do not exceed, the adapter's word among them as above (nearest rank)."""
        return percentile((*self._spans, *[word] * _WORD), 90)


def percentile(spans: Iterable[timedelta], percent: int) -> timedelta:
    """The shortest of the spans that so many percent of them do not exceed (nearest rank)."""
    ranked = sorted(spans)
    return ranked[-(-percent * len(ranked) // 100) - 1]

"""The control that never moves: what "choose once and forget" would have earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

from autopilot.model.device import IDLE, Device
from autopilot.model.history import History
from autopilot.model.kernel import NEVER, NOWHERE, Kernel, Offers, Recall, Seat
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot_strategies.choice import Choice, decide_each, look
from autopilot_strategies.memory import Nothing, Remembering


class Total(NamedTuple):
    """All that a venue has paid so far. Every venue has the same hours, so the highest mean is the highest total."""

    as_of: float
    rate: float
    """The sum of its rates in USD per hour; a missing one adds nothing."""


def add(_setting: Nothing, memory: Total, as_of: float, rate: float, _chance: int) -> Total:
    """One more rate."""
    return Total(as_of, memory.rate + rate)


def choose_once(_setting: Nothing, seat: Seat, _offers: Offers, memories: Sequence[Total]) -> tuple[int]:
    """From idle to the highest total; of equals to the first by name."""
    if seat.place != NOWHERE:
        return (seat.place,)
    best = NOWHERE
    for place in range(1, len(memories)):
        total = memories[place]
        if total.as_of != NEVER and (best == NOWHERE or total.rate > memories[best].rate):
            best = place
    return (best,)


_RECALL = Recall(add, Nothing(), Total(NEVER, 0.0))


@dataclass(frozen=True, slots=True)
class Stay:
    """From idle to the venue with the highest mean over all that is known; then it never moves."""

    learns: ClassVar[bool] = False

    @property
    def kernel(self) -> Kernel:
        return Kernel(choose_once, Nothing(), _RECALL)

    def decide(self, view: View) -> Decision:
        """Move what is idle, once anything is known."""
        return decide_each(view, "stay", lambda device: self._choose(view, device))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self

    def _choose(self, view: View, device: Device) -> Choice:
        here = view.venue(device)
        if here != IDLE:
            return Choice(here, f"stay at {here}, as ever")
        sight = look(view, device)
        if isinstance(sight, Choice):
            return sight
        step = Remembering(_RECALL)
        totals = [view.history.fold(venue, device.model, step) or _RECALL.empty for venue in sight.venues]
        (place,) = choose_once(Nothing(), sight.seat, sight.offers, totals)
        if place == NOWHERE:
            return Choice(IDLE, "idle: no rate is known yet")
        return Choice(sight.venues[place], f"go to {sight.venues[place]}: it has the highest mean of the past")

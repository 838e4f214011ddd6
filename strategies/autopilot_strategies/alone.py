"""The experts of ``forecast``, each as a strategy of its own: what one of them would earn that is believed alone, with any parameters.

They are made to be swept, to see what the vote chooses from. They know nothing of stays that cannot be cut short, as no backtest has any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Self, cast

import numpy as np

from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.history import History
from autopilot.model.kernel import Kernel, Offers, Seat
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.units import HOUR, Share
from autopilot_strategies.choice import Choice, Lead, Sight, decide_each, look
from autopilot_strategies.digests import Averaged, Digest, Filtered, Foreseen, Reader
from autopilot_strategies.memory import Nothing
from autopilot_strategies.plans import Aim, weighed
from autopilot_strategies.signals import AVERAGES, FILTERS
from autopilot_strategies.targets import beyond, first_best, led, settled


def choose_planned(setting: Aim, seat: Seat, offers: Any, memories: Any) -> tuple[int]:
    """What a plan over the paths (places, blocks) makes of it."""
    paths = memories - offers.lifts.reshape(-1, 1)
    staying, going = weighed(setting, paths, offers.dark, offers.cash, 0.0 * offers.dark)
    best, first = first_best(going)
    return (_offered(offers, seat, settled(seat.place, staying[seat.place], best, first)),)


def choose_leading(setting: Lead, seat: Seat, offers: Any, memories: Any) -> tuple[int]:
    """To the best average that leads by a share."""
    rates = memories[:, 0] - offers.lifts
    best, first = first_best(rates)
    return (_offered(offers, seat, settled(seat.place, led(rates[seat.place], setting.lead), best, first)),)


def choose_beyond(_setting: Nothing, seat: Seat, offers: Any, memories: Any) -> tuple[int]:
    """To the best filtered rate outside of the band."""
    rates = memories[:, 0] - offers.lifts
    best, first = first_best(beyond(rates, memories[:, 1 + seat.place], offers.dark, offers.cash))
    return (_offered(offers, seat, settled(seat.place, rates[seat.place], best, first)),)


def _offered(offers: Any, seat: Seat, target: int) -> int:
    """Nobody goes where nothing is offered."""
    return seat.place if math.isnan(offers.rates[target]) else target


@dataclass(frozen=True, slots=True)
class _Expert:
    """What they share."""

    learns: ClassVar[bool] = False
    reader: Reader = field(default_factory=Reader, init=False, repr=False, compare=False)

    @property
    def kernel(self) -> Kernel:
        """How one device is decided upon."""
        raise NotImplementedError

    def decide(self, view: View) -> Decision:
        """What the expert would do with every device."""
        kernel = self.kernel
        return decide_each(view, "expert", lambda device: self._choose(view, device, kernel))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned that could not be read off the history."""
        return self

    def _choose(self, view: View, device: Device, kernel: Kernel) -> Choice:
        sight = look(view, device, kernel.stay)
        if isinstance(sight, Choice):
            return sight
        read = self.reader.newest(cast("Digest", kernel.digest), view.history, device.model)
        if read is None or sight.here not in (IDLE, *read[0]):
            return Choice(sight.here, f"stay at {sight.here}: no rate of it is known yet")
        sight = _of_these(sight, (IDLE, *read[0]))
        (place,) = kernel.choose(kernel.setting, sight.seat, sight.offers, cast("Any", read[1]))
        if place == sight.seat.place:
            return Choice(sight.here, f"stay at {sight.here}, by {self}")
        return Choice(sight.venues[place], f"leave {sight.here} for {sight.venues[place]}, by {self}")


def _of_these(sight: Sight, venues: Sequence[Venue]) -> Sight:
    """With these places, as arrays; what is not in sight offers nothing."""
    places = [sight.venues.index(venue) if venue in sight.venues else -1 for venue in venues]
    columns: Any = [np.array([*values, 0.0])[places] for values in sight.offers]
    columns[0] = np.array([*sight.offers.rates, math.nan])[places]
    return Sight(venues, Seat(venues.index(sight.here), sight.seat.age), Offers(*columns))


@dataclass(frozen=True, slots=True)
class Planner(_Expert):
    """A plan, for one horizon."""

    horizon: timedelta = timedelta(hours=48)
    """How far it looks ahead."""
    haircut: Share = Share(1_000_000_000)
    """The share of a gain that it counts."""
    lasting: bool = False
    """Whether it believes the average of the last hours to last, and no forecast."""

    @property
    def kernel(self) -> Kernel:
        aim = Aim(self.horizon / HOUR, float(self.haircut))
        return Kernel(choose_planned, aim, digest=Foreseen(self.lasting), stay=self.horizon)


@dataclass(frozen=True, slots=True)
class Follower(_Expert):
    """The best average when it leads by a share."""

    lead: Share = Share(100_000_000)
    average: int = AVERAGES.index(12.0)
    """Which of ``signals.AVERAGES``."""

    @property
    def kernel(self) -> Kernel:
        return Kernel(choose_leading, Lead(float(self.lead)), digest=Averaged(self.average))


@dataclass(frozen=True, slots=True)
class Banded(_Expert):
    """The no-trade band around the present place."""

    filtered: int = FILTERS.index(6.0)
    """Which of ``signals.FILTERS``."""

    @property
    def kernel(self) -> Kernel:
        return Kernel(choose_beyond, Nothing(), digest=Filtered(self.filtered))

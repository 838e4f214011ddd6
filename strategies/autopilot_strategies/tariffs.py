"""The power bill of the hours ahead, and whether this hour is one to be dark in (docs/market.md §4).

The price of power is known, not forecast. So where a device should be is a question for the vote, and whether it should be lit there at
this hour is arithmetic: an induction over the hours ahead with two states, lit and dark, between which going dark is free and
coming back costs what arriving costs. A cheap night is not entered where the noon that must be stayed through takes more, a dear noon is
left where the way back costs less than the noon, and is sat out where it costs more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from autopilot.economics import power_price
from autopilot.model.view import View
from autopilot.units import UsdPerKwh, Watts, divide_rounded
from autopilot_strategies.plans import BLOCKS, Outlook, Power
from autopilot_strategies.signals import Floats

_BLOCKS = [int(length) for length in BLOCKS]
HOURS = sum(_BLOCKS)
"""As far as plans look ahead."""
_NOTHING = 1e-9
"""USD: what is less decides nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Tariff:
    """The price of power from an instant on."""

    now: UsdPerKwh
    """In force."""
    hours: tuple[UsdPerKwh, ...]
    """The mean of each hour ahead."""
    blocks: tuple[UsdPerKwh, ...]
    """The mean of each block of a plan."""
    steady: bool
    """Whether it is the same in all of these hours."""

    @classmethod
    def of(cls, view: View) -> Tariff:
        """As the view knows it."""
        hours = tuple(view.power.hourly(view.now, HOURS))
        edges = pairwise([0, *accumulate(_BLOCKS)])
        blocks = tuple(UsdPerKwh(divide_rounded(sum(price.count for price in hours[a:b]), b - a)) for a, b in edges)
        return cls(power_price(view), hours, blocks, len({price.count for price in hours}) == 1)


@dataclass(frozen=True, slots=True)
class Bill:
    """What serving adds to the power bill of one device, by place; nothing at idle, which is place 0."""

    tariff: Tariff
    watts: tuple[Watts, ...]
    """What serving draws more than doing nothing, by place."""

    @property
    def steady(self) -> bool:
        """Whether it is the same in all hours to come."""
        return self.tariff.steady or not any(self.watts)

    def now(self, place: int) -> float:
        """At the price in force, USD/h."""
        return float(self.watts[place] * self.tariff.now)

    def hours(self, place: int) -> Floats:
        """In each hour ahead, USD."""
        return np.array([float(self.watts[place] * price) for price in self.tariff.hours])

    def power(self) -> Power:
        """As plans take it, without idle."""
        blocks = [[float(watts * price) for watts in self.watts[1:]] for price in self.tariff.blocks]
        return Power(np.array([self.now(place) for place in range(1, len(self.watts))]), np.array(blocks))

    def mean(self, place: int, hours: float) -> float:
        """Over the next hours, USD/h."""
        return Outlook(np.array([[[float(self.watts[place] * price)] for price in self.tariff.blocks]])).mean(0, 0, hours)


class Rest(NamedTuple):
    """Being dark in this hour, against being lit."""

    gain: float
    """What it wins over the hours ahead, in USD; not above zero where the device should be lit."""
    hours: int | None
    """After how many hours it should be lit again; None where that is too far ahead to be seen."""

    @property
    def pays(self) -> bool:
        """Whether to be dark."""
        return self.gain > _NOTHING


def rest(net: Sequence[float], arriving: Sequence[float], stay: int, *, lit: bool) -> Rest:
    """By what a place earns net of power in each hour ahead, and what arriving there in that hour costs, in USD.

    Who arrives stays for so many hours; whoever is ``lit`` is there already.
    """
    hours, sums = len(net), [0.0, *accumulate(net)]
    bright, dark = [0.0] * (hours + 1), [0.0] * (hours + 1)
    for hour in reversed(range(hours)):
        end = min(hour + stay, hours)
        dark[hour] = max(dark[hour + 1], sums[end] - sums[hour] + bright[end] - arriving[hour])
        bright[hour] = max(net[hour] + bright[hour + 1], dark[hour + 1])
    end = 1 if lit else min(stay, hours)
    now = sums[end] + bright[end] - (0.0 if lit else arriving[0])
    again = next((hour for hour in range(1, hours) if dark[hour] > dark[hour + 1]), None)
    return Rest(dark[1] - now, again)

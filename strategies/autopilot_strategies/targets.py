"""The experts' decisions: where to go from one place, as plain functions of numbers (docs/market.md §5).

Every number may be an array as well, of many hours and experts at once, and does the same to each: so the daemon runs these functions
on tables, and learns from years of hours in seconds. A sweep compiles them, and runs them on single numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autopilot_strategies.signals import Floats

Targets = NDArray[np.int16]
"""(hours, experts, places): where to go from every place; the place itself, to stay."""

_EQUAL = 1e-9
"""What differs by less, as a share, is the same: of equals the first place counts."""


def highest(worth: Any) -> Any:
    """The most that any place is worth."""
    best: Any = worth[0]
    for place in range(1, len(worth)):
        best = np.maximum(best, worth[place])
    return best


def first_best(worth: Any) -> tuple[Any, Any]:
    """The most that any place is worth, and the place; of equals the first."""
    best = highest(worth)
    enough = best - _EQUAL * np.abs(best)
    first: Any = 0
    for place in range(len(worth) - 1, -1, -1):
        first = first + (place - first) * (worth[place] >= enough)
    return best, first


def settled(here: Any, staying: Any, best: Any, first: Any) -> Any:
    """To the first best place, or here where staying is worth as much."""
    return here + (first - here) * (best > staying + _EQUAL * np.abs(staying))


def led(rate: Any, share: Any) -> Any:
    """What leads a rate by a share of its size."""
    return rate + share * np.abs(rate)


def beyond(rates: Any, restless: Any, dark: Any, cash: Any) -> Any:
    """The rates by place, each less the half-width of the no-trade band around the present place: the cube root of 3/2 q S.

    q is the variance of the difference's innovation in an hour, S the cost of the move, of a random walk at a small cost: Rogers,
    Why is the effect of proportional transaction costs O(delta^(2/3))?, 2004. For the present place q is nothing.
    """
    return rates - np.cbrt(1.5 * restless * (dark * np.maximum(rates, 0.0) + cash))


def everywhere(staying: Floats, going: Floats) -> Targets:
    """The decision in every place, by what staying is worth (places, hours, experts), and what going is.

    Going is worth the same from everywhere, or has a further axis for the place that one comes from: (places, places, hours, experts).
    """
    best, first = first_best(going)
    here = np.arange(len(staying))[:, None, None]
    decided: Targets = np.moveaxis(settled(here, staying, best, first), 0, -1).astype(np.int16)
    return decided

"""What a network really pays of what it quotes (docs/market.md §5). Pure arithmetic of floats.

Income and quotes are compared over the same hours, in stretches that are all weighed by the money in them::

    R = sum(w * paid) / sum(w * quoted)        se^2 = n / (n - 3) * sum(w^2 * (paid - R * quoted)^2) / sum(w * quoted)^2

with *w* the age of a stretch as a weight and *n* how many there are: the linearised error of a ratio of sums, with one degree
of freedom for the ratio and two for the tails that few stretches have. Rates are then multiplied with ``(24 + H * R) / (24 + H)``,
*H* being the weighed hours, but only where R differs from one by more than two standard errors. Unknown is not one: it is said
to be unknown, and nothing is corrected.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from operator import mul
from typing import NamedTuple

from autopilot.model.experience import Realised

STRETCH = timedelta(hours=6)
"""Hours are told together in spans of this length: neighbours are alike, and are no evidence by themselves."""
HALF_LIFE = timedelta(days=90)
"""The age at which a stretch counts half."""
PRIOR = 24.0
"""How many hours of pay as quoted are assumed before the first."""
SURE = 2.0
"""How many standard errors it takes."""
MOST = 1.5
"""No venue is believed to pay more than so many times what it quotes."""
ROUNDING = 0.005
"""The standard error that is always reckoned with: clocks, rounding, and prices of tokens."""
_FEWEST = 4
"""Stretches without which no error can be told."""


class Stretch(NamedTuple):
    """What GPUs of one model were quoted and paid at a venue, in the hours of a stretch for which both are known."""

    start: datetime
    hours: float
    quoted: float
    """USD."""
    paid: float


def measured(stretches: Iterable[Stretch], now: datetime) -> Realised | None:
    """Paid to quoted, as it counts at an instant; None where there is too little to tell an error."""
    told = [each for each in stretches if each.quoted > 0.0]
    if len(told) < _FEWEST:
        return None
    starts, spans, quotes, pays = zip(*told, strict=True)
    weights = [_weight(now - start) for start in starts]
    quoted = math.fsum(map(mul, weights, quotes))
    ratio = math.fsum(map(mul, weights, pays)) / quoted
    each = zip(weights, quotes, pays, strict=True)
    squares = math.fsum([(weight * (paid - ratio * due)) ** 2 for weight, due, paid in each])
    error = math.hypot(math.sqrt(squares * len(told) / (len(told) - 3)) / quoted, ROUNDING)
    return Realised(ratio, error, math.fsum(map(mul, weights, spans)))


@lru_cache(maxsize=4096)  # every venue has stretches of the same ages
def _weight(age: timedelta) -> float:
    return math.pow(0.5, max(age, timedelta(0)) / HALF_LIFE)


def factor(known: Realised | None) -> float:
    """What rates are to be multiplied with; one where nothing is known for sure."""
    if known is None or abs(known.ratio - 1.0) <= SURE * known.error:
        return 1.0
    return min(max((PRIOR + known.hours * known.ratio) / (PRIOR + known.hours), 0.0), MOST)


def said(known: Realised | None) -> str:
    """In words: "paid 0.83x of what was quoted over 312 h (+-0.02), counted as 0.84x"."""
    if known is None:
        return "what it pays of what it quotes is not known, counted as quoted"
    counted = f"{factor(known):.2f}x" if factor(known) != 1.0 else "quoted"
    return f"paid {known.ratio:.2f}x of what was quoted over {known.hours:.0f} h (+-{known.error:.2g}), counted as {counted}"

"""What would have come of the strategies that move by a lead with another one: whether a result hangs on one figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from autopilot.backtest.earning import compiled, net_usd
from autopilot.backtest.report import Result
from autopilot.contracts import NamedStrategy
from autopilot.units import Share

_LEADS = ("0", "0.02", "0.05", "0.1", "0.2", "0.4")
_SECONDS = 10.0
"""What the flights of one strategy may take where it is not compiled."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What one strategy nets by its lead."""

    strategy: str
    leads: Sequence[Share]
    nets: Sequence[float]
    """USD over all devices, one for each lead."""


def leads(result: Result, strategies: Sequence[NamedStrategy]) -> Iterator[Lead]:
    """Of each strategy that has a lead, where that takes seconds, over the whole course."""
    tried = [Share.of(lead) for lead in _LEADS]
    for each, flight in zip(strategies, result.flights, strict=True):
        quick = compiled(each, result.terms) or flight.seconds * len(tried) <= _SECONDS
        if quick and isinstance(getattr(each.strategy, "lead", None), Share):
            others = [replace(each, strategy=replace(cast("Any", each.strategy), lead=lead)) for lead in tried]
            yield Lead(each.name, tried, net_usd(result.course, result.terms, others))

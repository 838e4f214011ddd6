"""What strategies net over a course: by their compiled kernels where they have one and numba is there, else by a flight each."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from autopilot.backtest.runner import Course, Terms, fly, perfect
from autopilot.contracts import NamedStrategy, Sweepable


def compiled(strategy: NamedStrategy, terms: Terms) -> bool:
    """Whether the fast lane can fly it; a sweep flies without guards."""
    return isinstance(strategy.strategy, Sweepable) and not terms.guards and find_spec("numba") is not None


def net_usd(course: Course, terms: Terms, strategies: Sequence[NamedStrategy], *, sweeping: bool = True) -> list[float]:
    """USD over all devices, one sum for each strategy. To compile takes seconds: a few short flights are sooner done without."""
    fast = [each for each in strategies if sweeping and compiled(each, terms)]
    nets: dict[int, float] = {}
    if fast:
        from autopilot.backtest.sweep import sweep

        swept = sweep([each.strategy for each in fast], course, terms)
        nets = {id(each): float(net) for each, net in zip(fast, swept.net_usd, strict=True)}
    return [nets[id(each)] if id(each) in nets else float(fly(course, terms, each).totals.net) for each in strategies]


def shares(course: Course, terms: Terms, nets: Sequence[float]) -> list[float | None]:
    """The nets over that of perfect foresight; None where that earns nothing."""
    best = perfect(course, terms).net_usd * terms.gpus
    return [net / best if best > 0 else None for net in nets]

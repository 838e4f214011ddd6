"""What would have come of the same strategies on other terms: whether a result is more than the terms that it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from autopilot.backtest.checking import part
from autopilot.backtest.earning import compiled, net_usd, shares
from autopilot.backtest.runner import Course, Terms
from autopilot.contracts import NamedStrategy
from autopilot.sim.panel import noisy
from autopilot.units import Usd

_NOISE, _SEEDS = 0.08, 3
_SECONDS = 10.0
"""About what all cases may take where flights are not compiled."""
_DAY = 24
_TIE = 1e-9
"""Nets that differ by less than this share are equal."""


@dataclass(frozen=True, slots=True)
class Case:
    """The terms, one of them changed."""

    name: str
    course: Course
    terms: Terms


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the strategies net in one case, in their order."""

    case: str
    nets: Sequence[float]
    """USD."""
    shares: Sequence[float | None]
    ranks: Sequence[int]
    """1 is the highest net; equal nets have the same rank."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The cases, the first as given, over some of the hours."""

    names: Sequence[str]
    course: Course
    outcomes: Sequence[Outcome]

    def ranks(self, index: int) -> tuple[int, int]:
        """The best and the worst rank of a strategy over all cases."""
        ranks = [outcome.ranks[index] for outcome in self.outcomes]
        return min(ranks), max(ranks)

    def warnings(self) -> Iterator[str]:
        """One sentence for each strategy whose sign, and one for all whose rank depends on the terms."""
        given = self.outcomes[0]
        for index, name in enumerate(self.names):
            for outcome in self.outcomes[1:]:
                if (given.nets[index] > 0) != (outcome.nets[index] > 0):
                    yield f"{name} nets {given.nets[index]:,.2f} USD as given and {outcome.nets[index]:,.2f} with {outcome.case}"
        moved = {name: self.ranks(index) for index, name in enumerate(self.names) if len(set(self.ranks(index))) > 1}
        if moved:
            listed = ", ".join(f"{name} {best} to {worst}" for name, (best, worst) in moved.items())
            yield f"the order of the strategies depends on the terms; ranks: {listed}"


def cases(course: Course, terms: Terms) -> Iterator[Case]:
    """As given; and the downtime, the fee, the lag and the noise changed one at a time. What changes nothing is left out."""
    yield Case("as given", course, terms)
    if terms.downtime:
        for factor in (0.5, 2, 4):
            yield Case(f"downtime x{factor:g}", course, replace(terms, downtime=terms.downtime * factor))
    yield Case("fee +1 cent", course, replace(terms, fee=terms.fee + Usd.of("0.01")))
    yield Case("lag +1 h", course, replace(terms, lag=terms.lag + 1))
    for seed in range(1, _SEEDS + 1):
        yield Case(f"noise {_NOISE}, seed {seed}", replace(course, shown=noisy(course.panel, _NOISE, seed)), terms)


def sensitivity(
    course: Course, terms: Terms, strategies: Sequence[NamedStrategy], took: Sequence[float], on_case: Callable[[], None] = lambda: None
) -> list[Sensitivity]:
    """Net of every strategy in every case; ``on_case`` is called after each.

    ``took`` has the seconds of each strategy's flight over the whole course. Where flights in all cases would take too long,
    what can be compiled is; and where the others still would, those are tried on the last days, as many as there is time for,
    beside all that are compiled, and these on the whole course as well.
    """
    count = len(list(cases(course, terms)))
    swept = [each for each in strategies if sum(took) * count > _SECONDS and compiled(each, terms)]
    flown = count * sum(seconds for each, seconds in zip(strategies, took, strict=True) if each not in swept)
    days = max(int(course.hours * _SECONDS / flown) // _DAY, 1) if flown > _SECONDS else course.hours
    hours = min(days * _DAY, course.hours)
    if hours == course.hours:
        return [_tried(course, terms, strategies, on_case, sweeping=bool(swept))]
    last = _tried(part(course, course.hours - hours, hours), terms, strategies, on_case, sweeping=bool(swept))
    return [_tried(course, terms, swept), last] if swept else [last]


def _tried(
    course: Course,
    terms: Terms,
    strategies: Sequence[NamedStrategy],
    on_case: Callable[[], None] = lambda: None,
    *,
    sweeping: bool = True,
) -> Sensitivity:
    outcomes = []
    for case in cases(course, terms):
        nets = net_usd(case.course, case.terms, strategies, sweeping=sweeping)
        outcomes.append(Outcome(case.name, nets, shares(case.course, case.terms, nets), _ranks(nets)))
        on_case()
    return Sensitivity([each.name for each in strategies], course, outcomes)


def _ranks(nets: Sequence[float]) -> list[int]:
    return [1 + sum(other > net + _TIE * abs(net) for other in nets) for net in nets]

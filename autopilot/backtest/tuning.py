"""Tuning that is judged by hours it has not seen: anchored walk-forward over a strategy's parameters.

The course is cut into one part more than there are folds. The parameters of a fold are chosen on all hours before its part, but
for the last day, and scored in it, beside the defaults. What is recommended in the end is chosen on all hours in the same way;
what the folds judge is whether choosing so is worth anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import sqrt
from statistics import fmean, stdev

from autopilot.backtest.earning import net_usd, shares
from autopilot.backtest.parameters import Space
from autopilot.backtest.runner import Course, Terms
from autopilot.backtest.searching import Found, Search, search
from autopilot.contracts import NamedStrategy
from autopilot.errors import AutopilotError, ConfigError
from autopilot.plugins import make_strategy
from autopilot.units import HOUR

EMBARGO = timedelta(days=1)
"""Between the hours that parameters are chosen on and those that they are scored in: what lasts a day joins neither."""
ALL = "all"
"""The study over the whole course."""
RULE = (
    "recommended are parameters whose gain over the defaults out of sample is, in the mean of the folds, more than its standard error"
    " and at least half of the gain in sample"
)
_LEAST = 2 * EMBARGO
"""A fold is not shorter."""


@dataclass(frozen=True, slots=True)
class Fold:
    """The hours to choose on, and those to score in."""

    name: str
    before: Course
    part: Course


@dataclass(frozen=True, slots=True)
class Scored:
    """What one fold came to: shares of what perfect foresight nets in the same hours."""

    fold: Fold
    parameters: Mapping[str, str]
    trials: int
    inside: float
    """Of the chosen parameters, in the hours that they were chosen on."""
    inside_default: float
    outside: float
    """Of the chosen parameters, in the part that they had not seen."""
    outside_default: float

    @property
    def gap(self) -> float:
        """What is lost from in sample to out of sample."""
        return self.inside - self.outside


@dataclass(frozen=True, slots=True)
class Tuning:
    """What the folds say together, and what the whole course would have chosen."""

    space: Space
    folds: Sequence[Scored]
    parameters: Mapping[str, str]
    """Chosen on the whole course."""
    interrupted: bool
    lost: int
    """Workers that ended before their time."""

    def mean(self, what: Callable[[Scored], float]) -> float:
        """Over the folds."""
        return fmean(what(fold) for fold in self.folds)

    @property
    def gain(self) -> float:
        """Over the defaults, out of sample."""
        return self.mean(lambda fold: fold.outside - fold.outside_default)

    @property
    def gain_inside(self) -> float:
        """Over the defaults, in sample."""
        return self.mean(lambda fold: fold.inside - fold.inside_default)

    @property
    def error(self) -> float | None:
        """The standard error of the gain out of sample; None with fewer than two folds."""
        gains = [fold.outside - fold.outside_default for fold in self.folds]
        return stdev(gains) / sqrt(len(gains)) if len(gains) > 1 else None

    @property
    def doubt(self) -> str:
        """Why the defaults should be kept; empty where the parameters are recommended, by ``RULE``."""
        if self.error is None:
            return f"{len(self.folds)} fold was searched, and one cannot tell luck from skill"
        if dict(self.parameters) == dict(self.space.kept) | {each.key: each.default_text for each in self.space.ranges}:
            return "nothing that was tried is better than they are"
        told = f"the chosen parameters gain {self.gain:+.2%} of perfect foresight out of sample"
        if self.gain <= self.error:
            return f"{told}, which is not more than its standard error of {self.error:.2%}"
        if self.gain_inside - self.gain > self.gain_inside / 2:
            return f"{told}, less than half of the {self.gain_inside:+.2%} in sample"
        return ""


def folds_of(course: Course, count: int) -> list[Fold]:
    """Cut a course into folds. Raises ConfigError where they would be too short."""
    if count < 2:  # noqa: PLR2004  # a spread needs two
        raise ConfigError(f"--folds: must be 2 or more, is {count}")
    cuts = [course.start + course.hours * index // (count + 1) * HOUR for index in range(count + 2)]
    if cuts[1] - cuts[0] < _LEAST:
        least = (count + 1) * _LEAST // HOUR
        raise ConfigError(f"{course.hours} h are too few for {count} folds, which need {least}: take fewer --folds or more rates")
    return [
        Fold(str(index), replace(course, end=cuts[index] - EMBARGO), replace(course, start=cuts[index], end=cuts[index + 1]))
        for index in range(1, count + 1)
    ]


def tune(course: Course, folds: Sequence[Fold], wanted: Search, processes: int, on_trial: Callable[[], None] = lambda: None) -> Tuning:
    """Search before every fold and over the whole course, and score what was found; ``on_trial`` is called after each trial.

    ``wanted.courses`` is filled in here. Raises ConfigError as ``search`` does, and where perfect foresight earns nothing;
    AutopilotError where nothing was found, KeyboardInterrupt where that came first.
    """
    found = search(replace(wanted, courses={**{fold.name: fold.before for fold in folds}, ALL: course}), processes, on_trial)
    scored = [_score(fold, found.best[fold.name], wanted) for fold in folds if fold.name in found.best]
    if not scored or ALL not in found.best:
        if found.interrupted:
            raise KeyboardInterrupt
        raise AutopilotError("no trial was finished: nothing was found")
    return Tuning(wanted.space, scored, wanted.space.parameters(found.best[ALL].numbers), found.interrupted, found.lost)


def _score(fold: Fold, found: Found, wanted: Search) -> Scored:
    parameters = wanted.space.parameters(found.numbers)
    pair = [make_strategy(wanted.space.strategy, parameters), wanted.space.default()]
    inside, outside = (_shares(course, wanted.terms, pair) for course in (fold.before, fold.part))
    return Scored(fold, parameters, found.trials, inside[0], inside[1], outside[0], outside[1])


def _shares(course: Course, terms: Terms, strategies: Sequence[NamedStrategy]) -> list[float]:
    known = [share for share in shares(course, terms, net_usd(course, terms, strategies)) if share is not None]
    if not known:
        raise ConfigError(f"perfect foresight earns nothing from {_day(course.start)} to {_day(course.end)}: there is nothing to tune")
    return known


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%MZ}"

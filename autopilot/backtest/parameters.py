"""Where a strategy's parameters are searched: ranges by the kind of each, around its default, written as a configuration has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isclose
from typing import Any

from autopilot.contracts import NamedStrategy
from autopilot.errors import ConfigError, did_you_mean
from autopilot.plugins import kinds_of, make_strategy, value_of
from autopilot.units import HOUR, Quantity, Share, span_text

_WIDE = 8
"""Spans, rates and numbers are searched from an eighth of the default to eight times as much, shares from none or all of it."""
_LEAST_SHARE = 0.4
"""The range of a share is not narrower."""
_MINUTE, _SECOND = timedelta(minutes=1), timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Range:
    """Where one parameter is searched: numbers from low to high; hours for a span, dollars and so on for a quantity."""

    key: str
    kind: type
    low: float
    high: float
    default: float
    default_text: str

    @property
    def whole(self) -> bool:
        """Only whole numbers: counts, and no or yes."""
        return self.kind in (int, bool)

    @property
    def by_ratio(self) -> bool:
        """Whether it is searched evenly by ratios rather than by differences."""
        return self.kind is not Share and not self.whole and self.low > 0

    def written(self, number: float) -> str:
        """The number as a configuration has it. Four digits are kept, and of a span the minutes; the default stays to the last digit."""
        if isclose(number, self.default, rel_tol=1e-9):
            return self.default_text
        if self.kind is timedelta:
            span = number * HOUR
            unit = _MINUTE if span >= HOUR else _SECOND
            return span_text(unit * round(span / unit))
        if self.kind is bool:
            return str(bool(number)).lower()
        if self.kind is int:
            return str(round(number))
        symbol = self.kind.symbol if issubclass(self.kind, Quantity) else ""
        return f"{number:.4g} {symbol}".rstrip()


@dataclass(frozen=True, slots=True)
class Space:
    """The parameters of one strategy that are searched, and those that are kept at what was asked for."""

    strategy: str
    ranges: Sequence[Range]
    kept: Mapping[str, str]

    def parameters(self, numbers: Mapping[str, float]) -> dict[str, str]:
        """As a configuration has them."""
        return {**self.kept, **{each.key: each.written(numbers[each.key]) for each in self.ranges}}

    def made(self, numbers: Mapping[str, float]) -> NamedStrategy | None:
        """The strategy with these numbers; None where it refuses them, as it may those that do not fit each other."""
        try:
            return make_strategy(self.strategy, self.parameters(numbers))
        except ConfigError:
            return None

    def default(self) -> NamedStrategy:
        """The strategy as it is without a search."""
        return make_strategy(self.strategy, self.kept)

    def default_numbers(self) -> dict[str, float] | None:
        """The defaults as a trial has them; None where one lies outside of what was asked for."""
        inside = all(each.low <= each.default <= each.high for each in self.ranges)
        return {each.key: each.default for each in self.ranges} if inside else None


def space_of(strategy: str, asked: Mapping[str, str]) -> Space:
    """Every parameter of a strategy that has a range: the one asked for as ``LOW..HIGH``, else one around its default.

    What is asked for as a single value is kept at it. Raises ConfigError for a name, a value or a range that makes no sense,
    and where nothing is left to search.
    """
    kinds = kinds_of(strategy)
    for key in asked:
        if key not in kinds:
            raise ConfigError(f"strategy {strategy!r} has no parameter {key!r}; {did_you_mean(key, kinds)}")
    kept = {key: written for key, written in asked.items() if ".." not in written}
    made = make_strategy(strategy, kept).strategy
    ranges = []
    for key, kind in kinds.items():
        if key in kept or not _searchable(kind):
            continue
        default = getattr(made, key)
        low, high = _asked(kind, asked[key], f"{strategy}.{key}") if key in asked else _around(kind, _number(default))
        ranges.append(Range(key, kind, low, high, _number(default), _text(default)))
    refused = sorted(asked.keys() - kept.keys() - {each.key for each in ranges})
    if refused:
        raise ConfigError(
            f"--param: {strategy}.{refused[0]} has no range: only numbers, shares, spans, rates and yes or no can be searched"
        )
    if not ranges:
        raise ConfigError(f"strategy {strategy!r} has no parameter to tune")
    return Space(strategy, ranges, kept)


def _searchable(kind: Any) -> bool:
    return isinstance(kind, type) and (kind in (bool, int, float, timedelta) or issubclass(kind, Quantity))


def _number(value: Any) -> float:
    return value / HOUR if isinstance(value, timedelta) else float(value)


def _text(value: Any) -> str:
    if isinstance(value, timedelta):
        return span_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _asked(kind: type, written: str, where: str) -> tuple[float, float]:
    low, high = (_number(value_of(kind, part.strip(), where)) for part in written.split("..", 1))
    if not low < high:
        raise ConfigError(f"{where}: {written} is no range: its low end must be below its high end")
    return low, high


def _around(kind: type, default: float) -> tuple[float, float]:
    """A range that a parameter of this kind may well lie in, with the default inside."""
    if kind is bool:
        return 0, 1
    if kind is int:
        return (default // 4, max(4 * default, default + 4)) if default >= 0 else (4 * default, 0)
    if kind is Share:
        width = min(max(_WIDE * min(default, 1 - default), _LEAST_SHARE), 1)
        return (0, width) if default <= 1 / 2 else (1 - width, 1)
    if default > 0:
        return default / _WIDE, default * _WIDE
    if kind is timedelta:
        return 0, 2 * 24
    return (default * _WIDE, -default * _WIDE) if default else (0, 1)

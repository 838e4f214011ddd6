"""JMESPath over an answer: what an expression finds, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import jmespath

from autopilot.errors import Transient

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{5,20}(?:[Zz]|[+-][0-9:]{4,6})")
_LITERAL = re.compile(r"`[^`]*`")
_MILLISECONDS = 10**11
"""As seconds this is the year 5138, so a larger number counts milliseconds."""
_FIRST = datetime(2015, 1, 1, tzinfo=UTC)
"""No network paid for GPUs before. An earlier time is a nought or another unit."""
_AHEAD = timedelta(minutes=5)
"""By so much a network's clock may be ahead of ours."""
_FAULTS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What the library may raise over an answer of another shape than the expression was written for; its own errors are ValueErrors."""


class Nothing(Exception):
    """The expression finds nothing: the network answered, and does not say."""


def compiled(text: str) -> Any:
    """The expression, ready to search. Raises ValueError where it is none, in one line."""
    try:
        return jmespath.compile(text)
    except ValueError as error:
        why = str(error).splitlines()[0].partition(", for expression")[0].rstrip(".:")
        msg = f"{text!r} is no JMESPath: {why.removeprefix('Invalid jmespath expression: ')}; {{model}} stands in quotes"
        raise ValueError(msg) from None


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression of the configuration."""

    name: str
    """The key that it was given for: ``price``."""
    text: str
    _parsed: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parsed", compiled(self.text))

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it reads of the answer: itself, but for a number that the configuration gives."""
        return () if _LITERAL.fullmatch(self.text) else (self.text,)

    def number(self, network: str, answer: Any, least: Decimal | int, most: Decimal | int) -> Decimal:
        """A number, or text that is one in plain digits. Raises Nothing, and Transient for anything else or beyond the bounds."""
        value = self._value(network, answer)
        text = _digits(value)
        if not text or not least <= Decimal(text) <= most:
            raise self._wrong(network, value, f"a number from {least} to {most}")
        return Decimal(text)

    def instant(self, network: str, answer: Any, now: datetime) -> datetime:
        """An ISO 8601 time with its zone, or seconds or milliseconds since 1970. Raises Nothing or Transient."""
        value = self._value(network, answer)
        at = _instant(value)
        if at is None or not _FIRST <= at <= now + _AHEAD:
            raise self._wrong(network, value, "a past time with its zone")
        return min(at, now)

    def _value(self, network: str, answer: Any) -> Any:
        """What it finds; of an array, its only item."""
        try:
            value = self._parsed.search(answer)
        except _FAULTS as error:
            raise Transient(network, f"{self.name}: {self.text} cannot be used on its answer: {_told(error)}") from None
        if isinstance(value, list) and len(value) <= 1:
            value = value[0] if value else None
        if value is None:
            raise Nothing(f"{self.name}: {self.text} finds nothing in the answer")
        if isinstance(value, list):
            raise Transient(network, f"{self.name}: {self.text} finds {len(value)} values, and one is meant")
        return value

    def _wrong(self, network: str, value: Any, wanted: str) -> Transient:
        found = ascii(value) if isinstance(value, str) else _digits(value) or f"something of the kind {type(value).__name__}"
        return Transient(network, f"{self.name}: {self.text} finds {found[:60]}, which is not {wanted}")


def _told(error: Exception) -> str:
    """What the library complains of, which may hold a value of the answer: made fit for a line."""
    try:
        text = str(error)
    except ValueError:  # the value is a whole number of thousands of digits
        text = ""
    return ascii(" ".join(text.split()))[1:-1][:160] or type(error).__name__


def _digits(value: Any) -> str:
    """The number as plain text; empty for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    try:
        text = str(value)
    except ValueError:  # a whole number of thousands of digits
        return ""
    return text if _NUMBER.fullmatch(text) else ""


def _instant(value: Any) -> datetime | None:
    try:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value).astimezone(UTC)
        if digits := _digits(value):
            seconds = Decimal(digits)
            return datetime.fromtimestamp(float(seconds / 1000 if seconds >= _MILLISECONDS else seconds), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None

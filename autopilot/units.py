"""Money, power and shares as whole numbers of their smallest unit.

A quantity holds an ``int``, so sums are exact, SQLite can ``SUM()`` them and two programs agree to the last digit.
``of`` takes what a person or an API wrote (``str``, ``int``, ``Decimal``) and refuses a ``float`` by its type;
``nearest`` is the one explicit door for a computed float. NaN and infinity never get in.

What times what (nothing else type-checks, nothing else runs):

=================================  =============
``UsdPerHour * timedelta``         ``Usd``
``Usd / timedelta``                ``UsdPerHour``
``Usd / UsdPerHour``               ``timedelta``      pay-back is a time
``Watts * timedelta``              ``Kwh``
``Kwh * UsdPerKwh``                ``Usd``
``Watts * UsdPerKwh``              ``UsdPerHour``
``rate.scaled(Share)``             the same kind
``money, rate or power * int``     the same kind
=================================  =============
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import ClassVar, Self, overload

HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HOUR_MICROS = 3_600_000_000
_NANO = 1_000_000_000
_MAX = 2**63 - 1
"""SQLite's integers are 64 bits wide: what does not fit there is refused here."""


def divide_rounded(numerator: int, denominator: int) -> int:
    """Whole-number division that rounds half to even; exact where float division is not.

    Raises ZeroDivisionError for a zero denominator.
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2):
        return quotient + 1
    return quotient


def micros(span: timedelta) -> int:
    """The span as whole microseconds, which is all the precision a timedelta has."""
    return span // _MICROSECOND


def _span(count: int) -> timedelta:
    """So many microseconds; the longest span there is where a calendar cannot hold them."""
    try:
        return timedelta(microseconds=count)
    except OverflowError:
        return timedelta.max if count > 0 else timedelta.min


def hour_start(at: datetime) -> datetime:
    """The start of the hour that holds the instant: hours are half-open and keyed by their start."""
    return at - (at - _EPOCH) % HOUR


@dataclass(frozen=True, slots=True, order=True)
class Quantity:
    """A whole number of the kind's smallest unit. Kinds do not compare, add or subtract with each other."""

    count: int
    """How many of the smallest unit: nano-dollars, milliwatts and so on."""

    per_unit: ClassVar[int] = _NANO
    symbol: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if type(self.count) is not int:
            msg = f"{type(self).__name__} counts whole numbers of its smallest unit, not {self.count!r}; use .of() or .nearest()"
            raise TypeError(msg)
        if not -_MAX <= self.count <= _MAX:
            msg = f"{type(self).__name__} is out of range: {self.count}"
            raise ValueError(msg)

    @classmethod
    def of(cls, amount: str | int | Decimal) -> Self:
        """From a number in the kind's main unit, exactly or rounded half to even at the smallest unit.

        Raises TypeError for a float (or a bool) and ValueError for text that is no finite number.
        """
        if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
            msg = f"{cls.__name__}.of takes str, int or Decimal, not {type(amount).__name__}; a computed float goes through .nearest()"
            raise TypeError(msg)
        try:
            # Python spells numbers more widely than any file or API should: 1_0 is a slip, not ten.
            plain = not isinstance(amount, str) or (amount.isascii() and "_" not in amount)
            exact = Decimal(amount if plain else "")
        except InvalidOperation:
            msg = f"{amount!r} is not a number of {cls.symbol or cls.__name__}"
            raise ValueError(msg) from None
        if not exact.is_finite() or exact.copy_abs() > _MAX:
            msg = f"{cls.__name__} must be finite and in range, not {amount}"
            raise ValueError(msg)
        return cls(int(exact.quantize(Decimal(1) / cls.per_unit, ROUND_HALF_EVEN) * cls.per_unit))

    @classmethod
    def nearest(cls, amount: float) -> Self:
        """From a computed float in the kind's main unit, rounded to the smallest unit. Raises ValueError for NaN and infinity."""
        scaled = amount * cls.per_unit
        if not math.isfinite(scaled):
            msg = f"{cls.__name__} must be finite, not {amount}"
            raise ValueError(msg)
        return cls(round(scaled))

    @classmethod
    def zero(cls) -> Self:
        """Nothing of the kind."""
        return cls(0)

    def scaled(self, share: Share) -> Self:
        """This much of it: a rate scaled by an occupancy is the expected rate."""
        return type(self)(divide_rounded(self.count * share.count, Share.per_unit))

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(self.count + other.count)

    def __sub__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(self.count - other.count)

    def __neg__(self) -> Self:
        return type(self)(-self.count)

    def __abs__(self) -> Self:
        return type(self)(abs(self.count))

    def __bool__(self) -> bool:
        return self.count != 0

    def __float__(self) -> float:
        return self.count / self.per_unit

    def __format__(self, spec: str) -> str:
        """``f"{rate:.2f}"`` is the number with its symbol; without a spec, all its digits."""
        return f"{float(self):{spec}}{self.symbol and ' ' + self.symbol}" if spec else str(self)

    def __str__(self) -> str:
        digits = format((Decimal(self.count) / self.per_unit).normalize(), "f")
        return f"{digits} {self.symbol}".rstrip()


class Usd(Quantity):
    """An amount of money in nano-dollars."""

    __slots__ = ()
    symbol = "$"

    @overload
    def __truediv__(self, other: timedelta) -> UsdPerHour: ...
    @overload
    def __truediv__(self, other: UsdPerHour) -> timedelta: ...
    def __truediv__(self, other: timedelta | UsdPerHour) -> UsdPerHour | timedelta:
        if isinstance(other, timedelta):
            return UsdPerHour(divide_rounded(self.count * _HOUR_MICROS, micros(other)))
        if isinstance(other, UsdPerHour):
            return _span(divide_rounded(self.count * _HOUR_MICROS, other.count))
        return NotImplemented

    def __mul__(self, times: int) -> Usd:
        return Usd(self.count * times) if type(times) is int else NotImplemented

    __rmul__ = __mul__


class UsdPerHour(Quantity):
    """A rate of money in nano-dollars an hour."""

    __slots__ = ()
    symbol = "$/h"

    @overload
    def __mul__(self, other: timedelta) -> Usd: ...
    @overload
    def __mul__(self, other: int) -> UsdPerHour: ...
    def __mul__(self, other: timedelta | int) -> Usd | UsdPerHour:
        if isinstance(other, timedelta):
            return Usd(divide_rounded(self.count * micros(other), _HOUR_MICROS))
        return UsdPerHour(self.count * other) if type(other) is int else NotImplemented

    __rmul__ = __mul__


class UsdPerKwh(Quantity):
    """A price of energy in nano-dollars a kilowatt-hour; negative where the grid pays to be relieved."""

    __slots__ = ()
    symbol = "$/kWh"


class Kwh(Quantity):
    """An amount of energy in nano-kilowatt-hours."""

    __slots__ = ()
    symbol = "kWh"

    def __mul__(self, price: UsdPerKwh) -> Usd:
        if not isinstance(price, UsdPerKwh):
            return NotImplemented
        return Usd(divide_rounded(self.count * price.count, _NANO))

    __rmul__ = __mul__


class Watts(Quantity):
    """A power draw in milliwatts, as NVML counts it."""

    __slots__ = ()
    per_unit = 1000
    symbol = "W"

    @overload
    def __mul__(self, other: timedelta) -> Kwh: ...
    @overload
    def __mul__(self, other: UsdPerKwh) -> UsdPerHour: ...
    @overload
    def __mul__(self, other: int) -> Watts: ...
    def __mul__(self, other: timedelta | UsdPerKwh | int) -> Kwh | UsdPerHour | Watts:
        # 1 mW is 1e-6 kW, and a kilowatt-hour has 1e9 of its smallest unit: a milliwatt-hour counts 1000.
        if isinstance(other, timedelta):
            return Kwh(divide_rounded(self.count * 1000 * micros(other), _HOUR_MICROS))
        if isinstance(other, UsdPerKwh):
            return UsdPerHour(divide_rounded(self.count * other.count, 1_000_000))
        return Watts(self.count * other) if type(other) is int else NotImplemented

    __rmul__ = __mul__


class Share(Quantity):
    """A part of a whole, 0 to 1, in parts per thousand million. Raises ValueError outside."""

    __slots__ = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.count <= _NANO:
            msg = f"a share lies between 0 and 1, not {self.count / _NANO}"
            raise ValueError(msg)

    def complement(self) -> Share:
        """The rest of the whole."""
        return Share(_NANO - self.count)


ALL = Share(_NANO)
NONE = Share(0)

_SPAN = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_SPAN_UNITS = (timedelta(days=1), HOUR, timedelta(minutes=1), timedelta(seconds=1))


def span_of(text: str) -> timedelta:
    """A duration as people write it: ``15m``, ``0.25h``, ``2h30m``, ``7d``, ``0m``.

    Raises ValueError for anything else, a bare number above all: nobody can tell whether 15 are seconds or hours.
    """
    match = _SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    if not match or not any(match.groups()):
        msg = f"{text!r} is no duration; write it with its unit: 15m, 0.25h, 2h30m, 7d"
        raise ValueError(msg)
    parts = zip(match.groups(), _SPAN_UNITS, strict=True)
    try:
        return timedelta(microseconds=int(sum(Decimal(part) * micros(unit) for part, unit in parts if part)))
    except OverflowError:
        msg = f"{text!r} is longer than a calendar can hold"
        raise ValueError(msg) from None


def span_text(span: timedelta) -> str:
    """A duration as ``span_of`` reads it, without its zeros: ``2h30m``."""
    if span < timedelta(0):
        return f"-{span_text(-span)}"
    words, rest = [], span
    for unit, letter in zip(_SPAN_UNITS[:3], "dhm", strict=True):
        count, rest = divmod(rest, unit)
        words += [f"{count}{letter}"] if count else []
    seconds = f"{rest.total_seconds():.6f}".rstrip("0").rstrip(".")
    words += [f"{seconds}s"] if rest else []
    return "".join(words) or "0m"

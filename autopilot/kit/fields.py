"""Settings with their unit written out: ``"15m"``, ``"0.12 $/kWh"``, ``"300 W"``; for the ``Settings`` model of any plugin."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator
from pydantic_settings import NoDecode

from autopilot.units import Quantity, Share, Usd, UsdPerHour, UsdPerKwh, Watts, span_of, span_text

Q = TypeVar("Q", bound=Quantity)


def quantity_of(kind: type[Q], written: object) -> Q:
    """A quantity as a configuration writes it, its unit after the number: ``"0.12 $/kWh"``.

    A share has no unit, and may be a bare number. Raises ValueError where the unit is missing or another.
    """
    if isinstance(written, kind):
        return written
    if isinstance(written, int | float | Decimal) and not isinstance(written, bool) and not kind.symbol:
        return kind.of(str(written))
    text = str(written).strip()
    if kind.symbol and not text.endswith(kind.symbol):
        msg = f"{written!r} needs its unit: write it like '0.12 {kind.symbol}'"
        raise ValueError(msg)
    return kind.of(text.removesuffix(kind.symbol).strip())


def _reader(kind: type[Quantity]) -> Callable[[object], Any]:
    return lambda written: quantity_of(kind, written)


def _span(written: object) -> timedelta:
    return written if isinstance(written, timedelta) else span_of(written)  # type: ignore[arg-type]


def _celsius(written: object) -> int:
    """Whole degrees. Raises ValueError where the unit is missing or another."""
    match = re.fullmatch(r"(\d{1,3})\s*°?C", str(written).strip())
    if match is None:
        msg = f"{written!r} is no temperature: write it like '85 °C'"
        raise ValueError(msg)
    return int(match[1])


SpanField = Annotated[timedelta, BeforeValidator(_span), PlainSerializer(span_text, when_used="json")]
UsdField = Annotated[Usd, NoDecode, BeforeValidator(_reader(Usd)), PlainSerializer(str, when_used="json")]
UsdPerHourField = Annotated[UsdPerHour, NoDecode, BeforeValidator(_reader(UsdPerHour)), PlainSerializer(str, when_used="json")]
UsdPerKwhField = Annotated[UsdPerKwh, NoDecode, BeforeValidator(_reader(UsdPerKwh)), PlainSerializer(str, when_used="json")]
WattsField = Annotated[Watts, NoDecode, BeforeValidator(_reader(Watts)), PlainSerializer(str, when_used="json")]
ShareField = Annotated[Share, NoDecode, BeforeValidator(_reader(Share)), PlainSerializer(str, when_used="json")]
CelsiusField = Annotated[int, BeforeValidator(_celsius), PlainSerializer(lambda degrees: f"{degrees} °C", when_used="json")]

_A_YEAR = timedelta(days=366)


class Table(BaseModel):
    """One table of a configuration: an unknown key is an error, not a surprise, and no span is longer than a year."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="after")
    def _within_a_year(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, timedelta) and value > _A_YEAR:
                msg = f"{name} must not be longer than a year"
                raise ValueError(msg)
        return self

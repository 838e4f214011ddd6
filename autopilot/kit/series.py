"""The price of power hour by hour, as a file or a server tells it: day-ahead prices."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from autopilot.errors import DataError
from autopilot.kit.body import parse
from autopilot.kit.http import Http
from autopilot.kit.unheard import Unheard
from autopilot.units import UsdPerKwh, divide_rounded, hour_start

Series = Callable[[], Mapping[datetime, UsdPerKwh]]
"""Asks for the prices that are known now, by the start of the hour. Raises DataError, Transient or Refused."""

_MOST = UsdPerKwh.of(10)
"""No exchange pays as much; a price by the megawatt-hour that was taken for one by the kilowatt-hour is above."""
_MILLISECONDS = 10**11
"""A count of seconds since 1970 is below for another millennium, a count of milliseconds above since 1973."""


@dataclass(frozen=True, slots=True)
class Form:
    """How the prices are written: CSV with a header, or JSON with a list of objects."""

    hour: str = "hour"
    """The column, or the key, of the instant at which a price begins to hold: ISO 8601 with its zone, or seconds since 1970."""
    price: str = "price"
    rows: str = "@"
    """Where the list is, for JSON: a JMESPath expression."""
    factor: Decimal = Decimal(1)
    """What a price is multiplied with to be in USD per kWh: ``0.001`` where it is by the megawatt-hour."""


def from_file(path: Path, form: Form) -> Series:
    """The file as it is whenever it is asked for."""

    def ask() -> Mapping[datetime, UsdPerKwh]:
        try:
            return hours_of(form, path.read_bytes())
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
        except Unheard as error:
            raise DataError(f"{path}: {error}") from None

    return ask


def from_url(http: Http, url: str, form: Form) -> Series:
    """What the server answers."""
    http = http.as_("power")
    return lambda: http.get(url, read=partial(hours_of, form)).json


def hours_of(form: Form, body: bytes) -> dict[datetime, UsdPerKwh]:
    """The prices in a text; several in one hour, as where power is traded by the quarter, are averaged.

    Raises Unheard for what is no such text, and for a price that cannot be one.
    """
    found: dict[datetime, list[int]] = {}
    for row in _rows(form, body):
        try:
            at, price = _instant(row[form.hour]), UsdPerKwh.of(Decimal(str(row[form.price])) * form.factor)
        except KeyError as error:
            raise Unheard(f"has a row without {error}; there is {', '.join(map(str, row))[:120]}") from None
        except (ValueError, ArithmeticError, TypeError, OverflowError) as error:
            raise Unheard(f"has a row that cannot be read, {str(dict(row))[:120]}: {str(error)[:120]}") from None
        if abs(price) > _MOST:
            raise Unheard(f"has a price of {price}, which is none of power: is it by the MWh? Then set factor = 0.001")
        found.setdefault(hour_start(at), []).append(price.count)
    if not found:
        raise Unheard("has no price in it")
    return {hour: UsdPerKwh(divide_rounded(sum(counts), len(counts))) for hour, counts in sorted(found.items())}


def _rows(form: Form, body: bytes) -> Iterable[Mapping[str, Any]]:
    if body.lstrip()[:1] not in {b"{", b"["}:
        try:
            return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
        except (UnicodeDecodeError, csv.Error) as error:
            raise Unheard(f"is neither JSON nor CSV: {error}") from None
    import jmespath

    try:
        rows = jmespath.search(form.rows, parse(body))
    except jmespath.exceptions.JMESPathError as error:
        raise Unheard(f"cannot be searched by {form.rows!r}: {str(error)[:120]}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unheard(f"has no list of objects at {form.rows!r}")
    return rows


def _instant(written: object) -> datetime:
    """Raises ValueError for a time without its zone: an hour that is there twice in autumn could not be told from the other."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return datetime.fromtimestamp(written / 1000 if abs(written) > _MILLISECONDS else written, UTC)
    at = datetime.fromisoformat(str(written).strip())
    if at.tzinfo is None:
        msg = f"{written} has no zone; write 2026-01-31T00:00:00Z"
        raise ValueError(msg)
    return at.astimezone(UTC)

"""A tariff for a backtest: one price, or a file of hourly prices."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

from autopilot.errors import DataError
from autopilot.model.power import PowerPrice
from autopilot.units import HOUR, UsdPerKwh, divide_rounded


def read_tariff(path: Path, start: datetime, end: datetime) -> PowerPrice:
    """The prices of ``timestamp,usd_per_kwh``, CSV or CSV.gz, and their mean for the hours that are not known yet at the time.

    Raises DataError, also where an hour of the span is not covered.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path}: cannot be read: {reason}; --tariff takes USD per kWh, or a file timestamp,usd_per_kwh") from None
    reader = csv.DictReader(io.StringIO(text))
    missing = {"timestamp", "usd_per_kwh"} - set(reader.fieldnames or ())
    if missing:
        raise DataError(f"{path}: misses the column {' and '.join(sorted(missing))}; a tariff has timestamp,usd_per_kwh")
    hours: dict[datetime, UsdPerKwh] = {}
    for row in reader:
        hour, price = _hour(path, reader.line_num, row)
        if hour in hours:
            raise DataError(f"{path}, line {reader.line_num}: {hour:%Y-%m-%dT%H:%MZ} is there twice")
        hours[hour] = price
    hour = start
    while hour < end:
        if hour not in hours:
            raise DataError(f"{path}: has no price for {hour:%Y-%m-%dT%H:%MZ}; cut the backtest with --start and --end")
        hour += HOUR
    mean = UsdPerKwh(divide_rounded(sum(price.count for price in hours.values()), len(hours)))
    return PowerPrice(mean, {hour: price for hour, price in hours.items() if hour >= start})


def _hour(path: Path, line: int, row: dict[str, str]) -> tuple[datetime, UsdPerKwh]:
    try:
        at = datetime.fromisoformat(row["timestamp"])
        price = UsdPerKwh.of(row["usd_per_kwh"])
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}, line {line}: {error}") from None
    if at.tzinfo is None:
        raise DataError(f"{path}, line {line}: {row['timestamp']} has no zone; write 2026-01-31T00:00:00Z")
    return at.astimezone(UTC), price

"""One row of a rate file: what it may say, and what each cell may hold.

Text comes in, quantities go out, and what cannot be used raises ValueError with a sentence for the person who wrote the file.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from autopilot.errors import DataError
from autopilot.units import Share, UsdPerHour

REQUIRED = ("timestamp", "network", "gpu", "usd_per_hour")
OPTIONAL = ("occupancy", "idle_usd_per_hour", "job_hours")

_EXACT_BELOW = float(1 << 49)
_CLEAR = 0.25
_SECONDS = 3600
_LONGEST_JOB = 100_000.0
_LISTED = 5
"""A message that names more lines than this is not read."""


class RateRow(NamedTuple):
    """What one GPU of a model earns at a network in one hour. A tuple, not a dataclass: it is made half a million times a second."""

    line: int
    """Where it stands in its file; the header is line 1."""
    hour: datetime
    """The start of the hour, UTC."""
    network: str
    """Byte for byte as in the file."""
    gpu: str
    rate: UsdPerHour | None
    """None where the file says that there is none."""
    occupancy: Share | None = None
    idle: UsdPerHour | None = None
    job_length: timedelta | None = None
    """In whole seconds."""


class BadRow(NamedTuple):
    """A row that cannot be used."""

    line: int
    why: str


class BadRows:
    """How many rows of a file were bad, and the first few of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadRow] = []

    def add(self, row: BadRow) -> None:
        """Count one more."""
        self.count += 1
        if len(self.first) < _LISTED:
            self.first.append(row)

    def refusal(self, path: Path, remedy: str) -> DataError:
        """The one line that refuses the file."""
        listed = "; ".join(f"line {row.line}: {row.why}" for row in self.first)
        more = f"; and {self.count - len(self.first):,} more" if self.count > len(self.first) else ""
        return DataError(f"{path}: {self.count:,} bad row{'s' if self.count > 1 else ''}: {listed}{more}. {remedy}")


def duplicate(path: Path, lines: tuple[int, int], row: tuple[datetime, str, str]) -> DataError:
    """The one line that refuses a file in which the hour of a network and GPU model stands twice."""
    hour, network, gpu = row
    what = f"{zulu(hour)} {shown(network)} {shown(gpu)}"
    return DataError(f"{path}: line {lines[1]}: {what} stands at line {lines[0]} already; keep one of them")


def zulu(hour: datetime) -> str:
    """The hour as a rate file has it: ``2026-01-31T15:00:00Z``."""
    return hour.isoformat(timespec="seconds").replace("+00:00", "Z")


def shown(text: str, longest: int = 40) -> str:
    """The text in quotes for a message: control characters as escapes, and cut where it is long."""
    return repr(text if len(text) <= longest else text[: longest - 1] + "…")


@lru_cache(maxsize=1 << 16)
def hour_of(text: str) -> datetime:
    """The full hour that an ISO 8601 timestamp with a zone names, in UTC. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp {shown(text)} is not ISO 8601, like 2026-01-31T15:00:00Z") from None
    if at.tzinfo is None:
        raise ValueError(f"timestamp {shown(text)} has no zone; write Z for UTC")
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"timestamp {shown(text)} is out of range") from None
    if at.minute or at.second or at.microsecond:
        raise ValueError(f"timestamp {shown(text)} is not a full hour")
    return at


def rate_of(text: str, column: str = "usd_per_hour") -> UsdPerHour | None:
    """The rate, to the nano-dollar as ``UsdPerHour.of`` rounds it; None for an empty text. Raises ValueError.

    A float times 1e9 errs by less than 1/8 below 2**49. So where it lies within 1/4 of a whole number, that number is the
    exact result too, and the slow decimal arithmetic is left to the rest.
    """
    if not text:
        return None
    try:
        # Python spells numbers more widely than any file should: 1_0 is a slip, not ten.
        scaled = float(text) * 1e9 if text.isascii() and "_" not in text else -1.0
        if 1.0 <= scaled < _EXACT_BELOW:
            count = round(scaled)
            if abs(scaled - count) <= _CLEAR:
                return UsdPerHour(count)
        if 0.0 <= scaled <= 2.0**63:
            return UsdPerHour.of(text)
    except ValueError:
        pass
    raise ValueError(f"{column} {shown(text)} is not a number from 0 up to 9e9; leave it empty where the rate is missing")


@lru_cache(maxsize=1 << 12)
def gpu_of(text: str) -> str:
    """The name of a GPU model, as it is. Raises ValueError for none at all and for bytes that are not UTF-8."""
    return _name(text, "gpu")


@lru_cache(maxsize=1 << 12)
def network_of(text: str) -> str:
    """The name of a network, as it is. Raises ValueError as ``gpu_of`` does, and for the name that means doing nothing."""
    if text == "idle":
        raise ValueError("network 'idle' is the name of doing nothing; rename it")
    return _name(text, "network")


def _name(text: str, column: str) -> str:
    if not text:
        raise ValueError(f"{column} is empty")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{column} {shown(text)} is not UTF-8") from None
    return text


def _share(text: str) -> Share | None:
    if not text:
        return None
    try:
        if 0.0 <= float(text) <= 1.0:
            return Share.of(text)
    except ValueError:
        pass
    raise ValueError(f"occupancy {shown(text)} is not a number from 0 to 1")


def _job_length(text: str) -> timedelta | None:
    if not text:
        return None
    try:
        hours = float(text)
        if hours <= _LONGEST_JOB and (seconds := round(hours * _SECONDS)) > 0:
            return timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"job_hours {shown(text)} is not a number of hours above 0")


def extras_of(occupancy: str, idle: str, job_hours: str) -> tuple[Share | None, UsdPerHour | None, timedelta | None]:
    """What the optional columns say; None for an empty one. Raises ValueError."""
    return _share(occupancy), rate_of(idle, "idle_usd_per_hour"), _job_length(job_hours)

"""What the Render client leaves on its host: a log of its frames, and its own benchmark in the registry of Windows.

The lines that are read: ``2025-09-01 12:05:44 INFO: [4242] sent render finished, job completed successfully (render time 151.2 seconds)``.
Times in it are local and without a zone, so only differences between them are used. Frames that failed or were cancelled are not paid,
and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

_TAIL = 64 * 1024 * 1024
"""Bytes at the end of a log that are read: many months of it."""
_LINE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})\b(.*)")
_DONE = re.compile(r"job completed successfully \(render time ([0-9]{1,6}(?:\.[0-9]{1,12})?) seconds\)")
_SCORE = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,12})?")
_LEAST_SCORE, _MOST_SCORE = 10, 200_000
"""OctaneBench of a whole node, from a tenth of a GTX 980 to a hundred RTX 4090."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What a node did in a span of time."""

    rendering: timedelta
    """Of frames that were completed."""
    span: timedelta
    """From the first line of the log to the last, waiting included."""
    until: datetime
    """The last line, in the local time of the log, read as UTC: right to within a day."""
    frames: int


def worked(log: Path, days: int) -> Worked | None:
    """What the log says of its last days. None where it says nothing. Raises OSError."""
    lines = list(_lines(log))
    if not lines:
        return None
    until = max(at for at, _ in lines)
    recent = [(at, text) for at, text in lines if at > until - timedelta(days=days)]
    times = [Decimal(done[1]) for _, text in recent if (done := _DONE.search(text))]
    span = until - min(at for at, _ in recent)
    return Worked(timedelta(seconds=float(sum(times))), span, until, len(times))


def dated(line: str) -> tuple[datetime, str] | None:
    """The time of a line, local but read as UTC, and what it says. None for the rest of a longer one."""
    match = _LINE.match(line)
    try:
        return (datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC), match[2]) if match else None
    except ValueError:
        return None  # the thirteenth month: half a line, glued to another


def _lines(log: Path) -> Iterator[tuple[datetime, str]]:
    return (stamped for line in _tail(log) if (stamped := dated(line)))


def _tail(log: Path) -> Sequence[str]:
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return file.read(_TAIL).decode("utf-8", "replace").splitlines()


def registry_score() -> Decimal | None:
    r"""The node's OctaneBench score, all its GPUs together: ``SCORE`` in ``HKCU\SOFTWARE\OTOY``. None where there is no such thing."""
    try:
        winreg: Any = import_module("winreg")
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, r"SOFTWARE\OTOY") as key:
            value, _ = winreg.QueryValueEx(key, "SCORE")
    except (ImportError, OSError):
        return None
    text = str(value) if isinstance(value, int | float | str) else ""
    sound = _SCORE.fullmatch(text) and _LEAST_SCORE <= Decimal(text) <= _MOST_SCORE
    return Decimal(text) if sound else None

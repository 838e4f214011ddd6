"""What a page is made of, before anything is drawn. Times are UTC, money is USD. What is not known is None, and never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

DARK = "dark, on a switch"
"""What a piece is while a switch keeps the device from earning. No venue has such a name."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A sum or a rate over time."""

    name: str
    points: Sequence[tuple[datetime, float | None]]
    """None is a gap in the line."""
    strategy: str = ""
    """Whose it is, for the filter; empty where it is shown always."""
    reference: bool = False
    """Whether it is no flight, but what one is held against."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A device at one venue, or dark."""

    start: datetime
    end: datetime
    what: str
    """The venue, or ``DARK``."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Where one device was, piece after piece."""

    strategy: str
    gpu: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True)
class Mark:
    """A switch on the chart of the rates."""

    at: datetime
    strategy: str
    gpu: str
    model: str
    source: str
    target: str
    why: str


@dataclass(frozen=True, slots=True)
class Table:
    """Words and figures in rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    """How many columns from the left are words; the others are figures, and stand to the right."""
    title: str = ""
    filtered: bool = False
    """Whether the first column names a strategy, with which a row comes and goes."""


@dataclass(frozen=True, slots=True)
class Part:
    """One section of the page."""

    heading: str
    words: Sequence[str]
    """What it shows, and what it cannot."""
    figure: Mapping[str, Any] | None = None
    """As plotly.js takes it: ``data`` and ``layout``."""
    tables: Sequence[Table] = ()
    venues: Sequence[tuple[str, str]] = ()
    """What each colour of the figure stands for: the name, and the colour."""


@dataclass(frozen=True, slots=True)
class Page:
    """All that is on the page."""

    title: str
    subtitle: str
    summary: Sequence[str]
    """Three lines, for who reads no more."""
    parts: Sequence[Part]
    strategies: Sequence[str] = ()
    """What the filter can hide, the best first."""
    gpus: Sequence[str] = field(default=())

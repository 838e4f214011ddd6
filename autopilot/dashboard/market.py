"""What every venue pays, how it came there, and how likely a GPU is to be hired."""

from __future__ import annotations

from dataclasses import dataclass

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autopilot.dashboard.marks import QUIET, Palette, framed, trend
from autopilot.dashboard.snapshot import Offer, Snapshot, Trend
from autopilot.dashboard.words import money, plain, span
from autopilot.model.device import Venue
from autopilot.units import Share

_NAME, _RATE, _LEAST_TREND = 12, 9, 6
"""Widths: of a venue, of a rate, and of a trend that is worth drawing."""
_HIRED, _AGE = 10, 9
"""Widths of an occupancy, published and learned, and of an age."""


def market(snapshot: Snapshot, palette: Palette, rows: int, width: int) -> Panel:
    """The net rate of every venue for every GPU model. What does not fit is left out: the trend last."""
    models = sorted({model for trends in snapshot.market.values() for model in trends})[: max(1, (width - _NAME) // _RATE)]
    room = (width - _NAME) // max(1, len(models)) - _RATE
    aged = bool(snapshot.offers) and room * len(models) >= _AGE + _LEAST_TREND
    room -= _AGE // max(1, len(models)) if aged else 0
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), pad_edge=False, header_style=QUIET)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    if aged:
        table.add_column("age", no_wrap=True, justify="right", style=QUIET)
    hired = room >= _HIRED + _LEAST_TREND and any(offer.public for offer in snapshot.offers.values())
    for model in models:
        table.add_column(Text(plain(model) + ("  hired: public, ours" if hired else "")), no_wrap=True)
    ends = {model: _Ends.of([trends[model] for trends in snapshot.market.values() if model in trends]) for model in models}
    for venue in _shown(snapshot, rows - 1):
        ages = [_age(snapshot, venue)] if aged else []
        cells = (_cell(snapshot, palette, venue, model, ends[model], room, hired=hired) for model in models)
        table.add_row(palette.venue(venue), *ages, *cells)
    return framed(table, "net $ an hour", rows=rows)


def _shown(snapshot: Snapshot, rows: int) -> list[Venue]:
    """The venues by name; where there is no room for all, ours and those that pay best."""
    ours = {each.venue for each in snapshot.devices}

    def best(venue: Venue) -> tuple[bool, float]:
        rates = [float(trend[-1]) for trend in snapshot.market[venue].values() if trend[-1] is not None]
        return venue in ours, max(rates, default=float("-inf"))

    return sorted(sorted(snapshot.market, key=best, reverse=True)[:rows])


def _age(snapshot: Snapshot, venue: Venue) -> str:
    ages = [offer.age for (place, _), offer in snapshot.offers.items() if place == venue]
    return span(min(ages)) if ages else "–"


@dataclass(frozen=True, slots=True)
class _Ends:
    """Between what the trends of one GPU model move, and the best of now."""

    low: float
    high: float
    best: float

    @classmethod
    def of(cls, trends: list[Trend]) -> _Ends:
        rates = [float(rate) for each in trends for rate in each if rate is not None]
        now = [float(each[-1]) for each in trends if each[-1] is not None]
        return cls(min(rates, default=0.0), max(rates, default=0.0), max(now, default=float("inf")))


def _cell(snapshot: Snapshot, palette: Palette, venue: Venue, model: str, ends: _Ends, room: int, *, hired: bool) -> Text:
    """The rate of now, bold where none is higher, then the occupancy and the trend where there is room."""
    rates = snapshot.market[venue].get(model)
    if rates is None:
        return Text()
    if rates[-1] is None:
        silent = snapshot.heartbeat is not None and venue.network in snapshot.heartbeat.silent
        figure = Text(f"{'silent' if silent else '–':>6} ", "red")
    else:
        figure = Text(f"{money(rates[-1], 3):>6} ", "bold" if float(rates[-1]) >= ends.best else "")
    if hired:
        figure.append(f"{_hired(snapshot.offers.get((venue, model))):<{_HIRED}}", QUIET)
        room -= _HIRED
    if room < _LEAST_TREND:
        return figure
    values = [None if each is None else float(each) for each in rates[-room:]]
    return Text.assemble(figure, trend(values, ends.low, ends.high, palette.colour(venue.network)))


def _hired(offer: Offer | None) -> str:
    """The published occupancy and the one that our own hires make likely."""
    if offer is None or offer.public is None or offer.learned is None:
        return "–"
    return f"{_whole(offer.public)} {_whole(offer.learned)}"


def _whole(share: Share) -> str:
    return f"{round(100 * float(share))}%"

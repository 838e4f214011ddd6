"""What every venue pays, how it came there, and how likely a GPU is to be hired."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from autopilot.dashboard.marks import BAD, QUIET, Column, Palette, framed, head, row, trend
from autopilot.dashboard.snapshot import Offer, Snapshot, Trend
from autopilot.dashboard.words import money, plain, span
from autopilot.model.device import Venue
from autopilot.units import Share

_NAME, _RATE, _LEAST_TREND = 13, 9, 4
"""Widths: of a venue, of a rate, and of a trend that is worth drawing."""
_HIRED, _AGE = 9, 9
"""Widths of an occupancy, published and learned, and of an age."""
_WORDY = 16
"""The width of a trend from where there is room to say what stands there."""


def market(snapshot: Snapshot, palette: Palette, rows: int, width: int) -> Panel:
    """The net rate of every venue for every GPU model. What does not fit is left out: the trend last."""
    if not snapshot.market:
        return framed(Text("no network has answered within a day", QUIET), "net $ an hour", rows=rows)
    names = max([_NAME, *(3 + len(str(venue)) for venue in snapshot.market)])
    models = sorted({model for trends in snapshot.market.values() for model in trends})[: max(1, (width - _NAME) // _RATE)]
    names = max(_NAME, min(names, width - _RATE * len(models)))
    each = (width - names) // len(models)
    aged = bool(snapshot.offers) and (each - _RATE) * len(models) >= _AGE + _LEAST_TREND
    each -= -(-_AGE // len(models)) if aged else 0
    hired = each - _RATE >= _HIRED and any(offer.public for offer in snapshot.offers.values())
    room = each - _RATE - (_HIRED if hired else 0)
    titles = [f"{plain(model)}{_legend(room, hired=hired)}" for model in models]
    columns = [
        Column("", names - 1),
        *([Column("age", _AGE - 1, right=True)] if aged else []),
        *(Column(name, each - 1) for name in titles),
    ]
    ends = {model: _Ends.of([trends[model] for trends in snapshot.market.values() if model in trends]) for model in models}
    lines = [head(columns, 1)]
    shown = _shown(snapshot, rows - 1)
    for venue in shown:
        ages = [Text(_age(snapshot, venue), QUIET)] if aged else []
        cells = [_cell(snapshot, palette, venue, model, ends[model], room, hired=hired) for model in models]
        lines.append(row(columns, [palette.venue(venue), *ages, *cells], 1))
    hidden = len(snapshot.market) - len(shown)
    return framed(Group(*lines), "net $ an hour", subtitle=f"… and {hidden} more" if hidden else None, rows=rows)


def _legend(room: int, *, hired: bool) -> str:
    """What stands beside a rate: the occupancy, as it is published and by our own hires, and the trend of a day."""
    words = "" if not hired else "  hired: public, ours" if room >= _WORDY else "  hired"
    return f"{words}  24 h" if room >= _WORDY else words


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
        figure = Text(f"{'silent' if silent else '–':>6} ", BAD)
    else:
        figure = Text(f"{money(rates[-1], 3):>6} ", "bold" if float(rates[-1]) >= ends.best else "")
    if hired:
        figure.append(f"{_hired(snapshot.offers.get((venue, model))):<{_HIRED}}", QUIET)
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

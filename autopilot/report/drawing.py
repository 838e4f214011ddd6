"""Figures as plotly.js takes them (plotly.com/javascript/reference). Every name in them is escaped: plotly.js reads a little HTML."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

from autopilot.dashboard.words import plain
from autopilot.report.shapes import DARK, Curve, Mark, Strip

Figure = Mapping[str, Any]

_COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6d1f", "#7a5195", "#3f9b0b", "#ef5675"),
    *("#2f4b7c", "#bcbd22", "#17becf", "#a05d56", "#637939", "#e7969c"),
)
"""The first are Okabe and Ito's, which those who see few colours tell apart (jfly.uni-koeln.de/color)."""
_APART = {DARK: "#1b1b1b", "idle": "#d9d9d9"}
_GREY = "#555"
_DASHES = ("solid", "dash", "dot", "dashdot")
_ROW = 26
"""Pixels of a strip."""
_MARKS = 1500
"""Of one device and strategy: more would cover one another."""
_POINTS = 1500
"""Of the line of a rate: of more, only every second, third, … is drawn."""
_FONT = {"family": "system-ui, sans-serif", "size": 13, "color": "#222"}


def shown(words: str) -> str:
    """Words as plotly.js must be given them: one line, and nothing in it that it takes for HTML."""
    return escape(plain(words))


def colours(names: Iterable[str]) -> dict[str, str]:
    """One for each name, in their order; where there are too many names, colours come again."""
    usual = [name for name in dict.fromkeys(names) if name not in _APART]
    chosen = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(usual)}
    return {**chosen, **{name: _APART[name] for name in dict.fromkeys(names) if name in _APART}}


def _stamp(at: datetime) -> str:
    """As plotly.js reads it; the page says that it is UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _layout(height: int = 380, **more: Any) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 56, "r": 12, "t": 8, "b": 40},
        "font": _FONT,
        "paper_bgcolor": "#fff",
        "plot_bgcolor": "#fff",
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "namelength": -1},
        "legend": {"orientation": "h", "y": -0.15, "yanchor": "top"},
        "xaxis": {"type": "date", "gridcolor": "#eee", "automargin": True},
        "yaxis": {"gridcolor": "#eee", "zerolinecolor": "#bbb", "automargin": True},
        **more,
    }


def lines(curves: Sequence[Curve]) -> Figure:
    """One line for each curve, in the colours of their order; those that are no flight are grey, each with dashes of its own."""
    flown = [each for each in curves if not each.reference]
    painted = colours(each.name for each in flown)
    data = [_line(each, painted[each.name]) for each in flown]
    for each, dash in zip((each for each in curves if each.reference), _DASHES[1:], strict=False):
        data.append(_line(each, _GREY, line={"color": _GREY, "width": 2, "dash": dash}))
    return {"data": data, "layout": _layout()}


def _line(curve: Curve, colour: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": shown(curve.name),
        "x": [_stamp(at) for at, _ in curve.points],
        "y": [None if value is None else round(value, 6) for _, value in curve.points],
        "line": {"color": colour, "width": 2},
        "hovertemplate": "%{y:,.4~r} on %{x|%Y-%m-%d %H:%M}",
        "meta": {"strategy": curve.strategy},
        **more,
    }


def bars(
    groups: Sequence[str], heights: Mapping[str, Sequence[float | None]], painted: Mapping[str, str], *, filtered: bool = True
) -> Figure:
    """A group of bars for each case, a bar in it for each strategy; None has no bar. Not filtered, all are shown always."""
    data = [
        {
            "type": "bar",
            "name": shown(name),
            "x": [shown(group) for group in groups],
            "y": [None if value is None else round(value, 6) for value in values],
            "marker": {"color": painted[name]},
            "hovertemplate": "%{y:,.4~r}, %{x}",
            "meta": {"strategy": name if filtered else ""},
        }
        for name, values in heights.items()
    ]
    layout = _layout(340, barmode="group", legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    layout["xaxis"] = {"type": "category", "automargin": True}
    return {"data": data, "layout": layout}


def allocation(strips: Sequence[Strip], painted: Mapping[str, str], within: tuple[datetime, datetime]) -> Figure:
    """A row for each device of each strategy, coloured by the venue."""
    one = len({strip.strategy for strip in strips}) == 1
    rows = [_strip(strip, strip.gpu if one else f"{strip.strategy} · {strip.gpu}", painted) for strip in strips]
    layout = _layout(60 + _ROW * len(rows), barmode="overlay", bargap=0.25, showlegend=False)
    layout["xaxis"]["range"] = [_stamp(at) for at in within]
    layout["yaxis"] = {"type": "category", "autorange": "reversed", "automargin": True, "fixedrange": True}
    return {"data": rows, "layout": layout, "row": _ROW}


def _strip(strip: Strip, name: str, painted: Mapping[str, str]) -> dict[str, Any]:
    milli = timedelta(milliseconds=1)
    return {
        "type": "bar",
        "orientation": "h",
        "name": shown(name),
        "y": [shown(name)] * len(strip.pieces),
        "base": [_stamp(piece.start) for piece in strip.pieces],
        "x": [(piece.end - piece.start) // milli for piece in strip.pieces],
        "marker": {"color": [painted[piece.what] for piece in strip.pieces], "line": {"width": 0}},
        "text": [shown(piece.what) for piece in strip.pieces],
        "textposition": "none",
        "hovertext": [f"{shown(piece.what)}<br>{piece.start:%Y-%m-%d %H:%M} to {piece.end:%Y-%m-%d %H:%M}" for piece in strip.pieces],
        "hoverinfo": "text+name",
        "meta": {"strategy": strip.strategy, "gpu": strip.gpu},
    }


Rates = Mapping[tuple[str, str], Sequence[tuple[datetime, float | None]]]
"""USD per hour by venue and GPU model, oldest first; None where the venue offered nothing, or nobody knew."""


def market(rates: Rates, moves: Sequence[Mark], painted: Mapping[str, str]) -> Figure:
    """The rates, and on them each switch at the rate of the venue that it leads to."""
    models = list(dict.fromkeys(model for _, model in rates))
    drawn = []
    for (venue, model), points in rates.items():
        name = venue if len(models) == 1 else f"{venue} · {model}"
        dash = _DASHES[models.index(model) % len(_DASHES)]
        line = {"color": painted[venue], "width": 1.3, "dash": dash, "shape": "hv"}
        drawn.append(_line(Curve(name, points[:: -(-len(points) // _POINTS)]), painted[venue], line=line))
    marked = [_marks(key, own[-_MARKS:], rates, painted) for key, own in _owned(moves).items()]
    layout, ends = _layout(460), [point[0] for points in rates.values() for point in (*points[:1], *points[-1:])]
    if ends:
        layout["xaxis"]["range"] = [_stamp(min(ends)), _stamp(max(ends))]  # a mark at the edge would widen it
    return {"data": drawn + marked, "layout": layout}


def _owned(moves: Iterable[Mark]) -> Mapping[tuple[str, str], Sequence[Mark]]:
    """By strategy and device."""
    owned: dict[tuple[str, str], list[Mark]] = {}
    for mark in moves:
        owned.setdefault((mark.strategy, mark.gpu), []).append(mark)
    return owned


def undrawn(rates: Rates, moves: Sequence[Mark]) -> Iterator[str]:
    """What the chart of the rates leaves out, in words."""
    crowded = sum(max(len(own) - _MARKS, 0) for own in _owned(moves).values())
    if crowded:
        yield f"The newest {_MARKS:,} switches of a GPU are marked; {crowded:,} older ones are not."
    unknown = sum(rate_at(rates, mark) is None for mark in moves)
    if unknown:
        yield f"{unknown:,} switches lead to where no rate was known, and have no mark."


def rate_at(rates: Rates, mark: Mark) -> float | None:
    """The rate in force where a switch leads to; nothing at idle, None where it is not known."""
    if mark.target == "idle":
        return 0.0
    points = rates.get((mark.target, mark.model), ())
    index = bisect_right(points, mark.at, key=lambda point: point[0])
    return points[index - 1][1] if index else None


def _marks(key: tuple[str, str], moves: Sequence[Mark], rates: Rates, painted: Mapping[str, str]) -> dict[str, Any]:
    strategy, gpu = key
    placed = [(mark, rate) for mark in moves if (rate := rate_at(rates, mark)) is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": shown(f"{strategy} · {gpu}"),
        "x": [_stamp(mark.at) for mark, _ in placed],
        "y": [round(rate, 6) for _, rate in placed],
        "marker": {"size": 9, "color": [painted[mark.target] for mark, _ in placed], "line": {"width": 1, "color": "#111"}},
        "hovertext": [_said(mark) for mark, _ in placed],
        "hoverinfo": "text",
        "showlegend": False,
        "meta": {"strategy": strategy, "gpu": gpu},
    }


def _said(mark: Mark, width: int = 60) -> str:
    """What the mark says when it is pointed at, in lines that fit a phone."""
    head = f"<b>{shown(f'{mark.strategy}, {mark.gpu}: {mark.source} → {mark.target}')}</b><br>{mark.at:%Y-%m-%d %H:%M} UTC"
    lines, line = [], ""
    for word in plain(mark.why).split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "<br>".join([head, *map(escape, [*lines, line])])

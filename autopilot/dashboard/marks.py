"""What a screen is drawn with: colours, bars, trends, and text that keeps to its lines. No name is ever read as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.text import Text

from autopilot.dashboard.words import plain
from autopilot.model.device import IDLE, Venue

QUIET = "color(243)"
"""The style of what matters less. All colours are of the 256 that no theme changes, and stand out from black and from white alike."""
GOOD, BAD, SLOW, AHEAD, BACK = "color(28)", "color(160)", "color(136)", "color(31)", "color(164)"
"""The colours of what has gone well, of what has not, of what is waited for, of what comes up, and of what turns back."""
_LEVELS = "▁▂▃▄▅▆▇█"
_COLOURS = ("color(31)", "color(164)", "color(28)", "color(136)", "color(69)", "color(167)", "color(30)", "color(98)")


class Palette:
    """A colour for each network, and how a venue is written in it."""

    def __init__(self, networks: Iterable[str]) -> None:
        names = sorted({name for name in networks if name != IDLE.network})
        self._colours = {plain(name): _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}
        self._names = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, sorted(self._colours, reverse=True))) or '(?!)'})(?!\w)")

    def colour(self, network: str) -> str:
        """The style of a network; quiet for idle."""
        return self._colours.get(plain(network), QUIET)

    def venue(self, venue: Venue) -> Text:
        """The venue on one line: full where it pays, hollow where it is idle."""
        mark = "○" if venue == IDLE else "●"
        return Text(f"{mark} {plain(str(venue))}", self.colour(venue.network), no_wrap=True, overflow="ellipsis")

    def paint(self, words: Text) -> Text:
        """The same words, with every name of a network in its colour."""
        for found in self._names.finditer(words.plain):
            words.stylize(self._colours[found[0]], *found.span())
        return words


def bar(share: float, width: int, style: str) -> Text:
    """So much of the width."""
    halves = round(2 * width * min(max(share, 0.0), 1.0))
    full = "━" * (halves // 2) + "╸" * (halves % 2)
    return Text.assemble((full, style), ("┄" * (width - len(full)), QUIET))


def trend(values: Iterable[float | None], low: float, high: float, style: str) -> Text:
    """One small column for each value, between the two ends; a blank where there is none."""
    reach = (high - low) or 1.0
    top = len(_LEVELS) - 1
    marks = (" " if value is None else _LEVELS[min(top, max(0, round(top * (value - low) / reach)))] for value in values)
    return Text("".join(marks), style)


def clipped(console: Console, text: Text, width: int, lines: int) -> list[Text]:
    """The text in no more lines than these; what does not fit ends in an ellipsis."""
    wrapped = text.wrap(console, width)
    if len(wrapped) > lines:
        wrapped[lines - 1].truncate(width - 1)
        wrapped[lines - 1].append("…")
    return list(wrapped[:lines])


@dataclass(frozen=True, slots=True)
class Column:
    """A part of every line, so many cells wide."""

    name: str
    width: int
    right: bool = False
    """Whether its figures stand below each other at their ends."""


def head(columns: Sequence[Column], gap: int = 2) -> Text:
    """The line above the others."""
    return row(columns, [Text(each.name, QUIET) for each in columns], gap)


def row(columns: Sequence[Column], cells: Sequence[Text], gap: int = 2) -> Text:
    """One line, with so many blanks between its parts. It is laid out here and not by a table, which takes several times as long."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for column, cell in zip(columns, cells, strict=True):
        if cell.cell_len > column.width:
            cell.truncate(column.width, overflow="ellipsis")
        air = " " * (column.width - cell.cell_len)
        line.append_text(Text(air).append_text(cell) if column.right else cell.append(air))
        line.append(" " * gap)
    line.right_crop(gap)
    return line


def framed(body: RenderableType, title: str, *, subtitle: str | None = None, rows: int | None = None) -> Panel:
    """In a frame with a title, with so many rows inside, or as many as it needs."""
    return Panel(
        body,
        box=box.ROUNDED,
        border_style=QUIET,
        title=Text(title, "bold default"),
        title_align="left",
        subtitle=subtitle and Text(subtitle),
        padding=(0, 1),
        height=None if rows is None else rows + 2,
    )


def ends(left: Text, right: Text, width: int) -> Text:
    """Both on one line, at its two ends; the left gives way."""
    left.truncate(max(0, width - right.cell_len - 1), overflow="ellipsis")
    return Text.assemble(left, " " * max(1, width - left.cell_len - right.cell_len), right, no_wrap=True, overflow="crop")

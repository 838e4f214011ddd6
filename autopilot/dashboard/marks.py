"""What a screen is drawn with: colours, bars, trends, and text that keeps to its lines. No name is ever read as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.panel import Panel
from rich.text import Text

from autopilot.dashboard.words import plain
from autopilot.model.device import IDLE, Venue

QUIET = "bright_black"
"""The style of what matters less."""
_LEVELS = "▁▂▃▄▅▆▇█"
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red", "bright_cyan", "bright_magenta")


class Palette:
    """A colour for each network, and how a venue is written in it."""

    def __init__(self, networks: Iterable[str]) -> None:
        names = sorted({name for name in networks if name != IDLE.network})
        self._colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}

    def colour(self, network: str) -> str:
        """The style of a network; quiet for idle."""
        return self._colours.get(network, QUIET)

    def venue(self, venue: Venue) -> Text:
        """The venue on one line: full where it pays, hollow where it is idle."""
        mark = "○" if venue == IDLE else "●"
        return Text(f"{mark} {plain(str(venue))}", self.colour(venue.network), no_wrap=True, overflow="ellipsis")

    def paint(self, words: Text) -> Text:
        """The same words, with every name of a network in its colour."""
        for name, colour in self._colours.items():
            words.highlight_regex(rf"(?<!\w){re.escape(plain(name))}(?!\w)", colour)
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


class Clipped:
    """Text in exactly so many lines: what does not fit ends in an ellipsis, what is not needed stays blank."""

    def __init__(self, text: Text, lines: int) -> None:
        self._text = text
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = self._text.wrap(console, options.max_width)
        kept = lines[: self._lines]
        if len(lines) > self._lines:
            kept[-1].truncate(options.max_width - 1)
            kept[-1].append("…")
        yield from kept
        yield from (Text() for _ in range(self._lines - len(kept)))


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

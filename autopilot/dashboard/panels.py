"""Snapshot to screen. Pure: the same snapshot, width and height give the same characters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autopilot.dashboard.marks import QUIET, Clipped, Palette, bar, trend
from autopilot.dashboard.snapshot import DeviceNow, OpenSwitch, Snapshot, Trend
from autopilot.dashboard.words import counted, money, percent, plain, span
from autopilot.model.device import Venue
from autopilot.model.switch import State

_STATES = {
    State.DRAINING: "yellow",
    State.STOPPING: "yellow",
    State.STARTING: "cyan",
    State.REVERTING: "magenta",
    State.SETTLED: "green",
    State.REVERTED: "magenta",
    State.STRANDED: "red",
}
_FRAMES = 7
"""Lines that no panel has for itself: the header, the footer, two frames, and the head of the first."""
_LEAST_ROWS = 5
"""Those of the money; the market beside it has as many at least."""
_LEAST_LOG = 4
_COLUMNS: tuple[tuple[str, int, Literal["left", "right"]], ...] = (("GPU", 9, "left"), ("where", 15, "left"), ("earns", 11, "right"))
_FACTS = sum(cells + 2 for _, cells, _ in _COLUMNS) + 4
"""The width of the columns before the sentence, and of the frame."""
_LEAST_BAR, _MOST_BAR = 8, 30
_NAME, _RATE, _LEAST_TREND = 12, 9, 6
"""Widths in the market: of a venue, of a rate, and of a trend that is worth drawing."""
_LEAST_MONEY, _MOST_MONEY, _BOTH = 44, 58, 46
"""Widths of the money: its panel's bounds, and from where a lead is shown both in dollars and as a share."""


@dataclass(frozen=True, slots=True)
class _Fit:
    """How the height is shared out."""

    devices: int
    """How many are shown."""
    lines: int
    """For each of them."""
    gap: int
    """Blank lines between two of them."""
    rows: int
    """Of the market and the money."""
    log: int
    """Lines of the switches that are over, frame included; none where there is no room."""


def _fit(devices: int, venues: int, height: int) -> _Fit:
    """The roomiest layout that fits: first whole sentences, then every venue, then the log and air."""
    wanted = max(_LEAST_ROWS, venues + 1)
    for lines, gap, least in ((2, 1, wanted + _LEAST_LOG + 1), (2, 0, _LEAST_ROWS), (1, 0, _LEAST_ROWS)):
        left = height - _FRAMES - devices * lines - max(0, devices - 1) * gap
        if left >= least:
            log = left - wanted if left - wanted >= _LEAST_LOG else 0
            return _Fit(devices, lines, gap, left - log, log)
    return _Fit(max(1, height - _FRAMES - _LEAST_ROWS), 1, 0, _LEAST_ROWS, 0)


class Screen:
    """The whole picture, made for whatever size it is shown at."""

    def __init__(self, snapshot: Snapshot, caption: str, footer: str) -> None:
        self._snapshot = snapshot
        self._caption = caption
        self._footer = footer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        snapshot, width = self._snapshot, options.max_width
        fit = _fit(len(snapshot.devices), len(snapshot.market), options.height or console.height)
        palette = _palette(snapshot)
        money_width = min(_MOST_MONEY, max(_LEAST_MONEY, 2 + width * 2 // 5))
        beside = Table.grid(expand=True)
        beside.add_column(ratio=1)
        beside.add_column(width=money_width)
        beside.add_row(_market(snapshot, palette, fit.rows, width - money_width - 4), _money(snapshot, fit.rows, money_width - 4))
        title = Text.assemble((" ▲ ", "bold cyan"), ("Yield Autopilot", "bold"))
        when = (f"{snapshot.at:%a %d %b %Y  %H:%M} UTC ", "bold")
        yield _ends(title, Text.assemble((plain(self._caption), QUIET), "   ", when), width)
        yield _rig(snapshot, palette, fit, width)
        yield beside
        if fit.log:
            yield _log(snapshot, palette, fit.log - 2)
        yield _ends(Text(f" {plain(snapshot.state)}", QUIET), Text(f"{self._footer} ", QUIET), width)


def _palette(snapshot: Snapshot) -> Palette:
    silent = snapshot.heartbeat.silent if snapshot.heartbeat else {}
    return Palette([*silent, *(each.venue.network for each in snapshot.devices), *(venue.network for venue in snapshot.market)])


def _rig(snapshot: Snapshot, palette: Palette, fit: _Fit, width: int) -> Panel:
    """Every device: what it is, where, what it earns, and what the pilot says of it."""
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), pad_edge=False, header_style=QUIET)
    for name, cells, side in _COLUMNS:
        table.add_column(name, width=cells, justify=side, no_wrap=True)
    table.add_column(Text("what the pilot says", no_wrap=True, overflow="ellipsis"), ratio=1)
    shown = snapshot.devices[: fit.devices]
    for index, each in enumerate(shown):
        if index and fit.gap:
            table.add_row()
        table.add_row(*_facts(snapshot, palette, each, fit.lines), _words(snapshot, palette, each, fit.lines, width - _FACTS))
    hidden = len(snapshot.devices) - len(shown)
    title = counted(len(snapshot.devices), "GPU") + (f", flown by {plain(snapshot.heartbeat.strategy)}" if snapshot.heartbeat else "")
    return _panel(table, title, subtitle=f"… and {hidden} more" if hidden else None)


def _facts(snapshot: Snapshot, palette: Palette, each: DeviceNow, lines: int) -> Iterator[Group]:
    """What matters of a device, and below it what matters less."""
    dark = each.switch is not None and each.switch.switch.state is not State.DRAINING
    since = each.switch.switch.opened_at if each.switch else each.since
    rate = "dark" if dark else "–" if each.rate is None else f"{money(each.rate, 3)} $/h"
    facts = (
        (Text(plain(each.device.label), "bold"), plain(each.device.model)),
        (palette.venue(each.venue), f"  {span(snapshot.at - since)}" if since else ""),
        (Text(rate, "yellow" if dark else "bold"), f"{money(each.totals.net)} $"),
    )
    for first, second in facts:
        yield Group(*(first, Text(second, QUIET))[:lines])


def _words(snapshot: Snapshot, palette: Palette, each: DeviceNow, lines: int, width: int) -> RenderableType:
    """The last sentence about a device, below the progress of its switch where there is one."""
    if each.fence:
        return Clipped(Text(f"fenced: {plain(each.fence)}", "bold red"), lines)
    words = palette.paint(Text(plain(each.sentence.removeprefix(f"{each.device.label}: "))))
    if each.switch is None:
        return Clipped(words, lines)
    progress = _progress(snapshot, palette, each.switch, width)
    return Group(progress, Clipped(words, lines - 1)) if lines > 1 else progress


def _progress(snapshot: Snapshot, palette: Palette, each: OpenSwitch, width: int) -> Text:
    switch, style = each.switch, _STATES[each.switch.state]
    line = Text.assemble("→ ", palette.venue(switch.target), "  ", (f"{switch.state:<9} ", style), no_wrap=True, overflow="ellipsis")
    if each.expected is None:
        return line
    spent = snapshot.at - switch.since
    times = f" {span(spent)} of about {span(each.expected)}"
    room = width - line.cell_len - len(times)
    if room < _LEAST_BAR:
        room, times = width - line.cell_len, ""
    line.append_text(bar(spent / each.expected, min(room, _MOST_BAR), "bold red" if spent > 2 * each.expected else style))
    return line.append(times, QUIET)


def _market(snapshot: Snapshot, palette: Palette, rows: int, width: int) -> Panel:
    """The net rate of every venue for every GPU model, and how it came there."""
    market = snapshot.market
    models = sorted({model for trends in market.values() for model in trends})[: max(1, (width - _NAME) // _RATE)]
    room = (width - _NAME) // max(1, len(models)) - _RATE
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), pad_edge=False, header_style=QUIET)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for model in models:
        table.add_column(Text(plain(model)), no_wrap=True)
    ends = {model: _Ends.of([trends[model] for trends in market.values() if model in trends]) for model in models}
    silent = snapshot.heartbeat.silent if snapshot.heartbeat else {}
    for venue in _shown(snapshot, rows - 1):
        absent = "silent" if venue.network in silent else "–"
        cells = (_rate(market[venue].get(model), ends[model], room, absent, palette.colour(venue.network)) for model in models)
        table.add_row(palette.venue(venue), *cells)
    return _panel(table, "net $ an hour", rows=rows)


def _shown(snapshot: Snapshot, rows: int) -> list[Venue]:
    """The venues by name; where there is no room for all, ours and those that pay best."""
    ours = {each.venue for each in snapshot.devices}

    def best(venue: Venue) -> tuple[bool, float]:
        rates = [float(trend[-1]) for trend in snapshot.market[venue].values() if trend[-1] is not None]
        return venue in ours, max(rates, default=float("-inf"))

    return sorted(sorted(snapshot.market, key=best, reverse=True)[:rows])


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


def _rate(rates: Trend | None, ends: _Ends, room: int, absent: str, colour: str) -> Text:
    """The rate of now, bold where none is higher, and the trend where there is room for it."""
    if rates is None:
        return Text()
    if rates[-1] is None:
        figure = Text(f"{absent:>6} ", "red")
    else:
        figure = Text(f"{money(rates[-1], 3):>6} ", "bold" if float(rates[-1]) >= ends.best else "")
    if room < _LEAST_TREND:
        return figure
    values = [None if each is None else float(each) for each in rates[-room:]]
    return Text.assemble(figure, trend(values, ends.low, ends.high, colour))


def _money(snapshot: Snapshot, rows: int, width: int) -> Panel:
    """What the autopilot has earned, beside what the controls have."""
    own = snapshot.totals
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, ratio=1)
    table.add_row(Text("this autopilot", "bold"), Text(money(own.net), "bold"), "")
    for control in snapshot.controls:
        lead = own.net - control.totals.net
        share = percent(float(lead) / float(control.totals.net)) if control.totals.net.count > 0 else ""
        words = f"{money(lead, signed=True)} {share}" if width >= _BOTH else share
        table.add_row(Text(plain(control.name)), money(control.totals.net), Text(words, "red" if lead.count < 0 else "green"))
    under_way = sum(each.switch is not None for each in snapshot.devices)
    back = sum(each.state is State.REVERTED for each in snapshot.ended)
    facts = f"{counted(len(snapshot.ended) + under_way, 'switch', 'switches')}, {back} turned back, {under_way} open"
    return _panel(Group(table, Text(facts, QUIET), Text(f"dark for {span(own.dark)}", QUIET)), "net $ so far", rows=rows)


def _log(snapshot: Snapshot, palette: Palette, lines: int) -> Panel:
    """The switches that ended last, the newest first."""
    labels = {each.device.id: each.device.label for each in snapshot.devices}
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    for switch in reversed(snapshot.ended[-lines:]):
        table.add_row(
            Text(f"{switch.since:%a %H:%M}", QUIET),
            Text(plain(labels.get(switch.device, switch.device)), "bold"),
            palette.venue(switch.source),
            Text.assemble("→ ", palette.venue(switch.target)),
            Text.assemble((switch.state.value, _STATES[switch.state]), (f" after {span(switch.since - switch.opened_at)}", QUIET)),
        )
    return _panel(table, "lately", rows=lines)


def _panel(body: RenderableType, title: str, *, subtitle: str | None = None, rows: int | None = None) -> Panel:
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


def _ends(left: Text, right: Text, width: int) -> Text:
    """Both on one line, at its two ends; the left gives way."""
    left.truncate(max(0, width - right.cell_len - 1), overflow="ellipsis")
    return Text.assemble(left, " " * max(1, width - left.cell_len - right.cell_len), right, no_wrap=True, overflow="crop")

"""Snapshot to screen. Pure: the same snapshot, width and height give the same characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autopilot.dashboard.earnings import earnings
from autopilot.dashboard.market import market
from autopilot.dashboard.marks import QUIET, Clipped, Palette, bar, ends, framed
from autopilot.dashboard.snapshot import DeviceNow, OpenSwitch, Snapshot
from autopilot.dashboard.words import counted, money, plain, span
from autopilot.model.switch import State

_STATES = {
    State.PREPARING: "yellow",
    State.DRAINING: "yellow",
    State.STOPPING: "yellow",
    State.STARTING: "cyan",
    State.REVERTING: "magenta",
    State.CLEARING: "magenta",
    State.SETTLED: "green",
    State.REVERTED: "magenta",
    State.CLEARED: "magenta",
    State.STRANDED: "red",
}
_FRAMES = 7
"""Lines that no panel has for itself: the header, the footer, two frames, and the head of the first."""
_LEAST_ROWS = 5
"""Those of the money; the market beside it has as many at least."""
_LEAST_LOG = 4
_COLUMNS: tuple[tuple[str, int, Literal["left", "right"]], ...] = (("GPU", 9, "left"), ("where", 15, "left"), ("earns", 11, "right"))
_DRAWS: tuple[str, int, Literal["left", "right"]] = ("draws", 8, "right")
_FACTS = sum(cells + 2 for _, cells, _ in _COLUMNS) + 4
"""The width of the columns before the sentence, and of the frame."""
_LEAST_BAR, _MOST_BAR = 8, 30
_LEAST_MONEY, _MOST_MONEY = 44, 58
"""Bounds of the width of the money."""
_GAUGE = _DRAWS[1]
_MOST_ALERTS = 3
_ALERT_LINES = 2
_LEAST_WORDS = 40
"""The width of the sentences below which the GPUs' own figures are left out."""


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


@dataclass(frozen=True, slots=True)
class Screen:
    """The whole picture, made for whatever size it is shown at."""

    snapshot: Snapshot
    caption: str
    """Who is at work, for the head."""
    footer: str
    chosen: int | None = None
    """The device that a person has come to, by its place; None where nobody can."""
    alerts: Sequence[str] = ()
    """What a person must know, before all else."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        snapshot, width = self.snapshot, options.max_width
        alerts = list(_alerts(console, self.alerts, width))
        fit = _fit(len(snapshot.devices), len(snapshot.market), (options.height or console.height) - len(alerts))
        palette = _palette(snapshot)
        money_width = min(_MOST_MONEY, max(_LEAST_MONEY, 2 + width * 2 // 5))
        beside = Table.grid(expand=True)
        beside.add_column(ratio=1)
        beside.add_column(width=money_width)
        beside.add_row(market(snapshot, palette, fit.rows, width - money_width - 4), earnings(snapshot, fit.rows, money_width - 4))
        title = Text.assemble((" ▲ ", "bold cyan"), ("Yield Autopilot", "bold"))
        when = (f"{snapshot.at:%a %d %b %Y  %H:%M} UTC ", "bold")
        yield ends(title, Text.assemble((plain(self.caption), QUIET), "   ", when), width)
        yield from alerts
        yield _rig(snapshot, palette, fit, width, self.chosen)
        yield beside
        if fit.log:
            yield _log(snapshot, palette, fit.log - 2)
        yield ends(Text(f" {plain(snapshot.state)}", QUIET), Text(f"{self.footer} ", QUIET), width)


def _alerts(console: Console, alerts: Sequence[str], width: int) -> Iterator[Text]:
    """What a person must know, each to its end where that takes no more than a few lines: the remedy stands last."""
    for each in alerts[:_MOST_ALERTS]:
        for index, line in enumerate(Text(plain(each), "bold red").wrap(console, width - 3)[:_ALERT_LINES]):
            yield Text.assemble(("   " if index else " ! ", "bold red"), line)


def _palette(snapshot: Snapshot) -> Palette:
    silent = snapshot.heartbeat.silent if snapshot.heartbeat else {}
    return Palette([*silent, *(each.venue.network for each in snapshot.devices), *(venue.network for venue in snapshot.market)])


def _rig(snapshot: Snapshot, palette: Palette, fit: _Fit, width: int, chosen: int | None) -> Panel:
    """Every device: what it is, where, what it earns, and what the pilot says of it."""
    gauges = width - _FACTS - _GAUGE - 2 >= _LEAST_WORDS and any(each.gauge for each in snapshot.devices)
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), pad_edge=False, header_style=QUIET)
    for name, cells, side in (*_COLUMNS, *((_DRAWS,) if gauges else ())):
        table.add_column(name, width=cells, justify=side, no_wrap=True)
    table.add_column(Text("what the pilot says", no_wrap=True, overflow="ellipsis"), ratio=1)
    first = min(max(0, (chosen or 0) - fit.devices + 1), len(snapshot.devices) - fit.devices) if fit.devices < len(snapshot.devices) else 0
    shown = snapshot.devices[first : first + fit.devices]
    for index, each in enumerate(shown):
        if index and fit.gap:
            table.add_row()
        words = _words(snapshot, palette, each, fit.lines, width - _FACTS - (_GAUGE + 2 if gauges else 0))
        facts = (*_facts(snapshot, palette, each), *((_gauge(each),) if gauges else ()))
        cells = (Group(*(one, Text(other, QUIET))[: fit.lines]) for one, other in facts)
        table.add_row(*cells, words, style="reverse" if first + index == chosen else "")
    hidden = len(snapshot.devices) - len(shown)
    title = counted(len(snapshot.devices), "GPU") + (f", flown by {plain(snapshot.heartbeat.strategy)}" if snapshot.heartbeat else "")
    return framed(table, title, subtitle=f"… and {hidden} more" if hidden else None)


def _facts(snapshot: Snapshot, palette: Palette, each: DeviceNow) -> Iterator[tuple[Text, str]]:
    """What matters of a device, and below it what matters less."""
    dark = each.switch is not None and not each.switch.switch.state.leaving
    since = each.switch.switch.opened_at if each.switch else each.since
    rate = "dark" if dark else "–" if each.rate is None else f"{money(each.rate, 3)} $/h"
    earned = f"{money(each.totals.net)} $" if each.lately is None else f"24h {money(each.lately, 3)}"
    yield Text(plain(each.device.label), "bold"), plain(each.device.model)
    yield palette.venue(each.venue), f"  {span(snapshot.at - since)}" if since else ""
    yield Text(rate, "yellow" if dark else "bold"), earned


def _gauge(each: DeviceNow) -> tuple[Text, str]:
    """What the GPU draws, and how hot it is."""
    gauge = each.gauge
    draw = "–" if gauge is None or gauge.draw is None else f"{float(gauge.draw):.0f} W"
    return Text(draw), "–" if gauge is None or gauge.temperature is None else f"{gauge.temperature} °C"


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
    return framed(table, "lately", rows=lines)

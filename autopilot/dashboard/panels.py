"""Snapshot to screen. Pure: the same snapshot, width and height give the same characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autopilot.dashboard.earnings import earnings
from autopilot.dashboard.market import market
from autopilot.dashboard.marks import AHEAD, BAD, QUIET, Palette, clipped, ends, framed
from autopilot.dashboard.rig import STATES, Rig, Room
from autopilot.dashboard.snapshot import Snapshot
from autopilot.dashboard.words import plain, span

_FRAMES = 7
"""Lines that no panel has for itself: the header, the footer, two frames, and the head of the first."""
_LEAST_ROWS = 5
"""Those of the money; the market beside it has as many at least."""
_LEAST_LOG = 4
_LEAST_MONEY, _MOST_MONEY = 44, 58
"""Bounds of the width of the money."""
_MOST_ALERTS = 3
_ALERT_LINES = 2


@dataclass(frozen=True, slots=True)
class _Fit:
    """How the height is shared out."""

    room: Room
    """Of the devices."""
    rows: int
    """Of the market and the money."""
    log: int
    """Lines of the switches that are over, frame included; none where there is no room."""


def _fit(devices: int, venues: int, height: int) -> _Fit:
    """The roomiest layout that fits: whole sentences, then every venue, then the log and air; else a third for the venues at most."""
    wanted = max(_LEAST_ROWS, venues + 1)
    for lines, gap, least in ((2, 1, wanted + _LEAST_LOG + 1), (2, 0, _LEAST_ROWS), (1, 0, _LEAST_ROWS)):
        left = height - _FRAMES - devices * lines - max(0, devices - 1) * gap
        if left >= least:
            log = left - wanted if left - wanted >= _LEAST_LOG else 0
            return _Fit(Room(devices, lines, gap), left - log, log)
    rows = max(_LEAST_ROWS, min(wanted, height // 3))
    return _Fit(Room(max(1, height - _FRAMES - rows), 1, 0), rows, 0)


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
        title = Text.assemble((" ▲ ", f"bold {AHEAD}"), ("Yield Autopilot", "bold"))
        when = (f"{snapshot.at:%a %d %b %Y  %H:%M} UTC ", "bold")
        yield ends(title, Text.assemble((plain(self.caption), QUIET), "   ", when), width)
        yield from alerts
        yield Rig(console, snapshot, palette, fit.room, width, self.chosen).panel()
        yield beside
        if fit.log:
            yield _log(snapshot, palette, fit.log - 2)
        yield ends(Text(f" {plain(snapshot.state)}", QUIET), Text(f"{self.footer} ", QUIET), width)


def _alerts(console: Console, alerts: Sequence[str], width: int) -> Iterator[Text]:
    """What a person must know, each to its end where that takes no more than a few lines: the remedy stands last."""
    shown = list(alerts) if len(alerts) <= _MOST_ALERTS else [*alerts[: _MOST_ALERTS - 1], f"… and {len(alerts) - _MOST_ALERTS + 1} more"]
    for each in shown:
        for index, line in enumerate(clipped(console, Text(plain(each), f"bold {BAD}"), width - 3, _ALERT_LINES)):
            yield Text.assemble(("   " if index else " ! ", f"bold {BAD}"), line)


def _palette(snapshot: Snapshot) -> Palette:
    silent = snapshot.heartbeat.silent if snapshot.heartbeat else {}
    return Palette([*silent, *(each.venue.network for each in snapshot.devices), *(venue.network for venue in snapshot.market)])


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
            Text.assemble((switch.state.value, STATES[switch.state]), (f" after {span(switch.since - switch.opened_at)}", QUIET)),
        )
    return framed(table if snapshot.ended else Text("no switch has ended yet", QUIET), "lately", rows=lines)

"""Every device: what it is, where, what it earns and draws, and what the pilot says of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from autopilot.dashboard.marks import AHEAD, BACK, BAD, GOOD, QUIET, SLOW, Column, Palette, bar, clipped, framed, head, row
from autopilot.dashboard.snapshot import DeviceNow, OpenSwitch, Snapshot
from autopilot.dashboard.words import counted, money, plain, span
from autopilot.model.switch import State

STATES = {
    State.PREPARING: SLOW,
    State.DRAINING: SLOW,
    State.STOPPING: SLOW,
    State.STARTING: AHEAD,
    State.REVERTING: BACK,
    State.CLEARING: BACK,
    State.SETTLED: GOOD,
    State.REVERTED: BACK,
    State.CLEARED: BACK,
    State.STRANDED: BAD,
}
_GPU = Column("GPU", 9), Column("model", 9)
_WHERE = Column("where", 15), Column("for", 9)
_EARNS = Column("expected", 15, right=True), Column("", 15, right=True)
_DRAWS = Column("draws", 6, right=True), Column("", 6, right=True)
"""What matters, and what matters less: below it, or beside it where there is one line and much room."""
_FRAME = 4
_LEAST_WORDS = 40
"""The width of the sentences below which the GPUs' own figures are left out."""
_WIDE = 160
"""The width from where all of a device stands on one line, where it has no more."""
_LEAST_BAR, _MOST_BAR = 8, 30


@dataclass(frozen=True, slots=True)
class Room:
    """How the devices may be shown."""

    devices: int
    """How many of them."""
    lines: int
    """For each of them."""
    gap: int
    """Blank lines between two of them."""


@dataclass(frozen=True, slots=True)
class Rig:
    """The devices, laid out for a console."""

    console: Console
    snapshot: Snapshot
    palette: Palette
    room: Room
    width: int
    chosen: int | None = None
    """The device that a person has come to, by its place."""

    def panel(self) -> Panel:
        """In a frame that tells how many there are; the chosen one is always among those that are shown."""
        devices, room = self.snapshot.devices, self.room
        first = min(max(0, (self.chosen or 0) - room.devices + 1), max(0, len(devices) - room.devices))
        shown, columns = devices[first : first + room.devices], self._columns()
        lines = [head(columns)] if shown else [Text("no GPU is known yet", QUIET)]
        for index, each in enumerate(shown, first):
            lines += [Text()] * (room.gap if index > first else 0) + list(self._lines(columns, each, chosen=index == self.chosen))
        beat, hidden = self.snapshot.heartbeat, len(devices) - len(shown)
        title = counted(len(devices), "GPU") + (f", flown by {plain(beat.strategy)}" if beat else "")
        return framed(Group(*lines), title, subtitle=f"… and {hidden} more" if hidden else None)

    @property
    def _wide(self) -> bool:
        return self.room.lines == 1 and self.width >= _WIDE

    def _columns(self) -> list[Column]:
        """The GPUs' own figures are left out where the sentences would be left without room, or nothing is known of them."""
        names = max((2 + len(str(each.venue)) for each in self.snapshot.devices), default=0)
        where = replace(_WHERE[0], width=max(_WHERE[0].width, min(names, self.width // 6)))
        pairs = [_GPU, (where, _WHERE[1]), _EARNS, *([_DRAWS] if any(each.gauge for each in self.snapshot.devices) else [])]
        columns = [column for pair in pairs for column in pair[: 2 if self._wide else 1]]
        while (room := self.width - _FRAME - sum(each.width + 2 for each in columns)) < _LEAST_WORDS and columns[-1] is _DRAWS[0]:
            columns.pop()
        return [*columns, Column("what the pilot says", max(1, room))]

    def _lines(self, columns: Sequence[Column], each: DeviceNow, *, chosen: bool) -> Iterator[Text]:
        """What matters of a device, and below it what matters less."""
        facts = [*self._facts(each), *([gauge(each)] if _DRAWS[0] in columns else [])]
        words = self._words(each, columns[-1].width)
        words += [Text()] * (self.room.lines - len(words))
        for index, said in enumerate(words):
            cells = [text for fact in facts for text in fact] if self._wide else [fact[index] for fact in facts]
            if chosen:
                cells[0] = Text(f"{cells[0].plain:<{columns[0].width}}", "bold reverse")
            yield row(columns, [*cells, said])

    def _facts(self, each: DeviceNow) -> Iterator[tuple[Text, Text]]:
        dark = each.switch is not None and not each.switch.switch.state.leaving
        since = each.switch.switch.opened_at if each.switch else each.since
        rate = "dark" if dark else "–" if each.rate is None else f"{money(each.rate, 3)} $/h"
        earned = f"{money(each.totals.net)} $" if each.lately is None else f"realised {money(each.lately, 3)}"
        yield Text(plain(each.device.label), "bold"), Text(plain(each.device.model), QUIET)
        yield self.palette.venue(each.venue), Text(f"{'' if self._wide else '  '}{span(self.snapshot.at - since)}" if since else "", QUIET)
        yield Text(rate, f"bold {SLOW}" if dark else "bold"), Text(earned, QUIET)

    def _words(self, each: DeviceNow, width: int) -> list[Text]:
        """The last sentence about a device, below the progress of its switch where there is one."""
        if each.fence:
            return clipped(self.console, Text(f"fenced: {plain(each.fence)}", f"bold {BAD}"), width, self.room.lines)
        progress = [self._progress(each.switch, width)] if each.switch else []
        lines = self.room.lines - len(progress)
        if not lines:
            return progress
        words = Text(plain(each.sentence.removeprefix(f"{each.device.label}: ")))
        return [*progress, *clipped(self.console, self.palette.paint(words), width, lines)]

    def _progress(self, each: OpenSwitch, width: int) -> Text:
        """Where to, in which state, and how much of the time that it should take has gone by."""
        switch, style = each.switch, STATES[each.switch.state]
        line = Text.assemble("→ ", self.palette.venue(switch.target), "  ", (f"{switch.state:<9} ", style))
        if each.expected is None:
            return line
        spent = self.snapshot.at - switch.since
        times = f" {span(spent)} of about {span(each.expected)}"
        room = width - line.cell_len - len(times)
        style = f"bold {BAD}" if spent > 2 * each.expected else style
        if room < _LEAST_BAR:  # what is cut off is the name
            return Text.assemble(
                (f"{switch.state} {span(spent)} of {span(each.expected)}", style), " → ", self.palette.venue(switch.target)
            )
        line.append_text(bar(spent / each.expected, min(room, _MOST_BAR), style))
        return line.append(times, QUIET)


def gauge(each: DeviceNow) -> tuple[Text, Text]:
    """What the GPU draws, and how hot it is."""
    shown = each.gauge
    draw = "–" if shown is None or shown.draw is None else f"{float(shown.draw):.0f} W"
    return Text(draw), Text("–" if shown is None or shown.temperature is None else f"{shown.temperature} °C", QUIET)

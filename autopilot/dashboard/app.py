"""The dashboard's life: look, draw, listen to the keys. It can command nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autopilot.clock import stopwatch
from autopilot.dashboard.keys import Key, Pressed
from autopilot.dashboard.marks import framed
from autopilot.dashboard.panels import Screen
from autopilot.dashboard.pulse import runs, seen, troubles
from autopilot.dashboard.reading import Reader
from autopilot.dashboard.snapshot import DeviceNow, Snapshot
from autopilot.errors import StoreError

_BLINK = timedelta(milliseconds=250)
"""How soon a key, a new size or a new tick is seen."""
_STALE = 5.0
"""Seconds after which a frame is drawn anew though nothing has happened: ages grow."""
_LEAST = 1.0
"""Seconds from one reading to the next, however fast the daemon's time flies."""
_FOOTER = "↑↓ GPU · Enter why · Space hold · ? help · q ends"
_HELP = (
    ("↑ ↓ j k", "to a GPU"),
    ("Enter", "why it is where it is: every candidate, what going there costs, and at which rate it would go"),
    ("Esc", "back"),
    ("Space", "hold the picture still; the daemon flies on"),
    ("q Ctrl-C", "end the dashboard; the daemon flies on"),
    ("", ""),
    ("expected", "the rate in force an hour, less power; its occupancy is in it"),
    ("realised", "what the last 24 hours came to an hour: what was seen at work, less power and fees"),
    ("age", "how old the newest figure of a venue is; the best rate is bold, the small columns are the last 24 hours"),
    ("hired", "the published occupancy, and the one that our own hires make likely"),
    ("paid", "what the networks say they paid"),
    ("dark", "the time in which GPUs earned nothing because of switches"),
    ("vs staying", "the lead over never having moved since, by the mean of the same rates"),
    ("", ""),
    ("", "All days are days in UTC. The dashboard reads the state file, and can change nothing."),
)
"""Keys and words, and what they mean."""


class Page(StrEnum):
    """What is looked at."""

    RIG = "rig"
    WHY = "why"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a person has come to."""

    page: Page = Page.RIG
    chosen: int | None = 0
    """The device, by its place; None where nobody can choose."""
    still: bool = False
    """Whether the picture is held."""


def press(stand: Stand, key: Key, devices: int) -> Stand | None:
    """Where a key leads, with so many devices; None to the end."""
    chosen = stand.chosen or 0
    match key:
        case Key.QUIT:
            return None
        case Key.UP:
            return replace(stand, chosen=max(0, chosen - 1))
        case Key.DOWN:
            return replace(stand, chosen=max(0, min(devices - 1, chosen + 1)))
        case Key.ENTER:
            return replace(stand, page=Page.RIG if stand.page is Page.WHY else Page.WHY)
        case Key.BACK:
            return replace(stand, page=Page.RIG)
        case Key.PAUSE:
            return replace(stand, still=not stand.still)
        case Key.HELP:
            return replace(stand, page=Page.RIG if stand.page is Page.HELP else Page.HELP)


Why = Callable[[Snapshot, DeviceNow], RenderableType]
"""The page about one device."""


def frame(snapshot: Snapshot, stand: Stand, why: Why, trouble: str = "") -> RenderableType:
    """The picture of one instant."""
    if stand.page is Page.HELP:
        return _help()
    if stand.page is Page.WHY and snapshot.devices:
        return why(snapshot, snapshot.devices[min(stand.chosen or 0, len(snapshot.devices) - 1)])
    caption = "held still" if stand.still else _caption(snapshot)
    return Screen(snapshot, caption, _FOOTER, stand.chosen, alerts(snapshot, trouble))


def _help() -> Panel:
    words = Table.grid(padding=(0, 2, 0, 0))
    for word, meaning in _HELP:
        words.add_row(Text(word, "bold", no_wrap=True), Text(meaning))
    return framed(words, "keys and words", subtitle="Esc back")


def alerts(snapshot: Snapshot, trouble: str = "") -> list[str]:
    """What a person must know before all else."""
    beat, found = snapshot.heartbeat, [trouble] if trouble else []
    if beat is None:
        found.append("no daemon has flown by this state file; `autopilot run` starts one")
    elif runs(snapshot, beat) is False:
        found.append(f"the daemon was last seen {seen(snapshot, beat)}: not running? The nodes earn on; `autopilot run` starts it again")
    for each in snapshot.devices:
        if each.fence:
            found.append(f"{each.device.label} is fenced: {each.fence}")
        if each.gauge and each.gauge.ailment:
            found.append(f"{each.device.label}: {each.gauge.ailment}")
    return [*found, *troubles(beat)]


def _caption(snapshot: Snapshot) -> str:
    beat = snapshot.heartbeat
    if beat is None or beat.by_hand:
        return "demo" if beat else ""
    return f"{'live' if beat.live else 'dry run'}, last seen {seen(snapshot, beat)}"


def watch(reader: Reader, now: Callable[[], datetime], pressed: Pressed, why: Why, console: Console) -> None:
    """Show the rig until a person has seen enough. A state file that cannot be read for a while is said, and looked at again."""
    stand: Stand | None = Stand()
    eye = _Eye(reader, now)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        drawn, size, key = 0.0, console.size, None
        while stand is not None:
            fresh = not stand.still and eye.look()
            if fresh or key or console.size != size or stopwatch() - drawn > _STALE:
                live.update(frame(eye.snapshot, stand, why, eye.trouble), refresh=True)
                drawn, size = stopwatch(), console.size
            key = pressed(_BLINK)
            stand = press(stand, key, len(eye.snapshot.devices)) if key else stand


class _Eye:
    """The last good look at the state file."""

    def __init__(self, reader: Reader, now: Callable[[], datetime]) -> None:
        self._reader = reader
        self._now = now
        self.snapshot = reader.read(now())
        self.trouble = ""
        self._looked = stopwatch()

    def look(self) -> bool:
        """Look again where it is time; whether there is something new to draw."""
        waited = stopwatch() - self._looked
        try:
            if waited < _LEAST or (not self._reader.changed() and waited < _STALE):
                return False
            self.snapshot, self.trouble = self._reader.read(self._now()), ""
        except StoreError as error:
            self.trouble = str(error)
        self._looked = stopwatch()
        return True

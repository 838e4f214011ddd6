"""What is looked at every day: ``python benchmarks/daily.py [--short]`` prints a table of figures against their limits.

A rig of 64 GPUs of two models at 12 venues is flown for some days by the simulator, and lived through again and again backwards in time,
until its state file has quotes of 60 days and a year of decisions, switches and entries of the ledger. Then the real commands look at it:
the dashboard on a terminal of 200 x 60 beside a daemon that ticks three times as often as by default, and those that answer and end.
Seconds are those of one core, of a whole command with starting Python, best of three. ``--short`` flies and watches less, and fails only
where a figure is twice as bad as its limit.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import shlex
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from time import process_time
from typing import TypeVar

import numpy as np
from first_flight import Figure, run
from rich.console import Console

from autopilot.clock import SystemClock, stopwatch
from autopilot.dashboard.app import Stand, frame
from autopilot.dashboard.reading import Reader, read_heartbeat
from autopilot.dashboard.snapshot import Heartbeat, Snapshot
from autopilot.demo.world import START, Scene, generated, take_off
from autopilot.guards import chosen
from autopilot.model.device import Device, DeviceId
from autopilot.plugins import make_strategy
from autopilot.settings import GuardSettings
from autopilot.sim.clock import SimClock
from autopilot.sim.panel import Panel
from autopilot.store.schema import instant, stamp
from autopilot.store.store import Store
from autopilot.units import HOUR

T = TypeVar("T")
GPUS, MARKETS = 64, 3
"""Each of the four networks of the simulator is there three times."""
QUOTED, LIVED = timedelta(days=60), timedelta(days=365)
BEAT = timedelta(seconds=5)
WIDTH, HEIGHT = 200, 60
_WARM = timedelta(seconds=6)
"""How long a dashboard has to open its eyes before it is measured."""


def scene(days: float, gpus: int) -> Scene:
    """Two models, and 12 networks of four manners."""
    devices = tuple(Device(DeviceId(f"GPU-{n:08x}-0000"), "H100" if n % 4 == 0 else "RTX 4090", index=n) for n in range(gpus))
    drawn = [generated(devices, days, seed) for seed in range(MARKETS)]
    panels = {model: _beside([each.panels[model] for each in drawn]) for model in drawn[0].panels}
    return Scene(devices, panels, START, drawn[0].end, 7)


def _beside(panels: list[Panel]) -> Panel:
    """The networks of all of them, each with a name of its own."""
    names = [f"{network}-{number}" for number, panel in enumerate(panels) for network in panel.networks]
    order = sorted(range(len(names)), key=names.__getitem__)
    rates = np.concatenate([panel.rates for panel in panels], axis=1)[:, order]
    return Panel(panels[0].start, panels[0].gpu, tuple(names[place] for place in order), rates)


def build(path: Path, days: int, gpus: int = GPUS) -> None:
    """The state file of a year: some days that were flown, and the same days again before them."""
    flown = scene(days, gpus)
    clock = SimClock(flown.start)
    with closing(Store.open(path)) as store:
        store.connection.execute("PRAGMA synchronous=OFF")
        pilot = take_off(flown, clock, store, make_strategy("payback", {"horizon": "6h"}), chosen(GuardSettings()))
        while clock.now() < flown.end:
            pilot.poll()
            for _ in range(2):
                pilot.tick()
                clock.move_to(clock.now() + HOUR / 2)
        beat(store, clock.now(), flown.devices)
    _live_again(path, timedelta(days=days))


def beat(store: Store, now: datetime, devices: Sequence[Device] = ()) -> None:
    """A sign of life, as the daemon gives it; of the same rig as before, where none is named."""
    known = [[each.id, each.model, each.index] for each in devices or _seen(store).devices]
    body = {"strategy": "payback", "live": True, "tick_seconds": 15.0, "speed": 1.0, "by_hand": True, "silent": {}, "quarantine": {}}
    with store.atomic():
        store.journal.beat(now, START, os.getpid(), {**body, "devices": known})


def _seen(store: Store) -> Heartbeat:
    found = read_heartbeat(store)
    if found is None:
        raise RuntimeError("nobody has flown by the state file")
    return found


def _now(store: Store) -> datetime:
    return _seen(store).at


_TIMES = {"seen_at", "as_of", "expires", "hour", "start", "end", "at", "since", "opened_at"}
_TABLES = {"quotes": QUOTED, "ledger": LIVED, "decisions": LIVED, "switches": LIVED, "events": LIVED, "placements": LIVED}
"""Those that grow, and how far back they go."""


def _live_again(path: Path, span: timedelta) -> None:
    """The rows of the span, so many times before it. Rows that are numbered are numbered downwards: the older, the lower."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.create_function("back", 2, lru_cache(lambda text, times: text and stamp(instant(text) - times * span)))
        connection.create_function("renamed", 2, lambda name, times: name and f"{name} {times}")
        for table, length in _TABLES.items():
            connection.execute("BEGIN")
            connection.execute(f"CREATE TEMP TABLE lived AS SELECT * FROM {table}")  # noqa: S608
            columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
            picked = ", ".join(_another(name, kind) for _, name, kind, *_ in columns)
            again = f"INSERT INTO {table} SELECT {picked} FROM lived WHERE NOT {_OPEN.get(table, 'false')}"  # noqa: S608
            for times in range(1, -(-length // span)):
                connection.execute(again, {"times": times})
            connection.execute("DROP TABLE lived")
            connection.execute("COMMIT")


_OPEN = {"switches": "state NOT IN ('settled', 'reverted', 'cleared', 'stranded')"}


def _another(name: str, kind: str) -> str:
    """A column of a row as it was some spans before."""
    if name in _TIMES:
        return f'back("{name}", :times)'
    if name == "id" and kind == "INTEGER":
        return "id - :times * (SELECT max(id) FROM lived)"
    return f"renamed({name}, :times)" if name in ("id", "ref", "switch") else name


def answers(path: Path, folder: Path, times: int) -> Iterator[Figure]:
    """The commands that answer and end."""
    asked = (("explain", 1.0), ("explain GPU-3", 1.0), ("ledger", 1.0), ("status", 2.0), ("report page.html", 10.0))
    for command, limit in asked:
        least = min(run(f"{command} --state {shlex.quote(str(path))}", folder).core for _ in range(times))
        yield Figure(f"autopilot {command}", least, limit, "s of a core")


def pictures(path: Path) -> Iterator[Figure]:
    """What the dashboard does for a picture: it reads what is new, and draws."""
    with closing(Store.open(path)) as writer, closing(Store.read_only(path)) as store:
        reader, now = Reader(store, days=True), _now(writer)
        opened, snapshot = _timed(lambda: reader.read(now), 1)
        beat(writer, now)
        again, snapshot = _timed(lambda: reader.read(now), 3)
        yield Figure("the dashboard's first look at the state file", opened, 5.0, "s")
        yield Figure("a look at it after a tick", 1e3 * again, 100, "ms")
    drawn, _ = _timed(lambda: _draw(snapshot), 5)
    yield Figure(f"a frame of {WIDTH} x {HEIGHT} with {GPUS} GPUs", 1e3 * drawn, 50, "ms")


def _draw(snapshot: Snapshot) -> str:
    console = Console(file=io.StringIO(), width=WIDTH, height=HEIGHT, force_terminal=True, color_system="truecolor")
    with console.capture() as drawn:
        console.print(frame(snapshot, Stand(), lambda *_: ""))
    return drawn.get()


def _timed(work: Callable[[], T], times: int) -> tuple[float, T]:
    """The least core time of some runs, and what came of the last."""
    least = float("inf")
    for _ in range(times):
        began = process_time()
        made = work()
        least = min(least, process_time() - began)
    return least, made


def watching(path: Path, folder: Path, seconds: float) -> Iterator[Figure]:
    """The real dashboard on a terminal, and a daemon that beats beside it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    talk = (folder / "talk").open("wb")
    command = [sys.executable, "-m", "autopilot", "watch", "--state", str(path)]
    with talk, closing(Store.open(path)) as store:
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=talk, env={**os.environ, "TERM": "xterm-256color"})  # noqa: S603
        Thread(target=_read_all, args=(ours,), daemon=True).start()
        _beat_for(store, _WARM)
        before, began = _core_seconds(process.pid), stopwatch()
        _beat_for(store, timedelta(seconds=seconds))
        share = (_core_seconds(process.pid) - before) / (stopwatch() - began)
        megabytes = int(Path(f"/proc/{process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
        os.write(ours, b"q")
        code = process.wait(30)
    if code:
        raise RuntimeError(f"autopilot watch ended with {code}: {(folder / 'talk').read_text()[-500:]}")
    yield Figure("autopilot watch, with a tick every 5 s", 100 * share, 3, "% of a core")
    yield Figure("autopilot watch", megabytes, 100, "MB")


def _read_all(terminal: int) -> None:
    """A screen that nobody reads would stop the dashboard."""
    with suppress(OSError):
        while os.read(terminal, 1 << 16):
            pass


def _beat_for(store: Store, span: timedelta) -> None:
    clock, began = SystemClock(), stopwatch()
    while stopwatch() - began < span.total_seconds():
        beat(store, _now(store))
        clock.wait(BEAT, Event())


def _core_seconds(pid: int) -> float:
    """User and system, from the kernel's own count."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, *, short: bool) -> Iterator[Figure]:
    """Everything."""
    path = folder / "autopilot.db"
    began = stopwatch()
    build(path, 1 if short else 3)
    print(f"{path.stat().st_size / 1e6:,.0f} MB were built in {stopwatch() - began:.0f} s", file=sys.stderr)
    yield from pictures(path)
    yield from watching(path, folder, 15 if short else 60)
    yield from answers(path, folder, 2 if short else 3)


def main() -> int:
    """Print the table; 1 where a figure is worse than its limit, with ``--short`` twice as bad."""
    short = "--short" in sys.argv[1:]
    broken = 0
    print("| figure | measured | limit |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        for figure in measure(Path(name), short=short):
            print(f"| {figure.what} | {figure.value:,.3g} {figure.unit} | {figure.limit:g} |", flush=True)
            broken += figure.value > figure.limit * (2 if short else 1)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

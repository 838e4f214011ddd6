"""The demo flies by itself, the same way every time, and ends when it is told to."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from apscheduler.triggers.interval import IntervalTrigger
from typer.testing import CliRunner, Result

from autopilot.cli import demo, exit_code
from autopilot.daemon.gpus import simulated_devices
from autopilot.dashboard.reading import read
from autopilot.demo.flight import Flight
from autopilot.demo.world import generated, take_off
from autopilot.errors import AutopilotError, ConfigError, DataError
from autopilot.model.switch import State
from autopilot.plugins import make_strategy
from autopilot.sim.clock import SimClock
from autopilot.sim.timetable import SimTimetable
from autopilot.store.store import Store
from autopilot.units import HOUR

Run = Callable[..., Result]
RIG = "2 x RTX 4090, H100"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder, where stdout is no terminal."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(rich_markup_mode=None)
    demo.register(app)
    return lambda *words: CliRunner().invoke(app, [*words])


def flown(run: Run, *words: str) -> dict[str, Any]:
    """What a flight came to, as JSON."""
    result = run("--json", *words)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def failed(result: Result, kind: type[AutopilotError]) -> str:
    """The one line of a command that was refused."""
    assert isinstance(result.exception, kind), result.output
    assert exit_code(result.exception) == 2
    return str(result.exception)


def test_a_flight_is_the_same_for_the_same_seed(run: Run) -> None:
    """To the last digit, but for the name of the state file; and another seed is another flight."""
    first, second = (flown(run, "--days", "2", "--gpus", RIG, "--state", name) for name in ("a.db", "b.db"))

    assert ("a.db", "b.db") == (first.pop("state"), second.pop("state"))
    assert first == second
    assert first["net_usd"] != flown(run, "--days", "2", "--gpus", RIG, "--seed", "8")["net_usd"]


def test_the_sum_is_what_the_state_file_says(run: Run) -> None:
    """The file is the daemon's own: ledger, journal and placements."""
    told = flown(run, "--days", "2", "--gpus", RIG, "--state", "kept.db")
    with closing(Store.read_only(Path("kept.db"))) as store:
        switches = store.journal.switches()
        arrivals = {arrival.device: str(arrival.venue) for arrival in store.journal.arrivals()}
        totals = store.ledger.totals()

    assert (float(totals.net), totals.dark / HOUR) == (told["net_usd"]["autopilot"], told["dark_hours"])
    assert (len(switches), sum(each.state is State.REVERTED for each in switches), 0) == (
        told["switches"], told["reverted"], told["stranded"],
    )  # fmt: skip
    assert set(told["placements"].values()) <= set(arrivals.values())
    assert (2.0, ["RTX 4090", "RTX 4090", "H100"], 7) == (told["days"], told["gpus"], told["seed"])
    assert told["net_usd"].keys() == {"autopilot", "stay", "greedy"}


def test_where_stdout_is_no_terminal_the_sum_is_a_table(run: Run) -> None:
    """No screen, no escape codes; and a state file that nobody asked to keep is gone."""
    result = run("--days", "1", "--gpus", "RTX 4090")

    assert result.exit_code == 0, result.output
    assert all(words in result.stdout for words in ("this autopilot", "stayed put", "always the best now", "switches", "--state demo.db"))
    assert "\x1b" not in result.stdout
    assert [] == list(Path().iterdir())


def test_a_recorded_file_is_replayed_with_its_own_gpus(run: Run) -> None:
    """Two models, four GPUs of the first and two of the second; it ends where the file ends."""
    rows = ["timestamp,network,gpu,usd_per_hour"]
    rows += [
        f"2026-03-{1 + hour // 24:02}T{hour % 24:02}:00:00Z,{network},{gpu},{rate}"
        for hour in range(40)
        for gpu in ("A100", "rtx4090")
        for network, rate in (("akash", 0.5), ("vast", 0.6 if hour < 20 else 0.2))
    ]
    Path("rates.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    told = flown(run, "--rates", "rates.csv")

    assert ["A100"] * 4 + ["rtx4090"] * 2 == told["gpus"]
    assert 30 / 24 == told["days"]
    assert {"akash"} == set(told["placements"].values())
    assert told["net_usd"]["autopilot"] > told["net_usd"]["stay"] > 0


@pytest.mark.parametrize(
    ("words", "kind", "line"),
    [
        (("--gpus", "4 x Voodoo 2"), ConfigError, "no market is generated for 'Voodoo 2'"),
        (("--gpus", "0 x H100"), ConfigError, "--gpus: "),
        (("--speed", "30"), ConfigError, "--speed: "),
        (("--speed", "0m"), ConfigError, "--speed: "),
        (("--rates", "nothing.csv"), DataError, "nothing.csv: no such file"),
        (("--state", "taken.db"), ConfigError, "--state: taken.db is there already"),
    ],
)
def test_what_cannot_be_flown_is_one_line(run: Run, words: tuple[str, str], kind: type[AutopilotError], line: str) -> None:
    """It names the option or the file, and nothing was done."""
    Path("taken.db").write_bytes(b"")
    said = failed(run("--days", "1", *words), kind)

    assert said.startswith(line)
    assert "\n" not in said
    assert [Path("taken.db")] == list(Path().iterdir())


def test_a_reader_sees_the_flight_while_it_flies(tmp_path: Path) -> None:
    """The screen is drawn from the state file alone: the devices, an open switch with its progress, the market."""
    path = tmp_path / "autopilot.db"
    with closing(Store.open(path)) as store, closing(Store.read_only(path)) as reader:
        flight = Flight(generated(simulated_devices(("2 x RTX 4090",)), 1, 7), store, 1800)
        flight.fly_to(flight.scene.start + timedelta(minutes=4))
        snapshot = read(reader, flight.clock.now(), flight.controls)

    assert ["GPU-0", "GPU-1"] == [each.device.label for each in snapshot.devices]
    assert all(each.switch and each.switch.switch.state is State.STARTING and each.switch.expected for each in snapshot.devices)
    assert {"akash", "bittensor", "nosana", "render"} == {venue.network for venue in snapshot.market}
    assert ["stayed put", "always the best now"] == [control.name for control in snapshot.controls]


def test_pilots_of_one_scene_do_not_disturb_each_other() -> None:
    """Two that decide alike earn alike, faults and all: the controls have the autopilot's luck, and take nothing from it."""
    scene = generated(simulated_devices(("2 x RTX 4090",)), 2, 7)
    clock = SimClock(scene.start)
    timetable = SimTimetable(clock)
    pilots = [take_off(scene, clock, Store.in_memory(), make_strategy("greedy", {})) for _ in range(2)]
    for pilot in pilots:
        timetable.add_job(pilot.poll, IntervalTrigger(hours=1, timezone=UTC), id="poll", next_run_time=scene.start)
        timetable.add_job(pilot.tick, IntervalTrigger(minutes=3, timezone=UTC), id="tick", next_run_time=scene.start)
    timetable.run_until(scene.end)
    first, second = (pilot.world.store for pilot in pilots)

    assert first.ledger.totals() == second.ledger.totals()
    assert first.journal.events() == second.journal.events() != []


@contextmanager
def terminal(folder: Path, *words: str, rows: int = 24, columns: int = 80) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The demo on a terminal of this size."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    command = [sys.executable, "-c", "import typer; from autopilot.cli.demo import demo; typer.run(demo)", *words]
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, cwd=folder, env=environment, start_new_session=True
    )
    os.close(follower)
    try:
        yield process, leader
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def output(leader: int, until: str = "\0") -> str:
    """What the terminal shows until some words come, or until the program ends."""
    shown = b""
    with suppress(OSError):
        while until.encode() not in shown and (more := os.read(leader, 65_536)):
            shown += more
    return shown.decode(errors="replace")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_screen_with_a_sum(tmp_path: Path, number: signal.Signals) -> None:
    """The terminal is given back, the state file is kept, and the exit code is 0."""
    with terminal(tmp_path, "--gpus", RIG, "--state", "kept.db") as (process, leader):
        screen = output(leader, until="Ctrl-C ends")
        process.send_signal(number)
        rest = output(leader)

        assert process.wait(timeout=60) == 0
        assert "GPU-2" in screen
        assert "\x1b[?1049h" in screen
        assert "\x1b[?1049l" in rest
        assert "autopilot status --state kept.db" in rest[rest.index("\x1b[?1049l") :]
        assert "Traceback" not in rest
    with closing(Store.read_only(tmp_path / "kept.db")) as store:
        assert 3 == len(store.journal.switches())


def test_the_screen_ends_with_the_market(tmp_path: Path) -> None:
    """A flight of a day at a day a second is soon over."""
    with terminal(tmp_path, "--gpus", "RTX 4090", "--days", "1", "--speed", "1d") as (process, leader):
        rest = output(leader)

        assert process.wait(timeout=60) == 0
        assert "1 day with 1 GPU," in rest

"""``autopilot status`` answers soon, tells the truth about the daemon, and changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from autopilot.cli import exit_code, status
from autopilot.clock import SystemClock
from autopilot.errors import AutopilotError, ConfigError, StoreError
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.plan import PlanId
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.store.journal import Arrival
from autopilot.store.store import Store
from shared.daemons import heartbeat

AKASH, NOSANA = Venue(NetworkId("akash")), Venue(NetworkId("nosana"))
BODY = heartbeat(["id-0", "RTX 4090", 0], ["id-1", "H100", 1])
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(rich_markup_mode=None)
    status.register(app)
    return lambda *words: CliRunner().invoke(app, list(words))


def fly(name: str = "autopilot.db", ago: timedelta = timedelta(0), **body: Any) -> datetime:
    """A state file whose daemon was seen some time ago; when that was."""
    at = SystemClock().now() - ago
    with closing(Store.open(Path(name))) as store, store.atomic():
        store.journal.beat(at, at - timedelta(days=1), 42, {**BODY, **body})
        store.journal.arrive(Arrival(at - timedelta(minutes=200), DeviceId("id-0"), AKASH, "switched"))
    return at


def failed(result: Result, kind: type[AutopilotError], code: int) -> str:
    """The one line of a command that failed so."""
    assert isinstance(result.exception, kind)
    assert code == exit_code(result.exception)
    assert result.stdout == ""
    return str(result.exception)


def test_every_device_has_a_line(run: Run) -> None:
    """Label, model, venue and since when; one that never arrived anywhere is idle."""
    fly()
    _, head, first, second = run().stdout.splitlines()

    assert ["GPU", "model", "venue", "since", "$/h", "net", "$", "switch"] == head.split()
    assert ["GPU-0", "RTX", "4090", "akash", "3", "h", "20", "m", "?", "0.00"] == first.split()
    assert ["GPU-1", "H100", "idle", "0.000", "0.00"] == second.split()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, " s ago, flying by payback"), (40, " s ago, flying by payback"), (61, " s ago: not running?"), (600, "10 m ago: not running?")],
)
def test_a_daemon_that_missed_four_ticks_is_not_believed_to_run(run: Run, seconds: int, words: str) -> None:
    """It ticks every 15 s here."""
    fly(ago=timedelta(seconds=seconds))

    assert words in run().stdout


def test_a_dry_daemon_says_so(run: Run) -> None:
    """Whoever waits for a move must know that none will come."""
    fly(live=False)

    assert "dry: it moves nothing" in run().stdout


def test_networks_that_do_not_answer_are_named(run: Run) -> None:
    """Silence passes by itself; a quarantine needs a person."""
    fly(silent={"akash": "timed out"}, quarantine={"render": "wrong key"})
    text = run().stdout

    assert "akash gave no answer to the last poll: timed out" in text
    assert "render is not asked any more: wrong key; correct it, then start the daemon again" in text


def test_a_strategy_that_could_not_learn_says_so(run: Run) -> None:
    """It flies on as it was, and nobody has to guess why it is no wiser."""
    fly(ignorance="forecast could not learn, and flies on as it was: the process that learned ended with -9")

    assert "forecast could not learn, and flies on as it was: the process that learned ended with -9" in run().stdout
    assert "could not learn" in json.loads(run("--json").stdout)["daemon"]["ignorance"]
    fly()
    assert "could not learn" not in run().stdout


def test_open_switches_and_fences_are_shown(run: Run) -> None:
    """What is under way, and what waits for a person."""
    at = fly()
    with closing(Store.open(Path("autopilot.db"))) as store, store.atomic():
        opened = at - timedelta(minutes=7)
        store.journal.open(Switch(SwitchId("p/0"), PlanId("p"), DeviceId("id-0"), AKASH, NOSANA, State.DRAINING, opened, opened), "so")
        store.journal.fence(DeviceId("id-1"), at, "seen twice")
    text = run().stdout

    assert "to nosana: draining for 7 m" in text
    assert "GPU-1 is fenced, and nothing is started on it: seen twice" in text


def test_json_says_the_same(run: Run) -> None:
    """For a script: numbers are numbers, and what is not known is null."""
    at = fly()
    told = json.loads(run("--json").stdout)
    daemon, (first, second) = told["daemon"], told["devices"]

    assert (at.isoformat(), True, "payback", 42) == (daemon["last_seen"], daemon["running"], daemon["strategy"], daemon["process"])
    assert daemon["seconds_ago"] < 60
    assert ("GPU-0", "RTX 4090", "akash", None) == (first["label"], first["model"], first["venue"], first["usd_per_hour"])
    assert ("idle", None, None, 0.0) == (second["venue"], second["since"], second["switch"], second["net_usd"])


def test_the_time_of_a_demo_stands_still(run: Run) -> None:
    """Its clock was moved by hand: how long ago that was says nothing about a daemon."""
    fly(ago=timedelta(days=300), by_hand=True, speed=1800.0)

    assert "A demo flew this, by payback; its time stands at" in run().stdout
    assert None is json.loads(run("--json").stdout)["daemon"]["running"]
    assert "3 h 20 m" in run().stdout


def test_a_rig_that_flies_faster_than_life_is_judged_by_its_own_clock(run: Run) -> None:
    """An hour of its time is 36 s of ours at a hundredfold speed."""
    origin = SystemClock().now() - timedelta(hours=1)
    Path("autopilot.db.clock").write_text(origin.isoformat(), encoding="utf-8")
    there = origin + timedelta(hours=100) - timedelta(hours=1)
    fly(ago=SystemClock().now() - there, speed=100.0)
    daemon = json.loads(run("--json").stdout)["daemon"]

    assert 36 <= daemon["seconds_ago"] < 60
    assert daemon["running"] is False


def test_a_state_file_that_nobody_flew_says_so(run: Run) -> None:
    """No table, no error."""
    Store.open(Path("autopilot.db")).close()

    assert "No daemon has flown by this state file; `autopilot run` starts one\n" == run().stdout
    assert None is json.loads(run("--json").stdout)["daemon"]


def test_the_state_file_is_found_as_the_daemon_finds_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option, the variable, the configuration and the usual name, in this order."""
    for name in ("usual.db", "other.db", "variable.db", "option.db"):
        fly(name)
    Path("autopilot.db").symlink_to("usual.db")
    Path("other.toml").write_text('state = "other.db"\n', encoding="utf-8")

    def found(*words: str) -> str:
        return str(json.loads(run("--json", *words).stdout)["state"])

    assert "autopilot.db" == found()
    assert "other.db" == found("--config", "other.toml")

    Path("autopilot.toml").write_text('state = "usual.db"\n', encoding="utf-8")

    assert "usual.db" == found()

    monkeypatch.setenv("AUTOPILOT_STATE", "variable.db")

    assert "variable.db" == found("--config", "other.toml")
    assert "option.db" == found("--state", "option.db")


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough to be taken for one" * 40])
def test_a_file_that_cannot_be_used_is_one_line(run: Run, content: bytes | None) -> None:
    """Missing, empty or foreign: exit code 3, and the line names the file."""
    if content is not None:
        Path("x.db").write_bytes(content)
    line = failed(run("--state", "x.db"), StoreError, 3)

    assert line.startswith("x.db: ")
    assert "\n" not in line


@pytest.mark.parametrize("content", [None, "state = [1]\n", "state = \n"])
def test_a_configuration_that_cannot_be_read_is_one_line(run: Run, content: str | None) -> None:
    """Exit code 2, and a way around it."""
    if content is not None:
        Path("bad.toml").write_text(content, encoding="utf-8")
    line = failed(run("--config", "bad.toml"), ConfigError, 2)

    assert line.startswith("bad.toml: cannot be read: ")
    assert line.endswith("name the state file with --state")


def test_nothing_heavy_is_loaded(run: Run, tmp_path: Path) -> None:
    """It must answer at once: no numbers, no settings machinery, no scheduler, no tables."""
    fly()
    assert run().exit_code == 0
    heavy = {"numpy", "pandas", "pyarrow", "pydantic_settings", "apscheduler", "rich", "httpx"}
    code = f"import sys; from autopilot.cli import status; status.status(); sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "set()" == done.stderr.strip()


def test_a_spreadsheet_has_units_in_its_columns(run: Run) -> None:
    """One line a GPU; what is not known is empty, and not zero."""
    fly()
    head, first, second = run("--csv").stdout.splitlines()

    assert "id,label,model,venue,since,usd_per_hour,net_usd,target,switch_state,switch_opened_at,fence" == head
    assert first.startswith("id-0,GPU-0,RTX 4090,akash,20")
    assert first.endswith(",,0.0,,,,")
    assert "id-1,GPU-1,H100,idle,,0.0,0.0,,,," == second


def test_where_nothing_can_be_written_the_exit_code_still_tells(tmp_path: Path) -> None:
    """The disk that is full may hold the log as well: the code is that of the trouble, and not of what could not be said about it."""
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "autopilot", "status", "--state", "missing.db"]
        done = subprocess.run(command, cwd=tmp_path, stderr=full, check=False)

    assert 3 == done.returncode

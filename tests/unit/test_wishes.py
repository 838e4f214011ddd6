"""What a person asks for is written as a row, said back, listed and taken back, whether a daemon flies or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autopilot.cli import app, exit_code
from autopilot.clock import SystemClock
from autopilot.errors import AutopilotError, ConfigError, StoreError
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.market import NoQuote
from autopilot.store.store import Store
from autopilot.store.wishes import Want, Wish
from autopilot.testing.views import START
from autopilot.units import span_of
from shared.daemons import heartbeat

BODY = heartbeat(["GPU-8f0e1111-aa", "RTX 4090", 0], ["GPU-8f0e2222-bb", "H100", 1])
ZERO, ONE = DeviceId("GPU-8f0e1111-aa"), DeviceId("GPU-8f0e2222-bb")
AKASH, SMALL, LARGE = (Venue(NetworkId(network), market) for network, market in (("akash", ""), ("nosana", "small"), ("nosana", "large")))
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder with a state file, whose daemon was seen three hours ago and knows two GPUs and three venues."""
    monkeypatch.chdir(tmp_path)
    with closing(Store.open(Path("autopilot.db"))) as store, store.atomic():
        at = SystemClock().now() - timedelta(hours=3)
        store.journal.beat(at, at, 42, BODY)
        store.rates.record((NoQuote(venue, ZERO, at, "full", at), "RTX 4090") for venue in (AKASH, SMALL, LARGE))
    return lambda *words: CliRunner().invoke(app, list(words))


def standing() -> list[tuple[str, str | None, str | None]]:
    """What is asked for: what, of whom, and where."""
    with closing(Store.read_only(Path("autopilot.db"))) as store:
        wishes = store.wishes.standing(SystemClock().now())
    return [(wish.want.value, wish.device, wish.venue and str(wish.venue)) for wish in wishes]


def failed(result: Result, kind: type[AutopilotError] = ConfigError, code: int = 2) -> str:
    """The one line of a command that failed so, and wrote nothing."""
    assert isinstance(result.exception, kind)
    assert (code, "") == (exit_code(result.exception), result.stdout)
    return str(result.exception)


@pytest.mark.parametrize(
    ("words", "said", "row"),
    [
        (["pause"], "The rig is paused until `autopilot resume`", ("pause", None, None)),
        (["hold", "GPU-1"], "GPU-1 is held where it is until `autopilot resume`", ("hold", ONE, None)),
        (["pin", "0", "nosana/small"], "GPU-0 is pinned to nosana/small until `autopilot resume`", ("pin", ZERO, "nosana/small")),
        (["pin", "0", "idle"], "GPU-0 is pinned to idle until `autopilot resume`", ("pin", ZERO, "idle")),
        (["move", "GPU-8f0e2", "akash"], "GPU-1 is to be moved to akash once", ("move", ONE, "akash")),
        (["ban", "akash"], "akash is banned until `autopilot resume`", ("ban", None, "akash")),
        (["ban", "akash", "--gpu", "0"], "akash is banned for GPU-0 until `autopilot resume`", ("ban", ZERO, "akash")),
    ],
)
def test_a_wish_is_a_row_and_is_said_back(run: Run, words: list[str], said: str, row: tuple[str, str | None, str | None]) -> None:
    """It waits for the daemon, which was not seen for long: that is said, too."""
    result = run(*words)

    assert (0, f"{said}\n") == (result.exit_code, result.stdout)
    assert "The daemon was last seen 3 h 00 m ago: not running?" in result.stderr
    assert [row] == standing()


def test_all_is_every_gpu_and_a_network_is_all_its_venues(run: Run) -> None:
    """One row for each."""
    run("hold", "all")
    run("ban", "nosana", "--for", "2h")

    assert [("hold", ZERO, None), ("hold", ONE, None), ("ban", None, "nosana/large"), ("ban", None, "nosana/small")] == standing()


def test_a_wish_may_end_by_itself(run: Run) -> None:
    """Its end is said with it, and a loan always has one."""
    assert " until 20" in run("pin", "0", "akash", "--for", "2h30m").stdout
    assert "GPU-1 is lent until 20" in run("lend", "1", "3h").stdout
    with closing(Store.read_only(Path("autopilot.db"))) as store:
        now = SystemClock().now()

        assert [2, 1, 0] == [len(store.wishes.standing(now + timedelta(hours=hours))) for hours in (2.4, 2.9, 3.1)]
        assert [ONE] == list(store.wishes.lent(now))


def test_where_a_gpu_is_wanted_is_asked_once(run: Run) -> None:
    """The newest of hold, pin and move counts; other GPUs and other matters are left alone."""
    for words in (
        ["hold", "all"],
        ["ban", "nosana/small"],
        ["ban", "nosana/large"],
        ["pin", "0", "akash"],
        ["move", "0", "akash"],
        ["pause"],
    ):
        run(*words)
    run("pause", "--for", "1h")

    rows = [
        ("hold", ONE, None),
        ("ban", None, "nosana/small"),
        ("ban", None, "nosana/large"),
        ("move", ZERO, "akash"),
        ("pause", None, None),
    ]
    assert rows == standing()


def test_what_was_asked_is_taken_back(run: Run) -> None:
    """The pause by itself, a GPU with all that was asked of it, a venue or a network with its bans, and all of it."""
    for words in (["pause"], ["pin", "0", "akash"], ["lend", "0", "3h"], ["ban", "nosana"], ["hold", "1"]):
        run(*words)

    assert "Taken back: pause\n" == run("resume").stdout
    assert "Taken back: pin GPU-0 to akash\nTaken back: lend GPU-0 until" in run("resume", "GPU-0").stdout
    assert "Taken back: ban nosana/small\n" == run("resume", "nosana/small").stdout
    assert "Taken back: ban nosana/large\n" == run("resume", "nosana").stdout
    assert "Taken back: hold GPU-1\n" == run("resume", "all").stdout
    assert [] == standing()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["hold", "GPU-7"], "no GPU is called 'GPU-7'; did you mean GPU-"),
        (["hold", "GPU-8f0e"], "'GPU-8f0e' may be any of GPU-0, GPU-1: write more of the UUID"),
        (["pin", "0", "akasch"], "no venue is called 'akasch'; did you mean akash?"),
        (["pin", "0", "nosana"], "nosana has several venues: name one of nosana/large, nosana/small"),
        (["ban", "idle"], "idle cannot be banned: a GPU must be able to be nowhere"),
        (["pause", "--for", "2"], "--for: '2' is no duration; write it with its unit: 15m, 0.25h, 2h30m, 7d"),
        (["lend", "0", "0h"], "must be longer than nothing and not longer than a year, is 0h"),
        (["resume"], "the rig is not paused; `autopilot status` lists what is asked"),
        (["resume", "GPU-0"], "nothing is asked of GPU-0"),
        (["resume", "salad"], "no GPU is called 'salad'"),
    ],
)
def test_a_slip_of_the_hand_is_one_line_and_asks_nothing(run: Run, words: list[str], line: str) -> None:
    """What is wrong, and what there is."""
    assert line in failed(run(*words))
    assert [] == standing()


def test_nobody_is_sent_to_a_banned_venue(run: Run) -> None:
    """A ban for one GPU leaves it open to another."""
    run("ban", "akash", "--gpu", "0")

    assert "akash is banned; `autopilot resume akash` takes that back" == failed(run("move", "all", "akash"))
    assert [("ban", ZERO, "akash")] == standing()
    assert 0 == run("pin", "1", "akash").exit_code


def test_where_nothing_flew_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wish needs a state file, and a GPU that is known in it."""
    monkeypatch.chdir(tmp_path)

    failed(CliRunner().invoke(app, ["pause"]), StoreError, 3)
    assert not Path("autopilot.db").exists()
    Store.open(Path("autopilot.db")).close()

    assert "no GPU is known: the daemon has not flown by this state file yet" in failed(CliRunner().invoke(app, ["hold", "0"]))


def test_status_lists_what_stands_and_what_came_of_the_rest(run: Run) -> None:
    """For people and for programs; what ended longer than a day ago is left out."""
    run("ban", "nosana/small", "--gpu", "1")
    run("move", "0", "akash")
    with closing(Store.open(Path("autopilot.db"))) as store:
        store.wishes.end(2, SystemClock().now(), "failed: it ended reverted, no image")
        old = store.wishes.add(Wish(Want.PAUSE, START))
        store.wishes.end(old, START, "taken back")

    text, listed = run("status").stdout, json.loads(run("status", "--json").stdout)["wishes"]
    assert "Asked by a person:\n  ban nosana/small for GPU-1, 0 m ago\n" in text
    assert "  move GPU-0 to akash: failed: it ended reverted, no image, 0 m ago\n" in text
    assert [("move", ZERO, "akash", "failed: it ended reverted, no image"), ("ban", ONE, "nosana/small", None)] == [
        (each["want"], each["device"], each["venue"], each["outcome"]) for each in listed
    ]


def test_a_daemon_that_writes_in_between_is_no_obstacle(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command has looked up does not keep it from writing after the daemon has."""

    def meanwhile(option: str, text: str) -> timedelta:  # noqa: ARG001
        with closing(Store.open(Path("autopilot.db"))) as store:
            store.journal.beat(SystemClock().now(), START, 42, BODY)
        return span_of(text)

    monkeypatch.setattr("autopilot.cli.wishes.span", meanwhile)

    assert 0 == run("pin", "0", "akash", "--for", "2h").exit_code
    assert [("pin", ZERO, "akash")] == standing()

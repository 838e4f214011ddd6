"""``autopilot rates``: what every network would pay now, where it comes from, and what is kept of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from autopilot.clock import SystemClock
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.market import Basis, Quote
from autopilot.store.store import Store
from autopilot.units import UsdPerHour
from shared.servers import HERE, Desk, running

CONFIG = """
[power]
price = "0.12 $/kWh"
lit = "320 W"
idle = "20 W"
[networks.akash]
adapter = "simulator"
[networks.nosana]
adapter = "simulator"
"""


def autopilot(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, in a folder with a configuration of two simulated networks."""
    config = folder / "autopilot.toml"
    if not config.exists():
        config.write_text(CONFIG)
    command = [sys.executable, "-m", "autopilot", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def offers(tmp_path: Path) -> list[dict[str, object]]:
    """What is offered for one GPU, as JSON."""
    done = autopilot(tmp_path, "rates", "--gpu", "RTX 4090", "--json")
    assert "" == done.stderr
    answers: list[dict[str, object]] = json.loads(done.stdout)
    return answers


def test_net_is_expected_less_power(offers: list[dict[str, object]]) -> None:
    """300 W more at work than at rest, at 0.12 $/kWh, are 0.036 $ an hour."""
    for offer in offers:
        assert 0.036 == offer["power_usd_per_hour"]
        assert float(str(offer["expected_usd_per_hour"])) - 0.036 == pytest.approx(float(str(offer["net_usd_per_hour"])))


def test_the_best_comes_first(offers: list[dict[str, object]]) -> None:
    """Every network answers, and the table is in the order of what would be left."""
    assert {"akash", "nosana"} == {offer["network"] for offer in offers}
    nets = [float(str(offer["net_usd_per_hour"])) for offer in offers]
    assert sorted(nets, reverse=True) == nets


def test_one_network_is_explained(tmp_path: Path) -> None:
    """From the source to what is left, and nothing of the others."""
    done = autopilot(tmp_path, "rates", "--gpu", "RTX 4090", "--explain", "nosana")

    assert 0 == done.returncode
    assert "RTX 4090 at nosana" in done.stdout
    assert "power 0.036000 $/h; net" in done.stdout
    assert "no limit to the GPUs of yours; all are paid alike" in done.stdout
    assert "akash" not in done.stdout


def test_recording_keeps_answers_and_decides_nothing(tmp_path: Path) -> None:
    """One look at two networks for two GPUs are four answers in the state file, and no decision."""
    autopilot(tmp_path, "init", "unused.toml")
    (tmp_path / "autopilot.toml").write_text('[rig]\nsimulated = ["2 x H100"]\n' + CONFIG)

    done = autopilot(tmp_path, "rates", "record", "--once")

    assert "2 networks asked; all answered" in done.stdout
    store = Store.read_only(tmp_path / "autopilot.db")
    assert 4 == len(list(store.rates.answers()))
    assert [] == list(store.journal.rulings())
    store.close()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("rates",), "no GPU to ask for"),
        (("rates", "--gpu", "H100", "--explain", "nosna"), "no network is called 'nosna'; did you mean nosana?"),
        (("rates", "fetch", "nosna", "--gpu", "H100", "--since", "2026-01-01T00:00:00Z"), "did you mean nosana?"),
        (("rates", "fetch", "akash", "--gpu", "H100", "--since", "2026-01-01T00:00:00Z"), "akash publishes no past rates"),
        (("rates", "fetch", "akash", "--gpu", "H100", "--since", "2026-01-01"), "has no zone"),
        (("rates", "--gpu", "H1000"), "no market is generated for 'H1000'"),
    ],
)
def test_what_cannot_be_asked_is_one_line(tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    """What is wrong, what to do, and exit code 2."""
    done = autopilot(tmp_path, *words)

    assert line in done.stderr
    assert 1 == len(done.stderr.splitlines())
    assert 2 == done.returncode


def test_the_last_quotes_of_a_silent_network_are_shown_while_they_count(tmp_path: Path) -> None:
    """An outage hides nothing that is still true: the rate stands in the table with its age, and the outage below it."""
    now = SystemClock().now()
    rate, asked = UsdPerHour.of("0.4321"), now - timedelta(hours=1)
    venues = {name: Venue(NetworkId("akash"), name) for name in ("fresh", "stale")}
    quotes = [
        (Quote(venues["fresh"], DeviceId("x"), rate, asked, asked, now + timedelta(hours=1), Basis.ASK, "then"), "RTX 4090"),
        (Quote(venues["stale"], DeviceId("x"), rate, asked, asked, now - timedelta(minutes=1), Basis.ASK, "then"), "RTX 4090"),
    ]
    store = Store.open(tmp_path / "autopilot.db")
    with store.atomic():
        store.rates.record(quotes)
    store.close()
    (tmp_path / "autopilot.toml").write_text('[networks.akash]\nadapter = "simulator"\nrates = "silent.csv"\n')
    (tmp_path / "silent.csv").write_text("timestamp,network,gpu,usd_per_hour\n2020-01-01T00:00:00Z,akash,RTX 4090,1\n")

    done = autopilot(tmp_path, "rates", "--gpu", "RTX 4090")

    assert "0.432" in done.stdout
    assert "akash/fresh" in done.stdout
    assert "akash/stale" not in done.stdout
    assert "akash: no answer: no answer; its last rates still count" in done.stdout


class _Slow(Desk):
    """A network that takes its time."""

    go = threading.Event()

    def answer(self) -> None:
        self.go.wait(60)
        self.say_json({"price": 0.7654})


@pytest.fixture
def slow() -> Iterator[ThreadingHTTPServer]:
    """Its server on this machine."""
    with running(ThreadingHTTPServer(HERE, _Slow), at_end=_Slow.go.set) as server:
        yield server


def test_a_terminal_shows_the_rates_as_they_come_in(tmp_path: Path, slow: ThreadingHTTPServer) -> None:
    """Those of the quick networks stand there while the slow one is still asked; then the whole table does."""
    network = f'[networks.acme]\ntype = "http"\nurl = "http://127.0.0.1:{slow.server_port}/"\nprice = "price"\nunit = "$/h"\n'
    (tmp_path / "autopilot.toml").write_text(f'{CONFIG}{network}basis = "ask"\noccupancy = 1\nmodels = {{ "RTX 4090" = "4090" }}\n')
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "autopilot", "rates", "--gpu", "RTX 4090"]
    window = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs, env=window) as asking:
        os.close(theirs)
        shown = _read(ours, lambda text: "asking acme …" in text and "akash" in text)

        assert "asking acme …" in shown
        assert "0.765" not in shown
        _Slow.go.set()
        whole = _read(ours, lambda _: False)
    os.close(ours)

    assert 0 == asking.returncode
    assert "0.765" in whole.rpartition("What one GPU would earn")[2]
    assert "asking" not in whole.rpartition("What one GPU would earn")[2]


def _read(terminal: int, enough: Callable[[str], bool]) -> str:
    """What a terminal shows, until that is enough or nothing more comes."""
    text = ""
    with suppress(OSError):
        while not enough(text) and (piece := os.read(terminal, 65536)):
            text += piece.decode()
    return text

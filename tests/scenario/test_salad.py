"""A network without code: the example of Salad's demand monitor is loaded as it stands, asked over a real connection, and flown."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autopilot.cli import app
from autopilot.clock import SystemClock
from autopilot.daemon.rig import make_pilot
from autopilot.model.device import DeviceId, NetworkId
from autopilot.pilot import Pilot
from autopilot.settings import load
from autopilot.store.store import Store
from shared.servers import HERE, Desk, running

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "examples/networks/salad.toml").read_text(encoding="utf-8")
MONITOR = "https://app-api.salad.com/api/v2/demand-monitor/gpu"
SAID = (ROOT / "tests/data/http/salad.json").read_bytes()


class Salad(ThreadingHTTPServer):
    """The demand monitor, on this machine."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(HERE, Monitor)
        self.asked: list[str] = []
        self.says: tuple[int, bytes] = (200, SAID)


class Monitor(Desk):
    """One request."""

    server: Salad

    def answer(self) -> None:
        """Say what the monitor is to say now."""
        self.server.asked.append(self.path)
        status, body = self.server.says
        self.say(body, status)


@pytest.fixture
def salad() -> Iterator[Salad]:
    """The monitor, running."""
    with running(Salad()) as server:
        yield server


@pytest.fixture
def config(salad: Salad, tmp_path: Path) -> Path:
    """The example, which leads to the monitor on this machine."""
    assert 1 == EXAMPLE.count(MONITOR)
    file = tmp_path / "salad.toml"
    local = EXAMPLE.replace("https://app-api.salad.com", f"http://127.0.0.1:{salad.server_port}")
    file.write_text(f'state = "{tmp_path / "salad.db"}"\n{local}', encoding="utf-8")
    return file


def rates(config: Path, *options: str) -> Any:
    """What ``autopilot rates`` says."""
    run = CliRunner().invoke(app, ["rates", "--config", str(config), *options])
    assert 0 == run.exit_code, run.output
    return run.stdout


def test_each_gpu_is_told_what_it_may_expect(salad: Salad, config: Path) -> None:
    """The mean rate, for all of the hour: 71.5 % of utilisation are in it already. One request serves the rig."""
    found = json.loads(rates(config, "--json"))

    assert [("RTX 3060", 0.021, 0.021, 1.0), *[("RTX 4090", 0.163, 0.163, 1.0)] * 2] == sorted(
        (each["model"], each["gross_usd_per_hour"], each["expected_usd_per_hour"], each["occupancy"]) for each in found
    )
    assert ["/api/v2/demand-monitor/gpu"] == salad.asked


def test_the_arithmetic_names_the_expression(config: Path) -> None:
    """So that whoever doubts the figure finds it in the answer."""
    told = rates(config, "--explain", "salad", "--gpu", "NVIDIA GeForce RTX 4090")

    assert "price: 0.163 $/h   [[?contains([name, displayName, variantNames][], 'NVIDIA GeForce RTX 4090')].earningRates.avg" in told
    assert "occupancy: 1, as configured" in told


def test_a_gpu_without_a_rate_is_told_why(config: Path) -> None:
    """Not in the table; in the table and without a row; with a row that says null."""
    text = config.read_text(encoding="utf-8").replace(
        '"RTX 4090" = "NVIDIA GeForce RTX 4090"', '"GTX 1660" = "GTX 1660"\n"RTX 4080" = "RTX 4080"'
    )
    config.write_text(text, encoding="utf-8")
    reasons = [json.loads(rates(config, "--json", "--gpu", gpu))[0]["reason"] for gpu in ("RTX 4090", "RTX 4080", "GTX 1660")]

    assert reasons[0].startswith("models does not name 'RTX 4090', only ")
    assert [True, True] == [reason.startswith("price: ") and "finds nothing" in reason for reason in reasons[1:]]


def flown(pilot: Pilot) -> Mapping[DeviceId, str]:
    """What it says after a poll that everybody has answered."""
    pilot.poll()
    while pilot.waits:
        SystemClock().wait(timedelta(milliseconds=5), threading.Event())
    return pilot.tick()


def test_it_is_flown(salad: Salad, config: Path) -> None:
    """A GPU that idles would go there; and when the monitor breaks down, the last quotes count."""
    settings = load(config).model_copy(update={"strategy": "payback"})
    store = Store.open(settings.state)
    with ExitStack() as held:
        pilot = make_pilot(settings, SystemClock(), store, held, live=False)
        first = flown(pilot)
        salad.says = (404, b"oops")
        second = flown(pilot)
    store.close()

    expected = {"SIM-0-RTX-4090": "0.163", "SIM-1-RTX-4090": "0.163", "SIM-2-RTX-3060": "0.021"}

    assert [True] * 3 == [f"for salad ({rate} $/h net)" in first[device] for device, rate in expected.items()], first
    assert "answered 404: oops" in pilot.troubles["silent"][NetworkId("salad")]
    assert first == second


@pytest.mark.online
def test_the_real_monitor_is_understood(tmp_path: Path) -> None:
    """Read only: the example as it stands, asked where it leads."""
    config = tmp_path / "salad.toml"
    config.write_text(f'state = "{tmp_path / "salad.db"}"\n{EXAMPLE}', encoding="utf-8")
    found = json.loads(rates(config, "--json"))

    assert {True} == {0 < each["expected_usd_per_hour"] < 2 for each in found}, found

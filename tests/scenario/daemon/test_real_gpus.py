"""The real daemon flies the GPUs of its host, which a stand-in for the driver's library tells of, with real processes for nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.daemons import UNGUARDED, Price, mine
from shared.driver import stand_in
from shared.nodes import end_all
from shared.servers import served

FIRST, SECOND = (f"GPU-0000000{number}-0000-0000-0000-000000000000" for number in range(2))
CONFIG = """
strategy = "greedy"
[daemon]
tick = "0.2s"
poll = "5s"
answer = "4s"
jitter = "0m"
[limits]
steady = "0s"
[owner]
quiet = "1s"
[power]
limits = { mine = "300 W" }
"""


class Host:
    """A host of two GPUs, and the daemon that flies them."""

    def __init__(self, flight: Any, url: str, driver: Path) -> None:
        self.flight = flight
        self._driver = driver
        flight.config.write_text(CONFIG + UNGUARDED + mine(url), encoding="utf-8")
        self.says()

    def says(self, *lines: str) -> None:
        """What the driver says from now on, and what limits were set before."""
        state = self._driver.parent / "state"
        draft = state.with_suffix(".new")
        limits = [line for line in state.read_text(encoding="utf-8").splitlines() if " limit " in line] if state.exists() else []
        draft.write_text("".join(f"{line}\n" for line in ("host gpus 2", *limits, *lines)), encoding="utf-8")
        draft.replace(state)

    @property
    def _variables(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self._driver.parent), "NVML_STATE": str(self._driver.parent / "state")}

    def launch(self) -> None:
        """Start the daemon."""
        self.flight.launch(**self._variables)

    def fly(self) -> None:
        """Start the daemon, which must take off."""
        self.launch()
        self.flight.wait_for("READY=1")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command, to its end, with time for the network to answer."""
        command, where = [sys.executable, "-m", "autopilot", *words], {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        env = {**os.environ, **self._variables, **where, "AUTOPILOT_DAEMON__POLL": "1h", "AUTOPILOT_DAEMON__ANSWER": "1m"}
        return subprocess.run(command, cwd=self.flight.folder, env=env, capture_output=True, text=True, check=False)

    def pid(self, gpu: str) -> int:
        """The process id of the node on a GPU; 0 where there is none."""
        try:
            return int((self.flight.folder / "node" / f"mine-{gpu}.pid").read_text(encoding="utf-8").split(" ", 1)[0])
        except (FileNotFoundError, ValueError):
            return 0

    def served(self, gpu: str) -> bool:
        """Whether the daemon believes a GPU to be at work."""
        rows = self.flight.rows(f"SELECT network FROM placements WHERE device = '{gpu}' ORDER BY id DESC LIMIT 1")  # noqa: S608
        return [("mine",)] == rows and Path(f"/proc/{self.pid(gpu)}").exists()

    def told(self, gpu: str) -> dict[str, Any]:
        """What the last heartbeat tells of it."""
        return dict(self.flight.beat()[1]["gpus"][gpu])

    def word(self, gpu: str) -> str:
        """The last sentence about it."""
        return str(dict(self.flight.rows("SELECT device, sentence FROM sentences")).get(gpu))

    def wait(self, reached: Callable[[], Any]) -> None:
        """Until it is so."""
        self.flight.wait_until(reached)


@pytest.fixture
def host(flight: Any, tmp_path: Path) -> Iterator[Host]:
    """Nothing runs at the end."""
    with served(Price) as url:
        yield Host(flight, url, stand_in(tmp_path))
        flight.close()
        end_all(flight.folder.glob("node/mine-*.pid"))


@contextmanager
def game() -> Iterator[int]:
    """A program of somebody else."""
    process = subprocess.Popen(["/bin/sleep", "600"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def test_the_owner_goes_before_the_network_on_real_gpus(host: Host) -> None:
    """A game drains the node on its GPU alone, the node's own work does not, and it is back soon after. Trouble leaves nodes alone."""
    host.fly()
    host.wait(lambda: host.served(FIRST) and host.served(SECOND))
    first, second = host.pid(FIRST), host.pid(SECOND)
    with game() as pid:
        host.says(f"0 runs {first}:1073741824:C,{pid}:1073741824:G", f"1 runs {second}:1073741824:C", "1 watts 311000")
        host.wait(lambda: host.word(FIRST).startswith(f"GPU-0: its owner is on it with sleep ({pid})"))
        assert not Path(f"/proc/{first}").exists()
        host.wait(lambda: "owner" in host.told(FIRST) and host.told(SECOND)["watts"] == 311)
        assert "owner" not in host.told(SECOND)
    host.says("1 error 15")
    host.wait(lambda: host.served(FIRST))
    assert host.pid(FIRST) != first
    host.wait(lambda: host.word(SECOND).startswith("GPU-1: lost: the GPU fell off the bus"))

    host.says("host hang 1")
    beat, _ = host.flight.beat()
    host.wait(lambda: host.flight.beat()[0] > beat)
    assert 0 == host.flight.ended(signal.SIGTERM)
    assert second == host.pid(SECOND)
    assert Path(f"/proc/{second}").exists()
    assert "Traceback" not in host.flight.log


def test_a_daemon_after_a_crash_knows_what_was_there_before(host: Host) -> None:
    """The power limit from before, which is put back where none is wanted any more, and a GPU that was lost: its node is left alone."""
    state = host._driver.parent / "state"
    host.fly()
    host.wait(lambda: host.served(SECOND) and "0 limit 300000" in state.read_text(encoding="utf-8"))
    second = host.pid(SECOND)
    host.flight.ended(signal.SIGKILL)
    host.says("1 error 15")
    config = host.flight.config.read_text(encoding="utf-8")
    host.flight.config.write_text(config.replace('mine = "300 W"', ""), encoding="utf-8")
    host.fly()
    host.wait(lambda: FIRST not in str(host.flight.rows("SELECT device FROM power_limits")))
    host.wait(lambda: host.word(SECOND).startswith("GPU-1: lost: the GPU fell off the bus"))

    assert "0 limit 450000" in state.read_text(encoding="utf-8")
    assert (True, second) == (host.served(FIRST) and host.served(SECOND), host.pid(SECOND))


def test_a_host_without_a_usable_gpu_is_one_line(host: Host) -> None:
    """With the remedy, and exit code 2; `check` says the same, and `init` says what it finds."""
    host.says("0 error 15", "1 error 15")
    host.launch()

    assert 2 == host.flight.ended()
    (line,) = host.flight.log.splitlines()
    assert line.startswith("autopilot: no GPU to fly: GPU-0: the GPU fell off the bus")
    host.says()
    assert "GPU-0 RTX 4090, GPU-1 RTX 4090" in host.run("init", "new.toml", "--offline").stdout
    checked = host.run("check", "--config", str(host.flight.config))
    assert (0, "mine: RTX 4090: 0.5000 $/h expected (estimate), 0.5000 $/h after power") == (
        checked.returncode,
        checked.stdout.splitlines()[0],
    )

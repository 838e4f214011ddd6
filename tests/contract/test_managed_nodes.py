"""Nodes that something else keeps: units of systemd, apps of pm2, the owner's own commands. One suite, and what each may do to us."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from autopilot.clock import SystemClock
from autopilot.contracts import NodeDriver
from autopilot.errors import NodeFault
from autopilot.kit.service import ServiceNode, Shape
from autopilot.kit.service.command import Commands, CommandShape
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.pm2 import Pm2Shape
from autopilot.kit.service.unit import Unit, UnitShape
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Phase
from shared.needs import unable
from shared.nodes import PATIENT, STUBBORN, Post, RealNodeContract, until

NETWORK = NetworkId("cedar")
GPU = Device(DeviceId("GPU-3d"), "RTX 4090", index=2)
MARKET = Venue(NETWORK, "rtx-4090")
POST = Post(gpu=GPU, market=MARKET)


def orders(folder: Path) -> Orders:
    """What the programs were told."""
    return Orders(NETWORK, SystemClock(), folder)


def node_of(folder: Path, shape: Shape, grace: timedelta = timedelta(seconds=10)) -> ServiceNode:
    """A node in this shape."""
    return ServiceNode(NETWORK, SystemClock(), shape, folder, grace=grace)


def unit(units: Path, script: str = PATIENT, name: str = "worker@2.service") -> None:
    """Write a unit that runs a script."""
    (units / name).write_text(f"/bin/sh\n-c\n{script}", encoding="utf-8")


@pytest.fixture(scope="session")
def pm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A pm2 with a home of its own. Where there is none, it is installed by npm."""
    found = shutil.which("pm2") or _installed(tmp_path_factory)
    if found is None:
        unable("there is no pm2 and no npm on this host")
    home = tmp_path_factory.mktemp("pm2-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PM2_HOME", str(home))
        patch.setenv("PATH", f"{Path(found).parent}:{os.environ['PATH']}")
        yield home
        subprocess.run(["pm2", "kill"], capture_output=True, check=False)  # noqa: S607


def _installed(tmp_path_factory: pytest.TempPathFactory) -> str | None:
    if shutil.which("npm") is None:
        return None
    folder = tmp_path_factory.mktemp("pm2")
    done = subprocess.run(["npm", "install", "--silent", "pm2@7"], cwd=folder, capture_output=True, check=False)  # noqa: S607
    return None if done.returncode else str(folder / "node_modules/.bin/pm2")


def app(folder: Path, name: str, script: str = PATIENT) -> None:
    """Register an app with pm2, stopped."""
    described = {
        "name": name,
        "script": "/bin/sh",
        "args": ["-c", script],
        "interpreter": "none",
        "autorestart": False,
        "kill_timeout": 500,
    }
    file = folder / "app.json"
    file.write_text(json.dumps({"apps": [described]}), encoding="utf-8")
    subprocess.run(["pm2", "start", file], capture_output=True, check=True)  # noqa: S607
    subprocess.run(["pm2", "stop", name], capture_output=True, check=True)  # noqa: S607


@pytest.fixture
def worker(pm2: Path, tmp_path: Path) -> Iterator[str]:  # noqa: ARG001  # its home
    """An app of pm2, stopped."""
    app(tmp_path, "worker-2")
    yield "worker-{index}"
    subprocess.run(["pm2", "delete", "worker-2"], capture_output=True, check=False)  # noqa: S607


def commands(folder: Path) -> Commands:
    """The owner's own: a script that keeps a pid."""
    script = folder / "node.sh"
    script.write_text(
        f"""#!/bin/sh
pid="{folder}/own-$2.pid"
case $1 in
look) kill -0 "$(cat "$pid" 2>/dev/null)" 2>/dev/null || exit 3 ;;
launch) setsid /bin/sh -c '{PATIENT}' >/dev/null 2>&1 & echo $! >"$pid" ;;
end) kill "$(cat "$pid")" 2>/dev/null; rm -f "$pid" ;;
*) exit 9 ;;
esac
""",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return Commands(*((str(script), verb, "{index}") for verb in ("look", "launch", "end")))


class _Suite(RealNodeContract):
    post = POST

    @pytest.fixture
    def shape(self, tmp_path: Path) -> Callable[[], Shape]:
        raise NotImplementedError

    @pytest.fixture
    def node(self, shape: Callable[[], Shape], tmp_path: Path) -> NodeDriver:
        return node_of(tmp_path, shape())

    @pytest.fixture
    def reopened(self, shape: Callable[[], Shape], tmp_path: Path) -> Callable[[], NodeDriver]:
        return lambda: node_of(tmp_path, shape())


class TestUnit(_Suite):
    """A unit of the system."""

    @pytest.fixture
    def shape(self, units: Path, tmp_path: Path) -> Callable[[], Shape]:
        unit(units)
        return lambda: UnitShape(NETWORK, Unit("worker@{index}.service"), orders(tmp_path))


@pytest.mark.long  # every call of pm2 starts a Node.js
class TestApp(_Suite):
    """An app of pm2."""

    @pytest.fixture
    def shape(self, worker: str, tmp_path: Path) -> Callable[[], Shape]:
        return lambda: Pm2Shape(NETWORK, worker, orders(tmp_path))

    @pytest.fixture
    def patience(self) -> Callable[[], object]:
        return lambda: None


class TestCommands(_Suite):
    """What the owner wrote."""

    @pytest.fixture
    def shape(self, tmp_path: Path) -> Iterator[Callable[[], Shape]]:
        yield lambda: CommandShape(NETWORK, commands(tmp_path), orders(tmp_path))
        subprocess.run([tmp_path / "node.sh", "end", "2"], capture_output=True, check=False)


def test_a_unit_that_fails_is_a_fault(units: Path, tmp_path: Path) -> None:
    """With systemd's result; it can be started again, and stopped."""
    unit(units, "exit 3")
    node = node_of(tmp_path, UnitShape(NETWORK, Unit("worker@{index}.service"), orders(tmp_path)))
    node.start(GPU, MARKET)
    until(lambda: POST.phase(node) is Phase.FAULT)
    assert "worker@2.service: exit-code" == node.observe(GPU).note
    unit(units)
    POST.serving(node)
    node.stop(GPU)

    until(lambda: POST.phase(node) is Phase.ABSENT)


def test_a_unit_that_does_not_go_is_killed(units: Path, tmp_path: Path) -> None:
    """When it was asked the grace ago."""
    unit(units, f"exec >{units}/words; {STUBBORN}")
    shape = UnitShape(NETWORK, Unit("worker@{index}.service"), orders(tmp_path))
    node = node_of(tmp_path, shape, timedelta(seconds=0.3))
    POST.serving(node)
    until(lambda: "deaf" in (units / "words").read_text(encoding="utf-8"))
    node.stop(GPU)
    assert Phase.DRAINING is POST.phase(node)

    until(lambda: (node.stop(GPU), POST.phase(node) is Phase.ABSENT)[1])


def test_a_unit_that_does_not_exist_is_absent_and_cannot_be_started(units: Path, tmp_path: Path) -> None:
    """The manager says so, and we pass it on in one line."""
    node = node_of(tmp_path, UnitShape(NETWORK, Unit("nobody.service"), orders(tmp_path)))
    assert units.exists()
    assert Phase.ABSENT is POST.phase(node)
    with pytest.raises(NodeFault, match="not found"):
        node.start(GPU, MARKET)


def test_a_users_unit_is_asked_of_the_users_manager(units: Path, tmp_path: Path) -> None:
    """The same name may be another unit there."""
    unit(units, name="user-worker.service")
    mine = node_of(tmp_path, UnitShape(NETWORK, Unit("worker.service", user=True), orders(tmp_path)))
    POST.serving(mine)

    assert Phase.ABSENT is POST.phase(node_of(tmp_path, UnitShape(NETWORK, Unit("worker.service"), orders(tmp_path / "other"))))


def test_a_host_without_systemd_tells_nothing(units: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """UNKNOWN, never ABSENT: a container that sees no manager knows nothing of what it runs."""
    unit(units)
    monkeypatch.delenv("UNITS")
    seen = node_of(tmp_path, UnitShape(NETWORK, Unit("worker@{index}.service"), orders(tmp_path))).observe(GPU)

    assert Phase.UNKNOWN is seen.phase
    assert "not been booted with systemd" in seen.note


def test_an_app_that_pm2_does_not_know_is_absent_and_cannot_be_started(pm2: Path, tmp_path: Path) -> None:
    """Whatever banner it prints on its first call."""
    node = node_of(tmp_path, Pm2Shape(NETWORK, "nobody", orders(tmp_path)))
    assert pm2.exists()
    assert Phase.ABSENT is POST.phase(node)
    with pytest.raises(NodeFault, match="pm2 start nobody"):
        node.start(GPU, MARKET)


@pytest.mark.parametrize("code", [1, 2, 127])
def test_a_command_that_cannot_tell_tells_nothing(tmp_path: Path, code: int) -> None:
    """Only the agreed exit codes mean something; a broken script is UNKNOWN, never ABSENT."""
    look = ("/bin/sh", "-c", f"echo no such queue >&2; exit {code}")
    seen = node_of(tmp_path, CommandShape(NETWORK, Commands(look, ("/bin/true",), ("/bin/true",)), orders(tmp_path))).observe(GPU)

    assert Phase.UNKNOWN is seen.phase
    assert "no such queue" in seen.note


def test_a_command_that_hangs_is_given_up(tmp_path: Path) -> None:
    """A tick has other devices to look at."""
    hung = Commands(("/bin/sleep", "60"), ("/bin/true",), ("/bin/true",), limit=timedelta(seconds=0.2))
    began = time.monotonic()  # noqa: TID251
    seen = node_of(tmp_path, CommandShape(NETWORK, hung, orders(tmp_path))).observe(GPU)

    assert Phase.UNKNOWN is seen.phase
    assert "did not end within 0.2 s" in seen.note
    assert time.monotonic() - began < 30  # noqa: TID251


def test_words_of_a_command_are_never_read_by_a_shell(tmp_path: Path) -> None:
    """A market's name comes from a network: it is a word, whatever is in it."""
    bait = Venue(NETWORK, f"; touch {tmp_path}/bitten")
    launch = ("/bin/sh", "-c", f'printf "%s" "$0" > {tmp_path}/word', "{market}")
    CommandShape(NETWORK, Commands(("/bin/true",), launch, ("/bin/true",)), orders(tmp_path)).launch(GPU, bait)

    assert bait.market == (tmp_path / "word").read_text(encoding="utf-8")
    assert not (tmp_path / "bitten").exists()

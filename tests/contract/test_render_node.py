"""Render's nodes: the suite of node drivers over a Windows host that is made up at its wire, and what its client may do to us."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autopilot.contracts import NodeDriver, Scope
from autopilot.errors import NodeFault
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Lease, Observation, Phase
from autopilot.sim.clock import SimClock
from autopilot.testing.adapters import NodeDriverContract
from autopilot.testing.views import START
from autopilot_adapters.render.adapter import Render
from autopilot_adapters.render.settings import RenderSettings
from autopilot_adapters.unmanaged import Unmanaged
from shared.nodes import PATIENT, STUBS, end_all

NETWORK = NetworkId("render")
FRAMES, COMPUTE = Venue(NETWORK), Venue(NETWORK, "dispersed")
RIG = (Device(DeviceId("GPU-a"), "RTX 4090", index=0), Device(DeviceId("GPU-b"), "RTX 4090", index=1))
CLIENT: Any = {"launcher": r"C:\OTOY\rndrclient.exe", "client": r"%LOCALAPPDATA%\OtoyRndrNetwork\TCPSVCS.EXE"}
OURS = r"c:\users\me\appdata\local\otoyrndrnetwork\tcpsvcs.exe"
SERVICE = r"C:\Windows\System32\TCPSVCS.EXE"
BEGUN = "2025-09-01 12:03:10 INFO: [4242] starting a new render job with config hash: 9f2c1a"
LATER = "2025-09-01 12:04:10 INFO: [4242] 1 usable gpus detected"
DONE = "2025-09-01 12:05:44 INFO: [4242] sent render finished, job completed successfully (render time 151.2 seconds)"
BEGUN_AGAIN = "2025-09-01 12:06:00 INFO: [4242] starting a new render job with config hash: 77aa01"
FAILED = "2025-09-01 12:07:02 ERROR: [4242] job failed with config hash: 77aa01"


class Host:
    """The Windows host of the client, past our driver."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.runs()
        self.says("1", LATER)

    def runs(self, *paths: str | None) -> None:
        """What runs under the client's names, by path."""
        rows = [{"id": 7 + number, "name": "TCPSVCS.EXE", "path": path} for number, path in enumerate(paths)]
        (self.folder / "running.json").write_text(json.dumps(rows), encoding="utf-8")

    def says(self, idle: str, *log: str) -> None:
        """Flag and log."""
        (self.folder / "idle").write_text(idle, encoding="utf-8")
        (self.folder / "log.txt").write_text("\n".join(log), encoding="utf-8")

    def is_(self, mood: str) -> None:
        """``stubborn`` or ``sealed``."""
        (self.folder / mood).touch()

    @property
    def acts(self) -> Sequence[str]:
        """What was done to it."""
        file = self.folder / "acts"
        return file.read_text(encoding="utf-8").split() if file.exists() else []

    @property
    def paths(self) -> Sequence[str]:
        """What runs now."""
        return [row["path"] for row in json.loads((self.folder / "running.json").read_text(encoding="utf-8"))]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host without a client, and the PowerShell that reaches it."""
    monkeypatch.setenv("WINDOWS", str(tmp_path / "windows"))
    monkeypatch.setenv("PATH", f"{STUBS}:{os.environ['PATH']}")
    return Host(tmp_path / "windows")


@pytest.fixture
def clock() -> SimClock:
    """Time stands still unless a test moves it."""
    return SimClock(START)


Make = Callable[..., Render]


@pytest.fixture
def make(tmp_path: Path, clock: SimClock) -> Make:
    """The adapter, anew over the same folder."""

    def made(devices: Sequence[Device] = RIG[:1], **settings: Any) -> Render:
        http = Http(clock, network=NETWORK)
        return Render(RenderSettings(**settings), Kit(NETWORK, clock, devices, tmp_path, http, Tokens(http, clock)))

    return made


def later(clock: SimClock, seconds: float) -> None:
    """Let time pass."""
    clock.move_to(clock.now() + timedelta(seconds=seconds))


def serving(node: NodeDriver, clock: SimClock) -> None:
    """Start the client and let it boot."""
    node.start(RIG[0], FRAMES)
    later(clock, 80)

    assert node.observe(RIG[0]).phase.serves


def look(node: NodeDriver) -> tuple[Phase, int]:
    """What is seen, and how many leases."""
    seen = node.observe(RIG[0])
    return seen.phase, len(seen.leases)


@pytest.mark.long  # every look starts a program
class TestClient(NodeDriverContract):
    """The Windows client, which nobody sends a frame."""

    @pytest.fixture
    def node(self, make: Make, host: Host) -> NodeDriver:
        assert host.folder.exists()
        return make(node=CLIENT).node

    @pytest.fixture
    def device(self) -> Device:
        return RIG[0]

    @pytest.fixture
    def venue(self) -> Venue:
        return FRAMES

    @pytest.fixture
    def patience(self, clock: SimClock) -> Callable[[], object]:
        return lambda: later(clock, 45)

    @pytest.fixture
    def reopened(self, make: Make) -> Callable[[], NodeDriver]:
        return lambda: make(node=CLIENT).node


def test_the_client_is_found_by_its_path(make: Make, host: Host, clock: SimClock) -> None:
    """Windows runs a service under the same name: it is no client, and is neither closed nor killed with it. Case does not matter."""
    node = make(node=CLIENT).node
    host.runs(SERVICE)
    assert (Phase.ABSENT, 0) == look(node)
    host.runs(SERVICE, OURS)
    assert (Phase.READY, 0) == look(node)
    node.stop(RIG[0])
    assert [SERVICE] == host.paths
    later(clock, 80)

    assert Phase.ABSENT is node.observe(RIG[0]).phase


def test_a_program_that_hides_its_path_is_not_taken_for_nothing(make: Make, host: Host) -> None:
    """Another user's client shows no path: UNKNOWN, never ABSENT; unless ours is seen beside it."""
    node = make(node=CLIENT).node
    host.runs(None)
    assert Phase.UNKNOWN is node.observe(RIG[0]).phase
    host.runs(None, OURS)

    assert Phase.READY is node.observe(RIG[0]).phase


@pytest.mark.parametrize(
    ("idle", "log", "busy"),
    [
        ("1", [LATER], False),
        ("0", [LATER], True),
        ("0", [BEGUN, DONE], True),
        ("1", [BEGUN, LATER], True),
        ("1", [BEGUN, DONE], False),
        ("1", [BEGUN, DONE, BEGUN_AGAIN], True),
        ("1", [BEGUN, DONE, BEGUN_AGAIN, FAILED], False),
        ("1", [BEGUN, "2025-09-01 12:03:20 INFO: [4242] job was canceled"], False),
        ("1", [], False),
    ],
)
def test_a_frame_is_told_by_the_flag_or_by_the_log(make: Make, host: Host, idle: str, log: Sequence[str], *, busy: bool) -> None:
    """A watchdog sets the flag to 1 when it restarts the client, so 1 alone proves nothing; 0 alone does."""
    host.runs(OURS)
    host.says(idle, *log)

    assert ((Phase.BUSY, 1) if busy else (Phase.READY, 0)) == look(make(node=CLIENT).node)


def test_the_lease_of_a_frame(make: Make, host: Host) -> None:
    """Known by its line in the log, begun as long ago as the log shows, of unknown end, and not to be broken unless somebody vouches."""
    host.runs(OURS)
    host.says("0", BEGUN, LATER)
    careful, vouched = (make(node={**CLIENT, "finishes": finishes}).node.observe(RIG[0]).leases for finishes in (False, True))

    assert (Lease("2025-09-01T12:03:10 9f2c1a", START - timedelta(minutes=1)),) == careful
    assert [True] == [lease.breakable for lease in vouched]


def test_a_drain_ends_when_two_looks_40_seconds_apart_agree(make: Make, host: Host, clock: SimClock) -> None:
    """Between two frames the client is idle for a moment: one look is not enough."""
    node = make(node=CLIENT).node
    serving(node, clock)
    node.drain(RIG[0])
    seen = [look(node)]
    for _ in range(3):
        later(clock, 15)
        seen.append(look(node))

    assert [(Phase.DRAINING, 1)] * 3 + [(Phase.DRAINING, 0)] == seen
    assert ["start"] == host.acts


def test_a_frame_between_the_two_looks_begins_the_count_anew(make: Make, host: Host, clock: SimClock) -> None:
    """Also one that came and went unseen, of which only the log tells."""
    node = make(node=CLIENT).node
    serving(node, clock)
    node.drain(RIG[0])
    look(node)
    later(clock, 39)
    host.says("1", BEGUN, DONE)
    assert 1 == look(node)[1]
    later(clock, 39)
    host.says("0", BEGUN, DONE)
    assert 1 == look(node)[1]
    later(clock, 39)
    host.says("1", BEGUN, DONE)
    assert 1 == look(node)[1]
    later(clock, 41)

    assert 0 == look(node)[1]


def test_a_restart_of_ours_looks_twice_again(make: Make, host: Host, clock: SimClock) -> None:
    """What an earlier process saw is not known to the next one: 40 seconds more, and no guess."""
    node = make(node=CLIENT).node
    serving(node, clock)
    node.drain(RIG[0])
    look(node)
    later(clock, 60)

    assert [(Phase.DRAINING, 0), (Phase.DRAINING, 1)] == [look(each) for each in (node, make(node=CLIENT).node)]
    assert host.paths


def test_a_client_that_does_not_close_is_killed_after_a_frame(make: Make, host: Host, clock: SimClock) -> None:
    """Not before: it may be finishing one. And the service of the same name lives on."""
    host.is_("stubborn")
    node = make(node=CLIENT, frame="20m").node
    serving(node, clock)
    host.runs(SERVICE, OURS)
    for wait in (0, 60, 18 * 60):
        later(clock, wait)
        node.stop(RIG[0])
    assert ["start", "close"] == host.acts
    assert Phase.DRAINING is node.observe(RIG[0]).phase
    later(clock, 120)
    node.stop(RIG[0])

    assert "kill" == host.acts[-1]
    assert [SERVICE] == host.paths
    assert Phase.ABSENT is node.observe(RIG[0]).phase


def test_a_client_that_a_watchdog_brings_back_is_never_absent(make: Make, host: Host, clock: SimClock) -> None:
    """Or another network would share its GPU. The note says where to look."""
    node = make(node=CLIENT).node
    serving(node, clock)
    node.stop(RIG[0])
    assert Phase.ABSENT is node.observe(RIG[0]).phase
    host.runs(OURS)
    seen = node.observe(RIG[0])

    assert Phase.DRAINING is seen.phase
    assert "watchdog" in seen.note


def test_between_launcher_and_client_nothing_is_started_twice(make: Make, host: Host, clock: SimClock) -> None:
    """The launcher has gone, the client has not come: it boots. A stop in that moment is not believed before the boot is over."""
    node = make(node=CLIENT).node
    node.start(RIG[0], FRAMES)
    host.runs()
    assert Phase.STARTING is node.observe(RIG[0]).phase
    node.start(RIG[0], FRAMES)
    assert ["start"] == host.acts
    node.stop(RIG[0])
    assert Phase.DRAINING is node.observe(RIG[0]).phase
    later(clock, 80)

    assert Phase.ABSENT is node.observe(RIG[0]).phase


def test_a_client_that_ends_by_itself_is_a_fault(make: Make, host: Host, clock: SimClock) -> None:
    """It can be started again."""
    node = make(node=CLIENT).node
    serving(node, clock)
    host.runs()
    assert (Phase.FAULT, FRAMES) == ((seen := node.observe(RIG[0])).phase, seen.venue)
    node.start(RIG[0], FRAMES)

    assert ["start", "start"] == host.acts


@pytest.mark.parametrize("wrong", ["sealed", "silent", "flag", "garbage"])
def test_a_host_that_cannot_be_asked_tells_nothing(make: Make, host: Host, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """UNKNOWN, never ABSENT: no right, no PowerShell, no flag in the registry, or no sense."""
    host.runs(OURS)
    if wrong == "sealed":
        host.is_("sealed")
    if wrong == "silent":
        monkeypatch.setenv("PATH", "/nowhere")
    if wrong == "flag":
        host.says("", LATER)
    if wrong == "garbage":
        (host.folder / "running.json").write_text('[{"id": 1, "name": "TCPSVCS.EXE", "path": 5}]', encoding="utf-8")
    node = make(node=CLIENT).node

    assert Phase.UNKNOWN is node.observe(RIG[0]).phase


def test_a_prefix_reaches_a_host_elsewhere(make: Make, host: Host) -> None:
    """The words before PowerShell: here a command that runs it, as ssh would."""
    host.runs(OURS)

    assert Phase.READY is make(node={**CLIENT, "host": ["env", "A=B"]}).node.observe(RIG[0]).phase


def test_the_client_holds_every_gpu_of_its_rig(make: Make, host: Host, clock: SimClock) -> None:
    """One start, one stop; and every GPU is seen to serve."""
    adapter = make(RIG, node=CLIENT)
    for device in RIG:
        adapter.node.start(device, FRAMES)
    later(clock, 80)
    seen = [adapter.node.observe(device) for device in RIG]

    assert Scope.RIG is adapter.scope
    assert ["start"] == host.acts
    assert [(device.id, Phase.READY, FRAMES) for device in RIG] == [(each.device, each.phase, each.venue) for each in seen]


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[Any]:
    """Settings of a program for Dispersed, whose jobs are the lines of a file; what is left of it is ended."""
    (tmp_path / "jobs").touch()
    yield {"node": {"process": ["/bin/sh", "-c", PATIENT], "jobs": ["/bin/cat", str(tmp_path / "jobs")]}}
    end_all(tmp_path.glob("node-dispersed/*.pid"))


def test_the_two_products_never_share_hardware(make: Make, host: Host, compute: Any) -> None:
    """The network wants them apart: neither starts while the other is there, on any GPU that it would take, nor while that is unknown."""
    node = make(RIG, node=CLIENT, dispersed=compute).node
    host.runs(OURS)
    with pytest.raises(NodeFault, match="render is ready: it must go before render/dispersed comes"):
        node.start(RIG[1], COMPUTE)
    host.runs()
    node.start(RIG[1], COMPUTE)
    with pytest.raises(NodeFault, match="GPU-1: render/dispersed is starting"):
        node.start(RIG[0], FRAMES)
    assert not host.acts
    node.stop(RIG[1])
    host.is_("sealed")

    assert Phase.UNKNOWN is node.observe(RIG[0]).phase


def test_a_job_of_dispersed_is_waited_for(make: Make, compute: Any, tmp_path: Path, clock: SimClock) -> None:
    """No command to drain it is known: the drain lasts until the owner's command names no job, and no job may be broken."""
    node = make(dispersed=compute).node
    node.start(RIG[0], COMPUTE)
    later(clock, 5)
    (tmp_path / "jobs").write_text("job-1\njob-2\n", encoding="utf-8")
    node.drain(RIG[0])
    seen = node.observe(RIG[0])
    assert (Phase.DRAINING, {"job-1": False, "job-2": False}) == (seen.phase, {lease.id: lease.breakable for lease in seen.leases})
    (tmp_path / "jobs").unlink()
    assert Phase.UNKNOWN is node.observe(RIG[0]).phase
    (tmp_path / "jobs").touch()

    assert (Phase.DRAINING, 0) == look(node)


@pytest.mark.long
def test_dispersed_as_a_container(make: Make, docker_host: str, monkeypatch: pytest.MonkeyPatch, clock: SimClock) -> None:
    """From an image, on a real engine: it serves, drains and goes."""
    monkeypatch.setenv("DOCKER_HOST", docker_host)
    loop = ["/bin/sh", "-c", PATIENT]
    program = {"image": "fakenode:1", "command": loop, "gpu": False, "options": {"network_mode": "none"}, "jobs": ["/bin/true"]}
    node = make(dispersed={"node": program}).node
    node.start(RIG[0], COMPUTE)
    clock.move_to(START + timedelta(days=9999))
    assert (Phase.READY, 0) == look(node)
    node.drain(RIG[0])
    assert (Phase.DRAINING, 0) == look(node)
    for _ in range(200):
        node.stop(RIG[0])
        if look(node)[0] is Phase.ABSENT:
            break

    assert (Phase.ABSENT, 0) == look(node)


def test_what_is_not_configured_is_not_managed(make: Make, compute: Any) -> None:
    """Rates only without a table; and a venue without one cannot be started."""
    assert isinstance(make().node, Unmanaged)
    with pytest.raises(NodeFault, match="render is known by its rates only"):
        make(dispersed=compute).node.start(RIG[0], FRAMES)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"node": {"launcher": "rndrclient.exe", "client": "TCPSVCS.EXE"}}, "whole paths of Windows"),
        ({"node": {**CLIENT, "client": CLIENT["launcher"]}}, "two whole paths"),
        ({"node": {**CLIENT, "host": "ssh rig"}}, "valid tuple"),
        ({"dispersed": {"node": {"unit": "dispersed.service"}}}, "prints a line for each job"),
    ],
)
def test_settings_that_could_cut_or_confuse_are_refused(settings: Any, complaint: str) -> None:
    """A name instead of a path, a line for a shell, and a client whose jobs nobody can see."""
    with pytest.raises(ValidationError, match=complaint):
        RenderSettings(**settings)


def test_leaving_a_frame_takes_its_wait(make: Make, host: Host) -> None:
    """And nothing while there is none."""
    adapter = make(node=CLIENT)
    host.runs(OURS)
    idle: Observation = adapter.node.observe(RIG[0])
    host.says("0", BEGUN)
    busy = adapter.node.observe(RIG[0])

    assert [timedelta(0), timedelta(minutes=30)] == [adapter.exit_cost(seen).drain for seen in (idle, busy)]

"""Processes as nodes: the suite of node drivers, and what only a process can do to us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from autopilot.clock import SystemClock
from autopilot.contracts import NodeDriver
from autopilot.errors import NodeFault
from autopilot.kit.service import ServiceNode
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Lease, Phase
from shared.nodes import PATIENT, STUBBORN, Post, RealNodeContract, end_all, until

NETWORK = NetworkId("alder")
GPU = Device(DeviceId("GPU-1f"), "RTX 4090", index=3)
MARKET = Venue(NETWORK, "rtx-4090")
POST = Post(gpu=GPU, market=MARKET)


class JobInAFile:
    """Work that a network would know of: a job that runs while its file is there, and ends a moment after it was refused."""

    def __init__(self, folder: Path) -> None:
        self._job = folder / "job"
        self._refused = folder / "refused"

    def leases(self, device: Device) -> tuple[Lease, ...]:
        """The job, until it was refused for a tenth of a second; then it is over."""
        if self._refused.exists() and time.time() - self._refused.stat().st_mtime > 0.1:  # noqa: TID251  # a file's age
            self._job.unlink(missing_ok=True)
        return (Lease(f"job of {device.label}", SystemClock().now()),) if self._job.exists() else ()

    def refuse(self, device: Device) -> None:  # noqa: ARG002
        """Once: what is repeated does not make the job last longer."""
        if not self._refused.exists():
            self._refused.touch()

    def accept(self, device: Device) -> None:  # noqa: ARG002
        """There is a job at once."""
        self._refused.unlink(missing_ok=True)
        self._job.touch()


def driver(folder: Path, script: str = PATIENT, *, work: bool = False, grace: timedelta = timedelta(seconds=10)) -> ServiceNode:
    """A node that runs a script of the shell."""
    program = Program(("/bin/sh", "-c", script), settles=timedelta(seconds=0.05))
    shape = ProcessShape(NETWORK, SystemClock(), program, folder)
    return ServiceNode(NETWORK, SystemClock(), shape, folder, *((JobInAFile(folder),) if work else ()), grace=grace)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the nodes keep their files. What still runs at the end of a test is ended."""
    yield tmp_path
    end_all(tmp_path.glob("*.pid"))


def serving(node: NodeDriver) -> int:
    """Start it, wait until it serves, and tell its id."""
    POST.serving(node)
    return pid(node)


def pid(node: ServiceNode | NodeDriver) -> int:
    """The process that serves."""
    assert isinstance(node, ServiceNode)
    file = node._folder / f"{NETWORK}-{GPU.id}.pid"
    until(lambda: file.exists() and file.read_text(encoding="utf-8"))  # the program writes it, once it has got so far

    return int(file.read_text(encoding="utf-8").split(" ", 1)[0])


def living(group: int) -> list[int]:
    """The processes of a group that live. A dead one stays listed until its parent takes note."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = stat.read_text(encoding="utf-8").rpartition(")")
        except OSError:
            continue
        state, _, pgrp = tail.split()[:3]
        if int(pgrp) == group and state not in "ZX":
            found.append(int(head.split()[0]))
    return found


class _Suite(RealNodeContract):
    post = POST
    work = False

    @pytest.fixture
    def node(self, folder: Path) -> NodeDriver:
        return driver(folder, work=self.work)

    @pytest.fixture
    def reopened(self, folder: Path) -> Callable[[], NodeDriver]:
        return lambda: driver(folder, work=self.work)


class TestProcess(_Suite):
    """A program that is asked for nothing but to be up."""


class TestProcessWithWork(_Suite):
    """One whose network gives it jobs."""

    work = True


def test_the_program_is_pinned_to_its_gpu_by_uuid(folder: Path) -> None:
    """Whatever order the driver counts in today; and words of the configuration are filled in, not read by a shell."""
    program = Program(
        ("/bin/sh", "-c", 'echo "$CUDA_VISIBLE_DEVICES $0 $1 $MARKET"; sleep 60', "{device}", "; exit 9 # {index}"), {"MARKET": "{market}"}
    )
    node = ServiceNode(NETWORK, SystemClock(), ProcessShape(NETWORK, SystemClock(), program, folder), folder)
    node.start(GPU, MARKET)
    log = folder / f"{NETWORK}-{GPU.id}.log"
    until(lambda: bool(log.read_bytes()))

    assert "GPU-1f GPU-1f ; exit 9 # 3 rtx-4090\n" == log.read_text(encoding="utf-8")


def test_a_program_that_ends_by_itself_is_a_fault_with_its_exit_code(folder: Path) -> None:
    """It says where its last words are; a start brings it up again, and a stop leaves nothing of it."""
    node = driver(folder, "echo no credentials; exit 7")
    node.start(GPU, MARKET)
    until(lambda: POST.phase(node) is Phase.FAULT)
    assert "exit code 7" in node.observe(GPU).note
    node.stop(GPU)

    assert Phase.ABSENT is POST.phase(node)


def test_a_program_that_does_not_exist_is_a_fault(folder: Path) -> None:
    """The shell says so with its code 127."""
    shape = ProcessShape(NETWORK, SystemClock(), Program(("/no/such/program",)), folder)
    node = ServiceNode(NETWORK, SystemClock(), shape, folder)
    node.start(GPU, MARKET)
    until(lambda: POST.phase(node) is Phase.FAULT)

    assert "exit code 127" in node.observe(GPU).note


def test_a_folder_that_does_not_exist_is_told_at_once(folder: Path) -> None:
    """The kernel refuses the start: NodeFault, and nothing is left."""
    shape = ProcessShape(NETWORK, SystemClock(), Program(("true",), folder=folder / "none"), folder)
    with pytest.raises(NodeFault, match="cannot be started"):
        ServiceNode(NETWORK, SystemClock(), shape, folder).start(GPU, MARKET)


def test_what_does_not_go_is_made_to_go_with_all_its_children(folder: Path) -> None:
    """SIGTERM first; after the grace SIGKILL, to the whole group: a child that lives on would hold the GPU."""
    node = driver(folder, f"({STUBBORN}) & {STUBBORN}", grace=timedelta(seconds=0.3))
    leader = serving(node)
    until(lambda: 2 == (folder / f"{NETWORK}-{GPU.id}.log").read_text(encoding="utf-8").count("deaf"))
    node.stop(GPU)
    assert Phase.DRAINING is POST.phase(node)
    until(lambda: (node.stop(GPU), POST.phase(node) is Phase.ABSENT)[1])

    assert [] == living(leader)


def test_a_child_that_outlives_its_parent_still_holds_the_device(folder: Path) -> None:
    """The parent was killed by the kernel; the node is not absent while anything of it lives, and a stop reaches the child."""
    node = driver(folder, f"({PATIENT}) & {PATIENT}")
    os.kill(serving(node), signal.SIGKILL)
    until(lambda: (node.observe(GPU), True)[1])
    time.sleep(0.1)  # noqa: TID251
    assert POST.phase(node) is not Phase.ABSENT
    node.start(GPU, MARKET)
    node.stop(GPU)

    until(lambda: POST.phase(node) is Phase.ABSENT)


def test_a_recycled_id_is_never_signalled(folder: Path) -> None:
    """The file names a process that lives, born at another time: it is not ours, whatever its number."""
    stranger = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    try:
        node = driver(folder, "exit 0")
        serve_once(node)
        stat = Path(f"/proc/{stranger.pid}/stat").read_text(encoding="utf-8").split()
        stat[21] = str(int(stat[21]) - 1)
        (folder / f"{NETWORK}-{GPU.id}.pid").write_text(" ".join(stat), encoding="utf-8")
        assert Phase.FAULT is POST.phase(node)
        for _ in range(3):
            node.stop(GPU)

        assert stranger.poll() is None
        assert Phase.ABSENT is POST.phase(node)
    finally:
        stranger.kill()
        stranger.wait()


def serve_once(node: NodeDriver) -> None:
    """Start a program that ends at once, and see that it did."""
    node.start(GPU, MARKET)
    until(lambda: POST.phase(node) is Phase.FAULT)


def test_a_crash_between_the_start_and_the_writing_hides_nothing(folder: Path) -> None:
    """Whoever starts a node may be killed at once: the lock tells the next one that something runs, and no second one is started."""
    script = f"""
import os
from pathlib import Path
from datetime import timedelta
from autopilot.clock import SystemClock
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.model.device import Device, DeviceId, Venue
folder = Path({str(folder)!r})
program = Program(("/bin/sh", "-c", "echo up >> {folder}/starts; {PATIENT.replace(chr(34), chr(39))}"))
shape = ProcessShape("{NETWORK}", SystemClock(), program, folder)
shape.launch(Device(DeviceId("{GPU.id}"), "RTX 4090", index=3), Venue("{NETWORK}", "rtx-4090"))
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    node = driver(folder)
    for _ in range(20):
        assert POST.phase(node) in (Phase.STARTING, Phase.READY)
        node.start(GPU, MARKET)
        time.sleep(0.02)  # noqa: TID251
    assert "up\n" == (folder / "starts").read_text(encoding="utf-8")
    node.stop(GPU)

    until(lambda: POST.phase(node) is Phase.ABSENT)


def test_another_market_is_refused_while_it_serves(folder: Path) -> None:
    """One device, one venue: it must be stopped first."""
    node = driver(folder)
    serving(node)
    with pytest.raises(NodeFault, match="stop it before"):
        node.start(GPU, Venue(NETWORK, "a100"))

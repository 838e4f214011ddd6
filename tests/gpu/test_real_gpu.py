"""A real NVIDIA GPU and its real driver: what is read of it, who is on it, and a process of ours that is pinned to it.

Nothing is set: the GPU may be borrowed.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from autopilot.clock import SystemClock
from autopilot.daemon.gpus import find
from autopilot.daemon.kinship import kinship
from autopilot.gpu import Nvml
from autopilot.kit.service import ServiceNode
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.model.device import IDLE, Device, NetworkId, Venue
from autopilot.model.gpu import GpuProcess, Kin, Reading
from autopilot.model.node import Observation, Phase, Placement
from autopilot.settings import Settings
from autopilot.store.store import Store
from autopilot.units import Share, Watts
from shared.nodes import end_all, until

pytestmark = pytest.mark.gpu

NETWORK = NetworkId("birch")
LOAD = (sys.executable, str(Path(__file__).parents[1] / "wire/cuda_load.py"))
SETTLING = 20
"""Seconds within which a load is seen, and its end."""


@pytest.fixture
def probe() -> Iterator[Nvml]:
    """The driver of this host."""
    probe = Nvml()
    yield probe
    probe.close()


@pytest.fixture
def gpu(probe: Nvml) -> Device:
    """The first GPU that can be used."""
    census = probe.census()
    if not census.devices:
        pytest.skip("; ".join(each.remedy for each in census.ailments) or "the driver knows of no GPU")
    return census.devices[0]


@pytest.fixture
def look(probe: Nvml, gpu: Device) -> Callable[[], Reading]:
    """One look at it."""

    def look() -> Reading:
        reading = probe.read(gpu.id)
        assert isinstance(reading, Reading), reading
        return reading

    return look


@pytest.fixture
def load() -> None:
    """What is needed to keep a GPU busy."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        pytest.skip("libcuda.so.1 is not on this host: no load can be put on the GPU")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ServiceNode]:
    """A process without a container that works on the GPU as long as it is up."""
    shape = ProcessShape(NETWORK, SystemClock(), Program(LOAD, settles=timedelta(seconds=1)), tmp_path)
    yield ServiceNode(NETWORK, SystemClock(), shape, tmp_path, grace=timedelta(seconds=5))
    end_all(tmp_path.glob("*.pid"))


@pytest.fixture
def stranger(gpu: Device, load: None) -> Iterator[subprocess.Popen[bytes]]:  # noqa: ARG001  # what it needs
    """A program on the GPU that nobody of us started."""
    process = subprocess.Popen(LOAD, env={**os.environ, "CUDA_VISIBLE_DEVICES": gpu.id})
    yield process
    process.kill()
    process.wait()


def there(reading: Reading, pid: int) -> GpuProcess | None:
    """The program of a process id on the GPU. Skips where the driver does not tell of any."""
    if reading.processes is None:
        pytest.skip("the driver does not tell this user who is on the GPU")
    return next((each for each in reading.processes if each.pid == pid), None)


def seen(look: Callable[[], Reading], pid: int) -> None:
    """Wait until the driver shows it. Skips where this machine is a container whose process ids the driver does not know."""
    free = look().memory_used or 0
    until(lambda: there(look(), pid) or (look().memory_used or 0) > free + (100 << 20), SETTLING)
    if there(look(), pid) is None:
        pytest.skip("the driver counts processes by other numbers than this container does")


def test_every_gpu_is_enumerated(probe: Nvml, gpu: Device) -> None:
    """By UUID, with its model, its memory and its number, each once; the driver has a version."""
    census = probe.census()

    assert gpu.id.startswith("GPU-")
    assert len(census.devices) == len({device.id for device in census.devices})
    assert all(device.model and device.memory_gib > 0 and device.index is not None for device in census.devices)
    assert census.driver[0].isdigit()


def test_a_reading_is_plausible_and_the_limit_is_only_read(look: Callable[[], Reading]) -> None:
    """Draw, temperature and utilisation within what a GPU can be; the power limit lies within its bounds, and stays what it was."""
    reading = look()

    assert reading.draw is None or Watts(0) < reading.draw < Watts.of(2000)
    assert reading.temperature is None or 0 < reading.temperature < 120
    assert reading.utilisation is None or Share(0) <= reading.utilisation <= Share.of(1)
    assert reading.limit is None or reading.limits is None or reading.limits[0] <= reading.limit <= reading.limits[1]
    assert reading.limit == look().limit


@pytest.mark.usefixtures("load")
def test_a_process_of_ours_is_pinned_seen_and_ended(gpu: Device, node: ServiceNode, look: Callable[[], Reading], tmp_path: Path) -> None:
    """It draws more than idling, it is known as ours, and nothing of it is left on the GPU when it was stopped."""
    before = look()
    node.start(gpu, Venue(NETWORK))
    until(lambda: node.observe(gpu).phase is not Phase.STARTING, SETTLING)
    assert Phase.READY is node.observe(gpu).phase, (tmp_path / f"{NETWORK}-{gpu.id}.log").read_text(encoding="utf-8")
    until(lambda: (look().utilisation or Share(0)) > Share.of("0.5"), SETTLING)
    if before.draw is not None:
        until(lambda: (look().draw or Watts(0)) > before.draw, SETTLING)
    pid = int(next(tmp_path.glob("*.pid")).read_text(encoding="utf-8").split()[0])

    assert f"CUDA_VISIBLE_DEVICES={gpu.id}" in Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0")
    assert Kin.OURS is kinship({}, [gpu]).of(pid)
    until(lambda: (node.stop(gpu), node.observe(gpu).phase is Phase.ABSENT)[1], SETTLING)
    until(lambda: (look().memory_used or 0) < (before.memory_used or 0) + (100 << 20), SETTLING)


def test_a_process_is_detected(stranger: subprocess.Popen[bytes], look: Callable[[], Reading]) -> None:
    """With its process id and its memory, and not any more when it has ended."""
    seen(look, stranger.pid)
    found = there(look(), stranger.pid)

    assert found is not None
    assert not found.graphics
    assert found.memory is None or found.memory > 0
    stranger.terminate()
    until(lambda: there(look(), stranger.pid) is None, SETTLING)


def test_a_stranger_is_its_owner(stranger: subprocess.Popen[bytes], gpu: Device, look: Callable[[], Reading], tmp_path: Path) -> None:
    """Its GPU is ordered to idle for as long as it is there and a quiet period longer."""
    seen(look, stranger.pid)
    clock, store = SystemClock(), Store.in_memory()
    with ExitStack() as closing:
        settings = Settings(state=tmp_path / "autopilot.db")
        gpus = find(settings, store, closing)
        tending = gpus.tending(settings, store, (), live=False)
        assert tending is not None
        idle = {
            each.id: Placement(each.id, IDLE, clock.now(), Observation(each.id, IDLE, Phase.READY, clock.now())) for each in gpus.devices
        }
        until(lambda: gpu.id in tending.bounds(clock.now(), idle).orders, SETTLING)
        order = tending.bounds(clock.now(), idle).orders[gpu.id]

    assert Kin.FOREIGN is kinship({}, [gpu]).of(stranger.pid)
    assert IDLE == order.target
    assert f"({stranger.pid})" in order.why

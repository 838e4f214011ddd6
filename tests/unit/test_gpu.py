"""The GPUs of a host, through the driver's library as pynvml opens it: a stand-in for the library is the only thing made up."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autopilot.gpu import Nvml
from autopilot.model.device import Device, DeviceId
from autopilot.model.gpu import Ailment, Condition, GpuProcess, Reading
from autopilot.units import Share, Watts
from shared.driver import stand_in

FIRST = DeviceId("GPU-00000000-0000-0000-0000-000000000000")
SECOND = DeviceId("GPU-00000001-0000-0000-0000-000000000000")
Say = Callable[..., None]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, loaded: whoever opens it by its name finds it there already."""
    built = stand_in(tmp_path_factory.mktemp("nvml"))
    ctypes.CDLL(str(built), mode=ctypes.RTLD_GLOBAL)
    return built


@pytest.fixture
def say(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:  # noqa: ARG001  # it must be loaded first
    """What the driver says from now on, line by line."""
    state = tmp_path / "state"
    monkeypatch.setenv("NVML_STATE", str(state))

    def write(*lines: str) -> None:
        state.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    write()
    return write


@pytest.fixture
def gpus() -> Iterator[Nvml]:
    """The probe."""
    probe = Nvml()
    yield probe
    probe.close()


def ailment(outcome: object) -> Condition:
    """What is wrong."""
    assert isinstance(outcome, Ailment), outcome

    return outcome.condition


def test_the_census_names_every_gpu(say: Say, gpus: Nvml) -> None:
    """By UUID, with the product's name as the networks know it, memory, power limit, PCI id and number."""
    say("host gpus 2", "1 name NVIDIA H100 80GB HBM3", "1 memory 85520809984", "1 limit 700000", "1 most 700000")
    census = gpus.census()

    assert "575.57.08" == census.driver
    assert () == census.ailments
    assert (
        Device(FIRST, "RTX 4090", 24, Watts.of(450), "2684", 0),
        Device(SECOND, "H100 80GB HBM3", 80, Watts.of(700), "2684", 1),
    ) == census.devices


def test_a_reading_says_what_the_gpu_says(say: Say, gpus: Nvml) -> None:
    """Draw, limits, heat, use, memory, and who is on it: this very process computes, and one that is gone draws."""
    own = os.getpid()
    say("0 watts 311250", "0 celsius 71", "0 busy 98", "0 used 2147483648", f"0 runs {own}:1073741824:C,4194303:0:G")
    reading = gpus.read(FIRST)

    assert isinstance(reading, Reading)
    assert (Watts.of("311.25"), Watts.of(450), (Watts.of(150), Watts.of(600))) == (reading.draw, reading.limit, reading.limits)
    assert (71, Share.of("0.98"), 2**31) == (reading.temperature, reading.utilisation, reading.memory_used)
    name = Path(f"/proc/{own}/comm").read_text(encoding="utf-8").strip()
    assert (GpuProcess(own, name, 2**30), GpuProcess(4194303, "", 0, graphics=True)) == reading.processes


def test_what_a_gpu_does_not_tell_is_none(say: Say, gpus: Nvml) -> None:
    """A laptop's GPU has no power reading, and processes may be hidden from us: neither is zero, and neither is an error."""
    say("0 watts -", "0 limit !", "0 runs -")
    reading = gpus.read(FIRST)

    assert isinstance(reading, Reading)
    assert (None, None, None) == (reading.draw, reading.limit, reading.processes)
    assert 35 == reading.temperature


@pytest.mark.parametrize(
    ("line", "condition", "remedy"),
    [
        ("host init 9", Condition.NO_DRIVER, "modprobe"),
        ("host init 18", Condition.NO_DRIVER, "updated"),
        ("host init 12", Condition.NO_LIBRARY, "driver"),
        ("0 error 15", Condition.LOST, "reboot"),
        ("0 error 16", Condition.LOST, "reset"),
        ("0 error 4", Condition.FORBIDDEN, "root"),
        ("0 error 999", Condition.UNREADABLE, "Unknown"),
        ("0 uuid GPU-another", Condition.MISSING, "taken out"),
        ("0 mig 1", Condition.SLICED, "-mig 0"),
    ],
)
def test_every_fault_is_a_condition_with_a_remedy(say: Say, gpus: Nvml, line: str, condition: Condition, remedy: str) -> None:
    """A driver that is not loaded, that was updated under us, a GPU that fell off the bus: one sentence each, and no exception."""
    say(line)
    outcome = gpus.read(FIRST)

    assert condition == ailment(outcome)
    assert isinstance(outcome, Ailment)
    assert remedy in outcome.remedy


def test_a_gpu_that_comes_back_is_read_again(say: Say, gpus: Nvml) -> None:
    """The library is opened anew after every fault: a driver that was loaded again is not lost to a daemon that runs on."""
    assert isinstance(gpus.read(FIRST), Reading)
    say("0 error 15")
    assert Condition.LOST == ailment(gpus.read(FIRST))
    say("host init 9")
    assert Condition.NO_DRIVER == ailment(gpus.read(FIRST))
    say()

    assert isinstance(gpus.read(FIRST), Reading)


def test_one_lost_gpu_hides_no_other(say: Say, gpus: Nvml) -> None:
    """Nor does one that is sliced: the census has the healthy ones, and says what became of the rest."""
    say("host gpus 3", "0 error 15", "2 mig 1")
    census = gpus.census()

    assert [SECOND] == [device.id for device in census.devices]
    assert [(Condition.LOST, "GPU-0"), (Condition.SLICED, "GPU-2")] == [(each.condition, each.remedy[:5]) for each in census.ailments]
    assert isinstance(gpus.read(SECOND), Reading)


def test_a_power_limit_is_set_within_bounds_or_not_at_all(say: Say, gpus: Nvml) -> None:
    """What the board does not allow, or this user may not, leaves the limit as it was, and says so."""
    assert gpus.limit(FIRST, Watts.of(300)) is None
    changed = gpus.read(FIRST)
    assert isinstance(changed, Reading)
    assert Watts.of(300) == changed.limit
    assert Condition.UNREADABLE == ailment(gpus.limit(FIRST, Watts.of(700)))
    say("host readonly 1")
    assert Condition.FORBIDDEN == ailment(gpus.limit(FIRST, Watts.of(450)))
    say()
    assert gpus.limit(FIRST, Watts.of(450)) is None


def test_a_host_without_the_library_says_so() -> None:
    """A gaming console of a server: nothing of NVIDIA's is there, and the census is empty with one sentence."""
    script = (
        "from autopilot.gpu import Nvml; census = Nvml().census(); print(census.devices, *(each.condition for each in census.ailments))"
    )
    if shutil.which("nvidia-smi"):
        pytest.skip("this host has a driver")
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "() no library" == said.strip()

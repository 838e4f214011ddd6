"""The GPUs of this host, by NVML (``nvidia-ml-py``). The only file that speaks to the driver.

Every look may be the first after a driver was updated, a GPU fell off the bus or a laptop woke up: what goes wrong is a value
with a remedy, never an exception, and the next look opens the library anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol, TypeVar

from autopilot.model.device import Device, DeviceId
from autopilot.model.gpu import Ailment, Census, Condition, GpuProcess, Reading
from autopilot.units import ALL, Share, Watts

T = TypeVar("T")
_GIB = 2**30
_PERCENT = ALL.count // 100
_SLICED = Ailment(Condition.SLICED, "MIG is on, and slices are not served; `nvidia-smi -mig 0` makes it whole again")
_BRAND = re.compile(r"^(NVIDIA )?(GeForce )?")


class GpuProbe(Protocol):
    """What can be asked of the GPUs of a host."""

    def census(self) -> Census:
        """Every GPU that there is."""
        ...

    def read(self, device: DeviceId) -> Reading | Ailment:
        """One look at one GPU."""
        ...

    def limit(self, device: DeviceId, power: Watts) -> Ailment | None:
        """Set the power limit; None where that was done."""
        ...


class Nvml:
    """The real ones. It holds nothing between two looks but the open library."""

    def __init__(self) -> None:
        self._open = False

    def census(self) -> Census:
        """Every GPU that there is. One that is lost or sliced is an ailment beside those that can be used."""
        outcome = self._ask(self._census)
        return Census((), (outcome,)) if isinstance(outcome, Ailment) else outcome

    def read(self, device: DeviceId) -> Reading | Ailment:
        """One look at one GPU."""
        return self._ask(lambda nvml: _reading(nvml, device))

    def limit(self, device: DeviceId, power: Watts) -> Ailment | None:
        """Set the power limit until the driver is loaded again; None where that was done. It takes root."""

        def set_it(nvml: ModuleType) -> None:
            nvml.nvmlDeviceSetPowerManagementLimit(nvml.nvmlDeviceGetHandleByUUID(device), power.count)

        return self._ask(set_it)

    def close(self) -> None:
        """Let go of the library."""
        if self._open:
            import pynvml

            self._open = False
            _quietly(pynvml.nvmlShutdown, pynvml.NVMLError)

    def _ask(self, question: Callable[[ModuleType], T]) -> T | Ailment:
        import pynvml

        try:
            if not self._open:
                pynvml.nvmlInit()
                self._open = True
            return question(pynvml)
        except pynvml.NVMLError as error:
            self.close()
            return _ailment(pynvml, error)

    def _census(self, nvml: ModuleType) -> Census:
        devices: list[Device] = []
        ailments: list[Ailment] = []
        for index in range(nvml.nvmlDeviceGetCount()):
            found = self._device(nvml, index)
            if isinstance(found, Device):
                devices.append(found)
            else:
                ailments.append(Ailment(found.condition, f"GPU-{index}: {found.remedy}"))
        return Census(tuple(devices), tuple(ailments), nvml.nvmlSystemGetDriverVersion())

    def _device(self, nvml: ModuleType, index: int) -> Device | Ailment:
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            return _SLICED if _sliced(nvml, handle) else _device(nvml, handle, index)
        except nvml.NVMLError as error:
            return _ailment(nvml, error)


def _device(nvml: ModuleType, handle: Any, index: int) -> Device:
    limit = _told(nvml, lambda: Watts(nvml.nvmlDeviceGetPowerManagementLimit(handle)))
    return Device(
        DeviceId(nvml.nvmlDeviceGetUUID(handle)),
        _BRAND.sub("", nvml.nvmlDeviceGetName(handle)),
        round(nvml.nvmlDeviceGetMemoryInfo(handle).total / _GIB),
        limit or Watts(0),
        f"{nvml.nvmlDeviceGetPciInfo(handle).pciDeviceId >> 16:04x}",
        index,
    )


def _sliced(nvml: ModuleType, handle: Any) -> bool:
    return bool(_told(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle)[0]))


def _reading(nvml: ModuleType, device: DeviceId) -> Reading | Ailment:
    handle = nvml.nvmlDeviceGetHandleByUUID(device)
    if _sliced(nvml, handle):
        return _SLICED
    limits = _told(nvml, lambda: nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle))
    return Reading(
        device,
        _told(nvml, lambda: Watts(nvml.nvmlDeviceGetPowerUsage(handle))),
        _told(nvml, lambda: Watts(nvml.nvmlDeviceGetPowerManagementLimit(handle))),
        (Watts(limits[0]), Watts(limits[1])) if limits else None,
        _told(nvml, lambda: int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))),
        _told(nvml, lambda: Share(_PERCENT * min(nvml.nvmlDeviceGetUtilizationRates(handle).gpu, 100))),
        _told(nvml, lambda: int(nvml.nvmlDeviceGetMemoryInfo(handle).used)),
        _told(nvml, lambda: _processes(nvml, handle)),
    )


def _processes(nvml: ModuleType, handle: Any) -> tuple[GpuProcess, ...]:
    """One for each pid; a program that both draws and computes draws."""
    found = {each.pid: _process(nvml, each, graphics=False) for each in nvml.nvmlDeviceGetComputeRunningProcesses(handle)}
    found.update({each.pid: _process(nvml, each, graphics=True) for each in nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)})
    return tuple(found[pid] for pid in sorted(found))


def _process(nvml: ModuleType, seen: Any, *, graphics: bool) -> GpuProcess:
    name = _told(nvml, lambda: str(nvml.nvmlSystemGetProcessName(seen.pid))) or ""
    return GpuProcess(seen.pid, name.rpartition("/")[2], seen.usedGpuMemory, graphics)


def _told(nvml: ModuleType, ask: Callable[[], T]) -> T | None:
    """What a GPU tells; None where its kind, its driver or this user's rights leave it out. Raises what is wrong with the GPU itself."""
    left_out = (nvml.NVML_ERROR_NOT_SUPPORTED, nvml.NVML_ERROR_FUNCTION_NOT_FOUND, nvml.NVML_ERROR_NO_PERMISSION, nvml.NVML_ERROR_NOT_FOUND)
    try:
        return ask()
    except nvml.NVMLError as error:
        if error.value in left_out:
            return None
        raise


def _ailment(nvml: ModuleType, error: Any) -> Ailment:
    """What an error of the driver means to a person."""
    reboot = "a reset or a reboot brings it back"
    known = {
        nvml.NVML_ERROR_LIBRARY_NOT_FOUND: Ailment(
            Condition.NO_LIBRARY, "libnvidia-ml.so.1 is not on this host: install NVIDIA's driver; in a container, give it the GPUs"
        ),
        nvml.NVML_ERROR_DRIVER_NOT_LOADED: Ailment(
            Condition.NO_DRIVER, "NVIDIA's driver is not loaded: `modprobe nvidia`, or look into `dmesg` for why it does not load"
        ),
        nvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: Ailment(
            Condition.NO_DRIVER, "the driver was updated under the running kernel: reboot, or unload and load its module"
        ),
        nvml.NVML_ERROR_GPU_IS_LOST: Ailment(Condition.LOST, f"the GPU fell off the bus: {reboot}; check its power, riser and heat"),
        nvml.NVML_ERROR_RESET_REQUIRED: Ailment(Condition.LOST, f"the GPU waits for a reset: {reboot}"),
        nvml.NVML_ERROR_NOT_FOUND: Ailment(
            Condition.MISSING, "no GPU of this UUID is in the host: was it taken out, or is it hidden from us?"
        ),
        nvml.NVML_ERROR_NO_PERMISSION: Ailment(Condition.FORBIDDEN, "this user may not: run as root, or leave power limits alone"),
    }
    return known.get(error.value, Ailment(Condition.UNREADABLE, f"the driver says: {error}"))


def _quietly(act: Callable[[], object], failure: type[Exception]) -> None:
    """Let go of what may be gone already."""
    try:
        act()
    except failure:
        return

"""What can be seen of a GPU itself, whoever uses it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autopilot.model.device import Device, DeviceId
from autopilot.units import Share, Watts


class Condition(StrEnum):
    """Why a GPU cannot be read, or must not be used."""

    NO_LIBRARY = "no library"
    """There is no NVML on this host: no NVIDIA driver was ever installed."""
    NO_DRIVER = "no driver"
    """The library is there and the kernel's driver is not loaded, or it is of another version since an update."""
    LOST = "lost"
    """It fell off the bus. Only a reset or a reboot brings it back."""
    MISSING = "missing"
    """No GPU of this UUID is in the host any more."""
    SLICED = "sliced"
    """MIG is on: the GPU is several small ones, and none of them is the GPU that a network pays for."""
    FORBIDDEN = "forbidden"
    """This user may not ask."""
    UNREADABLE = "unreadable"
    """Anything else that the driver said."""


@dataclass(frozen=True, slots=True)
class Ailment:
    """A GPU, or all of a host, that gave no reading."""

    condition: Condition
    remedy: str
    """One sentence: what is wrong, and what a person can do."""


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A program that holds a GPU."""

    pid: int
    name: str
    """As the kernel calls it; empty where it is gone or hidden."""
    memory: int | None
    """Bytes on the GPU; None where the driver does not say."""
    graphics: bool = False
    """Whether it draws (a game, a desktop) rather than computes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one GPU. What a GPU does not tell is None, never zero."""

    device: DeviceId
    draw: Watts | None
    limit: Watts | None
    """The power limit in force."""
    limits: tuple[Watts, Watts] | None
    """The lowest and the highest limit that may be set."""
    temperature: int | None
    """Degrees Celsius."""
    utilisation: Share | None
    """The share of the last moment in which something ran on it."""
    memory_used: int | None
    """Bytes."""
    processes: tuple[GpuProcess, ...] | None
    """By pid. None where they cannot be told: then nobody knows whether the GPU is free."""


@dataclass(frozen=True, slots=True)
class Census:
    """The GPUs of this host."""

    devices: tuple[Device, ...]
    """Those that can be used, in the order of the driver."""
    ailments: tuple[Ailment, ...] = ()
    """What stands in the way of others, or of all."""
    driver: str = ""
    """The driver's version."""

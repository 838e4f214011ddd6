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
    HUNG = "hung"
    """The driver does not answer."""
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


class Kin(StrEnum):
    """Who started a program that holds a GPU."""

    OURS = "ours"
    """A node of ours, or a child of one."""
    BOXED = "boxed"
    """It runs in a container or a pod: a node's own work, a tenant's, or the owner's. Nobody can tell from outside."""
    FOREIGN = "foreign"
    UNTOLD = "untold"
    """It cannot be looked at: it is gone already, or hidden from this user."""


@dataclass(frozen=True, slots=True)
class GpuState:
    """What is known of one GPU at this moment."""

    seen: Reading | Ailment
    owner: str = ""
    """What its owner does with it, in words; empty where he leaves it to us."""
    doubt: str = ""
    """What of its programs cannot be told apart, in words: they are taken for no owner's."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a venue asks of a GPU and its host. What is zero or empty is not asked."""

    memory_gib: int = 0
    disk_gib: int = 0
    """Free, when somebody is sent there."""
    driver: str = ""
    """The oldest version that will do."""
    models: tuple[str, ...] = ()

"""Devices and the places where they can earn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from autopilot.units import Watts

DeviceId = NewType("DeviceId", str)
"""The GPU's UUID, as NVML prints it; it survives a reboot and a change of slot."""

NetworkId = NewType("NetworkId", str)
"""A protocol that pays for GPU work: ``akash``, ``render``, ``nosana``, ``bittensor``."""


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """One GPU."""

    id: DeviceId
    model: str
    """The product, e.g. ``RTX 4090``. Devices of one model are alike to a market."""
    memory_gib: int = 0
    power_limit: Watts = Watts(0)
    pci_id: str = ""
    """The PCI device id in four hexadecimal digits, e.g. ``2684``: it tells apart what the product name leaves open."""
    index: int | None = None
    """Its number on this host today. For people; never an identity."""

    @property
    def label(self) -> str:
        """What a person calls it: ``GPU-3`` where the index is known, else the start of its id."""
        return f"GPU-{self.index}" if self.index is not None else self.id[:12]


@dataclass(frozen=True, slots=True, order=True)
class Venue:
    """One place where a device can earn: a network and, where the network has several, its market."""

    network: NetworkId
    market: str = ""

    def __str__(self) -> str:
        return f"{self.network}/{self.market}" if self.market else self.network


IDLE = Venue(NetworkId("idle"))
"""The venue that pays nothing and costs nothing."""

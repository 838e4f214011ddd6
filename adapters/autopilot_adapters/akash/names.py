"""From a device to the rows of Akash that speak of it: by PCI id where the list knows it, else by the product's name.

Akash writes a model in lower case without spaces and brand (``rtx4090``, ``h100``, ``pro6000se``), its memory as ``80Gi``, and its
interface as ``SXM4``, ``SXM5`` or ``PCIe``, in whatever case a provider's software of the day writes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from autopilot.model.device import Device
from autopilot_adapters.akash.pci import NVIDIA
from autopilot_adapters.akash.wire import GpuRow, Kind

_WORD = re.compile(r"[a-z0-9]+")
_RAM = re.compile(r"\b([0-9]{1,3}) ?gi?b?\b")
_HOST_RAM = 400
"""GiB. No GPU has so much: ``GH200 480GB`` names the memory of its processor."""
_AMD = {"amd", "instinct", "radeon"}
_BRANDS = frozenset(("nvidia", "corporation", "geforce", "tesla", "quadro", *_AMD))
_NOISE = _BRANDS.union(("gpu", "graphics", "generation", "edition", "blackwell", "lite", "hash", "rate", "hbm2", "hbm2e", "hbm3", "hbm3e"))
_SHORT = {"super": "s", "laptop": "m", "mobile": "m", "sff": "s"}
_EDITIONS = {"maxq": "mq", "server": "se", "workstation": "we"}
"""Of an RTX PRO; the first that the name holds, since a Max-Q is a workstation edition too."""
_PRO = re.compile(r"(?:rtx)?pro([0-9]{4})(mq|se|we)?")
_AMPERE = re.compile(r"(?:rtx)?(a[0-9]{4})")
_BARE = re.compile(r"([0-9]{3,4})(ti|s|m|d)*")
_FIRST_RTX = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a device is to Akash, as far as it is known."""

    vendor: str
    models: tuple[str, ...]
    """Every spelling under which it may be listed."""
    ram_gib: int | None
    family: str | None
    said_by: str
    """What told us, for a person."""

    def __str__(self) -> str:
        ram = f" {self.ram_gib}Gi" if self.ram_gib else ""
        return f"{' or '.join(self.models) or '(no name)'}{ram}{f' {self.family}' if self.family else ''}"

    @property
    def kinds(self) -> frozenset[Kind]:
        """The names of the rows that are to be read."""
        return frozenset((self.vendor, model) for model in self.models)

    def of(self, rows: Sequence[GpuRow]) -> Sequence[GpuRow]:
        """The rows that speak of the device. What the device does not say matches everything."""
        named = [row for row in rows if row.kind in self.kinds and (self.family is None or row.family in {"", self.family})]
        if self.ram_gib is None:
            return named
        nearest = min((row.ram_gib for row in named if row.ram_gib is not None), key=self._distance, default=None)
        return [row for row in named if row.ram_gib == nearest] if nearest and self._distance(nearest) <= max(1, nearest // 10) else []

    def _distance(self, ram_gib: int) -> int:
        """A driver tells less than the label: what it and error correction keep for themselves is a GiB, or a tenth."""
        return abs(ram_gib - (self.ram_gib or 0))


def wanted(device: Device) -> Wanted:
    """What Akash would call this device."""
    pci_id = device.pci_id.strip().lower().removeprefix("0x")
    if listed := NVIDIA.get(pci_id):
        return Wanted("nvidia", (listed.model,), listed.ram_gib, listed.family, f"PCI id {pci_id}")
    name = " ".join(_WORD.findall(device.model.lower()))
    words = set(name.split())
    ram = _ram_of(name) or device.memory_gib or None
    return Wanted("amd" if words & _AMD else "nvidia", _models(name), ram, _family(words), f"its name, {device.model[:60]!r}")


def _ram_of(name: str) -> int | None:
    found = _RAM.search(name)
    ram = int(found[1]) if found else 0
    return ram if 0 < ram < _HOST_RAM else None


def _family(words: set[str]) -> str | None:
    if any(word.startswith("sxm") for word in words) or {"h100", "hbm3"} <= words:
        return "sxm"  # the PCIe boards of that model say so, or NVL
    return "pcie" if words & {"pcie", "nvl"} else None


def _models(name: str) -> tuple[str, ...]:
    """Every spelling of the model. The list writes SUPER as ``s``, a laptop's GPU as ``m``, and some of the A series without RTX."""
    said = _RAM.sub("", name).replace("max q", "maxq").split()
    words = [word for word in said if word not in {*_NOISE, *_EDITIONS} and not word.startswith(("sxm", "pcie"))]
    joined = "".join(_SHORT.get(word, word) for word in words)
    if pro := _PRO.fullmatch(joined):
        editions = [pro[2]] if pro[2] else [short for long, short in _EDITIONS.items() if long in said][:1]
        return tuple(f"pro{pro[1]}{edition}" for edition in editions or _EDITIONS.values())
    if ampere := _AMPERE.fullmatch(joined):
        return f"rtx{ampere[1]}", ampere[1]
    if number := _BARE.fullmatch(joined):
        return (f"{'rtx' if int(number[1]) >= _FIRST_RTX else 'gtx'}{joined}",)
    return (joined,) if joined else ()

"""Which market takes which GPU: product names as NVML, people and Nosana's ``gpu_types`` write them, compared word by word.

``NVIDIA GeForce RTX 4090``, ``RTX4090`` and ``4090`` are one product; ``RTX 4090 D`` and ``RTX 4090 Laptop GPU`` are others. Memory and
socket (``NVIDIA A100-SXM4-80GB``) count where both sides name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from autopilot.model.device import Device
from autopilot_adapters.nosana.reading import Nonsense

_GLUED = re.compile(r"\b(rtx|gtx|geforce|nvidia|tesla|quadro)(?=a?[0-9])")
_SUFFIX = re.compile(r"(?<=[0-9]{4})(ti|super|d)(super)?\b")
_MEMORY = re.compile(r"\b([0-9]{1,3}) ?(?:gib|gb|g)\b")
_SOCKETS = {"pcie": "pcie", "nvl": "nvl", "hbm3": "sxm"} | {f"sxm{each}": "sxm" for each in ("", *range(2, 7))}
"""What a word says about the socket. ``H100 80GB HBM3`` is how NVML names the SXM one."""
_EMPTY = {"nvidia", "corporation", "geforce", "tesla", "rtx", "gtx", "gpu", "graphics", "card", "generation", "edition", "hbm2", "hbm2e"}
"""Words that tell no product from another."""
_NEAR = 0.12
"""A card of 80 GB shows 79 or 80 GiB; 40 and 48 GB are further apart."""
_COUNT = re.compile(r"(?<![a-z0-9])([0-9]{1,3})[ -]?x|(?<![a-z0-9])x[ -]?([0-9]{1,2})(?![a-z0-9])")
_MOST_GPUS = 16
"""In one node."""


@dataclass(frozen=True, slots=True)
class Product:
    """What a name says."""

    words: frozenset[str]
    """What tells the product from others: ``{"4070", "ti", "super"}``."""
    memory: int | None = None
    """GB, where the name says so."""
    socket: str = ""

    def is_like(self, other: Product) -> bool:
        """Whether both may be the same: the same words, and nothing that both name differs."""
        if not self.words or self.words != other.words:
            return False
        same_socket = not (self.socket and other.socket) or self.socket == other.socket
        return same_socket and (self.memory is None or other.memory is None or _near(self.memory, other.memory))


@lru_cache(maxsize=4096)
def product(name: str, memory: int = 0) -> Product:
    """What a product name says; ``memory`` is what is known besides, in GiB."""
    plain = re.sub(r"[®™©]", " ", name.lower())
    plain = re.sub(r"pci-?e\b", "pcie", plain)
    plain = _SUFFIX.sub(r" \1 \2", _GLUED.sub(r"\1 ", plain))
    if not plain.isascii():
        return Product(frozenset())
    told = _MEMORY.search(plain)
    words = re.findall(r"[a-z0-9]+", _MEMORY.sub(" ", plain))
    sockets = [_SOCKETS[word] for word in words if word in _SOCKETS]
    size = int(told[1]) if told else memory or None
    return Product(frozenset(words) - _EMPTY - _SOCKETS.keys(), size, sockets[0] if sockets else "")


def of_device(device: Device) -> Product:
    """What is known of a device."""
    return product(device.model, device.memory_gib)


def takes(gpu_types: Iterable[str], device: Device) -> bool:
    """Whether a market with these GPUs may be one for the device."""
    wanted = of_device(device)
    return any(product(each).is_like(wanted) for each in gpu_types)


def variants(every_type: Iterable[str], device: Device) -> list[int]:
    """The memory sizes, in GB, that the device may have by all that its name says; one at most where there is no doubt."""
    wanted = of_device(device)
    alike = (each for each in map(product, every_type) if each.is_like(wanted))
    return sorted({each.memory for each in alike if each.memory is not None}) if wanted.memory is None else []


def gpus_of(*names: str) -> int:
    """How many GPUs the market's node has: ``8x`` in its name or slug, else one. Raises Nonsense where they contradict each other."""
    found = {int(first or second) for name in names for first, second in _COUNT.findall(name.lower().replace("\u00d7", "x"))}
    if len(found) > 1 or not all(1 <= each <= _MOST_GPUS for each in found):
        raise Nonsense(f"{' and '.join(ascii(name) for name in names)} speak of {sorted(found)} GPUs in a node")
    return found.pop() if found else 1


def _near(one: int, other: int) -> bool:
    return abs(one - other) <= _NEAR * max(one, other)

"""Which row of a list of GPUs is meant by what NVML, or a person, calls a device."""

from __future__ import annotations

import re
from collections.abc import Sequence

from autopilot.model.device import Device

_WORD = re.compile(r"[A-Z0-9]+")
_SPELLINGS = (
    (re.compile(r"(RTX|GTX|PRO)(?=[0-9AP])"), r"\1 "),
    (re.compile(r"([0-9]{4})(?=TI|SUPER)"), r"\1 "),
    (re.compile(r"([0-9]) ?GI?B"), r"\1GB"),
)
"""``RTX4090``, ``3090Ti`` and ``80 GiB`` as NVML writes them."""
_NOISE = {"NVIDIA", "GEFORCE", "TESLA", "TM", "R"}
_FORMS = {
    *("SXM", "SXM2", "SXM3", "SXM4", "SXM5", "SXM6", "PCIE", "HBM2", "HBM2E", "HBM3", "HBM3E"),
    *("AC", "BLACKWELL", "SERVER", "WORKSTATION", "EDITION", "GENERATION"),
}
"""Words that say how a GPU is built: a name may leave them out, so long as only one row is left then."""
_MEMORY = re.compile(r"([0-9]{1,4})GB")
_NEAR = 2
"""GiB. NVML counts a little less than what the name says."""
_BY_PCI = {
    "2204": "RTX 3090",
    "2684": "RTX 4090",
    "2b85": "RTX 5090",
    "26b1": "RTX 6000 Ada Generation",
    "26b5": "L40",
    "26b9": "L40S",
    "2230": "RTX A6000",
    "20b0": "A100-SXM4-40GB",
    "20b2": "A100-SXM4-80GB",
    "20b5": "A100 80GB PCIe",
    "20f1": "A100-PCIE-40GB",
    "2330": "H100 80GB HBM3",
    "2331": "H100 PCIe",
    "2321": "H100 NVL",
    "2335": "H200",
    "233b": "H200 NVL",
    "2bb1": "RTX PRO 6000 Blackwell Workstation Edition",
    "2bb4": "RTX PRO 6000 Blackwell Max-Q Workstation Edition",
    "2bb5": "RTX PRO 6000 Blackwell Server Edition",
}
"""What NVML calls a PCI device id, for the models that are most often named by halves."""


def words(model: str) -> frozenset[str]:
    """The words of a name that tell GPUs apart: ``NVIDIA GeForce RTX 4090`` and ``rtx4090`` have the same."""
    name = model.upper()
    for written, meant in _SPELLINGS:
        name = written.sub(meant, name)
    return frozenset(_WORD.findall(name)) - _NOISE


def row_of(device: Device, names: Sequence[str]) -> int | str:
    """Which name of the list is the device; where none or several could be, the reason."""
    rows = [words(name) for name in names]
    spoken = words(device.model)
    of_hardware = words(_BY_PCI.get(device.pci_id.lower().removeprefix("0x"), ""))
    if of_hardware in rows:
        return rows.index(of_hardware)
    if spoken in rows:
        return rows.index(spoken)
    found = [index for index, row in enumerate(rows) if _may_be(row, spoken) and _fits(row, device.memory_gib)]
    if len(found) == 1:
        return found[0]
    if not found:
        return f"there is no {device.model!r} in its list of GPUs"
    return f"{device.model!r} could be {' or '.join(names[index] for index in found)}: its PCI id or its full name would tell"


def family_of(name: str, families: Sequence[str]) -> int | None:
    """Which family a name of the list belongs to: the one with the most words, all of which are in the name."""
    within = [(len(words(family)), index) for index, family in enumerate(families) if words(family) and words(family) <= words(name)]
    return max(within)[1] if within else None


def _may_be(row: frozenset[str], spoken: frozenset[str]) -> bool:
    """Whether one of the names only says more than the other of how the GPU is built."""
    return bool(row & spoken) and (row <= spoken or spoken <= row) and all(_is_form(word) for word in row ^ spoken)


def _is_form(word: str) -> bool:
    return word in _FORMS or bool(_MEMORY.fullmatch(word))


def _fits(row: frozenset[str], memory_gib: int) -> bool:
    said = [int(match[1]) for word in row if (match := _MEMORY.fullmatch(word))]
    return not memory_gib or all(abs(size - memory_gib) <= _NEAR for size in said)

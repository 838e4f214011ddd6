"""What Akash calls a GPU, by its PCI device id.

A provider's inventory reads the id from the bus and looks the name up in a public list (akash-network/provider-configs,
``devices/pcie/gpus.json``, as of 2026-06-16). The same facts stand here: model, memory in GiB, interface family, PCI device ids. Where
that list takes two products for one, as it does with both memory sizes of the RTX 4060 Ti, so do we: the prices are listed under its names.
"""

from __future__ import annotations

from dataclasses import dataclass

_LIST = """
gt1030 2 pcie 1d01
mx150 2 pcie 1d10
gtx960 2 pcie 1401
gtx960 4 pcie 1406
gtx970 4 pcie 13c2
gtx980 4 pcie 13c0
gtx980ti 6 pcie 17c8
gtx1050 2 pcie 1c81
gtx1050 3 pcie 1c83
gtx1050ti 4 pcie 1c82
gtx1060 3 pcie 1c02
gtx1060 5 pcie 1c04
gtx1060 6 pcie 1c03 1c06
gtx1070 8 pcie 1b81
gtx1070ti 8 pcie 1b82
gtx1080 8 pcie 1b80
gtx1080ti 11 pcie 1b06
gtx1650s 4 pcie 2187
gtx1650ti 4 pcie 1f95
gtx1660 6 pcie 2184
gtx1660ti 6 pcie 2182
rtx2060 6 pcie 1e89
rtx2060s 8 pcie 1f06
rtx2070 8 pcie 1f02
rtx2070s 8 pcie 1e84
rtx2080 8 pcie 1e87
rtx2080s 8 pcie 1e81
rtx2080ti 11 pcie 1e04 1e07
rtx3060 12 pcie 2487 2503 2504
rtx3060m 6 pcie 2520 2560
rtx3060ti 8 pcie 2486 2489
rtx3070 8 pcie 2484 2488
rtx3080 10 pcie 2216
rtx3090 24 pcie 2204
rtx3090ti 24 pcie 2203
rtx4060 8 pcie 2882
rtx4060ti 16 pcie 2803 2805
rtx4070 12 pcie 2786
rtx4070s 12 pcie 2783
rtx4070ti 12 pcie 2782
rtx4080 16 pcie 2704
rtx4080s 16 pcie 2702
rtx4090 24 pcie 2684 f297
rtx5070 12 pcie 2f04
rtx5080 16 pcie 2c02
rtx5090 32 pcie 2b85
rtx5090m 24 pcie 2c58
m4000 8 pcie 13f1
p2000 4 pcie 1cba
p2000 5 pcie 1c30
p4000 8 pcie 1bb1
p5000 16 pcie 1bb0
p6000 24 pcie 1b30
rtx4000 8 pcie 1eb1
rtx5000 16 pcie 1eb5
rtx6000 24 pcie 1e30
rtx8000 48 pcie 1e78
rtx2000eada 16 pcie 28b0
rtx4000ada 20 pcie 27b2
rtx4000sada 20 pcie 27b0
rtxa2000 6 pcie 2531
rtxa6000 48 pcie 2230
a5000 24 pcie 2231
pro6000mq 96 pcie 2bb4
pro6000se 96 pcie 2bb5
pro6000we 96 pcie 2bb1
p4 8 pcie 1bb3
p40 24 pcie 1b38
p100 16 pcie 15f8
t4 16 pcie 1eb8
v100 16 sxm 1db1
v100 32 sxm 1db5 1db8
v100 32 pcie 1df0
a40 48 pcie 2235
a100 40 pcie 20b1 20f1
a100 40 sxm 20b0
a100 64 sxm 20b3
a100 80 pcie 20b5
a100 80 sxm 147f 20b2
a800 80 sxm 20f3
h100 80 pcie 2331
h100 80 sxm 2330
h200 141 sxm 2335
h200nvl 141 pcie 233b
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list."""

    model: str
    ram_gib: int
    family: str
    """``sxm`` or ``pcie``."""


def _entries() -> dict[str, Listed]:
    rows = (line.split() for line in _LIST.strip().splitlines())
    return {each: Listed(model, int(ram), family) for model, ram, family, *ids in rows for each in ids}


NVIDIA = _entries()
"""By PCI device id, four hexadecimal digits in lower case."""

"""Every way to write a GPU leads to what Vast calls it, or to nothing."""

from __future__ import annotations

import pytest
from autopilot_vast.names import vast_names

from autopilot.model.device import Device, DeviceId

NAMES = {
    "RTX 4090": "RTX 4090",
    "RTX_4090": "RTX 4090",
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "NVIDIA GeForce RTX 4090 D": "RTX 4090D",
    "NVIDIA GeForce RTX 4080 SUPER": "RTX 4080S",
    "NVIDIA GeForce RTX 4070 Ti SUPER": "RTX 4070S Ti",
    "NVIDIA GeForce RTX 3090 Ti": "RTX 3090 Ti",
    "NVIDIA GeForce GTX 1660 SUPER": "GTX 1660 S",
    "NVIDIA H100 80GB HBM3": "H100 SXM",
    "NVIDIA H100 PCIe": "H100 PCIE",
    "NVIDIA H100 NVL": "H100 NVL",
    "H100 SXM5": "H100 SXM",
    "NVIDIA H200": "H200",
    "H200 SXM": "H200",
    "NVIDIA A100-SXM4-80GB": "A100 SXM4",
    "NVIDIA A100 80GB PCIe": "A100 PCIE",
    "Tesla V100-SXM2-16GB": "Tesla V100",
    "Tesla T4": "Tesla T4",
    "Quadro RTX 8000": "Q RTX 8000",
    "NVIDIA RTX A6000": "RTX A6000",
    "NVIDIA RTX 6000 Ada Generation": "RTX 6000Ada",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "RTX PRO 6000 S",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": "RTX PRO 6000 WS",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": "RTX PRO 6000 Max-Q",
    "H100": "H100 SXM, H100 PCIE, H100 NVL",
    "A100": "A100 SXM4, A100 PCIE",
    "NVIDIA GeForce RTX 3060 Laptop GPU": "",
    "Voodoo 2": "",
    "": "",
}


@pytest.mark.parametrize(("name", "known"), NAMES.items())
def test_a_name_becomes_what_vast_calls_it(name: str, known: str) -> None:
    """Letter by letter: with another spelling the search finds nothing, and says nothing of it."""
    assert known == ", ".join(vast_names(Device(DeviceId("gpu-0"), name)))

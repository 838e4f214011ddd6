"""Every way to write a GPU leads to the rows of Akash that speak of it, or to none."""

from __future__ import annotations

import pytest

from autopilot.model.device import Device, DeviceId
from autopilot_adapters.akash.names import wanted
from autopilot_adapters.akash.wire import GpuRow

NAMES = {
    "NVIDIA GeForce RTX 4090": "rtx4090",
    "RTX 4090": "rtx4090",
    "rtx-4090": "rtx4090",
    "GeForce RTX4090 24GB": "rtx4090 24Gi",
    "4090": "rtx4090",
    "3090 Ti": "rtx3090ti",
    "1080 Ti": "gtx1080ti",
    "NVIDIA GeForce RTX 4090 D": "rtx4090d",
    "NVIDIA GeForce GTX 1060 6GB": "gtx1060 6Gi",
    "NVIDIA GeForce RTX 2080 SUPER": "rtx2080s",
    "NVIDIA GeForce RTX 4070 Ti SUPER": "rtx4070tis",
    "NVIDIA GeForce RTX 3060 Laptop GPU": "rtx3060m",
    "NVIDIA GeForce GT 1030": "gt1030",
    "Tesla T4": "t4",
    "Tesla V100-SXM2-16GB": "v100 16Gi sxm",
    "Tesla P100-PCIE-16GB": "p100 16Gi pcie",
    "NVIDIA A100-SXM4-80GB": "a100 80Gi sxm",
    "NVIDIA A100 80GB PCIe": "a100 80Gi pcie",
    "A100": "a100",
    "NVIDIA H100 80GB HBM3": "h100 80Gi sxm",
    "H100 80GB HBM3": "h100 80Gi sxm",
    "NVIDIA H100 PCIe": "h100 pcie",
    "H100 SXM5": "h100 sxm",
    "NVIDIA H100 NVL": "h100nvl pcie",
    "NVIDIA H200": "h200",
    "NVIDIA H200 NVL": "h200nvl pcie",
    "NVIDIA GH200 480GB": "gh200",
    "NVIDIA L40S": "l40s",
    "NVIDIA A10G": "a10g",
    "Quadro RTX 8000": "rtx8000",
    "Quadro P4000": "p4000",
    "NVIDIA RTX A6000": "rtxa6000 or a6000",
    "A5000": "rtxa5000 or a5000",
    "NVIDIA RTX 6000 Ada Generation": "rtx6000ada",
    "NVIDIA RTX 4000 SFF Ada Generation": "rtx4000sada",
    "NVIDIA RTX PRO 6000 Blackwell Server Edition": "pro6000se",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition": "pro6000mq",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": "pro6000we",
    "RTX PRO 6000": "pro6000mq or pro6000se or pro6000we",
    "pro6000se": "pro6000se",
    "AMD Instinct MI100": "mi100",
    "": "(no name)",
    "①": "(no name)",
}

PCI = {
    "2684": "rtx4090 24Gi pcie",
    "0x2B85": "rtx5090 32Gi pcie",
    "2330": "h100 80Gi sxm",
    "2331": "h100 80Gi pcie",
    "2bb5": "pro6000se 96Gi pcie",
}


def gpu(model: str = "a GPU", memory_gib: int = 0, pci_id: str = "") -> Device:
    """A device as NVML or a person describes it."""
    return Device(DeviceId("gpu-0"), model, memory_gib, pci_id=pci_id)


def row(model: str, ram: str, interface: str) -> GpuRow:
    """A row that is only a name."""
    return GpuRow(("nvidia", model), ram, interface, 1, 0, None, "models[0]")


ROWS = [
    row("h100", "80Gi", "SXM5"),
    row("h100", "80Gi", "pcie"),
    row("a100", "80Gi", "sxm"),
    row("a100", "40Gi", "PCIe"),
    row("a100", "80Gi", ""),
]


@pytest.mark.parametrize(("name", "known"), NAMES.items())
def test_a_name_leads_to_what_akash_calls_it(name: str, known: str) -> None:
    """As NVML writes it, as the box does, and as people do."""
    assert known == str(wanted(gpu(name)))


@pytest.mark.parametrize(("pci_id", "known"), PCI.items())
def test_a_pci_id_knows_better_than_a_name(pci_id: str, known: str) -> None:
    """A provider's inventory goes by the id as well, whatever the driver calls the board or how much memory it has been given."""
    assert known == str(wanted(gpu("NVIDIA GeForce RTX 3090", 48, pci_id)))


def test_an_unlisted_pci_id_leaves_the_name() -> None:
    """The list is not complete."""
    assert "l40s 45Gi" == str(wanted(gpu("NVIDIA L40S", 45, "26b9")))


def test_a_vendor_is_read_from_the_name() -> None:
    """Two vendors may use one name."""
    assert [frozenset({("amd", "mi100")}), frozenset({("nvidia", "t4")})] == [wanted(gpu(name)).kinds for name in ("Instinct MI100", "T4")]


@pytest.mark.parametrize(
    ("device", "found"),
    [
        (gpu("H100"), [0, 1]),
        (gpu("H100 80GB HBM3"), [0]),
        (gpu("H100 PCIe", 79), [1]),
        (gpu("A100", 40), [3]),
        (gpu("A100", 79), [2, 4]),
        (gpu("A100-SXM4", 79), [2, 4]),
        (gpu("A100 PCIe", 79), [4]),
        (gpu("A100", 64), []),
        (gpu("A100", 90), []),
        (gpu("RTX 4090", 24), []),
    ],
    ids=lambda case: str(wanted(case)) if isinstance(case, Device) else "",
)
def test_rows_match_by_memory_and_by_the_family_of_the_interface(device: Device, found: list[int]) -> None:
    """In whatever case it is written; what is not said matches all; and a driver tells a little less memory than the label."""
    assert [ROWS[index] for index in found] == wanted(device).of(ROWS)


def test_the_nearest_memory_is_the_right_one() -> None:
    """Variants may lie a gibibyte apart."""
    variants = [row("gtx1060", ram, "PCIe") for ram in ("3Gi", "5Gi", "6Gi")]

    assert ["5Gi", "6Gi"] == [wanted(gpu("GTX 1060", gib)).of(variants)[0].ram for gib in (5, 6)]

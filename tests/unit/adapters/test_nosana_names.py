"""A GPU finds the markets that are for it, however its name is written, and no other."""

from __future__ import annotations

import pytest

from autopilot.model.device import Device, DeviceId
from autopilot_adapters.nosana.names import gpus_of, takes, variants
from autopilot_adapters.nosana.reading import Nonsense

A100_40 = ["NVIDIA A100-SXM4-40GB", "NVIDIA A100-PCIE-40GB"]
A100_80 = ["NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe"]
SAME = [
    ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090"),
    ("RTX 4090", "NVIDIA GeForce RTX 4090"),
    ("rtx4090", "NVIDIA GeForce RTX 4090"),
    ("4090", "NVIDIA GeForce RTX 4090"),
    ("NVIDIA® GeForce RTX™ 4090", "NVIDIA GeForce RTX 4090"),
    ("RTX 4090D", "NVIDIA GeForce RTX 4090 D"),
    ("RTX 4070Ti SUPER", "NVIDIA GeForce RTX 4070 Ti SUPER"),
    ("3060ti", "NVIDIA GeForce RTX 3060 Ti"),
    ("RTX 3060 12GB", "NVIDIA GeForce RTX 3060"),
    ("H100", "NVIDIA H100 80GB HBM3"),
    ("H100 SXM5", "NVIDIA H100 80GB HBM3"),
    ("H100 80GB HBM3", "NVIDIA H100 80GB HBM3"),
    ("NVIDIA H100 PCIe", "NVIDIA H100 PCIe"),
    ("H100 PCI-E 80G", "NVIDIA H100 PCIe"),
    ("A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"),
    ("A6000", "NVIDIA RTX A6000"),
    ("RTX 6000 Ada", "NVIDIA RTX 6000 Ada Generation"),
    ("Tesla T4", "Tesla T4"),
    ("RTX PRO 6000 Blackwell Server", "NVIDIA RTX PRO 6000 Blackwell Server Edition"),
]
OTHERS = [
    ("RTX 4090", "NVIDIA GeForce RTX 4090 D"),
    ("RTX 4090", "NVIDIA GeForce RTX 4090 Laptop GPU"),
    ("RTX 4090 Laptop GPU", "NVIDIA GeForce RTX 4090"),
    ("RTX 3060", "NVIDIA GeForce RTX 3060 Ti"),
    ("RTX 4070 Ti", "NVIDIA GeForce RTX 4070 Ti SUPER"),
    ("RTX 6000 Ada", "NVIDIA RTX A6000"),
    ("Quadro RTX 4000", "NVIDIA RTX 4000 Ada Generation"),
    ("H100 PCIe", "NVIDIA H100 80GB HBM3"),
    ("H100 NVL", "NVIDIA H100 PCIe"),
    ("A100 80GB", "NVIDIA A100-SXM4-40GB"),
    ("H100", "NVIDIA H200"),
    ("\u0664\u0660\u0669\u0660", "NVIDIA GeForce RTX 4090"),
    ("NVIDIA GeForce", "NVIDIA GeForce"),
    ("", "NVIDIA GeForce RTX 4090"),
]


def gpu(model: str, memory: int = 0) -> Device:
    """A device of that name."""
    return Device(DeviceId("GPU-1"), model, memory)


@pytest.mark.parametrize(("model", "market"), SAME)
def test_a_product_is_known_by_its_names(model: str, market: str) -> None:
    """As NVML writes it, and as people do."""
    assert takes([market], gpu(model))


@pytest.mark.parametrize(("model", "market"), OTHERS)
def test_another_product_is_not_taken_for_it(model: str, market: str) -> None:
    """A word more or less, another socket or another memory is another product."""
    assert not takes([market], gpu(model))


def test_memory_that_was_measured_counts() -> None:
    """A card of 80 GB shows 79 GiB: the name need not say it."""
    assert not takes(A100_40, gpu("A100", 79))
    assert takes(A100_80, gpu("A100", 79))


def test_doubt_about_memory_is_told() -> None:
    """Where neither the name nor a measurement says it, and the markets have several."""
    every = [*A100_40, *A100_80, "NVIDIA H100 80GB HBM3"]

    assert [40, 80] == variants(every, gpu("A100"))
    assert [] == variants(every, gpu("A100", 40))
    assert [] == variants(every, gpu("A100 80GB"))


@pytest.mark.parametrize(
    ("names", "gpus"),
    [
        (("8xH100", "nvidia-8x-h100"), 8),
        (("NVIDIA 8\u00d7 H100", "nvidia-8x-h100"), 8),
        (("NVIDIA H100 x2", "nvidia-2x-h100"), 2),
        (("2x4090", "2x4090"), 2),
        (("NVIDIA 4090 Community", "nvidia-4090-community"), 1),
        (("NVIDIA RTX 6000 Ada", "nvidia-6000-ada"), 1),
        (("NVIDIA A100 40GB", "nvidia-a100-40gb"), 1),
        (("NVIDIA 3060", "nvidia-3060"), 1),
        (("NVIDIA 8x H100", "nvidia-h100-whole"), 8),
    ],
)
def test_the_gpus_of_a_node(names: tuple[str, str], gpus: int) -> None:
    """Where the name or the slug speaks of several; a model's number is no count."""
    assert gpus == gpus_of(*names)


@pytest.mark.parametrize("names", [("8x H100", "nvidia-4x-h100"), ("0x H100", "h100"), ("99x H100", "h100")])
def test_a_count_that_cannot_be_is_nonsense(names: tuple[str, str]) -> None:
    """The pay would be divided by the wrong number."""
    with pytest.raises(Nonsense, match="GPUs in a node"):
        gpus_of(*names)

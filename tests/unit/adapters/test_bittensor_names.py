"""A GPU of this host is found in lium's list by what NVML or a person calls it, or it is not found at all."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot_adapters.bittensor.names import family_of, row_of

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/bittensor/world.py")))
NAMES = [row[0] for row in W.ROWS]


@pytest.mark.parametrize(
    ("model", "memory", "pci", "expected"),
    [
        ("NVIDIA GeForce RTX 4090", 24, "", "NVIDIA GeForce RTX 4090"),
        ("rtx4090", 0, "", "NVIDIA GeForce RTX 4090"),
        ("RTX 3090", 0, "", "NVIDIA GeForce RTX 3090"),
        ("H100 80GB HBM3", 80, "", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA H100 PCIe", 80, "", "NVIDIA H100 PCIe"),
        ("H100", 80, "2331", "NVIDIA H100 PCIe"),
        ("H100", 80, "0x2330", "NVIDIA H100 80GB HBM3"),
        ("NVIDIA H200", 141, "", "NVIDIA H200"),
        ("H200 141 GiB HBM3e", 141, "", "NVIDIA H200"),
        ("NVIDIA H200 NVL", 141, "", "NVIDIA H200 NVL"),
        ("A100-SXM4-80GB", 80, "", "NVIDIA A100-SXM4-80GB"),
        ("A100 80GB", 80, "", "NVIDIA A100-SXM4-80GB"),
        ("B200", 180, "", "NVIDIA B200"),
        ("RTX PRO 6000", 96, "2bb5", "NVIDIA RTX PRO 6000 Blackwell Server Edition"),
    ],
)
def test_a_gpu_is_found_by_what_people_and_drivers_call_it(model: str, memory: int, pci: str, expected: str) -> None:
    """The hardware's id decides where the name leaves something open."""
    assert expected == NAMES[int(row_of(W.gpu(0, model, memory, pci), NAMES))]


@pytest.mark.parametrize(
    ("model", "memory", "reason"),
    [
        ("H100", 80, "could be NVIDIA H100 80GB HBM3 or NVIDIA H100 PCIe"),
        ("RTX PRO 6000", 96, "could be"),
        ("RTX PRO 6000 Blackwell Max-Q Workstation Edition", 96, "there is no"),
        ("RTX 4090 Laptop GPU", 16, "there is no"),
        ("RTX 4090 D", 24, "there is no"),
        ("RTX 5090 Ti", 32, "there is no"),
        ("A100-SXM4-40GB", 40, "there is no"),
        ("A100", 40, "there is no"),
        ("H100 NVL", 94, "there is no"),
        ("NVIDIA", 0, "there is no"),
        ("", 0, "there is no"),
        ("RTX \uff14\uff10\uff19\uff10", 24, "there is no"),
        ("Voodoo 2", 0, "there is no 'Voodoo 2'"),
    ],
)
def test_a_gpu_that_is_not_listed_is_not_mistaken_for_another(model: str, memory: int, reason: str) -> None:
    """Nor is one of two taken where both could be meant."""
    assert reason in str(row_of(W.gpu(0, model, memory), NAMES))


def test_a_family_takes_in_its_variants_and_no_others() -> None:
    """The one with the most words wins: an RTX PRO 6000 is no RTX 6000."""
    families = ["RTX 6000", "RTX PRO 6000", "A100", "L40"]

    assert family_of("NVIDIA RTX PRO 6000 Blackwell Server Edition", families) == 1
    assert family_of("NVIDIA A100-SXM4-80GB", families) == 2
    assert family_of("NVIDIA L40S", families) is None

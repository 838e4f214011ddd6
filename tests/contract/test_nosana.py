"""Nosana passes the suite of rate sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.contracts import Adapter, RateSource
from autopilot.model.device import Device
from autopilot.testing.adapters import RateSourceContract
from autopilot_adapters.nosana.adapter import NosanaSettings, nosana_network

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "data/nosana/world.py")))
KEY = "k3y0f7he9rpc1pr0vider5abcdef"
GARBAGE = ["<html><body>moved</body></html>", "", "null", '{"cut', '[{"address": 1}]', '{"error": "Rate limit exceeded"}']


def network(folder: Path, devices: Sequence[Device], down: Callable[[httpx.Request], httpx.Response | None] = lambda _: None) -> Adapter:
    """The adapter with a key in the address of its endpoint, and a node of its own."""
    nosana = W.Nosana()
    nosana.down = down
    settings = NosanaSettings(rpc_url=f"https://rpc.example.com/{KEY}", nodes={"GPU-0": W.OURS})
    return nosana_network(settings, nosana.kit(devices, folder))


class TestNosana(RateSourceContract):
    """With a rig of which some GPUs are written as people write them, one is unclear, and one has no market."""

    @pytest.fixture
    def devices(self) -> Sequence[Device]:
        models = ("NVIDIA GeForce RTX 4090", "RTX 3060", "H100", "NVIDIA H100 PCIe", "A100", "GTX 480")
        return [W.gpu(number, model, 0) for number, model in enumerate(models)]

    @pytest.fixture
    def source(self, devices: Sequence[Device], tmp_path: Path) -> RateSource:
        return network(tmp_path, devices).rates

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return (KEY,)

    @pytest.fixture
    def broken(self, devices: Sequence[Device], tmp_path: Path) -> Sequence[RateSource]:
        bodies = [httpx.Response(200, text=text) for text in GARBAGE] + [httpx.Response(status) for status in (404, 429, 500)]
        return [network(tmp_path, devices, lambda _, body=body: body).rates for body in bodies]  # type: ignore[misc]

    @pytest.fixture
    def refusing(self, devices: Sequence[Device], tmp_path: Path) -> Sequence[RateSource]:
        return [network(tmp_path, devices, lambda _, status=status: httpx.Response(status)).rates for status in (401, 403, 451)]  # type: ignore[misc]

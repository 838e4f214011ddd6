"""Akash passes the suite of rate sources, by asks alone and with leases of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from autopilot.contracts import RateSource
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.sim.clock import SimClock
from autopilot.testing.adapters import RateSourceContract
from autopilot_adapters.akash.adapter import AkashSettings, akash

SAID: Mapping[str, Any] = json.loads(Path(__file__).parents[1].joinpath("data/akash/console.json").read_text())
OURS = "akash18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"
PRICES = "/v1/gpu-prices"
GARBAGE: Sequence[Any] = [None, [], {"models": []}, {"models": [{"gpu": "h100"}]}, {"rates": SAID[PRICES]["models"]}]


def network(folder: Path, provider: str = "", changed: Mapping[str, Any] | None = None, status: int = 200) -> RateSource:
    """Akash as recorded, with some answers changed, or with no answer but a status."""
    said = {**SAID, **(changed or {})}

    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=said[request.url.path]) if request.url.path in said else httpx.Response(404, json={})

    clock = SimClock(datetime(2026, 7, 17, 20, 7, tzinfo=UTC))
    http = Http(clock, network="akash", transport=httpx.MockTransport(serve))
    return akash(AkashSettings(provider=provider), Kit(NetworkId("akash"), clock, (), folder, http, Tokens(http, clock))).rates


class TestAkash(RateSourceContract):
    """On recorded answers."""

    @pytest.fixture(params=["", OURS], ids=["asks", "own leases"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> RateSource:
        """With and without a provider."""
        return network(tmp_path, request.param)

    @pytest.fixture
    def devices(self) -> Sequence[Device]:
        """Leased and asked for; free; without a bid; ambiguous; and one that nobody ever heard of."""
        names = [
            "NVIDIA H100 80GB HBM3",
            "RTX PRO 6000 Server Edition",
            "NVIDIA H100 PCIe",
            "A100",
            "NVIDIA Voodoo 2",
            "RTX 4090",
            "RTX 4090",
        ]
        return [Device(DeviceId(f"gpu-{index}"), name, index=index) for index, name in enumerate(names)]

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Sequence[RateSource]:
        """Silent, busy, broken, or speaking of something else."""
        silent = [network(tmp_path, status=status) for status in (404, 429, 500, 503)]
        return [*silent, *(network(tmp_path, changed={PRICES: answer}) for answer in GARBAGE), network(tmp_path, OURS[:-1] + "q")]

    @pytest.fixture
    def refusing(self, tmp_path: Path) -> Sequence[RateSource]:
        """Not from here, or not to us."""
        return [network(tmp_path, status=status) for status in (401, 403, 451)]

"""Render passes the suite of rate sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
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
from autopilot_adapters.render.adapter import Render
from autopilot_adapters.render.settings import RenderSettings

RENDER = NetworkId("render")
NOW = datetime(2025, 10, 31, 1, tzinfo=UTC)
ANSWER = json.loads((Path(__file__).parents[1] / "data" / "render" / "liability-epochs-data.json").read_text(encoding="utf-8"))
PRICE = {"render-token": {"usd": 2.49, "last_updated_at": int(NOW.timestamp())}}
MODELS = ("NVIDIA GeForce RTX 4090", "RTX 4090", "NVIDIA RTX A2000", "NVIDIA H100 80GB HBM3")
BOTH = {"utilisation": "0.05", "dispersed": {"utilisation": "0.1"}}


def source(folder: Path, statistics: httpx.Response, **written: Any) -> RateSource:
    """The adapter before a web whose statistics answer like this."""

    def web(request: httpx.Request) -> httpx.Response:
        said = httpx.Response(200, json=PRICE) if request.url.host == "api.coingecko.com" else httpx.Response(404)
        return statistics if "render" in request.url.host else said

    clock = SimClock(NOW)
    http = Http(clock, network=RENDER, transport=httpx.MockTransport(web))
    devices = [Device(DeviceId(f"gpu-{number}"), model, index=number) for number, model in enumerate(MODELS)]
    folder.mkdir()
    return Render(RenderSettings(**written), Kit(RENDER, clock, devices, folder, http, Tokens(http, clock))).rates


class TestRates(RateSourceContract):
    """GPUs with and without a known score, on both venues, with and without a utilisation."""

    @pytest.fixture(params=[BOTH, {}, {"wallet": "MedianWa11et", "wallet_score": 1300}], ids=["configured", "not configured", "by wallet"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> RateSource:
        """All is well."""
        return source(tmp_path / "fine", httpx.Response(200, json=ANSWER), **request.param)

    @pytest.fixture
    def devices(self) -> Sequence[Device]:
        """Some that are known and some that are not."""
        return [Device(DeviceId(f"gpu-{number}"), model, index=number) for number, model in enumerate(MODELS)]

    @pytest.fixture
    def made(self, tmp_path: Path) -> Callable[[int, bytes], RateSource]:
        """Sources whose statistics answer with a status and a body."""
        return lambda status, body: source(tmp_path / f"{status}-{len(body)}", httpx.Response(status, content=body), utilisation="0.05")

    @pytest.fixture
    def broken(self, made: Callable[[int, bytes], RateSource]) -> Sequence[RateSource]:
        """In trouble, of another shape, and no JSON at all."""
        answers = [(500, b""), (404, b""), (429, b""), (200, b'{"data": {"epochs": []}}'), (200, b"{}"), (200, b"<html>"), (200, b"NaN")]
        return [made(status, body) for status, body in answers]

    @pytest.fixture
    def refusing(self, made: Callable[[int, bytes], RateSource]) -> Sequence[RateSource]:
        """Turned away, in three ways."""
        return [made(status, b"") for status in (401, 403, 451)]

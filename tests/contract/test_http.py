"""A network that is described without code passes the suite of rate sources."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
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
from autopilot_adapters.http.adapter import http_network
from autopilot_adapters.http.settings import HttpSettings

ROOT = Path(__file__).parents[2]
SALAD = tomllib.loads((ROOT / "examples/networks/salad.toml").read_text(encoding="utf-8"))["networks"]["salad"]
SAID = json.loads((ROOT / "tests/data/http/salad.json").read_text(encoding="utf-8"))
KEY = "open-sesame-7"
PAID = {"at": 1795348800, "usd": {"rtx4090": "0.31"}, "hired": 3, "all": 4}
ACME = {
    "url": "https://acme.test/{model}",
    "headers": {"X-Acme": f"Token {KEY}"},
    "models": {"RTX 4090": "rtx4090", "H100": "h100"},
    "price": 'usd."{model}"',
    "unit": "$/h",
    "occupancy": "hired",
    "occupancy_of": "all",
    "time": "at",
    "fee": 0.05,
}


def network(table: dict[str, Any], folder: Path, said: Any, status: int = 200) -> RateSource:
    """The network of a table, whose server gives one answer."""
    clock = SimClock(datetime(2026, 11, 22, 12, tzinfo=UTC))
    content = said if isinstance(said, bytes) else json.dumps(said).encode()
    http = Http(clock, network="acme", transport=httpx.MockTransport(lambda _: httpx.Response(status, content=content)))
    settings = HttpSettings(**{key: value for key, value in table.items() if key != "type"})
    return http_network(settings, Kit(NetworkId("acme"), clock, (), folder, http, Tokens(http, clock))).rates


class TestHttp(RateSourceContract):
    """The shipped example, and a network with a key, a fee, a time, and a request for each model."""

    @pytest.fixture(params=[(SALAD, SAID), (ACME, PAID)], ids=["salad", "acme"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> RateSource:
        """As described."""
        table, said = request.param
        return network(table, tmp_path, said)

    @pytest.fixture
    def devices(self) -> Sequence[Device]:
        """Paid for; listed without a price; and not in the table."""
        names = ["RTX 4090", "NVIDIA GeForce RTX 4090", "RTX 3060", "H100", "Voodoo 2"]
        return [Device(DeviceId(f"gpu-{index}"), name, index=index) for index, name in enumerate(names)]

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """The key in the header, under a name that nobody knows for a key's."""
        return [KEY]

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Sequence[RateSource]:
        """Silent, busy, broken, speaking of something else, or repeating the key."""
        silent = [network(ACME, tmp_path, {"error": f"Token {KEY}"}, status) for status in (404, 429, 500, 503)]
        garbage = [b"", b"<html>", b'{"usd":', {**PAID, "at": "soon"}, {**PAID, "usd": {"rtx4090": KEY}}, {**PAID, "hired": 5}]
        return [*silent, *(network(ACME, tmp_path, said) for said in garbage)]

    @pytest.fixture
    def refusing(self, tmp_path: Path) -> Sequence[RateSource]:
        """Not with this key."""
        return [network(ACME, tmp_path, {"error": f"Token {KEY} is not known"}, status) for status in (401, 403, 451)]

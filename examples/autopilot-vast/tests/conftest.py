"""Vast as its API answers, for the tests: a market of a few machines, on a clock that stands still."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from autopilot_vast.adapter import Vast, VastSettings, vast

from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import NetworkId
from autopilot.testing.views import START

KEY = "host-key-1234"
NOW = int(START.timestamp())


def offer(machine: int, gpus: int = 1, dph: float | str = 0.4, frac: float = 1, **changed: Any) -> dict[str, Any]:
    """A slice of a machine."""
    row = {
        "id": machine * 100 + gpus,
        "machine_id": machine,
        "host_id": 7,
        "gpu_name": "RTX 4090",
        "gpu_ram": 24564,
        "num_gpus": gpus,
        "gpu_frac": frac,
        "gpu_ids": list(range(machine * 10, machine * 10 + gpus)),
        "dph_base": dph,
        "dph_total": float(dph) + 0.01,
        "min_bid": 0.1,
        "verification": "verified",
        "hosting_type": 0,
        "rentable": True,
        "rented": False,
    }
    return {**row, **changed}


class HandClock:
    """Waiting takes no time, and is seen."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        """The start, and all that was waited since."""
        return self._now

    def wait(self, span: timedelta, until: threading.Event) -> bool:
        """Jump ahead."""
        self._now += span
        return until.is_set()


class Market:
    """What Vast says, to be changed by a test, and what it was asked."""

    def __init__(self) -> None:
        self.offers: list[Any] = [offer(1, 8, 2.8), offer(1, 4, 1.4, 0.5), offer(1, 1, 0.35, 0.125), offer(2, 1, 0.5, rentable=False)]
        self.current: Any = {"success": True, "gpus": [{"gpu_name": "RTX 4090", "usage": 90.0, "usage_30d": 81.5}]}
        self.pricing: Any = {
            "timestamps": [NOW - 7200, NOW - 3600, NOW - 300],
            "rented_median": [0.41, 0.38, 0.39],
            "avail_median": [0.5, 0.5, 0.5],
        }
        self.history: Any = {"success": True, "gpus": {"RTX 4090": {"pricing": self.pricing}}}
        self.status = 200
        self.asked: list[httpx.Request] = []
        self.clock = HandClock()

    def network(self, folder: Path = Path(), **table: Any) -> Vast:
        """The adapter, connected to this market."""
        http = Http(self.clock, network="vast", transport=httpx.MockTransport(self._serve))
        kit = Kit(NetworkId("vast"), self.clock, (), folder, http, Tokens(http, self.clock))
        return vast(VastSettings(**{"fee": 0.25, **table}), kit)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if self.status != httpx.codes.OK:
            return httpx.Response(self.status, json={"success": False, "error": "no"})
        if request.url.path == "/api/v0/bundles/":
            return httpx.Response(200, content=json.dumps({"offers": self.found(json.loads(request.content))}))
        said = {"/api/v0/metrics/gpu/current/": self.current, "/api/v0/metrics/gpu/history/": self.history}[request.url.path]
        return httpx.Response(200, content=json.dumps(said))

    def found(self, body: dict[str, Any]) -> Any:
        """The name letter by letter, in the order asked for, and never more than 64."""
        rows = self.offers if isinstance(self.offers, list) else [None]
        if not all(isinstance(row, dict) and isinstance(row.get("dph_total"), float) for row in rows):
            return self.offers
        found = [row for row in self.offers if row.get("gpu_name") == body["gpu_name"]["eq"]]
        [[by, way]] = body["order"]
        return sorted(found, key=lambda row: float(row[by]), reverse=way == "desc")[:64]


@pytest.fixture
def market() -> Market:
    """A market that is well."""
    return Market()

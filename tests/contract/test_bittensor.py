"""Bittensor passes the suite of rate sources: lium, a miner by the chain, and a miner by taostats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.contracts import RateSource
from autopilot.model.device import Device
from autopilot.testing.adapters import RateSourceContract

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "data/bittensor/world.py")))
HIDDEN = "0123abcd4567efgh0123abcd4567efgh"
SETTINGS: dict[str, Any] = {
    "lium": {},
    "chain": {**W.ALONE, "endpoints": [f"https://node.opentensor.ai/{HIDDEN}"]},
    "taostats": {**W.ALONE, "source": "taostats", "taostats_key": W.KEY},
    "all": {"miners": [W.MINER]},
}
GARBAGE: Sequence[Any] = [None, [], {}, "x", [[]], {"result": "0x"}, {"data": {}}]


def network(name: str, folder: Path, reply: httpx.Response | None = None) -> RateSource:
    """The network as recorded, or with one answer for whatever is asked."""
    world = W.World()
    world.first = lambda _: reply
    source: RateSource = W.adapter(world, folder, **SETTINGS[name]).rates
    return source


@pytest.mark.parametrize("name", SETTINGS)
class TestBittensor(RateSourceContract):
    """On answers that were made up from recorded ones."""

    @pytest.fixture
    def source(self, name: str, tmp_path: Path) -> RateSource:
        """Each way of asking."""
        return network(name, tmp_path)

    @pytest.fixture
    def devices(self) -> Sequence[Device]:
        """Two that are listed, one that could be two, one that is none, one whose model nobody serves."""
        models = ["NVIDIA GeForce RTX 4090", "NVIDIA H200", "H100", "Voodoo 2", "NVIDIA A30"]
        return [W.gpu(number, model) for number, model in enumerate(models)]

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """The key of taostats, and that in the address of a node."""
        return [W.KEY, HIDDEN]

    @pytest.fixture
    def broken(self, name: str, tmp_path: Path) -> Sequence[RateSource]:
        """Errors of the servers, garbage, and a page instead of an answer."""
        statuses = [httpx.Response(status) for status in (429, 500, 503, 404)]
        echo = {"error": {"message": f"no such key: {HIDDEN if name == 'chain' else ''}"}}
        garbage = [httpx.Response(200, json=value) for value in (*GARBAGE, echo)]
        return [network(name, tmp_path, reply) for reply in (*statuses, *garbage, httpx.Response(200, text="<html>"))]

    @pytest.fixture
    def refusing(self, name: str, tmp_path: Path) -> Sequence[RateSource]:
        """Whoever has no right to ask."""
        return [network(name, tmp_path, httpx.Response(status)) for status in (401, 403)]

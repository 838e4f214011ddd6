"""Vast passes the suite of rate sources, with a host's key and without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from autopilot.contracts import RateSource
from autopilot.model.device import Device
from autopilot.testing.adapters import RateSourceContract
from autopilot.testing.views import device
from conftest import KEY, Market, offer

BROKEN: dict[str, Callable[[Market], Any]] = {
    "the answer of the search": lambda market: market.offers.append("offer"),
    "a price": lambda market: market.offers.append(offer(3, dph="NaN", dph_total=0.5)),
    "the usage": lambda market: market.current["gpus"].append({"gpu_name": "RTX 4090", "usage": 130}),
    "a series": lambda market: market.pricing["rented_median"].append(0.4),
    "a name": lambda market: market.pricing.update(rented_p50=market.pricing.pop("rented_median")),
}


def broken(key: str, breaks: Callable[[Market], Any]) -> RateSource:
    """The source of a market in which something is broken."""
    market = Market()
    breaks(market)
    return market.network(key=key).rates


def answering(status: int, key: str) -> RateSource:
    """The source of a market that answers with an error."""
    market = Market()
    market.status = status
    return market.network(key=key).rates


class TestVast(RateSourceContract):
    """On answers that were made up after the vendor's documents."""

    @pytest.fixture(params=["", KEY], ids=["asks", "realised"])
    def key(self, request: pytest.FixtureRequest) -> str:
        """None, or a host's."""
        return str(request.param)

    @pytest.fixture
    def source(self, market: Market, key: str) -> RateSource:
        """Connected to the market."""
        return market.network(key=key).rates

    @pytest.fixture
    def devices(self) -> Sequence[Device]:
        """On offer; not on offer; ambiguous; and unknown to Vast."""
        return [device(0), device(1), device(2, "RTX 5090"), device(3, "H100"), device(4, "Voodoo 2")]

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """The host's key."""
        return [KEY]

    @pytest.fixture
    def broken(self, key: str) -> Sequence[RateSource]:
        """Silent, busy, or speaking of something else."""
        which = ["the usage", "a series", "a name"] if key else ["the answer of the search", "a price"]
        return [*(answering(status, key) for status in (404, 429, 500)), *(broken(key, BROKEN[each]) for each in which)]

    @pytest.fixture
    def refusing(self, key: str) -> Sequence[RateSource]:
        """Not to us; and the market is told only to hosts who have a machine."""
        without = broken(key, lambda market: market.current.update(gpus=[], needs_machine=True))
        return [*(answering(status, key) for status in (401, 403)), *([without] if key else [])]

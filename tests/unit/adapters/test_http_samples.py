"""A recorded answer of a network that has no adapter becomes quotes by a table alone."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autopilot.kit.http import Reply
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import NoQuote, Quote
from autopilot_adapters.http.rates import answer, expressions, terms
from autopilot_adapters.http.settings import HttpSettings

SAMPLES = Path(os.environ.get("AUTOPILOT_TEST_SAMPLES", "")) / "other"
SNAPSHOT = "GET /v1/io-explorer/network/market-snapshot"
CARDS = ("RTX 3080", "RTX 3090", "RTX 3060", "RTX 4090")
IO_NET = HttpSettings(
    url="https://api.io.solutions/v1/io-explorer/network/market-snapshot",
    params={"hardware_type": "gpu"},
    models={card: f"NVIDIA GeForce {card}" for card in CARDS},
    price="data[?hardware_name=='{model}'].price",
    unit="$/h",
    occupancy="data[?hardware_name=='{model}'].hired",
    occupancy_of="data[?hardware_name=='{model}'].total",
    basis="ask",
)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="AUTOPILOT_TEST_SAMPLES names no folder of recorded answers")
def test_the_market_of_io_net_by_a_table() -> None:
    """Hired of all is the share of the hour that is paid: 4 of 12 for an RTX 3090 at 0.5 $/h, none for the others; and no row, no quote."""
    said = json.loads((SAMPLES / "ionet/openapi_examples_selected.json").read_text(encoding="utf-8"))[SNAPSHOT]["example"]
    reply = Reply(said, datetime(2026, 11, 22, tzinfo=UTC), IO_NET.url, 200)
    venue, agreed = Venue(NetworkId("io")), terms(IO_NET, None)
    found = [answer(venue, Device(DeviceId(card), card), expressions(IO_NET, IO_NET.models[card]), reply, agreed) for card in CARDS]

    assert [("0.45 $/h", "0"), ("0.5 $/h", "0.333333333"), ("0.4 $/h", "0")] == [
        (str(quote.gross), str(quote.occupancy)) for quote in found if isinstance(quote, Quote)
    ]
    assert isinstance(found[3], NoQuote)

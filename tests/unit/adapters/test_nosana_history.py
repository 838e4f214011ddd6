"""Nosana's past: today's pay at the past prices of NOS."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from autopilot.kit.candles import Candle
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, Basis, NativePrice, NoQuote, Quote
from autopilot.units import HOUR, UsdPerHour
from autopilot_adapters.nosana.history import NosanaHistory

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CARD = Device(DeviceId("gpu-0"), "RTX 4090")
VENUE = Venue(NetworkId("nosana"), "nvidia-4090")


class Prices:
    """Knows one past price of NOS, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, datetime]] = []

    def past(self, token: str, since: datetime) -> Sequence[Candle]:
        self.asked.append((token, since))
        return [Candle(NOW - HOUR, Decimal("0.2"))]


def test_every_market_that_pays_has_a_past() -> None:
    """At half the price it paid half; a market without a quote has none."""
    native = NativePrice("NOS", Decimal(1), Decimal("0.4"), NOW)
    paying = Quote(VENUE, CARD.id, UsdPerHour.of("0.3"), NOW, NOW, NOW + HOUR, Basis.ADMINISTERED, "a test", native=native)
    answers: list[Answer] = [paying, NoQuote(Venue(NetworkId("nosana"), "nvidia-8x"), CARD.id, NOW, "takes nodes of 8")]
    prices = Prices()

    past = NosanaHistory(lambda _: answers, cast("Tokens", prices)).hours([CARD], NOW - timedelta(days=1))

    assert [(VENUE, "RTX 4090", NOW - HOUR, UsdPerHour.of("0.15"))] == [(each.venue, each.model, each.hour, each.rate) for each in past]
    assert [("NOS", NOW - timedelta(days=1))] == prices.asked


def test_who_pays_nothing_has_no_past() -> None:
    """And then nobody is asked for prices."""
    prices: Any = Prices()

    assert [] == NosanaHistory(lambda _: [], prices).hours([CARD], NOW)
    assert [] == prices.asked

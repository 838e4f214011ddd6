"""Past prices of a token, hour by hour, and what they make of today's pay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.errors import Transient
from autopilot.kit.candles import Candle, at_past_prices, candles
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.market import Basis, NativePrice, PastRate, Quote
from autopilot.sim.clock import SimClock
from autopilot.units import HOUR, UsdPerHour

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CARD = DeviceId("gpu-0")


def point(at: datetime, usd: object) -> list[object]:
    """One entry of a market chart."""
    return [int(at.timestamp() * 1000), usd]


def quote(expected: str, usd: str | None) -> Quote:
    """What a market pays today, in NOS at this price."""
    native = None if usd is None else NativePrice("NOS", Decimal(1), Decimal(usd), NOON)
    venue = Venue(NetworkId("nosana"), "nvidia-4090")
    return Quote(venue, CARD, UsdPerHour.of(expected), NOON, NOON, NOON + HOUR, Basis.ADMINISTERED, "a test", native=native)


def test_an_hour_has_its_last_price() -> None:
    """And the hour that is not over has none yet; what comes unordered is put in order."""
    chart = {"prices": [point(NOON - timedelta(minutes=5), 0.4), point(NOON - 2 * HOUR, 0.2), point(NOON - timedelta(minutes=50), 0.3)]}

    assert [Candle(NOON - 2 * HOUR, Decimal("0.2")), Candle(NOON - HOUR, Decimal("0.4"))] == candles(chart, NOON)
    assert [Candle(NOON - 2 * HOUR, Decimal("0.2"))] == candles(chart, NOON - timedelta(minutes=1))


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"prices": None},
        {"prices": [[1]]},
        {"prices": [point(NOON, 0)]},
        {"prices": [point(NOON, -1)]},
        {"prices": [point(NOON, "x")]},
        {"prices": [point(NOON, 1e9)]},
        {"prices": [[NOON.timestamp(), 1]]},
        [],
    ],
)
def test_a_chart_that_makes_no_sense_is_transient(broken: object) -> None:
    """Seconds instead of milliseconds, a price of nothing, a field of another name: no candle is made of any of it."""
    with pytest.raises(Transient, match="tokens: market_chart:"):
        candles(broken, NOON)


def test_past_pay_is_todays_at_the_price_of_then() -> None:
    """Half the price is half the pay; a venue and model is told once, and a quote without a token has no past."""
    past = [Candle(NOON - 2 * HOUR, Decimal("0.2")), Candle(NOON - HOUR, Decimal("0.4"))]
    quotes = [quote("0.36", "0.4"), quote("0.36", "0.4"), quote("9", None)]

    told = list(at_past_prices(quotes, {CARD: "RTX 4090"}, past))

    venue = Venue(NetworkId("nosana"), "nvidia-4090")
    assert [
        PastRate(venue, "RTX 4090", NOON - 2 * HOUR, UsdPerHour.of("0.18")),
        PastRate(venue, "RTX 4090", NOON - HOUR, UsdPerHour.of("0.36")),
    ] == told


def test_the_past_of_a_token_is_one_request() -> None:
    """For as many days as it takes, 90 at the most; hours before the wanted one are left out."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"prices": [point(NOON - hours * HOUR, 0.3) for hours in (49, 48, 1)]})

    clock = SimClock(NOON)
    tokens = Tokens(Http(clock, transport=httpx.MockTransport(answer)), clock)

    past = tokens.past("NOS", NOON - 48 * HOUR)
    tokens.past("NOS", NOON - timedelta(days=400))

    assert [NOON - 48 * HOUR, NOON - HOUR] == [candle.hour for candle in past]
    assert ["/api/v3/coins/nosana/market_chart"] * 2 == [request.url.path for request in asked]
    assert ["2", "90"] == [request.url.params["days"] for request in asked]
    with pytest.raises(Transient, match="no source has the past of DOGE"):
        tokens.past("DOGE", NOON)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=6
    )
)
def test_nothing_but_transient_is_raised(prices: Any) -> None:
    """Whatever stands where the prices should be, it is candles of positive prices, or Transient."""
    try:
        told = candles({"prices": prices}, NOON)
    except Transient:
        return

    assert all(candle.usd > 0 for candle in told)

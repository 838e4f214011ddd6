"""Whatever becomes of a price source's answer, it says a positive, finite price or why it has none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autopilot.kit.prices import Said
from autopilot.kit.token_sources import Unpriced, binance_said, coingecko_said, kraken_said, pyth_said

pytestmark = pytest.mark.long

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FEED = "ab" * 32
MUCH = settings(max_examples=2000, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
ANSWERS: dict[str, tuple[Any, Callable[[Any], Said]]] = {
    "coingecko": (
        {"nosana": {"usd": 0.305, "last_updated_at": 1767268500}, "bittensor": {"usd": 300.5}},
        lambda told: coingecko_said(told, "nosana", NOON),
    ),
    "kraken": (
        {"error": [], "result": {"AKTUSD": {"a": ["0.5441", "1", "1.0"], "b": ["0.5438", "1", "1.0"], "c": ["0.5440", "9.5"]}}},
        lambda told: kraken_said(told, NOON),
    ),
    "binance": ({"symbol": "RENDERUSDT", "price": "2.49000000"}, lambda told: binance_said(told, "RENDERUSDT", NOON)),
    "pyth": (
        [{"id": FEED, "price": {"price": "54376100", "conf": "40000", "expo": -8, "publish_time": 1767268790}}],
        lambda told: pyth_said(told, FEED, NOON),
    ),
}
WORDS = [None, True, "", "x", "nan", "inf", "-1", "٢", "1_0", [], {}, [[]], {"usd": None}]
NUMBERS = [-1, 0, 1e308, -1e308, float("nan"), float("inf"), 10**400]
ODD = st.sampled_from(WORDS) | st.sampled_from(NUMBERS)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of an answer with every key of it."""
    if not isinstance(value, dict | list):
        return []
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@pytest.mark.parametrize("source", ANSWERS)
def test_the_recorded_answer_has_a_price(source: str) -> None:
    """What is mutated below is sound to begin with."""
    answer, said = ANSWERS[source]

    assert said(answer).usd > 0


@pytest.mark.parametrize("source", ANSWERS)
@MUCH
@given(data=st.data())
def test_no_answer_makes_anything_but_a_price_or_a_reason(source: str, data: st.DataObject) -> None:
    """Fields go missing, change their kind, their size and their sign; there is never a price of nothing, and never another error."""
    answer, said = ANSWERS[source]
    spoilt = deepcopy(answer)
    for _ in range(data.draw(st.integers(1, 3))):
        owner, key = data.draw(st.sampled_from(places(spoilt) or [([None], 0)]))
        if data.draw(st.booleans()):
            owner[key] = deepcopy(data.draw(ODD))
        else:
            del owner[key]

    with suppress(Unpriced):
        told = said(spoilt)
        assert told.usd.is_finite()
        assert told.usd > 0 or told.problem(NOON)

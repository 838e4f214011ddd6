"""The price policy over all that sources could say: no zero, no jump without a second voice, and no level that is never reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autopilot.kit.prices import AGREE, BETWEEN_CONFIRMATIONS, CONFIRMATIONS, JUMP, KEEPS, STALE, Known, Said, TokenPrice, settled, weigh
from autopilot.kit.token_sources import Unpriced, binance_said, coingecko_said, kraken_said, pyth_said

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOURCES = ("oracle", "coingecko", "pyth", "kraken", "binance")
LOOK = timedelta(minutes=6)

sound = st.decimals("0.0001", "10000", places=4)
anything = st.one_of(
    sound, st.decimals(), st.sampled_from([Decimal(0), Decimal(-1), Decimal("1e308"), Decimal("NaN"), Decimal("Infinity")])
)
ages = st.timedeltas(timedelta(hours=-2), timedelta(hours=4))
looks = st.lists(st.lists(st.tuples(st.sampled_from(SOURCES), anything, ages), max_size=5, unique_by=lambda each: each[0]), max_size=20)


def said_at(now: datetime, *prices: Decimal | str) -> list[Said]:
    """What as many sources say at an instant."""
    return [Said(Decimal(usd), now, source) for usd, source in zip(prices, SOURCES, strict=False)]


def after(known: Known, *rounds: Sequence[Decimal | str]) -> tuple[list[Decimal | None], Known, datetime]:
    """The prices of one look after another."""
    now, seen = NOON, []
    for prices in rounds:
        now += LOOK
        price, known = weigh("NOS", said_at(now, *prices), known, now)
        seen.append(price.usd if price else None)
    return seen, known, now


def ratio(one: Decimal, other: Decimal) -> Decimal:
    """How many times the larger is the smaller."""
    return max(one, other) / min(one, other)


@given(looks)
def test_a_price_is_always_one_that_somebody_said_in_time(rounds: list[list[tuple[str, Decimal, timedelta]]]) -> None:
    """Positive, finite, no older than the last good one may be, and never outside of what the sources said."""
    known, now, usable = Known(), NOON, [Decimal(1)]
    for round_ in rounds:
        now += LOOK
        said = [Said(usd, now - age, source) for source, usd, age in round_]
        usable += [each.usd for each in said if not each.problem(now)]
        price, known = weigh("NOS", said, known, now)

        if price:
            assert price.usd > 0
            assert min(usable) <= price.usd <= max(usable)
            assert now - max(KEEPS, STALE) <= price.as_of <= now + timedelta(minutes=5)


@given(looks)
def test_what_is_confirmed_was_said_twice(rounds: list[list[tuple[str, Decimal, timedelta]]]) -> None:
    """Two sources of this look lie within five per cent of a confirmed price, and no other price claims so."""
    known, now = Known(), NOON
    for round_ in rounds:
        now += LOOK
        said = [Said(usd, now - age, source) for source, usd, age in round_]
        price, known = weigh("NOS", said, known, now)
        usable = [each.usd for each in said if not each.problem(now)]

        assert settled(said, now) == bool(price and price.confirmed)
        if price and price.confirmed:
            assert 2 <= sum(ratio(each, price.usd) <= AGREE for each in usable)


@given(sound, st.lists(sound, min_size=1, max_size=12))
@example(Decimal(1), [Decimal("1.26")] * 2)
@example(Decimal(1), [Decimal("0.74"), Decimal("1.3"), Decimal("0.74"), Decimal("1.3")])
def test_a_single_source_never_jumps_unconfirmed(start: Decimal, prices: list[Decimal]) -> None:
    """From one look to the next the price stays within a quarter, unless this level was said three times in a row."""
    known = Known(TokenPrice("NOS", start, NOON, "", confirmed=True))
    seen, _, _ = after(known, *[[usd] for usd in prices])

    for index, price in enumerate(seen):
        before = seen[index - 1] if index else start
        if price and before and abs(price - before) > JUMP * before:
            said = prices[: index + 1][-CONFIRMATIONS:]
            assert CONFIRMATIONS == len(said)
            assert all(abs(later - earlier) <= JUMP * earlier for earlier, later in pairwise(said))


@given(st.lists(st.lists(sound, max_size=5), max_size=8), sound, st.integers(1, 5))
def test_a_true_level_is_reached(history: list[list[Decimal]], level: Decimal, count: int) -> None:
    """Whatever was before: when all who speak say the same, three looks later it is the price."""
    _, known, now = after(Known(), *history)
    for _ in range(CONFIRMATIONS):
        now += LOOK
        price, known = weigh("NOS", said_at(now, *[level] * count), known, now)

    assert price is not None
    assert level == price.usd


@given(st.lists(st.lists(sound, max_size=5), max_size=8), sound, sound)
def test_two_that_go_on_disagreeing_end_at_the_lower(history: list[list[Decimal]], one: Decimal, other: Decimal) -> None:
    """A source that is stuck cannot hold the price up for ever."""
    _, known, now = after(Known(), *history)
    for _ in range(CONFIRMATIONS + 1):
        now += LOOK
        price, known = weigh("NOS", said_at(now, one, other), known, now)

    assert price is not None
    assert price.usd == (min(one, other) if ratio(one, other) > AGREE else (one + other) / 2)


@given(sound, sound, st.integers(2, 10))
def test_looking_often_confirms_nothing(start: Decimal, wrong: Decimal, times: int) -> None:
    """Within five minutes of its first word, a new level stays held back however often it is said."""
    known = Known(TokenPrice("NOS", start, NOON, "", confirmed=True))
    for second in range(times):
        now = NOON + second * BETWEEN_CONFIRMATIONS / times
        price, known = weigh("NOS", said_at(now, wrong), known, now)

    assert price is not None
    assert price.usd == (wrong if abs(wrong - start) <= JUMP * start else start)


@given(st.permutations([Said(Decimal(usd), NOON, name) for usd, name in zip(("1", "1.02", "3", "1.04", "9"), SOURCES, strict=True)]))
def test_the_order_of_sources_does_not_matter(said: list[Said]) -> None:
    """Who answers first has no more weight."""
    price, _ = weigh("NOS", said, Known(), NOON)

    assert price == TokenPrice("NOS", Decimal("1.02"), NOON, "oracle 1, coingecko 1.02, kraken 1.04: median of 3", confirmed=True)


def test_two_against_two_confirm_nothing() -> None:
    """Agreement needs more than half; without it the lowest counts."""
    price, _ = weigh("NOS", said_at(NOON, "4.00", "3.00", "4.05", "3.02"), Known(), NOON)

    assert price
    assert (Decimal("3.00"), False) == (price.usd, price.confirmed)


SECONDS = int(NOON.timestamp())
FEED = {"price": "184136023127", "conf": "177166324", "expo": -8, "publish_time": SECONDS - 1}
TICKER = {"a": ["0.5440", "1", "1.000"], "b": ["0.5430", "1", "1.000"], "c": ["0.5435", "10"], "v": ["1", "2"], "o": "0.5"}
SOURCES_SAY: dict[str, tuple[Any, Callable[[Any], Said], set[Any]]] = {
    "coingecko": (
        {"akash-network": {"usd": 0.543761, "last_updated_at": SECONDS, "usd_24h_change": -2.957}, "nosana": {"usd": 0.3}},
        lambda answer: coingecko_said(answer, "akash-network", NOON),
        {"akash-network", "usd"},
    ),
    "kraken": (
        {"error": [], "result": {"XAKTZUSD": TICKER}},
        lambda answer: kraken_said(answer, NOON),
        {"result", "XAKTZUSD", "a", "b", "c"},
    ),
    "binance": ({"symbol": "RENDERUSDT", "price": "4.000002"}, lambda answer: binance_said(answer, "RENDERUSDT", NOON), {"price"}),
    "pyth": ([{"id": "ab", "price": FEED}, {"id": "cd"}], lambda answer: pyth_said(answer, "0xAB", NOON), {"price", "expo"}),
}
"""An answer of each source, how it is read, and on which of its fields the price depends."""

junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    sound.map(str),
    st.sampled_from([10**400, 1e308, 5e-324, "1e999", "NaN", "-1", "٣", "0x1", [], {}, [[]], {"usd": 1}, ["1", "1"], 10**12, -(10**12)]),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path, *(each for key, item in inner for each in paths(item, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """A copy with something else at the place."""
    if not path:
        return to
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], to)
    return copy


def price_of(read: Callable[[Any], Said], answer: Any) -> Decimal | None:
    """The price, None where there is none."""
    try:
        return read(answer).usd
    except Unpriced:
        return None


@pytest.mark.parametrize("source", SOURCES_SAY)
@settings(max_examples=500)
@given(data=st.data())
def test_no_answer_breaks_a_source(source: str, data: st.DataObject) -> None:
    """Whatever stands anywhere in an answer: a number or none, and the same number where another field was spoilt."""
    answer, read, inputs = SOURCES_SAY[source]
    path = data.draw(st.sampled_from(paths(answer)))
    price = price_of(read, changed(answer, path, data.draw(junk)))

    assert price is None or price.is_finite()
    assert price in {None, read(answer).usd} or inputs >= {each for each in path if isinstance(each, str)}

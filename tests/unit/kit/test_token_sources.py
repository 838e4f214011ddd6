"""What the sources of token prices send, with every trap that is known of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from autopilot.kit.token_sources import Unpriced, binance_said, coingecko_said, kraken_said, pyth_said

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAMPLES = os.environ.get("AUTOPILOT_TEST_SAMPLES", "")
COINGECKO = "api.coingecko.com"
FEED = "FF61491A931112DDF1BD8147CD1B641375F79F5825126D665480874634FD0ACE"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"nosana": {}},
        {"nosana": None},
        {"nosana": {"usd": None}},
        {"nosana": {"usd": "soon", "last_updated_at": 1}},
        {"nosana": {"usd": "٣"}},
        {"nosana": {"usd": "1_000"}},
        {"nosana": {"usd": True}},
        {"nosana": {"usd": -0.3}},
        {"nosana": {"usd": 0}},
        {"nosana": {"usd": 1e308}},
        {"nosana": {"usd": [0.3]}},
        {"nosana": {"eur": 0.3}},
        {"nosana": {"usd": 0.3, "last_updated_at": 1_795_348_000_000}},
        {"nosana": {"usd": 0.3, "last_updated_at": "yesterday"}},
        {"nosana": {"usd": 0.3, "last_updated_at": NOON.timestamp() - 3700}},
        {"nosana": {"usd": 0.3, "last_updated_at": NOON.timestamp() + 3700}},
        [],
        "nosana",
        None,
        {"status": {"error_code": 429}},
    ],
    ids=str,
)
def test_what_is_no_price_is_no_price(world: Any, answer: Any) -> None:
    """Missing, null, zero, negative, absurd, stale, of the future or of another shape: no answer, and never a zero."""
    world.answers[COINGECKO] = lambda _: answer

    assert world.why_not(world.tokens(), "NOS").startswith("tokens: no price of NOS can be trusted: coingecko")


@pytest.mark.parametrize("usd", [0.3, "0.3", "0.30", "3e-1"])
def test_a_number_may_be_text(world: Any, usd: Any) -> None:
    """Numbers and numbers in quotes are the same to us."""
    world.coingecko(NOS=usd)

    assert Decimal("0.3") == world.tokens().usd("NOS").usd


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"error": ["EQuery:Unknown asset pair"]}, "Unknown asset pair"),
        ({"error": ["EGeneral:Too many requests"], "result": {}}, "Too many requests"),
        ({"error": [], "result": {}}, "not exactly one pair"),
        ({"error": [], "result": {"A": {}, "B": {}}}, "not exactly one pair"),
        ({"error": [], "result": []}, "not exactly one pair"),
        ({"error": [], "result": {"A": {"a": ["1"], "b": ["1"]}}}, "has no price"),
        ({"error": [], "result": {"A": {"a": [], "b": ["1"], "c": ["1"]}}}, "has no price"),
        ({"error": [], "result": {"A": {"a": ["NaN"], "b": ["1"], "c": ["1"]}}}, "'NaN' for a number"),
        ({}, "answers None"),
        ([], "answers None"),
    ],
    ids=str,
)
def test_kraken_says_no_in_many_ways(answer: Any, word: str) -> None:
    """Its errors come with HTTP 200."""
    with pytest.raises(Unpriced, match=word):
        kraken_said(answer, NOON)


def test_a_stale_trade_does_not_beat_the_book() -> None:
    """The last trade of a thin pair may be hours old; between ask and bid it counts, outside it does not."""
    ticker = {"a": ["0.55", "1", "1"], "b": ["0.54", "1", "1"], "c": ["0.99", "1"]}

    assert Decimal("0.55") == kraken_said({"error": [], "result": {"AKTUSD": ticker}}, NOON).usd


@pytest.mark.parametrize("answer", [{"symbol": "RNDRUSDT", "price": "7"}, {"code": -1121}, [], {"symbol": "RENDERUSDT"}, None], ids=str)
def test_binance_must_name_the_symbol(answer: Any) -> None:
    """A price of another symbol is a wrong ticker, whatever it says."""
    with pytest.raises(Unpriced):
        binance_said(answer, "RENDERUSDT", NOON)


def feed(**changes: Any) -> dict[str, Any]:
    """One feed of Pyth's answer: 1841.36 dollars, sure to a tenth of a per cent, a second ago."""
    price = {"price": "184136023127", "conf": "177166324", "expo": -8, "publish_time": int(NOON.timestamp()) - 1}
    return {"id": FEED.lower(), "price": price | changes}


def test_pyth_counts_in_powers_of_ten() -> None:
    """The id matches with and without 0x, in either case; the value is price times ten to the expo."""
    said = pyth_said([{"id": "00"}, feed()], "0x" + FEED, NOON)

    assert (Decimal("1841.36023127"), NOON - timedelta(seconds=1)) == (said.usd, said.as_of)


@pytest.mark.parametrize(
    "feeds",
    [
        [],
        None,
        [{"id": "00", "price": {}}],
        [feed(conf="4000000000")],
        [feed(publish_time=int(NOON.timestamp()) - 301)],
        [feed(expo=-400)],
        [feed(expo="-8")],
        [feed(price="-184136023127")],
        [feed(price=None)],
        [feed(conf=None)],
        ["nonsense"],
    ],
    ids=str,
)
def test_pyth_must_be_sure_and_fresh(feeds: Any) -> None:
    """A wide interval, an old value or a strange exponent is no price."""
    with pytest.raises(Unpriced):
        pyth_said(feeds, FEED, NOON)


# --- recorded answers


SAID: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "coingecko_simple_price_2026-07-17.json": (lambda answer: coingecko_said(answer, "akash-network", NOON), "0.543761"),
    "kraken_ticker_XBTUSDT_nautilus.json": (lambda answer: kraken_said(answer, NOON), "105944.2"),
    "kraken_ticker_XBTUSDT_ccxt_2024-03-13.json": (lambda answer: kraken_said(answer, NOON), "73380.6"),
    "binance_ticker_price_LTCBTC_docs-example.json": (lambda answer: binance_said(answer, "LTCBTC", NOON), "4.000002"),
    "pyth_latest_price_feeds_docs-example.json": (
        lambda answer: pyth_said(answer, FEED, datetime.fromtimestamp(1_692_110_602, UTC)),
        "1841.36023127",
    ),
}


@pytest.mark.skipif(not SAMPLES, reason="AUTOPILOT_TEST_SAMPLES names no folder of recorded answers")
def test_recorded_answers_are_read() -> None:
    """Every recorded answer of a price source gives the number that stands in it."""
    files = {path.name: json.loads(path.read_text()) for path in (Path(SAMPLES) / "prices").glob("*.json")}

    assert {name: Decimal(usd) for name, (_, usd) in SAID.items()} == {name: SAID[name][0](answer).usd for name, answer in files.items()}

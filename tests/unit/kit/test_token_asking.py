"""Which sources of token prices are asked, how often, and with which keys."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autopilot.kit.tokens import Keys, Token, TokenPrice

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COINGECKO, KRAKEN, BINANCE, MIRROR = "api.coingecko.com", "api.kraken.com", "api.binance.com", "data-api.binance.vision"
PYTH = "pyth.dourolabs.app"
FEED = "FF61491A931112DDF1BD8147CD1B641375F79F5825126D665480874634FD0ACE"
IDS = {"AKT": "akash-network", "NOS": "nosana", "RENDER": "render-token", "TAO": "bittensor", "USDC": "usd-coin", "SOL": "solana"}


def test_one_request_prices_all_tokens(world: Any) -> None:
    """CoinGecko is asked once for everything, with the ids of the sheet; whoever comes within five minutes gets the same answer."""
    world.coingecko(AKT=0.54, NOS=0.3, TAO=410)
    tokens = world.tokens()
    prices = [tokens.usd(name, world.own(usd)).usd for name, usd in (("AKT", "0.54"), ("NOS", "0.3"), ("TAO", "410"))]
    world.later(timedelta(seconds=299))
    tokens.usd("AKT", world.own("0.54"))

    assert ([Decimal("0.54"), Decimal("0.3"), Decimal(410)], 1) == (prices, len(world.asked))
    expected = {"ids": ",".join(sorted(IDS.values())), "vs_currencies": "usd", "include_last_updated_at": "true"}
    assert expected == dict(world.asked[0].url.params)


def test_nobody_else_is_asked_while_two_agree(world: Any) -> None:
    """The network's own price and CoinGecko are enough, within five per cent; the price is their median."""
    world.coingecko(AKT=0.51)

    expected = TokenPrice("AKT", Decimal("0.505"), NOON, "oracle 0.50, coingecko 0.51: median of 2", confirmed=True)
    assert (expected, [COINGECKO]) == (world.tokens().usd("AKT", world.own("0.50")), world.hosts())


def test_a_price_is_as_old_as_the_oldest_source_in_it(world: Any) -> None:
    """The network last looked half an hour ago, and the median says so."""
    world.coingecko(AKT=0.51)
    price = world.tokens().usd("AKT", world.own("0.50", timedelta(minutes=30)))

    assert (True, NOON - timedelta(minutes=30)) == (price.confirmed, price.as_of)


def test_coingecko_is_given_time_between_two_tries(world: Any) -> None:
    """Without a key it wants no more than ten requests a minute."""
    answers = [500, {"nosana": {"usd": 0.3}}]
    world.answers[COINGECKO] = lambda _: answers.pop(0)

    assert Decimal("0.3") == world.tokens().usd("NOS").usd
    assert NOON + timedelta(seconds=6) == world.clock.now()


def test_others_are_asked_until_two_agree(world: Any) -> None:
    """Kraken settles a dispute, and Binance is left alone."""
    world.coingecko(TAO=410)
    world.kraken("408")
    price = world.tokens().usd("TAO", world.own("600"))

    assert (Decimal(409), True, [COINGECKO, KRAKEN]) == (price.usd, price.confirmed, world.hosts())
    assert "kraken 408, coingecko 410: median of 2" == price.source


def test_a_failing_source_is_asked_every_five_minutes_and_no_more(world: Any) -> None:
    """Four adapters that want a price in a bad hour do not make it worse."""
    world.answers[COINGECKO] = 404
    tokens = world.tokens()
    for _ in range(4):
        world.why_not(tokens, "NOS")
    first = len(world.asked)
    world.later()
    world.why_not(tokens, "NOS")

    assert (1, 2) == (first, len(world.asked))


def test_many_threads_share_one_answer(world: Any) -> None:
    """Adapters poll at the same time: one request goes out, and all get its answer."""
    world.coingecko(NOS=0.3)
    tokens, seen = world.tokens(), []
    threads = [threading.Thread(target=lambda: seen.append(tokens.usd("NOS").usd)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert ([Decimal("0.3")] * 8, 1) == (seen, len(world.asked))


@pytest.mark.parametrize(
    ("keys", "host", "header"),
    [
        (Keys(), COINGECKO, {}),
        (Keys(coingecko_demo="s3cr3t"), COINGECKO, {"x-cg-demo-api-key": "s3cr3t"}),
        (Keys(coingecko_pro="s3cr3t"), "pro-api.coingecko.com", {"x-cg-pro-api-key": "s3cr3t"}),
        (Keys(coingecko_demo="d3m0", coingecko_pro="s3cr3t"), "pro-api.coingecko.com", {"x-cg-pro-api-key": "s3cr3t"}),
    ],
    ids=["none", "demo", "pro", "both"],
)
def test_a_key_goes_where_it_belongs(world: Any, keys: Keys, host: str, header: dict[str, str]) -> None:
    """The demo key in its header, the pro key in its own and at its host; and neither into an error."""
    error = world.why_not(world.tokens(keys=keys), "NOS")
    sent = {name: value for name, value in world.asked[0].headers.items() if name.startswith("x-cg")}

    assert (host, header) == (world.asked[0].url.host, sent)
    assert "s3cr3t" not in error + repr(keys)


def test_binance_has_a_second_host(world: Any) -> None:
    """Where the law locks the first one, market data come from the other, from then on at once; RENDER goes by its new name."""
    world.answers |= {BINANCE: 451, MIRROR: {"symbol": "RENDERUSDT", "price": "4.00000200"}, COINGECKO: {"render-token": {}}}
    tokens = world.tokens()
    tokens.usd("RENDER")
    world.later()
    price = tokens.usd("RENDER")
    asked = [request.url.host for request in world.asked if "binance" in request.url.host]

    assert (Decimal("4.000002"), [BINANCE, MIRROR, MIRROR]) == (price.usd, asked)
    assert "RENDERUSDT" == world.asked[-1].url.params["symbol"]


def test_a_pair_that_a_source_does_not_have_is_not_asked_again_today(world: Any) -> None:
    """Unknown pairs and symbols are remembered for a day; a limit that was hit is not."""
    world.coingecko(TAO=410)
    world.answers[KRAKEN] = {"error": ["EQuery:Unknown asset pair"]}
    world.answers[BINANCE] = {"code": -1121, "msg": "Invalid symbol."}
    tokens = world.tokens()
    for _ in range(3):
        tokens.usd("TAO")
        world.later()

    assert (1, 1) == tuple(sum(request.url.host == host for request in world.asked) for host in (KRAKEN, BINANCE))
    world.later(timedelta(days=1))
    tokens.usd("TAO")
    assert KRAKEN in [request.url.host for request in world.asked[-3:]]


def test_pyth_is_only_asked_with_a_key_and_a_feed(world: Any) -> None:
    """Its key travels as a bearer token; without one, or for a token without a feed, nobody goes there."""
    price = {"price": "184136023127", "conf": "177166324", "expo": -8, "publish_time": int(NOON.timestamp()) - 1}
    world.answers[PYTH] = {"parsed": [{"id": FEED.lower(), "price": price}]}
    world.coingecko(TAO=1841, NOS=0.3)
    listed = {"TAO": Token("bittensor", pyth="0x" + FEED), "NOS": Token("nosana")}
    world.tokens(tokens=listed).usd("TAO")
    with_key = world.tokens(tokens=listed, keys=Keys(pyth="s3cr3t"))
    confirmed, _ = with_key.usd("TAO").confirmed, with_key.usd("NOS")
    asked = [request for request in world.asked if request.url.host == PYTH]

    assert (True, 1, "Bearer s3cr3t") == (confirmed, len(asked), asked[0].headers["authorization"])
    assert "0x" + FEED == asked[0].url.params["ids[]"]

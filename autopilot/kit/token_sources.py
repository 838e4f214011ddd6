"""Where token prices come from. A source answers ``Said``, or raises ``Unpriced`` with the reason.

Facts about the sources: CoinGecko leaves unknown ids out and may send ``{}``; Kraken answers errors with HTTP 200 and may spell the pair
another way than it was asked; Binance answers 451 in some countries and has a second host for market data; Pyth wants a key since 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any, Protocol

from autopilot.errors import Refused
from autopilot.kit.http import Http
from autopilot.kit.prices import Said

_PATIENCE = timedelta(seconds=10)
"""A price that takes longer is not worth a late poll."""
_NUMBER = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")
_LAST_INSTANT = 10**11
"""Seconds; the year 5138. Beyond it, milliseconds were meant."""
_UNSURE = Decimal("0.02")
"""Pyth states an interval. A wider one than this share of the price says nothing."""
_FRESH = timedelta(minutes=5)
_LARGEST_EXPONENT = 30
_BAD_REQUEST = 400
_NO_SYMBOL = -1121


@dataclass(frozen=True, slots=True)
class Token:
    """What the sources call a token; empty where a source does not have it."""

    coingecko: str = ""
    kraken: str = ""
    binance: str = ""
    pyth: str = ""
    """The feed's id, in hex. None is built in: it comes with the key."""


TOKENS: Mapping[str, Token] = {
    "AKT": Token("akash-network", "AKTUSD"),
    "NOS": Token("nosana"),
    "RENDER": Token("render-token", "RENDERUSD", "RENDERUSDT"),  # RNDR until 2024
    "TAO": Token("bittensor", "TAOUSD", "TAOUSDT"),
    "USDC": Token("usd-coin", "USDCUSD", "USDCUSDT"),
    "SOL": Token("solana", "SOLUSD", "SOLUSDT"),
}


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets of the sources, all optional, and never shown."""

    coingecko_demo: str = field(default="", repr=False)
    coingecko_pro: str = field(default="", repr=False)
    pyth: str = field(default="", repr=False)


class Unpriced(Exception):
    """The source has no price. ``lasting`` where it does not know the token, so that asking again soon is vain."""

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


class Source(Protocol):
    """One place that knows prices. ``ask`` raises Unpriced, Transient or Refused."""

    @property
    def name(self) -> str: ...

    def ask(self, token: Token) -> Said:
        """The price of the token now."""
        ...


class CoinGecko:
    """Many tokens in one request."""

    name = "coingecko"

    def __init__(self, http: Http, keys: Keys) -> None:
        host = "pro-api.coingecko.com" if keys.coingecko_pro else "api.coingecko.com"
        named = {"x-cg-pro-api-key": keys.coingecko_pro, "x-cg-demo-api-key": "" if keys.coingecko_pro else keys.coingecko_demo}
        self._base = f"https://{host}/api/v3"
        self._headers = {name: key for name, key in named.items() if key}
        self._http = http
        http.keep_apart(host, timedelta(seconds=2 if self._headers else 6))  # without a key, 5 to 15 a minute for each IP

    def ask(self, tokens: Mapping[str, Token]) -> tuple[Any, datetime]:
        """The answer about all tokens, for ``coingecko_said``, and when it was given."""
        ids = ",".join(sorted({each.coingecko for each in tokens.values() if each.coingecko}))
        asked = {"ids": ids, "vs_currencies": "usd", "include_last_updated_at": "true"}
        reply = self._http.get(f"{self._base}/simple/price", params=asked, headers=self._headers, timeout=_PATIENCE)
        return reply.json, reply.seen_at

    def chart(self, coin: str, days: int) -> Any:
        """The prices of the last so many days, hourly up to 90, for ``candles.candles``. Raises Transient or Refused."""
        asked = {"vs_currency": "usd", "days": str(days)}
        return self._http.get(f"{self._base}/coins/{coin}/market_chart", params=asked, headers=self._headers, timeout=_PATIENCE).json


def coingecko_said(json: Any, coin: str, seen_at: datetime) -> Said:
    """One coin of the answer. Without the time of its last update it counts as of now: only the short form leaves it out."""
    entry = _member(json, coin)
    updated = _member(entry, "last_updated_at")
    return Said(_number(_member(entry, "usd")), seen_at if updated is None else _instant(updated), "coingecko")


class Kraken:
    """The public ticker, pair by pair: one unknown pair spoils a request for many."""

    name = "kraken"

    def __init__(self, http: Http) -> None:
        self._http = http
        http.keep_apart("api.kraken.com", timedelta(seconds=1))

    def ask(self, token: Token) -> Said:
        if not token.kraken:
            raise Unpriced("has no such pair", lasting=True)
        reply = self._http.get("https://api.kraken.com/0/public/Ticker", params={"pair": token.kraken}, timeout=_PATIENCE)
        return kraken_said(reply.json, reply.seen_at)


def kraken_said(json: Any, seen_at: datetime) -> Said:
    """The median of ask, bid and last trade: the last trade of a thin pair may be hours old, the book is not."""
    errors = _member(json, "error")
    if not isinstance(errors, list) or errors:
        raise Unpriced(f"answers {str(errors)[:80]}", lasting="Unknown asset pair" in str(errors))
    pairs = _member(json, "result")
    if not isinstance(pairs, dict) or len(pairs) != 1:
        raise Unpriced("names not exactly one pair")
    ticker = next(iter(pairs.values()))
    return Said(median(_number(_first(_member(ticker, side))) for side in "abc"), seen_at, "kraken")


class Binance:
    """The public ticker in USDT, from the host that last answered."""

    name = "binance"

    def __init__(self, http: Http) -> None:
        self._http = http
        self._hosts: Sequence[str] = ("api.binance.com", "data-api.binance.vision")

    def ask(self, token: Token) -> Said:
        if not token.binance:
            raise Unpriced("has no such pair", lasting=True)
        try:
            return self._ask(self._hosts[0], token.binance)
        except Refused:
            self._hosts = self._hosts[::-1]
            return self._ask(self._hosts[0], token.binance)

    def _ask(self, host: str, symbol: str) -> Said:
        url = f"https://{host}/api/v3/ticker/price"
        reply = self._http.get(url, params={"symbol": symbol}, timeout=_PATIENCE, accept=(_BAD_REQUEST,))
        return binance_said(reply.json, symbol, reply.seen_at)


def binance_said(json: Any, symbol: str, seen_at: datetime) -> Said:
    """The price of the very symbol that was asked for."""
    if _member(json, "symbol") != symbol:
        raise Unpriced(f"answers {str(json)[:80]}", lasting=_member(json, "code") == _NO_SYMBOL)
    return Said(_number(_member(json, "price")), seen_at, "binance")


class Pyth:
    """The oracle that chains read; only with a key."""

    name = "pyth"

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._headers = {"authorization": f"Bearer {key}"}

    def ask(self, token: Token) -> Said:
        if not token.pyth:
            raise Unpriced("has no feed", lasting=True)
        url, asked = "https://pyth.dourolabs.app/hermes/v2/updates/price/latest", {"ids[]": token.pyth, "parsed": "true"}
        reply = self._http.get(url, params=asked, headers=self._headers, timeout=_PATIENCE)
        return pyth_said(_member(reply.json, "parsed"), token.pyth, reply.seen_at)


def pyth_said(feeds: Any, feed: str, seen_at: datetime) -> Said:
    """``price x 10^expo`` of the feed, when it is sure and fresh. Requests and answers differ in the ``0x`` before the id."""
    found = [each for each in feeds if _bare(_member(each, "id")) == _bare(feed)] if isinstance(feeds, list) else []
    price = _member(found[0], "price") if found else None
    exponent = _member(price, "expo")
    if type(exponent) is not int or not abs(exponent) <= _LARGEST_EXPONENT:
        raise Unpriced("has no such feed in its answer")
    count, interval = _number(_member(price, "price")), _number(_member(price, "conf"))
    said = Said(count.scaleb(exponent), _instant(_member(price, "publish_time")), "pyth")
    if interval > _UNSURE * count:
        raise Unpriced(f"is unsure: {interval} of {count}")
    if seen_at - said.as_of > _FRESH:
        raise Unpriced(f"speaks of {said.as_of:%Y-%m-%d %H:%M} UTC")
    return said


def _bare(feed: Any) -> str:
    return str(feed).lower().removeprefix("0x")


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _number(value: Any) -> Decimal:
    """A JSON number, or text that holds one in plain digits. Raises Unpriced for anything else."""
    if value is None:
        raise Unpriced("has no price")
    text = str(value) if isinstance(value, int | float | str) else ""
    if not _NUMBER.fullmatch(text):
        raise Unpriced(f"has {str(value)[:40]!r} for a number")
    return Decimal(text)


def _instant(value: Any) -> datetime:
    seconds = _number(value)
    if seconds >= _LAST_INSTANT:
        raise Unpriced(f"has {seconds} for a time in seconds")
    return datetime.fromtimestamp(int(seconds), UTC)

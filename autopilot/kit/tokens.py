"""What a token is worth in dollars, so that no wrong price can move a GPU. The policy is in ``prices``, the sources in ``token_sources``.

CoinGecko is asked for all tokens in one request; Pyth, Kraken and Binance only while no two sources agree. Every question is asked at
most every five minutes, answered or not, however many adapters want to know.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from autopilot.clock import Clock
from autopilot.errors import AdapterError, Transient
from autopilot.kit.candles import REACH, Candle, candles
from autopilot.kit.http import Http
from autopilot.kit.prices import Known, OwnPrice, Said, TokenPrice, settled, weigh
from autopilot.kit.token_sources import TOKENS, Binance, CoinGecko, Keys, Kraken, Pyth, Source, Token, Unpriced, coingecko_said

__all__ = ["TOKENS", "Keys", "OwnPrice", "Token", "TokenPrice", "Tokens"]

log = logging.getLogger(__name__)

ASK_EVERY = timedelta(minutes=5)
_UNLISTED_FOR = timedelta(days=1)
_FILE = "token_prices.json"


class Tokens:
    """Prices for all adapters of the process; many threads may ask at once."""

    def __init__(
        self, http: Http, clock: Clock, *, keys: Keys | None = None, tokens: Mapping[str, Token] = TOKENS, folder: Path | None = None
    ) -> None:
        """``folder`` is where the last good prices outlive a restart; without one, the first price after a start is taken on trust."""
        keys, http = keys or Keys(), http.as_("tokens")
        pyth: list[Source] = [Pyth(http, keys.pyth)] if keys.pyth else []
        self._clock = clock
        self._tokens = tokens
        self._coingecko = CoinGecko(http, keys)
        self._others: list[Source] = [*pyth, Kraken(http), Binance(http)]
        self._questions: dict[Hashable, _Question] = {}
        self._lock = threading.Lock()
        self._file = folder / _FILE if folder else None
        self._known = recalled(self._file, tokens) if self._file else {}

    def usd(self, token: str, own: OwnPrice | None = None) -> TokenPrice:
        """The price to reckon with. ``own`` is what the paying network says itself: one source among others.

        Raises Transient where nothing that can be trusted is known, with what every source said.
        """
        said, silent = self._ask(token, own)
        now = self._clock.now()
        with self._lock:
            before = self._known.get(token, Known())
            price, self._known[token] = weigh(token, said, before, now)
            if self._file and self._known[token].good != before.good:
                remember(self._file, self._known)
        if price is None:
            reasons = [each.problem(now) or f"{each.source} says {each.usd:.6g}, which is held back" for each in said]
            raise Transient("tokens", f"no price of {token} can be trusted: {'; '.join(reasons + silent)}")
        return price

    def past(self, token: str, since: datetime) -> Sequence[Candle]:
        """Its price at the end of every hour that is over, oldest first, from an instant on; 90 days back at the most.

        One source, CoinGecko: what is over moves no GPU by itself. Raises Transient or Refused.
        """
        now = self._clock.now()
        listed = self._tokens.get(token)
        if listed is None or not listed.coingecko:
            raise Transient("tokens", f"no source has the past of {token}")
        start = max(since, now - REACH)
        days = max(1, -((start - now) // timedelta(days=1)))
        told = candles(self._coingecko.chart(listed.coingecko, days), now)
        return [candle for candle in told if candle.hour >= start]

    def _ask(self, token: str, own: OwnPrice | None) -> tuple[list[Said], list[str]]:
        """What the sources say, asking no more of them than it takes; and why the others say nothing."""
        said: list[Said] = [own] if own else []
        silent: list[str] = []
        if token not in self._tokens:
            return said, [f"no source knows it, only {', '.join(self._tokens)}"]
        for name, ask in self._sources(token):
            if settled(said, self._clock.now()):
                break
            try:
                said.append(ask())
            except Unpriced as error:
                silent.append(f"{name}: {error}")
        return said, silent

    def _sources(self, token: str) -> Iterator[tuple[str, Callable[[], Said]]]:
        yield "coingecko", partial(self._coingecko_says, token)
        for source in self._others:
            yield source.name, partial(self._once, (source.name, token), partial(source.ask, self._tokens[token]))

    def _coingecko_says(self, token: str) -> Said:
        answer, seen_at = self._once("coingecko", partial(self._coingecko.ask, self._tokens))
        return coingecko_said(answer, self._tokens[token].coingecko, seen_at)

    def _once(self, key: Hashable, ask: Callable[[], Any]) -> Any:
        return self._questions.setdefault(key, _Question()).answer(ask, self._clock)


class _Question:
    """Something that is asked at most every five minutes. Whoever wants to know meanwhile gets, or waits for, the same answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_at: datetime | None = None
        self._holds = ASK_EVERY
        self._answer: Any = None
        self._silence = ""

    def answer(self, ask: Callable[[], Any], clock: Clock) -> Any:
        """The answer. Raises Unpriced for as long as there is none."""
        with self._lock:
            now = clock.now()
            if self._asked_at is None or not self._asked_at <= now < self._asked_at + self._holds:
                self._asked_at, self._holds, self._silence = now, ASK_EVERY, ""
                try:
                    self._answer = ask()
                except (Unpriced, AdapterError) as error:
                    self._silence = str(error).removeprefix("tokens: ")
                    self._holds = _UNLISTED_FOR if isinstance(error, Unpriced) and error.lasting else ASK_EVERY
            if self._silence:
                raise Unpriced(self._silence)
            return self._answer


def remember(path: Path, known: Mapping[str, Known]) -> None:
    """Write the last good prices. Where that fails, the next start has none: no reason to stop."""
    good = {token: each.good for token, each in known.items() if each.good}
    rows = {token: {"usd": str(each.usd), "as_of": each.as_of.isoformat(), "source": each.source} for token, each in good.items()}
    try:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        log.warning("the last good token prices were not kept: %s", error)


def recalled(path: Path, tokens: Mapping[str, Token]) -> dict[str, Known]:
    """The last good prices of an earlier run; what cannot be read is not known. Nobody confirms them any more."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        said = {token: Said(Decimal(row["usd"]), datetime.fromisoformat(row["as_of"]), str(row["source"])) for token, row in rows.items()}
        good = {token: each for token, each in said.items() if token in tokens and not each.problem(each.as_of.astimezone(UTC))}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError) as error:
        log.warning("the last good token prices in %s are not read: %r", path, error)
        return {}
    return {token: Known(TokenPrice(token, each.usd, each.as_of, each.source, confirmed=False)) for token, each in good.items()}

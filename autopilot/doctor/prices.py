"""Each token's price, as each of its sources tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial

from autopilot.clock import Clock
from autopilot.daemon.fanout import as_they_come
from autopilot.doctor.finding import Finding, ok, warn
from autopilot.errors import AdapterError
from autopilot.kit.http import Http
from autopilot.kit.prices import Said, settled
from autopilot.kit.token_sources import TOKENS, Binance, CoinGecko, Keys, Kraken, Pyth, Source, Unpriced, coingecko_said

LIMIT = timedelta(seconds=60)
Heard = Mapping[str, Said | str]
"""What a source says of each token that it lists: a price, or why there is none."""


def tokens(http: Http, clock: Clock, keys: Keys) -> Iterator[Finding]:
    """A line for each source that fails, and for each token its price by every source that lists it.

    A price that is missing grounds only who pays in it.
    """
    sources: Sequence[Source] = (Kraken(http), Binance(http), *([Pyth(http, keys.pyth)] if keys.pyth else []))
    questions: dict[str, Callable[[], Heard]] = {"coingecko": partial(_coingecko, CoinGecko(http, keys))}
    questions |= {source.name: partial(_each, source) for source in sources}
    heard = {name: said if isinstance(said, Mapping) else {} for name, said in as_they_come(questions, LIMIT * 0.8)}
    for name, said in sorted(heard.items()):
        if not any(isinstance(each, Said) for each in said.values()):
            words = f"{name}: {next(iter(said.values()), 'no answer')}"
            yield warn("price source", words, "see whether this host reaches it; the others count without it")
    for token, listed in TOKENS.items():
        yield _token(token, {name: said.get(token, "") for name, said in sorted(heard.items()) if getattr(listed, name)}, clock)


def _coingecko(source: CoinGecko) -> Heard:
    try:
        answer, seen_at = source.ask(TOKENS)
    except AdapterError as error:
        return dict.fromkeys(TOKENS, _why(error))
    return {name: _said(partial(coingecko_said, answer, token.coingecko, seen_at)) for name, token in TOKENS.items() if token.coingecko}


def _each(source: Source) -> Heard:
    """One after the other; a source that cannot be reached is not asked again."""
    heard: dict[str, Said | str] = {}
    for name, token in TOKENS.items():
        try:
            heard[name] = source.ask(token)
        except Unpriced as error:
            if not error.lasting:
                heard[name] = str(error)
        except AdapterError as error:
            return dict.fromkeys(TOKENS.keys() - heard.keys(), _why(error)) | heard
    return heard


def _said(reader: Callable[[], Said]) -> Said | str:
    try:
        return reader()
    except Unpriced as error:
        return str(error)


def _why(error: AdapterError) -> str:
    return str(error).removeprefix(f"{error.network}: ")


def _token(token: str, told: Mapping[str, Said | str], clock: Clock) -> Finding:
    now = clock.now()
    prices = [said for said in told.values() if isinstance(said, Said) and not said.problem(now)]
    silent = [name for name in told if name not in {said.source for said in prices}]
    words = ", ".join(f"{said.usd:.6g} $ by {said.source}" for said in prices)
    if prices and (settled(prices, now) or not silent):
        return ok(f"price of {token}", words)
    if prices:
        return warn(f"price of {token}", f"{words}; nothing by {', '.join(silent)}", "nothing to do: it counts, unconfirmed")
    return warn(f"price of {token}", f"nothing by {', '.join(silent)}", f"who pays in {token} has no rate until a source answers")

"""Past prices of a token, and what they make of today's pay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from autopilot.kit.reading import Field
from autopilot.model.device import DeviceId
from autopilot.model.market import PastRate, Quote
from autopilot.units import HOUR, UsdPerHour, hour_start

REACH = timedelta(days=90)
"""CoinGecko gives hourly prices so far back, and daily ones beyond: `/coins/{id}/market_chart`."""
_MOST_USD = 10**7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MILLIS, _LAST_MILLIS = 10**12, 10**13
"""September 2001 and November 2286: what lies outside was not meant as milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Candle:
    """The last price of a token in an hour that is over."""

    hour: datetime
    usd: Decimal


def candles(told: Any, now: datetime) -> Sequence[Candle]:
    """The hours of a market chart, oldest first. Raises Transient for one that makes no sense."""
    points = sorted(_point(pair) for pair in Field("tokens", "market_chart:", told).member("prices").items())
    last = {hour_start(at): usd for at, usd in points}
    return [Candle(hour, usd) for hour, usd in last.items() if hour + HOUR <= now]


def _point(pair: Field) -> tuple[datetime, Decimal]:
    """An instant and the price at it."""
    parts = pair.items()
    if len(parts) != 2:  # noqa: PLR2004  # those two
        raise pair.wrong("an instant and a price")
    millis, usd = parts[0].count(_FIRST_MILLIS, _LAST_MILLIS), parts[1].number(0, _MOST_USD)
    if not usd:
        raise parts[1].wrong("more than nothing")
    return _EPOCH + timedelta(milliseconds=millis), usd


def at_past_prices(quotes: Iterable[Quote], models: Mapping[DeviceId, str], past: Sequence[Candle]) -> Iterator[PastRate]:
    """An *estimate*: what a venue pays in its token today, at the token's past prices, hour by hour.

    For networks whose pay is set in tokens and changes seldom: the price is then nearly all that moved. Today's occupancy is
    taken for the past too, which nobody published. Each venue and model once; a quote without a token's price has no past.
    """
    seen = set()
    for quote in quotes:
        key = (quote.venue, models[quote.device])
        if quote.native is None or key in seen:
            continue
        seen.add(key)
        for candle in past:
            then = Decimal(quote.expected.count) / UsdPerHour.per_unit * candle.usd / quote.native.usd_per_token
            yield PastRate(*key, candle.hour, UsdPerHour.of(then))

"""What both of Render's products share: from RENDER per hour and a share of the hours to a quote that prints its arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.errors import Transient
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, Venue
from autopilot.model.market import Basis, NativePrice, Quote, Working
from autopilot.units import Share, UsdPerHour

WEEK = 168
"""Hours."""
TOKEN = "RENDER"  # noqa: S105  # a coin's name
LIFE = timedelta(hours=3)
"""How long a quote counts: two missed hourly polls are forgiven."""
_MOST_GROSS = Decimal(100)
"""USD per hour and GPU. At the best pay on record and twice the highest price ever of RENDER, an RTX 4090 would make 80 at work."""


class Unquoted(Exception):
    """Why there is no quote, for a person."""


@dataclass(frozen=True, slots=True)
class Pay:
    """RENDER per hour that one GPU is paid, and how that came about."""

    busy: Decimal
    """While it works. Nobody works around the clock, so this is never a rate by itself."""
    idle: Decimal
    """While it waits for work."""
    workings: tuple[Working, ...]
    source: str
    as_of: datetime
    until: datetime
    """From here on it is too old."""


@dataclass(frozen=True, slots=True)
class Occupied:
    """The share of the hours in which there is work, and who says so."""

    share: Share
    workings: tuple[Working, ...]
    job_length: timedelta | None = None


def figure(number: Decimal) -> Decimal:
    """A figure as it is printed and reckoned with: twelve decimals, so that the arithmetic can be done again by hand."""
    return number.quantize(Decimal("1e-12"))


def shown(number: Decimal) -> str:
    """All digits of a number, without an exponent and without idle zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def estimated(venue: Venue, device: Device, pay: Pay, occupied: Occupied, price: TokenPrice, now: datetime) -> Quote:
    """The quote. Its last working is the expected rate, as ``Quote.expected`` has it. Raises Transient beyond all sense."""
    busy, idle = figure(pay.busy), figure(pay.idle)
    if max(busy, idle) * price.usd > _MOST_GROSS:
        at_most = f"{shown(max(busy, idle))} RENDER an hour at {shown(price.usd)} $ is more than {_MOST_GROSS} $/h"
        raise Transient(venue.network, f"{venue} cannot pay that much, some unit was mixed up: {at_most}")
    quote = Quote(
        venue,
        device.id,
        UsdPerHour.of(busy * price.usd),
        as_of=min(price.as_of, pay.as_of, now),
        seen_at=now,
        expires=min(now + LIFE, pay.until),
        basis=Basis.ESTIMATE,
        source=f"{pay.source}; {price.source}",
        idle=UsdPerHour.of(idle * price.usd),
        occupancy=occupied.share,
        job_length=occupied.job_length,
        native=NativePrice(TOKEN, busy, price.usd, price.as_of),
    )
    return replace(quote, workings=(*pay.workings, *occupied.workings, *_in_dollars(quote, busy, idle, price)))


def _in_dollars(quote: Quote, busy: Decimal, idle: Decimal, price: TokenPrice) -> tuple[Working, ...]:
    share, rest, usd = quote.occupancy, quote.occupancy.complement(), shown(price.usd)
    return (
        Working(f"RENDER in dollars: {usd} $, {price.source}", ("tokens:RENDER",)),
        Working(f"only while it works, {share} of the hours: {shown(busy)} RENDER x {usd} $ = {quote.gross}"),
        Working(f"while it waits, {rest} of the hours: {shown(idle)} RENDER x {usd} $ = {quote.idle}"),
        Working(f"expected: {quote.gross} x {share} + {quote.idle} x {rest} = {quote.expected}"),
    )

"""From what the expressions find to a quote: pure arithmetic, every step of it written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from autopilot.errors import Transient
from autopilot.kit.http import Reply
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, Venue
from autopilot.model.market import Answer, Basis, Fee, NativePrice, NoQuote, Quote, Working
from autopilot.units import HOUR, Share, UsdPerHour, micros, span_text
from autopilot_adapters.http.expressions import Expression, Nothing
from autopilot_adapters.http.settings import HttpSettings
from autopilot_adapters.http.wire import PLACE

MOST = 1000
"""USD for a GPU-hour. The dearest GPU rents for a hundredth of it: beyond, a unit was mixed up."""
_MOST_FIGURE = Decimal("1e50")
"""In the smallest unit of a token; the bound that matters is the one in dollars."""
_MOST_GPUS = 1024
_MOST_OF = 10**9
"""GPUs of a whole network, or per cent."""
_LONGEST_JOB = 366 * 86400


@dataclass(frozen=True, slots=True)
class Expressions:
    """What is looked for in an answer about one GPU model."""

    price: Expression
    gpus: Expression
    occupancy: Expression
    occupancy_of: Expression
    idle: Expression | None
    time: Expression | None
    job_length: Expression | None


def expressions(settings: HttpSettings, name: str) -> Expressions:
    """Those of the configuration, for a model that the network calls so."""
    texts = {key: getattr(settings, key) for key in Expressions.__slots__}
    return Expressions(**{key: text and Expression(key, text.replace(PLACE, name)) for key, text in texts.items()})


@dataclass(frozen=True, slots=True)
class Terms:
    """How the figures are to be taken."""

    unit: str
    hours: Decimal
    """In the unit's time."""
    decimals: int
    token: TokenPrice | None
    """None where the unit is dollars."""
    fees: tuple[Fee, ...]
    basis: Basis
    counts_for: timedelta


def terms(settings: HttpSettings, token: TokenPrice | None) -> Terms:
    """Those of the configuration, at a price of its token."""
    hours = settings.unit.hours or Decimal(micros(settings.block or HOUR)) / micros(HOUR)
    fees = (Fee("fee", settings.fee),) if settings.fee else ()
    return Terms(str(settings.unit), hours, settings.decimals, token, fees, settings.basis, settings.counts_for)


def answer(venue: Venue, device: Device, look: Expressions, reply: Reply, agreed: Terms) -> Answer:
    """What the answer says about a device: NoQuote where an expression finds nothing. Raises Transient where it finds nonsense."""
    try:
        return _quote(venue, device, look, reply, agreed)
    except Nothing as nothing:
        return NoQuote(venue, device.id, reply.seen_at, str(nothing))


def _quote(venue: Venue, device: Device, look: Expressions, reply: Reply, agreed: Terms) -> Answer:
    network, said = venue.network, reply.json
    as_of = look.time.instant(network, said, reply.seen_at) if look.time else reply.seen_at
    if as_of + agreed.counts_for <= reply.seen_at:
        raise Transient(network, f"its answer describes {as_of:%Y-%m-%d %H:%M} UTC, and counts for {span_text(agreed.counts_for)}")
    gpus = look.gpus.number(network, said, 1, _MOST_GPUS)
    gross, native, paid = _pay(network, look.price, look.gpus, said, gpus, agreed)
    if not gross:
        return NoQuote(venue, device.id, reply.seen_at, f"{paid.text}, which is nothing", as_of)
    idle, waiting = UsdPerHour(0), []
    if look.idle:
        idle, _, line = _pay(network, look.idle, look.gpus, said, gpus, agreed)
        waiting = [line]
    occupancy, hired = _occupancy(network, look, said)
    quote = Quote(
        venue,
        device.id,
        gross,
        as_of=as_of,
        seen_at=reply.seen_at,
        expires=as_of + agreed.counts_for,
        basis=agreed.basis,
        source=reply.url,
        idle=idle,
        occupancy=occupancy,
        job_length=timedelta(seconds=float(look.job_length.number(network, said, 1, _LONGEST_JOB))) if look.job_length else None,
        fees=agreed.fees,
        native=_native(native, agreed.token) if agreed.token else None,
    )
    return replace(quote, workings=(paid, *waiting, hired, *_told(look, quote), _expected(quote)))


def _native(per_hour: Decimal, token: TokenPrice) -> NativePrice:
    return NativePrice(token.token, per_hour, token.usd, token.as_of)


def _pay(network: str, look: Expression, per: Expression, said: Any, gpus: Decimal, agreed: Terms) -> tuple[UsdPerHour, Decimal, Working]:
    """Dollars for a GPU-hour, the same in the unit's currency, and how that came about."""
    found = look.number(network, said, 0, _MOST_FIGURE)
    native = found.scaleb(-agreed.decimals) / agreed.hours / gpus
    usd = native * agreed.token.usd if agreed.token else native
    if usd > MOST:
        raise Transient(network, f"{look.name}: {look.text} comes to {usd:.6g} $/h for a GPU, which none earns: is the unit right?")
    steps = [
        f" / 10^{agreed.decimals}" * bool(agreed.decimals),
        f" / {agreed.hours.normalize():f} h" * (agreed.hours != 1),
        f" / {gpus} GPUs" * (gpus != 1),
        f" * {agreed.token.usd} $ ({agreed.token.source})" if agreed.token else "",
    ]
    rate = UsdPerHour.of(usd)
    text = f"{look.name}: {found} {agreed.unit}{''.join(steps)}" + f" = {rate}" * any(steps)
    return rate, native, Working(text, look.inputs + per.inputs)


def _occupancy(network: str, look: Expressions, said: Any) -> tuple[Share, Working]:
    part = look.occupancy.number(network, said, 0, _MOST_OF)
    whole = look.occupancy_of.number(network, said, 0, _MOST_OF)
    if part > whole or not whole:
        raise Transient(network, f"occupancy: {look.occupancy.text} finds {part}, which is no share of {whole} ({look.occupancy_of.text})")
    share = Share.of(part / whole)
    text = f"occupancy: {part}" + f" / {whole} = {share}" * (whole != 1) + ", as configured" * (not look.occupancy.inputs)
    return share, Working(text, look.occupancy.inputs + look.occupancy_of.inputs)


def _told(look: Expressions, quote: Quote) -> list[Working]:
    """What else the answer says."""
    lines = [Working(f"describes {quote.as_of:%Y-%m-%d %H:%M:%S} UTC", look.time.inputs)] if look.time else []
    if look.job_length and quote.job_length:
        lines.append(Working(f"a job runs for {span_text(quote.job_length)}", look.job_length.inputs))
    return lines


def _expected(quote: Quote) -> Working:
    fees = "".join(f" * (1 - {fee.share} {fee.name})" for fee in quote.fees)
    waiting = f" + {quote.idle} * {quote.occupancy.complement()}" * bool(quote.idle)
    return Working(f"expected: {quote.gross}{fees} * {quote.occupancy}{waiting} = {quote.expected}")

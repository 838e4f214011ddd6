"""From what Akash says to a quote: pure arithmetic, every step of it written down.

Two rates are kept apart. The *ask* is what providers want for a GPU: nobody has to pay it. The *realised* rate is what the leases of our
own provider pay now, block by block. A quote has the one or the other as its basis, never a mixture, and shows both in its workings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from autopilot.kit.http import Reply
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, Venue
from autopilot.model.market import Answer, Basis, Fee, NativePrice, NoQuote, Quote, Working
from autopilot.units import NONE, Share, UsdPerHour
from autopilot_adapters.akash.money import API_BLOCK, Rate, plain, realised, seconds
from autopilot_adapters.akash.names import Wanted, wanted
from autopilot_adapters.akash.wire import Asks, GpuRow, Lease, Provider

LIFE = timedelta(hours=3)
"""How long a quote counts. It stands on bids of two weeks and moves slowly; two missed hourly polls are forgiven."""

_NAMES = ("vendor", "model", "ram", "interface")
_ASKS = ("min", "max", "med", "weightedAverage", "currency")


class Figure(StrEnum):
    """Which of the asks is the rate of a provider who comes anew."""

    CAUTIOUS = "cautious"
    """The lower of median and weighted average.

    A newcomer without an audit or a history of uptime is chosen last among equals, so it can ask no more than half of the providers do,
    nor more than the GPUs on offer cost on average. The minimum is often one provider's dumping price, the maximum one's wish; with one
    to five providers for a model, the median alone jumps from one to the other.
    """
    MIN = "min"
    MEDIAN = "med"
    WEIGHTED = "weighted"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the configuration says about the arithmetic."""

    figure: Figure = Figure.CAUTIOUS
    block: timedelta = API_BLOCK
    take: Share = NONE
    occupancy: Share | None = None
    """What the owner knows better than the market's utilisation."""


@dataclass(frozen=True, slots=True)
class Own:
    """What is known of our own provider."""

    provider: Provider
    leases: Sequence[Lease]
    reply: Reply
    """That told the leases."""
    earned: Working


@dataclass(frozen=True, slots=True)
class Heard:
    """Everything that one poll learned."""

    rows: Sequence[GpuRow]
    reply: Reply
    akt: TokenPrice | None
    own: Own | None = None


def answer(venue: Venue, device: Device, heard: Heard, terms: Terms) -> Answer:
    """What Akash would pay this device; where it does not say which variant of its model it is, the least that any of them would earn.

    Raises Transient where the leases of our own provider make no sense.
    """
    want = wanted(device)
    rows = want.of(heard.rows)
    variants = dict.fromkeys(row.variant for row in rows)
    offers = [_offer(venue, device, want, [row for row in rows if row.variant == each], heard, terms) for each in variants]
    quotes = [offer for offer in offers if isinstance(offer, Quote)]
    if not quotes:
        return offers[0] if offers else NoQuote(venue, device.id, heard.reply.seen_at, _why_unlisted(want, heard.rows))
    least = min(quotes, key=lambda quote: quote.expected)
    return least if len(offers) == 1 else replace(least, workings=(_several(rows), *least.workings))


def _offer(venue: Venue, device: Device, want: Wanted, rows: Sequence[GpuRow], heard: Heard, terms: Terms) -> Answer:
    """The same for rows of one variant."""
    ask = asked(rows, terms, heard.reply.seen_at)
    own = heard.own if heard.own and heard.own.provider.kinds & want.kinds else None
    paid = realised(venue.network, own.leases, heard.akt, terms.block, own.reply.seen_at) if own and own.leases else None
    rate = paid if own and len(own.provider.kinds) == 1 and paid else ask
    if rate is None or (terms.occupancy is None and not sum(row.total for row in rows)):
        return NoQuote(venue, device.id, heard.reply.seen_at, _why_none(rows, rate))
    occupancy, hired = _occupied(rows, own, terms, leased=rate is paid)
    quote = Quote(
        venue,
        device.id,
        rate.gross,
        as_of=own.reply.seen_at if own and rate is paid else heard.reply.seen_at,
        seen_at=max(heard.reply.seen_at, own.reply.seen_at) if own else heard.reply.seen_at,
        expires=heard.reply.seen_at + LIFE,
        basis=rate.basis,
        source=f"active leases, {own.reply.url}" if own and rate is paid else f"asks, {heard.reply.url}",
        occupancy=occupancy,
        fees=(Fee("take", terms.take),) if terms.take else (),
        native=rate.native,
    )
    return replace(quote, workings=(_named(want, rows), *_rates(rate, ask, paid), *_own(heard, own), hired, _expected(quote)))


def asked(rows: Sequence[GpuRow], terms: Terms, as_of: datetime) -> Rate | None:
    """The ask of the rows that speak of a device, the lowest where there are several; None where nobody made a bid."""
    priced = [(_figure(row.asks, terms.figure), row, row.asks) for row in rows if row.asks]
    if not priced:
        return None
    amount, row, asks = min(priced, key=lambda each: each[0])
    gross = UsdPerHour.of(amount * seconds(API_BLOCK) / seconds(terms.block))
    text = (
        f"asks for {_shown(row)} over the providers' bids of the last 14 days, in $/h for a GPU: min {asks.least}, median {asks.median}, "
        f"weighted average {asks.weighted}, max {asks.most}; taken: {terms.figure.value}, {amount}"
    )
    lines = [Working(text, tuple(f"{each.path}.price.{name}" for _, each, _ in priced for name in _ASKS))]
    if terms.block != API_BLOCK:
        api, real = plain(seconds(API_BLOCK)), plain(seconds(terms.block))
        lines.append(Working(f"the API takes a block for {api} s, it takes {real} s: {amount} * {api} / {real} = {gross}"))
    act = NativePrice("ACT", Decimal(gross.count).scaleb(-9), Decimal(1), as_of)
    return Rate(gross, Basis.ASK, act, tuple(lines))


def _figure(asks: Asks, figure: Figure) -> Decimal:
    every = {Figure.MIN: asks.least, Figure.MEDIAN: asks.median, Figure.WEIGHTED: asks.weighted}
    return every.get(figure, min(asks.median, asks.weighted))


def utilisation(leased: int, total: int) -> Share:
    """The share of the hour for which a GPU is leased."""
    return Share.of(Decimal(leased) / total)


def _occupied(rows: Sequence[GpuRow], own: Own | None, terms: Terms, *, leased: bool) -> tuple[Share, Working]:
    """The share of the hour that is expected to be paid, and why.

    That is the utilisation of this very model with one GPU more on offer, ours, unless ours are counted already: the demand does not
    grow because we come. One GPU that is leased is no proof that the next one will be.

    Leases of our own are better evidence, but only upwards: a GPU of ours without one may not have been on offer. Each of our GPUs then
    counts as one, and the market as one more.
    """
    if terms.occupancy is not None:
        return terms.occupancy, Working(f"occupancy {terms.occupancy}, as configured")
    busy, total = sum(row.leased for row in rows), sum(row.total for row in rows)
    inputs = tuple(f"{row.path}.availability.{name}" for row in rows for name in ("total", "available"))
    joining = 0 if own and own.provider.gpus else 1
    share = utilisation(busy, total + joining)
    text = f"{busy} of {total} GPUs are leased"
    text += f"; with one more, ours: {busy} / {total + joining} = {share}" if joining else f", ours among them: {busy} / {total} = {share}"
    if own and leased:
        hired = sum(lease.gpus for lease in own.leases)
        gpus = max(own.provider.gpus, hired)
        ours = Share.of((hired + Decimal(share.count).scaleb(-9)) / (gpus + 1))
        inputs += tuple(f"providers:stats.gpu.{name}" for name in ("active", "available", "pending"))
        text += f"; of our own {gpus}, {hired} are: ({hired} + {share}) / {gpus + 1} = {ours}; the larger of the two"
        share = max(share, ours)
    return share, Working(text, inputs)


def _rates(rate: Rate, ask: Rate | None, paid: Rate | None) -> tuple[Working, ...]:
    """The lines of the rate that is used, then those of the other."""
    other = ask if rate is paid else paid
    if other is None:
        return rate.workings
    why = "not used, our own leases say more" if other is ask else "not used, our provider has several models and these may be for another"
    return (*rate.workings, *(replace(line, text=f"({why}) {line.text}") for line in other.workings))


def _own(heard: Heard, own: Own | None) -> tuple[Working, ...]:
    """What else is known of our own provider."""
    if heard.own is None:
        return ()
    listed = ", ".join(sorted(model for _, model in heard.own.provider.kinds)) or "no GPU at all"
    lines = [Working(f"our provider lists {listed}{'' if own else ': its leases are not counted here'}", ("providers:gpuModels",))]
    if own:
        lines += [*([] if own.leases else [Working("own leases: none that holds a GPU")]), own.earned]
    return tuple(lines)


def _named(want: Wanted, rows: Sequence[GpuRow]) -> Working:
    return Working(f"listed as {_listed(rows)}, by {want.said_by}", tuple(f"{row.path}.{name}" for row in rows for name in _NAMES))


def _expected(quote: Quote) -> Working:
    take = quote.fees[0].share if quote.fees else NONE
    fee = f" * (1 - {take} take)" if take else ""
    return Working(f"expected: {quote.gross}{fee} * {quote.occupancy} = {quote.expected}; no pay while waiting")


def _several(rows: Sequence[GpuRow]) -> Working:
    """That the choice was made, and by what."""
    fields = ("availability.total", "availability.available", *(f"price.{name}" for name in _ASKS), *_NAMES)
    inputs = tuple(f"{row.path}.{name}" for row in rows for name in fields)
    return Working(f"it may be one of {_listed(rows)}: the one that would earn least", inputs)


def _why_unlisted(want: Wanted, rows: Sequence[GpuRow]) -> str:
    others = [row for row in rows if row.kind in want.kinds]
    if others:
        return f"Akash lists {_listed(others)}, none of which is the {want} of {want.said_by}"
    return f"Akash lists no {want} ({want.said_by})"


def _why_none(rows: Sequence[GpuRow], rate: Rate | None) -> str:
    if rate is None:
        return f"no provider made a usable bid with a {_listed(rows)} in the last 31 days"
    return f"no provider with a {_listed(rows)} is online, so nobody knows how it would be hired"


def _listed(rows: Sequence[GpuRow]) -> str:
    return ", ".join(dict.fromkeys(_shown(row) for row in rows))


def _shown(row: GpuRow) -> str:
    return f"{row.kind[1]} {row.ram} {row.interface}".rstrip()

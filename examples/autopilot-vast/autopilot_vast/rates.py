"""From what Vast says to a quote: pure arithmetic, written down step by step.

Two rates are kept apart. What tenants *pay* (realised) is told to hosts only; what is *asked* of them is public, and higher: in the
vendor's own sample 0.50 against 0.39. Storage and traffic are paid on top of both, and are not counted here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median_low

from autopilot.errors import Transient
from autopilot.kit.http import Reply
from autopilot.model.device import Device, Venue
from autopilot.model.market import Answer, Basis, Fee, NoQuote, Quote, Working
from autopilot.units import Share, UsdPerHour
from autopilot_vast.wire import Metrics, Offer, Offers, Pricing

LIFE = timedelta(hours=3)
"""How long a figure counts. Two missed hourly polls are forgiven."""
_AHEAD = timedelta(minutes=5)
"""By so much Vast's clock may be ahead of ours."""
_MB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class Terms:
    """What the configuration says about the arithmetic."""

    fee: Share
    occupancy: Share | None
    """What the owner knows better than the market's hire share."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a GPU earns while it is hired, and how often that is."""

    gross: UsdPerHour
    basis: Basis
    as_of: datetime
    hired: Share | None
    """None where it cannot be told."""
    workings: tuple[Working, ...]


class Unknown(Exception):
    """Vast answered, and names no rate for this GPU."""


def answer(venue: Venue, device: Device, names: Sequence[str], heard: Metrics | Mapping[str, Offers], terms: Terms) -> Answer:
    """What Vast would pay; where the device's name leaves its board open, the least that any of them would earn."""
    answers = [_answer(venue, device, name, heard, terms) for name in names]
    quotes = [each for each in answers if isinstance(each, Quote)]
    return min(quotes, key=lambda quote: (quote.expected, quote.gross)) if quotes else answers[0]


def _answer(venue: Venue, device: Device, name: str, heard: Metrics | Mapping[str, Offers], terms: Terms) -> Answer:
    reply = heard.reply if isinstance(heard, Metrics) else heard[name].reply
    try:
        rate = realised(venue.network, name, heard) if isinstance(heard, Metrics) else asked(name, heard[name], device.memory_gib)
        return _quote(venue, device, rate, reply, terms)
    except Unknown as unknown:
        return NoQuote(venue, device.id, reply.seen_at, str(unknown))


def _quote(venue: Venue, device: Device, rate: Rate, reply: Reply, terms: Terms) -> Quote:
    occupancy = rate.hired if terms.occupancy is None else terms.occupancy
    if occupancy is None:
        raise Unknown("it cannot be told how often this GPU is hired: give a host's key, or set 'occupancy'")
    if not rate.gross:
        raise Unknown(f"{rate.workings[0].text}, which is nothing")
    kept = rate.gross - rate.gross.scaled(terms.fee)
    lines = [
        *rate.workings,
        *([Working(f"occupancy: {terms.occupancy}, as configured, in place of that")] if terms.occupancy is not None else []),
        Working(f"expected: {rate.gross} * (1 - {terms.fee} host fee) * {occupancy} = {kept.scaled(occupancy)}"),
    ]
    return Quote(
        venue,
        device.id,
        rate.gross,
        as_of=min(rate.as_of, reply.seen_at),
        seen_at=reply.seen_at,
        expires=rate.as_of + LIFE,
        basis=rate.basis,
        source=reply.url,
        occupancy=occupancy,
        fees=(Fee("host fee", terms.fee),),
        workings=tuple(lines),
    )


def realised(network: str, name: str, metrics: Metrics) -> Rate:
    """The median that tenants pay now, and the share of these GPUs that they have. Raises Unknown, and Transient for old figures."""
    if name not in metrics.hired or name not in metrics.prices:
        raise Unknown(f"Vast lists no {name} in this part of its market")
    prices, hired = metrics.prices[name], metrics.hired[name]
    index = _newest(network, name, prices, metrics.reply.seen_at)
    paid, wanted = prices.rented_median[index], prices.avail_median[index]
    if paid is None or hired.usage is None:
        raise Unknown(f"nobody rents a {name} now, or Vast does not say for how much")
    pricing, share = f"history:gpus.{name}.pricing", Share.of(hired.usage / 100)
    lines = (
        Working(f"tenants pay for a {name}, median: {paid} $/h", (f"{pricing}.timestamps", f"{pricing}.rented_median[{index}]")),
        Working(f"(not used) free ones ask, median: {wanted} $/h", (f"{pricing}.avail_median[{index}]",)),
        Working(f"hired: {hired.usage} % now = {share}, {hired.usage_30d} % over 30 days", ("current:gpus.gpu_name", "current:gpus.usage")),
    )
    return Rate(UsdPerHour.of(paid), Basis.REALISED, datetime.fromtimestamp(prices.timestamps[index], UTC), share, lines)


def _newest(network: str, name: str, prices: Pricing, now: datetime) -> int:
    """The index of the newest point, in whatever order they come."""
    times, lengths = prices.timestamps, {len(prices.timestamps), len(prices.rented_median), len(prices.avail_median)}
    if len(lengths) > 1:
        raise Transient(network, f"the price series of {name} have different lengths")
    if not times:
        raise Unknown(f"Vast has no prices of {name} for the last day")
    index = max(range(len(times)), key=times.__getitem__)
    if not (now - LIFE).timestamp() < times[index] <= (now + _AHEAD).timestamp():
        raise Transient(network, f"the newest price of {name} is of {times[index]} s since 1970, which is not now")
    return index


@dataclass(frozen=True, slots=True)
class Machine:
    """One host's machine, put together from the overlapping slices in which it is offered."""

    gpus: int
    free: int
    ask: Decimal
    """USD for a GPU-hour, of its largest slice."""


def machines(rows: Sequence[Offer]) -> Sequence[Machine]:
    """Each machine once, however many slices of it are on offer."""
    slices: defaultdict[int, list[Offer]] = defaultdict(list)
    for row in rows:
        slices[row.machine_id].append(row)
    return [_machine(each) for each in slices.values()]


def _machine(rows: Sequence[Offer]) -> Machine:
    largest = max(rows, key=lambda row: (row.num_gpus, row.gpu_frac))
    gpus = largest.machine_gpus
    free = [row for row in rows if row.rentable]
    known = all(row.gpu_ids for row in free)
    count = len({gpu for row in free for gpu in row.gpu_ids or ()}) if known else sum(row.num_gpus for row in free)
    return Machine(gpus, min(count, gpus), largest.dph_base / largest.num_gpus)


def asked(name: str, offers: Offers, memory_gib: int) -> Rate:
    """The median ask over all GPUs on offer, and the share of them that is taken, with one more on offer: ours. Raises Unknown."""
    rows = [row for row in offers.rows if _fits(row, memory_gib)]
    found = machines(rows)
    if not found:
        raise Unknown(f"Vast lists no {name} in this part of its market")
    asks = [machine.ask for machine in found for _ in range(machine.gpus)]
    taken = sum(machine.gpus - machine.free for machine in found)
    share = Share.of(Decimal(taken) / (len(asks) + 1)) if offers.complete else None
    fields = ("machine_id", "gpu_name", "num_gpus", "gpu_frac", "dph_base", "gpu_ram", "verification", "rentable", "gpu_ids")
    which = "all" if offers.complete else "the cheapest; there are more than an answer holds"
    ask = UsdPerHour.of(median_low(asks))
    text = f"asked for a {name}, an offer's price / its GPUs: {len(found)} machines with {len(asks)} GPUs ({which}), median {ask}"
    hired = f"taken: {taken} of {len(asks)}; with one more, ours: {taken} / {len(asks) + 1} = {share}"
    lines = (
        Working(text, tuple(f"bundles:offers.{each}" for each in fields)),
        Working(hired if share is not None else "taken: not known, these are not all"),
    )
    return Rate(ask, Basis.ASK, offers.reply.seen_at, share, lines)


def _fits(row: Offer, memory_gib: int) -> bool:
    """Whether it has the device's memory: an A100 PCIE of 40 GB goes under the same name as one of 80. A tenth is the driver's."""
    return not memory_gib or row.gpu_ram is None or abs(row.gpu_ram - memory_gib * _MB_PER_GIB) <= row.gpu_ram // 10

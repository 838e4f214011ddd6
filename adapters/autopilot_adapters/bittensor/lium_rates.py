"""What a GPU earns on SN51 (lium.io): a share of the rent and emission while it is rented, idle pay while it is not.

``expected = u x (kept x ask + emission) + (1 - u) x idle pay``, all per GPU and hour. Idle pay is only reckoned with where every rule
that can be seen is kept: 1 or 8 GPUs, room in the bucket, an ask below the soft limit, no default job of one's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.model.device import Device, Venue
from autopilot.model.market import ROOMY, Answer, Basis, Fee, NoQuote, Quote, Room, Working
from autopilot.units import Share, UsdPerHour
from autopilot_adapters.bittensor.figures import plain
from autopilot_adapters.bittensor.lium import EPOCH_HOURS, Capacity, Machine
from autopilot_adapters.bittensor.names import family_of, row_of
from autopilot_adapters.bittensor.settings import LiumSettings

KEEPS = timedelta(hours=3)
"""Pay is diluted as nodes come: three missed hourly looks, and nothing is known."""
_LEAST_PRICE = Decimal("0.001")
"""USD per GPU and hour. Less is no price: electricity alone costs a hundred times as much."""
_MOSTLY = Decimal("0.5")
"""A part of the rate above this is most of it."""
_SIZES = (1, 8)
"""GPUs of a node that may get idle pay."""


@dataclass(frozen=True, slots=True)
class Market:
    """What lium said at one instant."""

    machines: Sequence[Machine]
    capacity: Sequence[Capacity]
    seen_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class _Part:
    """USD per GPU and hour, and how it came about."""

    rate: Decimal
    working: Working


def answer(venue: Venue, device: Device, market: Market, settings: LiumSettings) -> Answer:
    """The quote for a device, or why there is none."""
    row = row_of(device, [machine.name for machine in market.machines])
    if isinstance(row, str):
        return NoQuote(venue, device.id, market.seen_at, f"lium: {row}")
    machine = market.machines[row]
    reason = _unpriced(machine, settings)
    if reason:
        return NoQuote(venue, device.id, market.seen_at, f"lium: {reason}")
    return _quote(venue, device, market, machine, settings)


def _unpriced(machine: Machine, settings: LiumSettings) -> str:
    """Why this model cannot be reckoned with; empty where it can."""
    if machine.price is None or machine.price < _LEAST_PRICE:
        return f"{machine.name} has no reference price"
    if machine.band is None:
        return f"{machine.name} has no price band"
    ask, (least, most) = _ask(machine, settings), machine.band
    if not least <= ask <= most:
        return f"an ask of {plain(ask)} $/h for {machine.name} lies outside of its band of {plain(least)} to {plain(most)} $/h"
    if settings.occupancy is None and not machine.gpus:
        return f"nobody serves {machine.name}, so its rental rate says nothing: set lium.occupancy to reckon with one of yours"
    if settings.occupancy is None and machine.rented is None:
        return f"{machine.name} has no rental rate"
    return ""


def _ask(machine: Machine, settings: LiumSettings) -> Decimal:
    return Decimal(settings.ask.count) / UsdPerHour.per_unit if settings.ask else machine.price or Decimal(0)


def _quote(venue: Venue, device: Device, market: Market, machine: Machine, settings: LiumSettings) -> Quote:
    ask, kept = _ask(machine, settings), Decimal(settings.rent_kept.count) / Share.per_unit
    paid, idle = _paid(machine), _idle(machine, market.capacity, settings, ask)
    hired = _hired(machine, settings)
    gross = ask + paid.rate
    expected = hired.rate * (ask * kept + paid.rate) + (1 - hired.rate) * idle.rate
    total = (
        f"expected: {plain(hired.rate)} x ({plain(ask)} x {plain(kept)} + {plain(paid.rate)})"
        f" + {plain(1 - hired.rate)} x {plain(idle.rate)} = {plain(expected)} $/h"
    )
    return Quote(
        venue=venue,
        device=device.id,
        gross=UsdPerHour.of(gross),
        idle=UsdPerHour.of(idle.rate),
        occupancy=Share.of(hired.rate),
        fees=(Fee("lium's part of the rent", Share.of(ask * (1 - kept) / gross)),),
        as_of=market.seen_at,
        seen_at=market.seen_at,
        expires=market.seen_at + KEEPS,
        basis=Basis.ASK,
        source=market.source,
        workings=(_priced(machine, settings, ask), paid.working, idle.working, hired.working, Working(total)),
        room=_left(machine, market.capacity, settings.gpus) if (1 - hired.rate) * idle.rate > _MOSTLY * expected else ROOMY,
    )


def _priced(machine: Machine, settings: LiumSettings, ask: Decimal) -> Working:
    own = "your ask" if settings.ask else "the reference price is asked for"
    least, most = machine.band or (ask, ask)
    text = f"{machine.name}: {own}, {plain(ask)} $/h per GPU, within the band of {plain(least)} to {plain(most)} $/h"
    return Working(text, tuple(f"{machine.path}.{name}" for name in ("name", "price", "p_min", "p_max")))


def _paid(machine: Machine) -> _Part:
    """Emission to a rented GPU."""
    inputs = _inputs(machine, "usd_per_epoch_rented", "estimates_available")
    if machine.rented_epoch is None:
        return _Part(Decimal(0), Working("emission while rented: lium names none, so none is counted", inputs))
    rate = machine.rented_epoch / EPOCH_HOURS
    text = f"emission while rented: {plain(machine.rented_epoch)} $ per epoch / {EPOCH_HOURS} h = {plain(rate)} $/h"
    return _Part(rate, Working(text, inputs))


def _idle(machine: Machine, capacity: Sequence[Capacity], settings: LiumSettings, ask: Decimal) -> _Part:
    """Pay to a GPU that waits."""
    room, inputs = _room(machine, capacity, settings.gpus)
    inputs += _inputs(machine, "usd_per_epoch_unrented", "estimates_available", "soft_price_limit", "price")
    reason = _unpaid(machine, settings, ask) or room
    if reason or machine.idle_epoch is None:
        return _Part(Decimal(0), Working(f"no idle pay is counted: {reason or 'lium names none'}", inputs))
    rate = machine.idle_epoch / EPOCH_HOURS
    return _Part(rate, Working(f"idle pay: {plain(machine.idle_epoch)} $ per epoch / {EPOCH_HOURS} h = {plain(rate)} $/h", inputs))


def _unpaid(machine: Machine, settings: LiumSettings, ask: Decimal) -> str:
    """Which rule of idle pay is broken; empty where none is that can be seen."""
    limit = machine.soft_limit if machine.soft_limit is not None else machine.price or Decimal(0)
    if not settings.idle_pay:
        return "the settings say that the node does not fulfil what it takes"
    if settings.own_job:
        return "a default job of your own forfeits it"
    if settings.gpus not in _SIZES:
        return f"it is for nodes of 1 and of 8 GPUs, not of {settings.gpus}"
    if ask > limit:
        return f"an ask of {plain(ask)} $/h is above the soft limit of {plain(limit)} $/h"
    return ""


def _room(machine: Machine, capacity: Sequence[Capacity], gpus: int) -> tuple[str, tuple[str, ...]]:
    """Why there is no room for one node more among those that are paid for, empty where there is; and what that was read from."""
    family = family_of(machine.name, [each.name for each in capacity])
    bucket = None if family is None else capacity[family].buckets.get(gpus)
    if family is None or bucket is None:
        return f"no capacity of {machine.name} in nodes of {gpus} is paid for", ("capacity:",)
    inputs = (f"{capacity[family].path}.base_model", f"{bucket.path}.max_cap", f"{bucket.path}.unrented_count")
    if bucket.waiting + gpus > bucket.cap:
        return f"the {bucket.cap} idle GPUs that are paid for in nodes of {gpus} are taken: {bucket.waiting} wait already", inputs
    return "", inputs


def _left(machine: Machine, capacity: Sequence[Capacity], gpus: int) -> Room:
    """For how many GPUs more idle pay is left, in whole nodes: where most of the rate is idle pay, the rate holds for no more of them."""
    family = family_of(machine.name, [each.name for each in capacity])
    bucket = None if family is None else capacity[family].buckets.get(gpus)
    return ROOMY if bucket is None else Room((bucket.cap - bucket.waiting) // gpus * gpus)


def _hired(machine: Machine, settings: LiumSettings) -> _Part:
    """The share of the hour in which the GPU is rented."""
    if settings.occupancy is not None:
        share = Decimal(settings.occupancy.count) / Share.per_unit
        return _Part(share, Working(f"rented for {plain(share)} of the time, as the settings say"))
    share = machine.rented or Decimal(0)
    text = f"rented for {plain(share)} of the time, as the {machine.gpus} GPUs of this model are"
    return _Part(share, Working(text, _inputs(machine, "rental_rate", "total_gpu_count")))


def _inputs(machine: Machine, *names: str) -> tuple[str, ...]:
    return tuple(f"{machine.path}.{name}" for name in names)

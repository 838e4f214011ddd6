"""What an own UID earns: emission of an epoch -> alpha an hour -> TAO -> USD, less what it costs to sell alpha, shared by its GPUs.

Selling alpha goes through the subnet's pool, which weighs its two sides (opentensor/subtensor, ``pallets/swap/src/pallet/balancer.rs``):
for ``a`` alpha into a pool with ``x`` alpha and ``y`` TAO it pays ``y (1 - (x / (x + a))^r)``, where ``r = p x / y`` follows from the price
``p`` at which it trades small amounts. With ``r = 1`` that is the constant product.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.errors import Transient
from autopilot.kit.prices import TokenPrice
from autopilot.model.device import Device, Venue
from autopilot.model.market import Answer, Basis, Fee, NativePrice, NoQuote, Quote, Working
from autopilot.model.plan import EntryCost
from autopilot.units import Share, Usd, UsdPerHour
from autopilot_adapters.bittensor.epochs import Epoch
from autopilot_adapters.bittensor.figures import plain
from autopilot_adapters.bittensor.settings import MinerSettings
from autopilot_adapters.bittensor.wire import Subnet

KEEPS = timedelta(hours=3)
"""Two epochs and a half: three missed hourly looks, and nothing is known."""
MOST_RATE = Decimal(10_000)
"""USD an hour for one GPU. All miners of SN51 together got a quarter of it in the middle of 2026."""
_MINERS = (1 - Decimal(11_796) / 65_535) / 2
"""Of what a subnet mints, what its miners get: half of what its owner's 18 % leave. An owner may waive them; then it is more."""
_WEIGHTS = Decimal(99)
"""The pool keeps either side's weight between 0.01 and 0.99."""
_LEAST_RATE = Decimal("0.000001")
"""USD an hour. Less is nothing, and should be called so."""
_MOST_LOSS = Decimal("0.9")
"""Where more of the worth than this is lost by selling, there is no market to speak of."""
_NEGLIGIBLE = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Sighting:
    """All that is known of a subnet and of its token at one instant."""

    subnet: Subnet
    epoch: Epoch
    tao: TokenPrice
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class _Income:
    """Alpha an hour for the whole UID."""

    alpha: Decimal
    basis: Basis
    workings: tuple[Working, ...]


def answer(venue: Venue, device: Device, sight: Sighting, miner: MinerSettings, gpus: int, sells_every: timedelta) -> Answer:
    """The quote for a device that has its part of a UID, or why there is none."""
    income = _income(sight, miner)
    if isinstance(income, str):
        return NoQuote(venue, device.id, sight.seen_at, f"subnet {sight.subnet.netuid}: {income}", min(sight.subnet.look.at, sight.seen_at))
    return _quote(venue, device, sight, income, gpus, sells_every)


def entry_cost(sight: Sighting, miner: MinerSettings, gpus: int) -> EntryCost:
    """The registration, where there is none: paid once for all GPUs of the UID, never returned, and worth it only for a stay.

    Whoever leaves is pruned once the immunity is over, and registers anew when coming back: so leaving costs nothing by itself.
    """
    subnet, epoch = sight.subnet, sight.epoch
    ramp = epoch.span(epoch.blocks)
    if subnet.miner is None:
        fee = Usd.of(subnet.burn * sight.tao.usd / gpus)
        return EntryCost(miner.boot, ramp, fee, epoch.span(Decimal(subnet.immunity)))
    immune = min(max(0, subnet.miner.immune_until - subnet.look.block), subnet.immunity)
    return EntryCost(miner.boot, ramp, least_stay=epoch.span(Decimal(immune)))


def _income(sight: Sighting, miner: MinerSettings) -> _Income | str:
    subnet = sight.subnet
    reason = unpaid(subnet)
    if reason:
        return reason
    if subnet.miner and subnet.miner.emission:
        return _earned(sight, subnet.miner.uid, subnet.miner.emission)
    if miner.incentive and (subnet.miner is None or subnet.look.block < subnet.miner.immune_until):
        return _hoped(sight, Decimal(miner.incentive.count) / Share.per_unit)
    if subnet.miner is None:
        return f"the miner is not registered, which would cost {plain(subnet.burn)} TAO, {plain(subnet.burn * sight.tao.usd)} $"
    return f"UID {subnet.miner.uid} earned nothing in the last epoch, which ended at block {subnet.look.step.block}"


def unpaid(subnet: Subnet) -> str:
    """Why nobody, or not this UID, is paid for work here; empty where it may be."""
    if subnet.enabled is False:
        return "its emission is switched off: no TAO stands behind the alpha that it mints"
    if not subnet.price or not subnet.tao_in or not subnet.alpha_in:
        return "its alpha cannot be sold: the pool is empty"
    if subnet.miner and {subnet.miner.hotkey, subnet.miner.coldkey} & subnet.owners:
        return f"UID {subnet.miner.uid} belongs to the owner of the subnet: its emission is burned"
    if subnet.miner and subnet.miner.dividends:
        return f"UID {subnet.miner.uid} validates: its emission holds dividends of stake, which no GPU earns"
    if subnet.miner is None and not subnet.open:
        return "the miner is not registered, and registration is closed"
    return ""


def _earned(sight: Sighting, uid: int, emission: Decimal) -> _Income:
    subnet, hours = sight.subnet, sight.epoch.hours
    alpha = emission / hours
    text = f"UID {uid} got {plain(emission)} alpha for the last epoch: {plain(emission)} / {plain(hours)} h = {plain(alpha)} alpha/h"
    lines = (Working(sight.epoch.text, sight.epoch.inputs), Working(text, subnet.fields["emission"]), _burned(subnet))
    return _Income(alpha, Basis.REALISED, lines)


def _hoped(sight: Sighting, share: Decimal) -> _Income | str:
    """Before the first pay: the share that the settings expect of what miners get."""
    subnet = sight.subnet
    if subnet.minted is None or subnet.burned is None:
        return "nobody says what it mints and burns, so a share of it cannot be reckoned with: ask the chain instead"
    blocks = 3600 / sight.epoch.block_seconds
    alpha = subnet.minted * blocks * _MINERS * (1 - subnet.burned) * share
    if not alpha:
        return "all that its miners are due is burned"
    text = (
        f"expected: {plain(subnet.minted)} alpha per block x {plain(blocks)} blocks/h x {plain(_MINERS)} for miners"
        f" x {plain(1 - subnet.burned)} not burned x {plain(share)}, your share = {plain(alpha)} alpha/h"
    )
    clock = Working(sight.epoch.text, sight.epoch.inputs)
    return _Income(alpha, Basis.ESTIMATE, (clock, Working(text, subnet.fields["minted"] + subnet.fields["burned"])))


def _burned(subnet: Subnet) -> Working:
    known = "nobody says how much of" if subnet.burned is None else f"{plain(subnet.burned * 100)} % of"
    return Working(f"{known} what the miners were due was burned; what this UID got is what was left to it", subnet.fields["burned"])


def _quote(venue: Venue, device: Device, sight: Sighting, income: _Income, gpus: int, sells_every: timedelta) -> Answer:
    subnet, tao = sight.subnet, sight.tao
    gross = income.alpha * subnet.price * tao.usd / gpus
    as_of = min(subnet.look.at, tao.as_of, sight.seen_at)
    if gross > MOST_RATE:
        named = ", ".join(subnet.fields["emission"] + subnet.fields["price"])
        raise Transient(venue.network, f"{plain(gross)} $/h is beyond belief: something is wrong with {named}")
    batch = income.alpha * Decimal(sells_every / timedelta(hours=1))
    fee, impact = subnet.swap_fee, (1 - subnet.swap_fee) * price_impact(subnet, batch * (1 - subnet.swap_fee))
    if fee + impact > _MOST_LOSS or gross < _LEAST_RATE:
        reason = f"{plain(batch)} alpha cannot be sold at once: of {plain(gross)} $/h, {plain(100 * (fee + impact))} % would be lost"
        return NoQuote(venue, device.id, sight.seen_at, f"subnet {subnet.netuid}: {reason}", as_of)
    text = f"{plain(income.alpha)} alpha/h x {plain(subnet.price)} TAO x {plain(tao.usd)} $ / {gpus} GPUs = {plain(gross)} $/h"
    sold = (
        f"selling {plain(batch)} alpha at once: the pool keeps {plain(fee)} and its price gives way by {plain(impact)}"
        f" = {plain(gross * (1 - fee - impact))} $/h"
    )
    return Quote(
        venue=venue,
        device=device.id,
        gross=UsdPerHour.of(gross),
        as_of=as_of,
        seen_at=sight.seen_at,
        expires=sight.seen_at + KEEPS,
        basis=income.basis,
        source=subnet.source,
        fees=(Fee("swap fee of the pool", Share.of(fee)), Fee("price impact of selling", Share.of(impact))),
        native=NativePrice("TAO", income.alpha * subnet.price / gpus, tao.usd, tao.as_of),
        workings=(
            *income.workings,
            Working(f"TAO: {plain(tao.usd)} $ ({tao.source})", ("tokens:TAO",)),
            Working(text, subnet.fields["price"]),
            Working(sold, subnet.fields["pool"] + subnet.fields["fee"]),
        ),
    )


def price_impact(subnet: Subnet, alpha: Decimal) -> Decimal:
    """Which part of its worth at the pool's price an amount of alpha loses by being sold at once: 0 to 1."""
    x, y = subnet.alpha_in, subnet.tao_in
    if alpha <= x * _NEGLIGIBLE:
        return Decimal(0)
    weight = min(max(subnet.price * x / y, 1 / _WEIGHTS), _WEIGHTS)
    paid = x * (1 - (x / (x + alpha)) ** weight) / (weight * alpha)
    return min(max(1 - paid, Decimal(0)), Decimal(1))

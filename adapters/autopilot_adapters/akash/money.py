"""Blocks, tokens and dollars of Akash: the constants of its money, and what a lease pays for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.errors import Transient
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import NetworkId
from autopilot.model.market import Basis, NativePrice, Working
from autopilot.units import UsdPerHour
from autopilot_adapters.akash.wire import MOST_ASK, Lease

API_BLOCK = timedelta(seconds=6)
"""What the API takes a block for when it turns prices per block into prices per hour."""
MEASURED_BLOCK = timedelta(seconds=5.883)
"""Between the blocks 28,641,333 and 28,826,831 of September 2026. Prices are paid per block, so the API tells 2 % too little."""
MICRO = 10**6
"""Millionths in a token."""

_TOKENS = {
    "uact": "ACT",  # minted by burning AKT, and worth a dollar by construction
    "uakt": "AKT",
    "uusdc": "USDC",
    "ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1": "USDC",  # before there was ACT
}
_PEGGED = {"ACT", "USDC"}
_LEAST_PAID = Decimal("0.001")
"""USD per GPU-hour: less than a tenth of a cent is no rent for any GPU."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a GPU earns in an hour while it is leased, and how we know."""

    gross: UsdPerHour
    basis: Basis
    native: NativePrice | None
    """None where the leases are in several tokens."""
    workings: tuple[Working, ...]


def per_hour(per_block: Decimal, block: timedelta) -> Decimal:
    """Tokens an hour from millionths of a token a block."""
    return per_block * 3600 / seconds(block) / MICRO


def seconds(span: timedelta) -> Decimal:
    """The span in seconds, to the microsecond."""
    return Decimal(span // timedelta(microseconds=1)) / MICRO


def plain(number: Decimal) -> str:
    """The number as a person writes it, with at most twelve digits after the point."""
    return format(round(number, 12).normalize(), "f")


def realised(network: NetworkId, leases: Sequence[Lease], akt: TokenPrice | None, block: timedelta, as_of: datetime) -> Rate:
    """What leases pay for a GPU, on average over their GPUs. It holds what the tenants pay for processor, memory and disk too.

    Raises Transient for a token whose worth is not known, and for a rate that makes no sense.
    """
    prices = {token: _usd(network, token, akt, as_of) for token in sorted({_token(network, lease) for lease in leases})}
    native, sums, usd, gpus = Decimal(0), [], Decimal(0), sum(lease.gpus for lease in leases)
    for token, (price, said_by, _) in prices.items():
        own = [lease for lease in leases if _TOKENS[lease.denom] == token]
        native = per_hour(sum((lease.per_block for lease in own), Decimal(0)), block)
        usd += native * price
        sums.append(_sum(own, token, native, f"{plain(price)} $ ({said_by}) = {plain(native * price)} $/h", block))
    rate = usd / gpus
    if not _LEAST_PAID <= rate <= MOST_ASK:
        raise Transient(network, f"{leases[0].path}.price: own leases come to {rate:.6g} $/h for a GPU, which is no rent for one")
    gross = UsdPerHour.of(rate)
    shared = Working(f"realised: {plain(usd)} $/h / {gpus} GPUs leased = {gross}; processor, memory and disk are in it")
    (token, (price, _, priced_at)), *more = prices.items()
    paid = None if more else NativePrice(token, native / gpus, price, priced_at)
    return Rate(gross, Basis.REALISED, paid, (*sums, shared))


def worth(denom: str, akt: TokenPrice | None) -> Decimal | None:
    """What one token is worth in USD; None where that is not known."""
    if _TOKENS.get(denom) in _PEGGED:
        return Decimal(1)
    return akt.usd if denom == "uakt" and akt else None


def _token(network: NetworkId, lease: Lease) -> str:
    if lease.denom not in _TOKENS:
        raise Transient(network, f"{_deployment(lease)}.denom is {ascii(lease.denom)[:60]}, whose worth is not known")
    return _TOKENS[lease.denom]


def _usd(network: NetworkId, token: str, akt: TokenPrice | None, as_of: datetime) -> tuple[Decimal, str, datetime]:
    if token in _PEGGED:
        return Decimal(1), "pegged to the dollar", as_of
    if akt is None:
        raise Transient(network, "leases are paid in AKT, and no price of AKT can be trusted")
    return akt.usd, akt.source, akt.as_of


def _sum(leases: Sequence[Lease], token: str, native: Decimal, worth: str, block: timedelta) -> Working:
    per_block, gpus = sum((lease.per_block for lease in leases), Decimal(0)), sum(lease.gpus for lease in leases)
    text = (
        f"own leases in {token}: {len(leases)} on {gpus} GPUs pay {plain(per_block)} millionths a block"
        f" * 3600 / {plain(seconds(block))} s / {MICRO} = {plain(native)} {token}/h * {worth}"
    )
    fields = ("price", "status", "provider", "gseq", "oseq", "resources.gpu")
    inputs = [f"{lease.path}.{name}" for lease in leases for name in fields]
    inputs += ["market-data:price"] if token not in _PEGGED else []
    return Working(text, (*inputs, *(f"{_deployment(lease)}.{name}" for lease in leases for name in ("denom", "owner", "dseq"))))


def _deployment(lease: Lease) -> str:
    return lease.path.rpartition(".leases")[0]

"""What Bittensor says of a subnet and of a UID there, whoever was asked: every figure is checked, none is turned into money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

LIUM = 51
"""The netuid of the one subnet that is a market for GPUs by the hour."""
BLOCK_SECONDS = Decimal(12)
"""Meant by the chain; what it really takes is measured."""
SWAP_FEE = Decimal(33) / 65535
"""Where nobody says another: the default of the pool, about 0.05 %."""
MOST_ALPHA = 21_000_000
"""Neither TAO nor any alpha will ever be more."""
MOST_EMISSION = 50_400
"""Alpha that one epoch can bring one UID: the longest epoch in blocks, at the one alpha that a subnet mints in a block."""
MOST_PRICE = 1000
"""TAO for an alpha. The dearest of 2025 was 20 for a moment."""
MOST_BURN = 10_000
"""TAO to register. The chain's own cap is 100 unless an owner moves it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A subnet, and the own miner there by its hotkey or its UID."""

    netuid: int
    hotkey: str | None
    uid: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """The last epoch of a subnet."""

    block: int
    index: int | None
    """How many epochs there have been; None where the source does not count them."""


@dataclass(frozen=True, slots=True)
class Look:
    """A subnet's clock at one block."""

    block: int
    at: datetime
    step: Step


@dataclass(frozen=True, slots=True)
class Miner:
    """A UID."""

    uid: int
    hotkey: str
    coldkey: str
    emission: Decimal
    """Alpha of the last epoch, dividends included."""
    dividends: bool
    """Whether it validates: then not all of its emission is pay for work."""
    immune_until: int
    """The first block at which it may be pruned."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet at one block."""

    netuid: int
    source: str
    """For a person: who said it, at which block."""
    fields: Mapping[str, tuple[str, ...]]
    """What was read to know the ``epoch``, ``emission``, ``price``, ``pool``, ``fee``, ``burned`` and ``minted``, for workings."""
    look: Look
    before: Look | None
    """The same clock some blocks earlier, where it could be read."""
    tempo: int
    """Blocks between two epochs, by the rule of the runtime."""
    immunity: int
    """Blocks in which a new UID cannot be pruned."""
    burn: Decimal
    """TAO that a registration costs now, never returned."""
    open: bool
    """Whether it takes registrations."""
    price: Decimal
    """TAO for an alpha, for small amounts."""
    alpha_in: Decimal
    tao_in: Decimal
    """The two sides of the pool."""
    swap_fee: Decimal
    minted: Decimal | None
    """Alpha for miners, validators and the owner in a block; None where nobody says."""
    burned: Decimal | None
    """The share of the miners' emission that went to the subnet's owner and so to nobody; None where nobody says."""
    enabled: bool | None
    """Whether TAO flows into the pool; None where nobody says."""
    owners: frozenset[str]
    """The addresses of the owner, hotkey and coldkey: emission to them is burned."""
    miner: Miner | None
    """Our own UID; None where it is not registered."""

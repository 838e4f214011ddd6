"""The leases of our provider, of which two must agree: the provider itself and the chain. And a file at which it bids no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from autopilot.errors import Transient
from autopilot.kit import Kit
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device
from autopilot.model.node import Lease
from autopilot.units import UsdPerHour
from autopilot_adapters.akash.chain import Chain, Held, Leases
from autopilot_adapters.akash.money import per_hour, worth
from autopilot_adapters.akash.status import ProviderStatus

BIDS = "open bids"
"""Names what is no lease yet and may become one at any moment."""
_BID_STANDS = timedelta(minutes=5)
"""A provider's bid that nobody takes is closed after so long (``bid timeout``)."""

Price = Callable[[], TokenPrice | None]
"""What an AKT is worth, as last heard."""


@dataclass(frozen=True, slots=True)
class _Heard:
    at: datetime
    leases: tuple[Lease, ...]
    alone: bool
    """Whether the chain alone was asked."""


class AkashWork:
    """What the tenants run. Which of them has which GPU is nobody's to say, so every device of the rig shows all leases."""

    def __init__(
        self,
        kit: Kit,
        provider: str,
        status: ProviderStatus,
        chain: Chain,
        refusal: Path,
        *,
        stands: timedelta,
        block: timedelta,
        price: Price,
    ) -> None:
        self._network = kit.network
        self._clock = kit.clock
        self._gpus = max(1, len(kit.devices))
        self._provider = provider
        self._status = status
        self._chain = chain
        self._refusal = refusal
        self._stands = stands
        self._block = block
        self._price = price
        self._turn = threading.Lock()
        self._last: _Heard | None = None
        self._told: frozenset[str] = frozenset()

    def leases(self, device: Device) -> tuple[Lease, ...]:  # noqa: ARG002  # the same for all
        """What both say. Raises Transient where one of them is silent, or the provider keeps a lease that the chain does not know."""
        return self._known(alone=False)

    def lasting(self, device: Device) -> tuple[Lease, ...]:  # noqa: ARG002
        """What the chain says, for a provider that comes up or is broken says nothing. Raises Transient where the chain is silent."""
        return self._known(alone=True)

    def unheard_of(self) -> Collection[str]:
        """The leases, by the chain alone, that were not told of before. Raises Transient."""
        with self._turn:
            self._last = None
            return {lease.id for lease in self._chain.leases(self._provider).held} - self._told

    def refuse(self, device: Device) -> None:  # noqa: ARG002
        """Lay down the file at which the price script bids no more. Tenants are not touched."""
        try:
            self._refusal.touch()
        except OSError as error:
            raise Transient(self._network, f"bids cannot be refused: {self._refusal}: {error.strerror}") from None
        self._last = None

    def accept(self, device: Device) -> None:  # noqa: ARG002
        """Take the file away."""
        try:
            self._refusal.unlink(missing_ok=True)
        except OSError as error:
            raise Transient(self._network, f"bids are still refused: {self._refusal}: {error.strerror}") from None
        self._last = None

    def _known(self, *, alone: bool) -> tuple[Lease, ...]:
        with self._turn:
            last = self._last
            if last is None or last.alone is not alone or not timedelta(0) <= self._clock.now() - last.at < self._stands:
                self._told = frozenset()  # where nobody answers, nothing is told
                last = self._last = _Heard(self._clock.now(), self._by_chain() if alone else self._by_both(), alone)
            self._told = frozenset(lease.id for lease in last.leases)
            return last.leases

    def _by_chain(self) -> tuple[Lease, ...]:
        said = self._chain.leases(self._provider)
        return tuple(self._lease(held, said) for held in said.held)

    def _by_both(self) -> tuple[Lease, ...]:
        """The chain after the provider: a lease that begins in between is seen by the one that knows of it first.

        Where the provider is silent, the leases of the chain stand all the same, and none is no answer.
        """
        try:
            status = self._status.look()
        except Transient:
            if leases := self._by_chain():
                return leases
            raise
        said = self._chain.leases(self._provider)
        if status.leases > len(said.held):
            raise Transient(
                self._network,
                f"the provider keeps {status.leases} leases and the chain knows of {len(said.held)}: nobody can tell who is right",
            )
        bids = (self._bids(),) if status.orders and self._refusal.exists() else ()
        return (*(self._lease(held, said) for held in said.held), *bids)

    def _bids(self) -> Lease:
        """An order that is still bid on may be taken: a provider that drains is empty when there is none. Ending it early hurts nobody."""
        now = self._clock.now()
        return Lease(BIDS, now, now + _BID_STANDS, breakable=True)

    def _lease(self, held: Held, leases: Leases) -> Lease:
        return Lease(held.id, leases.since(held, self._block), pays=self._pays(held))

    def _pays(self, held: Held) -> UsdPerHour | None:
        """Its share for one GPU of the rig, for the whole lease is shown with each of them. None for a token whose worth is not known."""
        usd = worth(held.denom, self._price())
        return None if usd is None else UsdPerHour.of(per_hour(held.per_block, self._block) * usd / Decimal(self._gpus))

"""Akash as a network: its settings, what coming and going costs, and the one poll that answers for every device."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from autopilot.contracts import Conditions, NodeDriver, Scope
from autopilot.errors import AdapterError
from autopilot.kit import Kit
from autopilot.kit.fields import ShareField, SpanField, Table, UsdField
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.market import Answer, Working
from autopilot.model.node import Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.units import HOUR, NONE, Usd
from autopilot_adapters.akash.history import ASK_STANDS_ON, AkashHistory
from autopilot_adapters.akash.money import API_BLOCK, plain
from autopilot_adapters.akash.names import wanted
from autopilot_adapters.akash.node import NodeSettings, managed
from autopilot_adapters.akash.payouts import DayPayouts
from autopilot_adapters.akash.rates import Figure, Heard, Own, Terms, answer
from autopilot_adapters.akash.wire import Console, Kind
from autopilot_adapters.unmanaged import Unmanaged

log = logging.getLogger(__name__)

_EARNED_OVER = timedelta(days=7)
_MINUTE = timedelta(minutes=1)
_BLOCKS = (timedelta(seconds=1), timedelta(seconds=60))
_WINDOWS = (HOUR, timedelta(hours=720))


def _block(span: timedelta) -> timedelta:
    if not _BLOCKS[0] <= span <= _BLOCKS[1]:
        msg = "a block takes some seconds: 6s as the API reckons, or 5.883s as measured in September 2026"
        raise ValueError(msg)
    return span


def _window(span: timedelta) -> timedelta:
    if span and not _WINDOWS[0] <= span <= _WINDOWS[1]:
        msg = "a provider may choose a window from 1h to 30d; 0m is none"
        raise ValueError(msg)
    return span


class AkashSettings(Table):
    """What ``[networks.akash]`` may say. Nothing has to be said."""

    provider: str = Field(default="", pattern="^(akash1[02-9ac-hj-np-z]{38})?$")
    """The address of our own provider. With it, what its leases pay takes the place of what others ask."""
    ask: Figure = Figure.CAUTIOUS
    """Which of the asks to reckon with: cautious, min, med or weighted."""
    occupancy: ShareField | None = None
    """The share of the time for which a GPU is hired, where you know it better than the utilisation of its model tells."""
    block_time: Annotated[SpanField, AfterValidator(_block)] = API_BLOCK
    """How long a block takes. Prices are paid per block; at 5.883s, as measured, an hour pays 2 % more than the API says."""
    take: ShareField = NONE
    """The network's cut. There has been none since March 2026; it was 2 % for AKT and 20 % for other tokens."""
    boot: SpanField = 10 * _MINUTE
    """From the start of the provider until it bids."""
    first_tenant: SpanField = timedelta(0)
    """The wait for the first tenant beyond what occupancy covers already."""
    bids: int = Field(default=20, ge=0, le=10_000)
    """Bids that it takes to be hired, each of which costs gas: an order takes 20, so this is a fair draw among them."""
    gas: Decimal = Field(default=Decimal("0.005"), ge=0, le=1)
    """AKT for one bid, won or lost. The deposit of 0.5 AKT is not counted: it is locked while the bid is open, and comes back."""
    akt_until_known: UsdField = Usd.of(1)
    """What an AKT costs for as long as no price of it is known. It only turns gas into dollars."""
    least_stay: SpanField = 6 * HOUR
    """A provider that comes and goes loses its uptime figures, by which tenants choose."""
    uptime: ShareField | None = None
    """How much of the time it has to be there, where you promised it: tenants and auditors see its uptime of 1, 7 and 30 days."""
    expected_drain: SpanField = timedelta(hours=24)
    """How long a lease runs on when no new one is taken. There is no bound to it: leases run for as long as the tenant pays."""
    reclamation_window: Annotated[SpanField, AfterValidator(_window)] = timedelta(0)
    """As the provider was started with (AEP-82): a lease can be ended, but pays and runs for this long after notice. 0m: not opted in."""
    history_reach: SpanField = Field(default=ASK_STANDS_ON, ge=timedelta(0), le=timedelta(days=366))
    """How far back the ask of today may stand in for the asks of past days, which nobody publishes."""
    console: str = "https://console-api.akash.network"
    """Where the API is."""
    node: NodeSettings | None = None
    """How the provider is run on this host. Without it, only rates are known and no node is started."""

    @model_validator(mode="after")
    def _whose_node(self) -> Self:
        if self.node and not self.provider:
            msg = "a node needs its address: write it in 'provider'"
            raise ValueError(msg)
        return self


class Akash:
    """The network.

    A poll asks the console API 2 times, with a provider 5 times, side by side; and CoinGecko for the price of AKT, which all networks
    share. The longest chain is two calls: the network's own price of AKT, then CoinGecko's. A collection of payouts asks once for each day
    of the last seven that was not told yet.

    A bid price script withholds all GPUs of a provider or none, so the network takes a whole rig.
    """

    scope = Scope.RIG

    def __init__(self, settings: AkashSettings, kit: Kit) -> None:
        self.network: NetworkId = kit.network
        self._settings = settings
        self._provider = managed(kit, settings.node, settings.provider, settings.block_time, lambda: self._akt) if settings.node else None
        self.node: NodeDriver = self._provider or Unmanaged(kit.network, kit.clock)
        self._clock = kit.clock
        self._tokens = kit.tokens
        self._venue = Venue(kit.network)
        self._console = Console(kit.http, settings.console)
        self.payouts = self._paid_to(settings.provider, kit) if settings.provider and kit.devices else None
        self._terms = Terms(settings.ask, settings.block_time, settings.take, settings.occupancy)
        self._akt: TokenPrice | None = None

    def _paid_to(self, provider: str, kit: Kit) -> DayPayouts:
        return DayPayouts(self._venue, kit.clock, self._console, provider, [device.id for device in kit.devices])

    @property
    def rates(self) -> Akash:
        return self

    @property
    def history(self) -> AkashHistory:
        return AkashHistory(self._console, self._venue, self._clock, self._terms, self._settings.history_reach)

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """One answer for each device. Raises Transient or Refused."""
        if not devices:
            return []
        heard = self._heard(frozenset(kind for device in devices for kind in wanted(device).kinds))
        return [answer(self._venue, device, heard, self._terms) for device in devices]

    def _heard(self, kinds: frozenset[Kind]) -> Heard:
        with ThreadPoolExecutor(max_workers=5, thread_name_prefix="akash") as pool:
            prices, akt = pool.submit(self._console.gpu_prices, kinds), pool.submit(self._akt_price)
            own = self._own(pool) if self._settings.provider else None
            (rows, reply), price = prices.result(), akt.result()
        self._akt = price or self._akt
        return Heard(rows, reply, price, own)

    def _own(self, pool: ThreadPoolExecutor) -> Own:
        address = self._settings.provider
        provider, leases = pool.submit(self._console.provider, address), pool.submit(self._console.leases, address)
        earned = pool.submit(self._earned)
        return Own(provider.result(), *leases.result(), earned.result())

    def _akt_price(self) -> TokenPrice | None:
        """None where nobody says one that can be trusted: only leases in AKT and the gas of a bid need it."""
        try:
            own = self._console.akt()
        except AdapterError as error:
            log.info("the oracle's price of AKT is not known: %s", error)
            own = None
        try:
            return self._tokens.usd("AKT", own)
        except AdapterError as error:
            log.info("%s", error)
            return None

    def _earned(self) -> Working:
        """For a person to compare with: it tells neither which GPU earned it, nor for how many hours that was on offer."""
        now = self._clock.now()
        span = f"{now - _EARNED_OVER:%Y-%m-%d} to {now:%Y-%m-%d}"
        try:
            sums = self._console.earnings(self._settings.provider, now - _EARNED_OVER, now)
        except AdapterError as error:
            return Working(f"own earnings, {span}: not known, {error}")
        if sums is None:
            return Working(f"own earnings, {span}: not known, the API has not come so far in the chain")
        tokens = f"{plain(sums.act)} ACT and {plain(sums.akt)} AKT, {plain(sums.usd)} $"
        return Working(f"own earnings, {span}, not used: {tokens}", ("provider-earnings:earnings",))

    def exit_cost(self, seen: Observation) -> ExitCost:
        """The wait for the tenants to leave: expected, for nothing bounds it; with a reclamation window, no longer than that.

        Nothing is forfeited: there is no stake, and a lease pays to its last block.
        """
        if not seen.leases and seen.phase is not Phase.BUSY:
            return ExitCost()
        ends = [lease.until - seen.at for lease in seen.leases if lease.until]
        if len(ends) == len(seen.leases) and ends:
            return ExitCost(drain=max(*ends, timedelta(0)))
        return ExitCost(drain=min(self._settings.expected_drain, self._settings.reclamation_window or timedelta.max))

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002  # the same for all
        """The gas of the bids that it takes; the deposits come back. Whoever promised a reclamation window stays that long at least."""
        settings = self._settings
        akt = self._akt.usd if self._akt else Decimal(settings.akt_until_known.count).scaleb(-9)
        stay = max(settings.least_stay, settings.reclamation_window)
        return EntryCost(settings.boot, settings.first_tenant, Usd.of(settings.bids * settings.gas * akt), stay, settings.uptime)

    def close(self) -> None:
        """Let go of the connections to our provider; the other client belongs to the process."""
        if self._provider:
            self._provider.close()


class AkashAdapter:
    """Makes the network from its settings."""

    Settings = AkashSettings
    conditions = Conditions(
        systems=("Linux",), besides="it asks for Kubernetes, a public address with a domain, and locks 0.5 AKT for each open bid; no stake"
    )

    def __call__(self, settings: AkashSettings, kit: Kit) -> Akash:
        """The network under the name that the configuration gives it."""
        return Akash(settings, kit)


akash = AkashAdapter()

"""Vast.ai as an adapter: ``[networks.vast]``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, SecretStr

from autopilot.contracts import Scope
from autopilot.kit import Kit
from autopilot.kit.fields import ShareField, SpanField
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.market import Answer, NoQuote
from autopilot.model.node import Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot_vast.names import vast_names
from autopilot_vast.node import RatesOnly
from autopilot_vast.rates import Terms, answer
from autopilot_vast.wire import Console


class VastSettings(BaseModel):
    """What ``[networks.vast]`` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fee: ShareField
    """What Vast keeps of a tenant's payment. No document states it: it is `current.service_fee` of your own earnings."""
    key: SecretStr = SecretStr("")
    """Of a host, as AUTOPILOT_NETWORKS__VAST__KEY: with it what tenants pay is known, without it only what is asked of them."""
    verified: bool = True
    """Whether your machine is. A machine that is not competes with those that are not, which earn less."""
    datacenter: bool = False
    """Whether it stands in one that Vast has certified."""
    occupancy: ShareField | None = None
    """What you know better than the market's hire share."""
    longest_rental: SpanField = timedelta(hours=24)
    """For how long your listing lets itself be rented. Nobody can be put out before, so keep it short on a rig that is to move."""
    boot: SpanField = timedelta(minutes=5)
    """From listing the machine until it is found."""
    console: str = "https://console.vast.ai"


class Vast:
    """The network.

    A poll makes 2 calls with a key, and 2 for each GPU model without one, six seconds apart. A machine is listed as a whole and may do
    nothing else meanwhile, so the network takes a whole rig.
    """

    scope = Scope.RIG
    payouts = None  # earnings are told by machine and day, of no GPU in particular
    history = None

    def __init__(self, settings: VastSettings, kit: Kit) -> None:
        self.network: NetworkId = kit.network
        self.node = RatesOnly(kit.network, kit.clock)
        self._settings = settings
        self._kit = kit
        self._terms = Terms(settings.fee, settings.occupancy)
        key = settings.key.get_secret_value()
        self._console = Console(kit.http, settings.console, key, settings.verified, settings.datacenter)
        self._told = bool(key)

    @property
    def rates(self) -> Vast:
        return self

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """One answer for each device. Raises Transient or Refused."""
        names = {device.id: vast_names(device) for device in devices}
        wanted = sorted({name for each in names.values() for name in each})
        if not wanted:
            return [self._unknown(device) for device in devices]
        heard = self._console.metrics(wanted) if self._told else {name: self._console.offers(name) for name in wanted}
        venue = Venue(self.network)
        return [
            answer(venue, device, names[device.id], heard, self._terms) if names[device.id] else self._unknown(device) for device in devices
        ]

    def _unknown(self, device: Device) -> NoQuote:
        return NoQuote(Venue(self.network), device.id, self._kit.clock.now(), f"no name is known that Vast has for {device.model!r}")

    def exit_cost(self, seen: Observation) -> ExitCost:
        """A rental runs to its end: breaking it costs reliability, and with it the rank and the verification."""
        ends = [lease.until - seen.at for lease in seen.leases if lease.until]
        if ends and len(ends) == len(seen.leases):
            return ExitCost(drain=max(*ends, timedelta(0)))
        return ExitCost(drain=self._settings.longest_rental) if seen.leases or seen.phase is Phase.BUSY else ExitCost()

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:
        """Listing is free."""
        return EntryCost(boot=self._settings.boot)

    def close(self) -> None:
        """Nothing is open: the client belongs to the process."""


class VastAdapter:
    """Makes the network from its settings."""

    Settings = VastSettings

    def __call__(self, settings: VastSettings, kit: Kit) -> Vast:
        """The network under the name that the configuration gives it."""
        return Vast(settings, kit)


vast = VastAdapter()

"""The adapter of Bittensor.

Requests of one poll: 2 to lium.io; with own miners 5 to the chain and one more for each (the longest chain of dependent ones is 3), or 3
for each miner to taostats; TAO comes from ``kit.tokens``. Income is alpha of the subnet, so it is worth what its pool pays for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from autopilot.contracts import Conditions, Scope
from autopilot.errors import AdapterError, Refused, Transient
from autopilot.kit import Kit
from autopilot.model.device import Device, Venue
from autopilot.model.gpu import Needs
from autopilot.model.market import Answer, NoQuote, Silence
from autopilot.model.node import Observation
from autopilot.model.plan import EntryCost, ExitCost
from autopilot_adapters.bittensor import lium, lium_rates, miner_rates, node
from autopilot_adapters.bittensor.chain import Chain
from autopilot_adapters.bittensor.epochs import EpochMeter
from autopilot_adapters.bittensor.payouts import EpochPayouts
from autopilot_adapters.bittensor.settings import BittensorSettings, MinerSettings
from autopilot_adapters.bittensor.taostats import Taostats
from autopilot_adapters.bittensor.wire import LIUM, Wanted

_NO_TIME = timedelta(0)
_Question = Callable[[Sequence[Device]], Sequence[Answer]]


class LiumRates:
    """SN51 as a market for GPUs."""

    def __init__(self, settings: BittensorSettings, kit: Kit) -> None:
        self._settings = settings.lium
        self._http = kit.http
        self._venue = Venue(kit.network, str(LIUM))

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """One answer for each device. Raises Transient or Refused."""
        with ThreadPoolExecutor(2) as pool:
            capacity = pool.submit(lium.capacity, self._http, self._settings.url)
            machines, reply = lium.machines(self._http, self._settings.url)
            market = lium_rates.Market(machines, capacity.result(), reply.seen_at, reply.url)
        return [lium_rates.answer(self._venue, device, market, self._settings) for device in devices]


class MinerRates:
    """Own UIDs, each on a subnet of its own. Remembers what was last seen of them, for the costs."""

    def __init__(self, settings: BittensorSettings, kit: Kit) -> None:
        self._settings = settings
        self._kit = kit
        self._meter = EpochMeter(kit.network)
        self._source = _source(settings, kit)
        self._seen: dict[int, miner_rates.Sighting] = {}

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """One answer for each device and miner. Raises Transient or Refused."""
        miners = self._settings.miners
        with ThreadPoolExecutor(1) as pool:
            price = pool.submit(self._kit.tokens.usd, "TAO")
            subnets = self._source.subnets([Wanted(each.netuid, each.hotkey, each.uid) for each in miners])
            tao = price.result()
        now = self._kit.clock.now()
        answers: list[Answer] = []
        for miner, subnet in zip(miners, subnets, strict=True):
            venue = Venue(self._kit.network, str(miner.netuid))
            if subnet is None:
                answers += [NoQuote(venue, device.id, now, f"there is no subnet {miner.netuid}") for device in devices]
                continue
            sight = miner_rates.Sighting(subnet, self._meter.measure(subnet), tao, now)
            self._seen[miner.netuid] = sight
            terms = (sight, miner, self._gpus(miner), self._settings.sells_every)
            answers += [miner_rates.answer(venue, device, *terms) for device in devices]
        return answers

    def entry_cost(self, netuid: int) -> EntryCost:
        """From what the last poll saw. Raises Transient where there was none yet: no cost is not a cost of nothing."""
        miner = next((each for each in self._settings.miners if each.netuid == netuid), None)
        if miner is None or netuid not in self._seen:
            raise Transient(self._kit.network, f"what it costs to join subnet {netuid} is not known before the first poll")
        return miner_rates.entry_cost(self._seen[netuid], miner, self._gpus(miner))

    def exit_cost(self, netuid: int) -> ExitCost:
        """The registration that leaving puts at stake, where we are the ones who stop the miner. Raises as ``entry_cost`` does."""
        miner = next((each for each in self._settings.miners if each.netuid == netuid and each.node), None)
        if miner is None:
            return ExitCost()
        if netuid not in self._seen:
            raise Transient(self._kit.network, f"what leaving subnet {netuid} puts at stake is not known before the first poll")
        return node.leaving(self._seen[netuid], self._gpus(miner), self._kit.clock.now())

    def seen(self, netuid: int) -> miner_rates.Sighting | None:
        """What the last poll saw of a subnet."""
        return self._seen.get(netuid)

    def _gpus(self, miner: MinerSettings) -> int:
        return miner.gpus or max(1, len(self._kit.devices))


def _source(settings: BittensorSettings, kit: Kit) -> Chain | Taostats:
    if settings.source == "taostats" and settings.taostats_key:
        return Taostats(kit.http, settings.taostats_url, settings.taostats_key.get_secret_value().strip(), kit.clock.now)
    return Chain(kit.http, [endpoint.get_secret_value() for endpoint in settings.endpoints], kit.clock.now)


@dataclass(frozen=True, slots=True)
class BittensorRates:
    """All venues of the network; one that gives no answer does not hide the others."""

    parts: Sequence[tuple[Sequence[Venue], _Question]]
    """The venues that are asked about together, and how."""

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer | Silence]:
        """What was answered, and a Silence for each venue that was not. Raises Transient or Refused where nothing was."""
        if not devices or not self.parts:
            return []
        with ThreadPoolExecutor(len(self.parts)) as pool:
            outcomes = list(pool.map(lambda part: _outcome(part[1], devices), self.parts))
        errors = [outcome for outcome in outcomes if isinstance(outcome, AdapterError)]
        if len(errors) == len(outcomes):
            raise next((error for error in errors if isinstance(error, Transient)), errors[0])
        told: list[Answer | Silence] = []
        for (venues, _), outcome in zip(self.parts, outcomes, strict=True):
            told += [Silence(venue, str(outcome)) for venue in venues] if isinstance(outcome, AdapterError) else outcome
        return told


def _outcome(part: _Question, devices: Sequence[Device]) -> Sequence[Answer] | AdapterError:
    try:
        return part(devices)
    except (Transient, Refused) as error:
        return error


class Bittensor:
    """Bittensor, as far as a rig can serve it."""

    history = None

    def __init__(self, settings: BittensorSettings, kit: Kit) -> None:
        self.network = kit.network
        self._lium = settings.lium
        self._miners = MinerRates(settings, kit)
        self._whole = any(node.whole(miner, kit.devices) for miner in settings.miners if miner.node)
        self.node = node.nodes_of(settings, kit, self._miners.seen)
        self.rates = BittensorRates(list(self._parts(settings, kit)))
        self.payouts = self._paid_to(settings, kit) if settings.miners and settings.source == "chain" and kit.devices else None

    def _parts(self, settings: BittensorSettings, kit: Kit) -> Iterator[tuple[Sequence[Venue], _Question]]:
        if settings.lium.enabled:
            yield [Venue(kit.network, str(LIUM))], LiumRates(settings, kit).quotes
        if settings.miners:
            yield [Venue(kit.network, str(miner.netuid)) for miner in settings.miners], self._miners.quotes

    def _paid_to(self, settings: BittensorSettings, kit: Kit) -> EpochPayouts:
        return EpochPayouts(kit.network, settings.miners, [device.id for device in kit.devices], self._miners.seen)

    @property
    def scope(self) -> Scope:
        """A node of several GPUs is rented whole or by parts, but it comes and goes whole; so does a miner of ours that serves them all."""
        return Scope.RIG if self._whole or (self._lium.enabled and self._lium.gpus > 1) else Scope.DEVICE

    def exit_cost(self, seen: Observation) -> ExitCost:
        """On lium the wait for the rentals that run: to their end, or to the end of the notice, which is the longest.

        Elsewhere the registration, where the miner is ours to stop. lium's is the provider's, whatever becomes of a node.
        """
        if seen.venue is None or not seen.phase.lit:
            return ExitCost()
        if seen.venue.market != str(LIUM) or not self._lium.enabled:
            return self._miners.exit_cost(int(seen.venue.market) if seen.venue.market.isdecimal() else 0)
        if not seen.leases:
            return ExitCost()
        ends = [lease.until - seen.at if lease.until else self._lium.notice for lease in seen.leases]
        return ExitCost(drain=min(max(*ends, _NO_TIME), self._lium.notice))

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002  # it is the same for every device
        """On lium the start of a node, since one registered hotkey serves many; elsewhere the registration."""
        if venue.market == str(LIUM) and self._lium.enabled:
            return EntryCost(self._lium.boot, self._lium.ramp)
        return self._miners.entry_cost(int(venue.market) if venue.market.isdecimal() else 0)

    def close(self) -> None:
        """Nothing is held between two polls."""


class BittensorFactory:
    """Makes the adapter from its settings."""

    Settings = BittensorSettings
    conditions = Conditions(
        markets={str(LIUM): Needs(driver="580.65.06")},  # docs.lium.io: an older one gets no idle pay, which its quotes count
        systems=("Linux",),
        besides="it asks for a hotkey, whose registration costs TAO; idle pay for sysbox and driver 580.65.06 as well",
    )

    def __call__(self, settings: BittensorSettings, kit: Kit) -> Bittensor:
        """Asks nobody yet."""
        return Bittensor(settings, kit)


bittensor = BittensorFactory()

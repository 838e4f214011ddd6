"""Nosana as an adapter.

A poll asks the API three questions (markets, running jobs, finished jobs) and one for each of our own nodes; the chain one; and one more of
the chain for each own node where a market wants a stake. Where the API does not tell who works, the chain is asked one question more and
one for each market; where the chain is silent, the API is asked one more. A collection of payouts asks one to ten questions a node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from autopilot.contracts import Conditions, NodeDriver, Scope
from autopilot.errors import Transient
from autopilot.kit import Kit
from autopilot.kit.fields import ShareField, Table
from autopilot.kit.prices import TokenPrice
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, NoQuote
from autopilot.model.node import Observation
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.units import Share
from autopilot_adapters.nosana.answers import Market
from autopilot_adapters.nosana.beside import beside, first_wait
from autopilot_adapters.nosana.chain import RPC, Chain
from autopilot_adapters.nosana.directory import Directory
from autopilot_adapters.nosana.hire import MEAN_JOB
from autopilot_adapters.nosana.history import NosanaHistory
from autopilot_adapters.nosana.names import of_device, takes, variants
from autopilot_adapters.nosana.node import NodeSettings, managed
from autopilot_adapters.nosana.payouts import JobPayouts
from autopilot_adapters.nosana.rates import Place, answer
from autopilot_adapters.nosana.reading import Nonsense, is_address
from autopilot_adapters.nosana.standing import Standings
from autopilot_adapters.nosana.survey import Survey, Surveyor
from autopilot_adapters.nosana.wire import BASES, Api
from autopilot_adapters.nosana.work import NosanaWork
from autopilot_adapters.unmanaged import Unmanaged

BOOT = timedelta(minutes=10)
"""From the order to start until the node stands in the queue: our estimate for images that are there already. A node pulls them, measures
its line and runs a benchmark first; the very first start pulls tens of gigabytes and takes longer."""


def _checked(node: str) -> str:
    if not is_address(node):
        raise ValueError(f"{node!r} is no address of Solana: it is the public key that the node shows when it starts")
    return node


class NosanaSettings(Table):
    """Nothing must be set."""

    base_urls: tuple[str, ...] = Field(default=BASES, min_length=1)
    """Where the HTTP API lives, in the order in which to try."""
    rpc_url: SecretStr = SecretStr(RPC)
    """A JSON-RPC endpoint of Solana's mainnet. The public one is free and slow to forgive; a provider's holds a key."""
    nodes: Mapping[str, Annotated[str, AfterValidator(_checked)]] = Field(default_factory=dict)
    """The address of the node of each device, by the device's id. With it a quote knows our place in the queue and our stake."""
    markets: tuple[str, ...] = ()
    """Only these, by slug or address; all that take the device without."""
    uptime: ShareField = Share.of("0.99")
    """How much of the time a node of a PREMIUM market has to be there. Nosana counts it and publishes no number; 0 asks for nothing."""
    node: NodeSettings | None = None
    """How the nodes are run on this host. Without it, only rates are known and no node is started."""

    @model_validator(mode="after")
    def _nodes_apart(self) -> Self:
        if self.node:
            self.node.apart(self.nodes)
        return self


class Nosana:
    """Makes the adapter."""

    Settings = NosanaSettings
    conditions = Conditions(
        systems=("Linux",), besides="it asks for Docker and for a stake account; some markets for NOS, unlocked over 14 days or more"
    )

    def __call__(self, settings: NosanaSettings, kit: Kit) -> NosanaNetwork:
        return NosanaNetwork(settings, kit)


class NosanaNetwork:
    """The network of Nosana's markets. A market is a venue, named by its slug."""

    scope = Scope.DEVICE

    def __init__(self, settings: NosanaSettings, kit: Kit) -> None:
        self.network: NetworkId = kit.network
        self._kit = kit
        self._only = frozenset(settings.markets)
        self._nodes = settings.nodes
        directory = Directory(kit.folder / f"{kit.network}-markets.json")
        api = Api(kit.http, [base.rstrip("/") for base in settings.base_urls])
        chain = Chain(kit.http, settings.rpc_url.get_secret_value())
        self._surveyor = Surveyor(kit, api, chain, directory, settings.nodes.values())
        self.payouts = JobPayouts(kit.network, kit.clock, api, directory, settings.nodes) if settings.nodes else None
        self._waits: dict[tuple[Venue, DeviceId], timedelta] = {}
        self._jobs: dict[Venue, timedelta] = {}
        self._uptime = settings.uptime
        self._premium: set[Venue] = set()
        self._nos: TokenPrice | None = None
        self._boot = settings.node.boot if settings.node else BOOT
        self.node = self._managed(settings.node, chain, directory) if settings.node else Unmanaged(kit.network, kit.clock)

    def _managed(self, settings: NodeSettings, chain: Chain, directory: Directory) -> NodeDriver:
        nodes = {DeviceId(device): node for device, node in self._nodes.items()}
        standings = Standings(self.network, self._kit.clock, chain, directory, self._kit.devices, nodes, settings.look)
        return managed(self._kit, settings, settings.container(), standings, NosanaWork(nodes, standings, lambda: self._nos))

    @property
    def rates(self) -> NosanaNetwork:
        return self

    @property
    def history(self) -> NosanaHistory:
        return NosanaHistory(self.quotes, self._kit.tokens)

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """For each device every market that takes it. Raises Transient or Refused."""
        if not devices:
            return ()
        survey, now = self._surveyor.look(devices), self._kit.clock.now()
        if survey is None:
            return [self._nowhere(device, (), now) for device in devices]
        self._nos = survey.price
        try:
            return [each for device in devices for each in self._answers(device, survey, now)]
        except Nonsense as error:
            raise Transient(self.network, str(error)) from None

    def exit_cost(self, seen: Observation) -> ExitCost:
        """The rest of the job that runs. Nobody knows it, for a client may extend it: the mean of its kind, and at most its time limit."""
        if not seen.leases or seen.venue is None:
            return ExitCost()
        left = [lease.until - seen.at for lease in seen.leases if lease.until and lease.until > seen.at]
        return ExitCost(drain=min([self._jobs.get(seen.venue, MEAN_JOB), *left]))

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:
        """The start of the node, and the wait for its first job as it was at the last poll; a mean job where nothing was seen yet.

        Being away may cost a node its PREMIUM status: there its uptime counts.
        """
        uptime = self._uptime if self._uptime and venue in self._premium else None
        return EntryCost(boot=self._boot, ramp=self._waits.get((venue, device.id), MEAN_JOB), uptime=uptime)

    def close(self) -> None:
        """Nothing is held: the connections are the kit's."""

    def _answers(self, device: Device, survey: Survey, now: datetime) -> Iterator[Answer]:
        suited = [market for market in survey.markets if takes(market.gpu_types, device)]
        chosen = [market for market in suited if not self._only or self._only & {market.slug, market.address}]
        if not chosen:
            yield self._nowhere(device, suited, now)
        sizes = variants((each for market in survey.markets for each in market.gpu_types), device)
        for market in chosen:
            unsure = len(sizes) > 1 and sizes != variants(market.gpu_types, device)
            yield self._unsure(device, market, sizes, now) if unsure else self._answer(device, market, survey, now)

    def _answer(self, device: Device, market: Market, survey: Survey, now: datetime) -> Answer:
        venue = Venue(self.network, market.slug)
        if market.tier == "PREMIUM":
            self._premium.add(venue)
        product = of_device(device)
        alike = sum(1 for each in self._kit.devices if of_device(each).is_like(product))
        place = Place(venue, market, device, self._nodes.get(device.id), max(1, alike))
        told = answer(place, survey, now)
        if isinstance(told, NoQuote):
            return told
        self._waits[venue, device.id] = first_wait(place, survey)
        if told.job_length:
            self._jobs[venue] = told.job_length
        return replace(told, workings=(*told.workings, *beside(place, survey)))

    def _unsure(self, device: Device, market: Market, sizes: Sequence[int], now: datetime) -> NoQuote:
        several = " or ".join(f"{size} GB" for size in sizes)
        reason = f"{device.model} comes with {several}, and {market.name} is for one of them only: name the memory"
        return NoQuote(Venue(self.network, market.slug), device.id, now, reason)

    def _nowhere(self, device: Device, suited: Sequence[Market], now: datetime) -> NoQuote:
        reason = f"Nosana has no market for {device.model}"
        if suited:
            reason = f"{device.model} could serve {', '.join(market.slug for market in suited)}, and 'markets' names none of them"
        return NoQuote(Venue(self.network), device.id, now, reason)


nosana_network = Nosana()

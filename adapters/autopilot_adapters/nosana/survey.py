"""One look at Nosana from all sides at once: who lists which market, what the chain says, who works and who waits, what NOS is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import TypeVar

from autopilot.errors import AdapterError
from autopilot.kit import Kit
from autopilot.kit.tokens import OwnPrice, TokenPrice
from autopilot.model.device import Device
from autopilot.units import hour_start
from autopilot_adapters.nosana.answers import Market, NodeSpecs, Past, Wanted
from autopilot_adapters.nosana.chain import Accounts, Chain
from autopilot_adapters.nosana.directory import Directory
from autopilot_adapters.nosana.hire import Crowd
from autopilot_adapters.nosana.names import takes
from autopilot_adapters.nosana.reading import Told
from autopilot_adapters.nosana.wire import Api, combined

PAST = timedelta(days=7)
"""The jobs of so much time tell how long a job is and what was really paid."""
_AT_ONCE = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look showed."""

    markets: Sequence[Market]
    price: TokenPrice
    """Of NOS."""
    as_of: datetime
    """The oldest figure among those that were used, but for the price."""
    source: str
    accounts: Accounts = field(default_factory=dict)
    """Empty where the chain is silent."""
    running: Mapping[str, int] = field(default_factory=dict)
    counted: tuple[str, ...] = ()
    """The answers that ``running`` comes from, as workings name them."""
    everywhere: tuple[int, int] | None = None
    """Nodes that work and that wait in the whole network, where those of the markets are not known."""
    past: Mapping[str, Past] = field(default_factory=dict)
    specs: Mapping[str, NodeSpecs] = field(default_factory=dict)
    """Of our own nodes, by address."""
    staked: Mapping[str, int] = field(default_factory=dict)
    """Micro-xNOS of our own nodes, where a market asks for some."""
    notes: tuple[str, ...] = ()
    """Who was silent, and what that means."""

    def crowd(self, market: Market, node: str | None) -> Crowd:
        """Who is in a market, or in the whole network where that is all that is known."""
        account = self.accounts.get(market.address)
        if self.everywhere or account is None:
            running, waiting = self.everywhere or (0, 0)
            return Crowd(running, waiting)
        specs = self.specs.get(node or "")
        busy = specs is not None and specs.market == market.address and specs.job is not None
        before = account.nodes.index(node) if node in account.nodes else None
        running = self.running.get(market.address, 0)
        return Crowd(max(running, int(busy)), len(account.nodes), account.jobs, busy or before is not None, before, busy)

    def job_length(self, market: Market) -> timedelta | None:
        """The mean of the last days in this market, else in all of them; None where nothing is known."""
        here, all_of_them = self.past.get(market.address), self.past.get("")
        return (here and here.mean) or (all_of_them and all_of_them.mean) or None


class Surveyor:
    """Asks. Of its questions at most two depend on each other: what the chain says of the markets that the list names."""

    def __init__(self, kit: Kit, api: Api, chain: Chain, directory: Directory, nodes: Iterable[str] = ()) -> None:
        self._kit = kit
        self._api = api
        self._chain = chain
        self._directory = directory
        self._nodes = sorted(set(nodes))

    def look(self, devices: Sequence[Device]) -> Survey | None:
        """Everything that the devices' rates need; None where no market takes any of them. Raises Transient or Refused."""

        def wanted(types: Sequence[str]) -> bool:
            return any(takes(types, device) for device in devices)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = pool.submit(self._api.running)
            past = pool.submit(self._api.past, hour_start(self._kit.clock.now()) - PAST)
            specs = {node: pool.submit(self._api.specs, node) for node in self._nodes}
            listing = self._listing(wanted)
            serving = [market for market in listing.markets if wanted(market.gpu_types)]
            if not serving:
                return None
            price = pool.submit(self._kit.tokens.usd, "NOS", own_price(listing))
            seen = attempt(lambda: self._chain.markets([market.address for market in serving]))
            if listing.silence and isinstance(seen, AdapterError):
                raise combined(self._kit.network, [listing.silence, seen])
            presence = self._presence(serving, seen, attempt(running.result))
            survey = Survey(
                listing.markets,
                price.result(),
                min(listing.seen_at, presence.as_of),
                f"{listing.source}, {presence.source}",
                accounts={} if isinstance(seen, AdapterError) else seen.value,
                running=presence.running,
                counted=presence.counted,
                everywhere=presence.everywhere,
                past=_known({"": attempt(past.result)}).get("", {}),
                specs=_known({node: attempt(each.result) for node, each in specs.items()}),
                notes=(*listing.notes, *presence.notes),
            )
        return replace(survey, staked=self._staked(survey.accounts))

    def _listing(self, wanted: Wanted) -> _Listing:
        """The markets, or those that are remembered where nobody lists them."""
        try:
            told = self._api.markets(wanted)
        except AdapterError as error:
            remembered = self._directory.markets()
            if not any(wanted(market.gpu_types) for market in remembered):
                raise
            return _Listing(remembered, self._kit.clock.now(), "the markets as remembered", error)
        self._directory.keep(told.value)
        return _Listing(told.value, told.seen_at, told.source)

    def _presence(
        self, serving: Sequence[Market], seen: Told[Accounts] | AdapterError, running: Told[Mapping[str, int]] | AdapterError
    ) -> _Presence:
        """Who works and who waits: by market where the chain tells the queues, else in the whole network."""
        silent = [each for each in (seen, running) if isinstance(each, AdapterError)]
        if isinstance(running, AdapterError) and not isinstance(seen, AdapterError):
            running = attempt(lambda: self._chain.running([market.address for market in serving]))
            silent += [running] if isinstance(running, AdapterError) else []
        if not isinstance(seen, AdapterError) and not isinstance(running, AdapterError):
            source = f"{running.source}, {seen.source}"
            counted = ("running:", "getProgramAccounts:") if silent else ("running:",)
            return _Presence(running.value, counted, None, min(seen.seen_at, running.seen_at), source, tuple(map(str, silent)))
        everywhere = attempt(self._api.everywhere)
        if isinstance(everywhere, AdapterError):
            raise combined(self._kit.network, [*silent, everywhere])
        return _Presence({}, (), everywhere.value, everywhere.seen_at, everywhere.source, tuple(map(str, silent)))

    def _staked(self, accounts: Accounts) -> Mapping[str, int]:
        """What our nodes have staked, asked only where a market wants a stake. A node of which nobody tells is left out."""
        if not any(account and account.node_xnos_minimum for account in accounts.values()):
            return {}
        found = {node: attempt(partial(self._chain.xnos, node)) for node in self._nodes}
        return {node: xnos for node, xnos in found.items() if not isinstance(xnos, AdapterError)}


@dataclass(frozen=True, slots=True)
class _Listing:
    markets: Sequence[Market]
    seen_at: datetime
    source: str
    silence: AdapterError | None = None
    """Why the list is only remembered."""

    @property
    def notes(self) -> tuple[str, ...]:
        return (str(self.silence),) if self.silence else ()


@dataclass(frozen=True, slots=True)
class _Presence:
    running: Mapping[str, int]
    counted: tuple[str, ...]
    everywhere: tuple[int, int] | None
    as_of: datetime
    source: str
    notes: tuple[str, ...]


def own_price(listing: _Listing) -> OwnPrice | None:
    """What NOS is worth by the markets' own figures, USD an hour over NOS an hour: the median, so that one wrong row does not matter."""
    implied = [market.pay.usd_per_nos for market in listing.markets if market.pay and market.pay.usd_per_nos]
    return OwnPrice(median(implied), listing.seen_at, f"{len(implied)} markets of Nosana") if implied else None


def attempt(ask: Callable[[], T]) -> T | AdapterError:
    """The answer, or why there is none."""
    try:
        return ask()
    except AdapterError as error:
        return error


def _known(answers: Mapping[str, Told[T] | AdapterError]) -> Mapping[str, T]:
    """Those that were answered."""
    return {key: each.value for key, each in answers.items() if not isinstance(each, AdapterError)}

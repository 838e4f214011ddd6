"""A network as the configuration describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from autopilot.contracts import NodeDriver, Scope
from autopilot.errors import AdapterError, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Reply
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.market import Answer, NoQuote
from autopilot.model.node import Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot_adapters.http.names import plain
from autopilot_adapters.http.rates import Expressions, answer, expressions, terms
from autopilot_adapters.http.settings import HttpSettings
from autopilot_adapters.http.unit import DOLLAR
from autopilot_adapters.http.wire import Asker, Question, question
from autopilot_adapters.programs import node_of
from autopilot_adapters.unmanaged import Unmanaged
from autopilot_adapters.venues import Venues

_AT_ONCE = 8
"""Requests. A rig has fewer models."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One GPU model of the configuration: what is asked, and what is looked for in the answer."""

    asked: Question
    look: Expressions


class HttpNetwork:
    """The network.

    A poll makes one request, or one for each model of the rig where the request names the model, side by side; and where the unit is a
    token, the question for its price, which all networks share.
    """

    payouts = None
    history = None

    def __init__(self, settings: HttpSettings, kit: Kit) -> None:
        self.network: NetworkId = kit.network
        self.scope = settings.scope
        self.node: NodeDriver = _node(settings, kit)
        self._settings = settings
        self._kit = kit
        self._venue = Venue(kit.network, settings.market)
        self._asker = Asker(kit.http, {name: value.get_secret_value() for name, value in settings.headers.items()})
        self._listings = {
            plain(model): Listing(question(settings, name), expressions(settings, name)) for model, name in settings.models.items()
        }

    @property
    def rates(self) -> HttpNetwork:
        return self

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """One answer for each device. Raises Transient or Refused, without what the headers hold."""
        try:
            return self._quotes(devices)
        except AdapterError as error:
            hidden = self._asker.hidden(error)
        raise hidden  # out here, where the first error is not its context: what is hidden must not be told after all

    def _quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        listed = [(device, self._listings.get(plain(device.model))) for device in devices]
        replies, token = self._asked({listing.asked for _, listing in listed if listing})
        agreed = terms(self._settings, token)
        return [
            answer(self._venue, device, listing.look, replies[listing.asked], agreed) if listing else self._unlisted(device)
            for device, listing in listed
        ]

    def _asked(self, questions: set[Question]) -> tuple[Mapping[Question, Reply], TokenPrice | None]:
        if not questions:
            return {}, None
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix=self.network) as pool:
            token = pool.submit(self._token)
            replies = {asked: pool.submit(self._asker.ask, asked) for asked in questions}
            return {asked: reply.result() for asked, reply in replies.items()}, token.result()

    def _token(self) -> TokenPrice | None:
        currency = self._settings.unit.currency
        if currency == DOLLAR:
            return None
        try:
            return self._kit.tokens.usd(currency)
        except AdapterError as error:
            raise Transient(self.network, str(error)) from None

    def _unlisted(self, device: Device) -> NoQuote:
        named = ", ".join(self._settings.models)
        return NoQuote(self._venue, device.id, self._kit.clock.now(), f"models does not name {device.model!r}, only {named}")

    def exit_cost(self, seen: Observation) -> ExitCost:
        """The time that the last job runs on, where one runs."""
        return ExitCost(drain=self._settings.drain) if seen.leases or seen.phase is Phase.BUSY else ExitCost()

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002  # the same for all
        """The boot, and the uptime that is asked for."""
        return EntryCost(boot=self._settings.boot, uptime=self._settings.uptime)

    def close(self) -> None:
        """Nothing is open: the client belongs to the process."""


def _node(settings: HttpSettings, kit: Kit) -> NodeDriver:
    """Where the network takes all GPUs or none, its program is one for all of them."""
    if settings.node is None:
        return Unmanaged(kit.network, kit.clock)
    node = node_of(kit, settings.node, settings.market, whole=settings.scope is Scope.RIG and len(kit.devices) > 1)
    return Venues(kit.network, kit.clock, {settings.market: node}, kit.devices)


class HttpAdapter:
    """Makes a network from its description."""

    Settings = HttpSettings

    def __call__(self, settings: HttpSettings, kit: Kit) -> HttpNetwork:
        """The network under the name that the configuration gives it."""
        return HttpNetwork(settings, kit)


http_network = HttpAdapter()

"""Render as an adapter: two venues, one client for frames and one for the compute subnet, and estimates for both.

One question per poll to the statistics' host (once in six hours while it answers; a question is tried three times at most), beside the
token's price, which all networks share. None at all where ``utilisation``, ``render_per_obh`` and ``render_price`` are configured.

Payouts are those that are seen on Solana, two questions and one for each new transaction. There is no history: past pay per
OctaneBench-hour without the utilisation of its time is no rate. No node may serve both venues on the same hardware.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from autopilot.contracts import Conditions, Scope
from autopilot.errors import AdapterError
from autopilot.kit import Kit
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, Venue
from autopilot.model.gpu import Needs
from autopilot.model.market import Answer, NoQuote, Quote, Silence
from autopilot.model.node import Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.units import Usd
from autopilot_adapters.render.dispersed import MARKET, Dispersed
from autopilot_adapters.render.estimate import TOKEN
from autopilot_adapters.render.frames import Frames
from autopilot_adapters.render.node import nodes_of
from autopilot_adapters.render.payouts import WalletPayouts
from autopilot_adapters.render.settings import RenderSettings
from autopilot_adapters.render.stats import Known, Place, Stats


class Render:
    """The adapter; also its own rate source. Made from its settings and the kit."""

    Settings = RenderSettings
    conditions = Conditions(
        Needs(memory_gib=8), besides="frames need Windows and a turn on the waiting list; its compute subnet keeps the first 100 $ as stake"
    )
    history = None

    def __init__(self, settings: RenderSettings, kit: Kit) -> None:
        self.network = kit.network
        self.node = nodes_of(settings, kit)
        self._settings = settings
        self._kit = kit
        place = Place(settings.stats_url, settings.stats_origin, settings.epochs, settings.refresh)
        self._stats = Stats(kit.http, kit.clock, place, kit.folder / f"{kit.network}-epochs.json")
        self._frames = Frames(kit.network, settings, kit.devices)
        self._dispersed = Dispersed(kit.network, settings.dispersed)
        paid = settings.payouts
        self.payouts = WalletPayouts(kit.network, kit.http, kit.tokens, kit.clock, paid) if paid else None

    @property
    def scope(self) -> Scope:
        """The client takes its whole host, unless the configuration knows better."""
        return Scope.RIG if self._settings.whole_rig else Scope.DEVICE

    @property
    def rates(self) -> Render:
        return self

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer | Silence]:
        """Two answers for each device. A venue whose figures cannot be had is a Silence where the other one has a quote.

        Raises Transient or Refused where neither has. Nothing is asked for what is not configured.
        """
        now = self._kit.clock.now()
        unasked = ((venue.venue, why) for venue in (self._frames, self._dispersed) if (why := venue.without()))
        answers: list[Answer | Silence] = [NoQuote(venue, device.id, now, why) for venue, why in unasked for device in devices]
        if devices and len(answers) < 2 * len(devices):
            answers += self._asked(devices)
        return answers

    def _asked(self, devices: Sequence[Device]) -> Sequence[Answer | Silence]:
        answers: list[Answer | Silence] = []
        failed: list[AdapterError] = []
        for venue, answered in self._venues(devices):
            try:
                answers += answered()
            except AdapterError as error:
                failed.append(error)
                answers.append(Silence(venue, str(error)))
        if failed and not any(isinstance(answer, Quote) for answer in answers):
            raise failed[0]
        return answers

    def _venues(self, devices: Sequence[Device]) -> Sequence[tuple[Venue, Callable[[], Sequence[Answer]]]]:
        """The answers of each venue that is configured. Both questions are asked at once: neither needs the other's answer."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            price, known = pool.submit(self._price), pool.submit(self._known)
        now = self._kit.clock.now()
        venues: list[tuple[Venue, Callable[[], Sequence[Answer]]]] = []
        if not self._frames.without():
            venues.append((self._frames.venue, lambda: self._frames.answers(devices, price.result(), known.result(), now)))
        if not self._dispersed.without():
            venues.append((self._dispersed.venue, lambda: self._dispersed.answers(devices, price.result(), now)))
        return venues

    def _price(self) -> TokenPrice:
        own = self._settings.render_price
        if own is None:
            return self._kit.tokens.usd(TOKEN)
        return TokenPrice(TOKEN, Decimal(own.count) / Usd.per_unit, self._kit.clock.now(), "as configured", confirmed=False)

    def _known(self) -> Known | None:
        return self._stats.known() if self._settings.needs_statistics else None

    def exit_cost(self, seen: Observation) -> ExitCost:
        """The longest wait for the work that runs; nothing while the node waits. The stake and the account's age stay where they are."""
        if seen.phase is not Phase.BUSY and not seen.leases:
            return ExitCost()
        compute = seen.venue is not None and seen.venue.market == MARKET
        return ExitCost(drain=self._settings.dispersed.drain if compute else self._settings.frame)

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002
        """Booting and the first scene; on the compute subnet, the stake that is still to be earned."""
        if venue.market == MARKET:
            return EntryCost(boot=self._settings.dispersed.boot, fee=self._settings.dispersed.stake)
        return EntryCost(boot=self._settings.boot, ramp=self._settings.first_scene)

    def close(self) -> None:
        """Nothing is open: the client is the kit's."""

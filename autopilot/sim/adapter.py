"""A simulated network: an adapter like any other, with a market that is a panel and a node that is a clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from autopilot.clock import Clock
from autopilot.contracts import Scope
from autopilot.errors import Transient
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, Quote
from autopilot.model.node import Observation, Payout
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.sim.market import FluidMarket
from autopilot.sim.node import Manner, Memory, Service, SimNode
from autopilot.units import HOUR, Usd, hour_start


class SimNetwork:
    """One network of a simulated world.

    With ``silent`` an hour in which it would quote nobody is an outage: it raises Transient, as a network that does not
    answer does. Without, such an hour is answered with NoQuotes, as docs/market.md §2 has it for recorded panels.
    """

    scope = Scope.DEVICE
    history = None

    def __init__(
        self,
        network: NetworkId,
        clock: Clock,
        market: FluidMarket,
        devices: Sequence[Device],
        manner: Manner,
        fee: Usd = Usd(0),
        memory: Memory | None = None,
        *,
        silent: bool = False,
    ) -> None:
        self.network = network
        self.node = SimNode(network, clock, manner, memory or Memory())
        self._clock = clock
        self._market = market
        self._models = {device.id: device.model for device in devices}
        self._entry = EntryCost(boot=manner.boot, fee=fee)
        self._exit = ExitCost(drain=manner.drain)
        self._silent = silent

    @property
    def rates(self) -> SimNetwork:
        return self

    @property
    def payouts(self) -> SimPayouts:
        return SimPayouts(self)

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """What the market shows now. Raises Transient in an outage."""
        now = self._clock.now()
        asked = (self._market.answer(self.network, device, now) for device in devices)
        answers = [answer for answer in asked if answer is not None]
        if self._silent and not any(isinstance(answer, Quote) for answer in answers):
            raise Transient(self.network, "no answer")
        return answers

    def exit_cost(self, seen: Observation) -> ExitCost:  # noqa: ARG002
        """The time that the last job takes to finish."""
        return self._exit

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002
        """The boot and the fee, the same for all."""
        return self._entry

    def paid(self, since: datetime) -> Iterator[Payout]:
        """What the hours that are over have paid, hour by hour, and the parts of hours before a stop."""
        now = self._clock.now()
        for device, service in self.node.served(since):
            yield from self._hours(device, service, since, now)

    def _hours(self, device: DeviceId, service: Service, since: datetime, now: datetime) -> Iterator[Payout]:
        if service.ready is None or self._models.get(device) is None:
            return
        end = min(service.stopped or now, now)
        hour = max(hour_start(service.ready), hour_start(since))
        while hour < end:
            start, until = max(hour, service.ready), min(hour + HOUR, end)
            over = until == hour + HOUR or service.stopped == until
            amount = self._market.income(self.network, self._models[device], hour, until - start) if over and until > since else Usd(0)
            if amount:
                ident = f"{device}@{service.started.isoformat()}+{hour.isoformat()}"
                yield Payout(ident, service.venue, device, start, until, amount)
            hour += HOUR

    def close(self) -> None:
        """Nothing is open."""


class SimPayouts:
    """What a simulated network paid."""

    def __init__(self, network: SimNetwork) -> None:
        self._network = network

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """Every payout for work that ended after the instant."""
        return list(self._network.paid(since))


def next_change(networks: Sequence[SimNetwork], now: datetime) -> datetime | None:
    """The next instant at which something happens in a simulated world by itself, besides the turn of an hour."""
    coming = [at for network in networks if (at := network.node.next_change(now)) is not None]
    return min(coming, default=None)

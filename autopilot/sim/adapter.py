"""A simulated network: an adapter like any other, with a market that is a panel and a node that is a clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from autopilot.clock import Clock
from autopilot.contracts import Scope
from autopilot.errors import Transient
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import ROOMY, Answer, Quote, Room
from autopilot.model.node import Observation, Payout
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.sim.market import FluidMarket
from autopilot.sim.node import Manner, Memory, Service, SimNode
from autopilot.sim.places import Guest, shares
from autopilot.units import HOUR, Usd, hour_start


class SimNetwork:
    """One network of a simulated world.

    With ``silent`` an hour in which it would quote nobody is an outage: it raises Transient, as a network that does not
    answer does. Without, such an hour is answered with NoQuotes, as docs/market.md §2 has it for recorded panels. Who finds no
    place left earns nothing.
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
        self._room = market.room(network)

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
        answers = [self._roomed(answer) for answer in asked if answer is not None]
        if self._silent and not any(isinstance(answer, Quote) for answer in answers):
            raise Transient(self.network, "no answer")
        return answers

    def _roomed(self, answer: Answer) -> Answer:
        """With the places that are left; those who are on their way have theirs."""
        if self._room == ROOMY or not isinstance(answer, Quote):
            return answer
        if self._room.places is None:
            return replace(answer, room=self._room)
        taken = sum(service.stopped is None for _, service in self.node.served(answer.seen_at))
        return replace(answer, room=Room(max(self._room.places - taken, 0), self._room.fall))

    def exit_cost(self, seen: Observation) -> ExitCost:  # noqa: ARG002
        """The time that the last job takes to finish."""
        return self._exit

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002
        """The boot and the fee, the same for all."""
        return self._entry

    def paid(self, since: datetime) -> list[Payout]:
        """What the hours that are over have paid, hour by hour, and the parts of hours before a stop."""
        now = self._clock.now()
        return [payout for device, service in self.node.served(since) for payout in self._hours(device, service, since, now)]

    def _hours(self, device: DeviceId, service: Service, since: datetime, now: datetime) -> Iterator[Payout]:
        if service.ready is None or self._models.get(device) is None:
            return
        end = min(service.stopped or now, now)
        hour = max(hour_start(service.ready), hour_start(since))
        while hour < end:
            start, until = max(hour, service.ready), min(hour + HOUR, end)
            over = until == hour + HOUR or service.stopped == until
            amount = self._income(device, service, start, until) if over and until > since else Usd(0)
            if amount:
                ident = f"{device}@{service.started.isoformat()}+{hour.isoformat()}"
                yield Payout(ident, service.venue, device, start, until, amount)
            hour += HOUR

    def _income(self, device: DeviceId, service: Service, start: datetime, end: datetime) -> Usd:
        """What a span within an hour pays the device, in the place that it has among the others."""
        hour, model = hour_start(start), self._models[device]
        if self._room == ROOMY:
            return self._market.income(self.network, model, hour, end - start)
        others = [guest for other, each in self.node.served(hour) if other != device and (guest := self._guest(other, each, hour, end))]
        guest = self._guest(device, service, hour, end)
        spans = shares(self._room, guest, others, start, end) if guest else ()
        return sum((self._market.income(self.network, model, hour, span).scaled(share) for span, share in spans), Usd(0))

    def _guest(self, device: DeviceId, service: Service, hour: datetime, end: datetime) -> Guest | None:
        """The service as one who takes a place; None where it never came up."""
        if service.ready is None or device not in self._models:
            return None
        rate = self._market.income(self.network, self._models[device], hour, HOUR) / HOUR
        return Guest(device, rate, service.ready, service.stopped or end)

    def close(self) -> None:
        """Nothing is open."""


class SimPayouts:
    """What a simulated network paid."""

    def __init__(self, network: SimNetwork) -> None:
        self._network = network

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """Every payout for work that ended after the instant."""
        return self._network.paid(since)


class Changing(Protocol):
    """A node that changes by itself."""

    def next_change(self, now: datetime) -> datetime | None:
        """The next instant at which it does."""
        ...


def next_change(nodes: Iterable[Changing], now: datetime) -> datetime | None:
    """The next instant at which something happens in a simulated world by itself, besides the turn of an hour."""
    coming = [at for node in nodes if (at := node.next_change(now)) is not None]
    return min(coming, default=None)

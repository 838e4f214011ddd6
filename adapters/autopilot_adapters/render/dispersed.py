"""The venue ``render/dispersed``: containers on the compute subnet, paid by a formula from a fixed weekly mint.

By the week (RNP-019, RNP-021 and the documents for node operators, which contradict each other on the figures)::

    availability x assignable hours / 168  +  job x multiplier x hours of work / 168  +  2 x hours of preparation / 168

Epochs begin on Sunday 00:00 UTC and pay when they are final. How much work there is nobody publishes; the whole network was paid 115 to
151 RENDER a week in September 2025, so there cannot have been much.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.market import Answer, NoQuote, Working
from autopilot.units import Share
from autopilot_adapters.render.estimate import LIFE, WEEK, Occupied, Pay, estimated, figure, shown
from autopilot_adapters.render.names import MULTIPLIERS, plain
from autopilot_adapters.render.settings import DispersedSettings

MARKET = "dispersed"
_PREPARATION = Decimal(2)
"""RENDER for a week of preparing jobs."""


def job_pay(job: Decimal, multiplier: Decimal, availability: Decimal) -> Decimal:
    """RENDER of an hour of work; ``availability`` is what goes on being paid beside it."""
    return (job * multiplier + availability) / WEEK


def waiting_pay(availability: Decimal, busy: Share, preparing: Share) -> Decimal:
    """RENDER of an hour without work, some of which goes into preparation."""
    waiting = Share.per_unit - busy.count
    return (availability * (waiting - preparing.count) + _PREPARATION * preparing.count) / waiting / WEEK


class Dispersed:
    """Answers for the venue."""

    def __init__(self, network: NetworkId, settings: DispersedSettings) -> None:
        self.venue = Venue(network, MARKET)
        self._settings = settings

    def without(self) -> str:
        """What has to be configured before anything can be said; empty where enough is."""
        if self._settings.utilisation is not None:
            return ""
        return f"nobody publishes how much work Dispersed has: set 'utilisation' in [networks.{self.venue.network}.dispersed]"

    def answers(self, devices: Sequence[Device], price: TokenPrice, now: datetime) -> Sequence[Answer]:
        """One for each device. Raises Transient."""
        return [self._answer(device, price, now) for device in devices]

    def _answer(self, device: Device, price: TokenPrice, now: datetime) -> Answer:
        model, share = plain(device.model), self._settings.utilisation
        multiplier = self._settings.multipliers.get(model, MULTIPLIERS.get(model))
        if share is None or multiplier is None:
            where = f"[networks.{self.venue.network}.dispersed.multipliers]"
            why = self.without() or f"no multiplier of {device.model} is known: set '{model}' in {where}"
            return NoQuote(self.venue, device.id, now, why)
        occupied = Occupied(share, (Working(f"utilisation: {share}, as configured"),))
        return estimated(self.venue, device, self._pay(multiplier, share, now), occupied, price, now)

    def _pay(self, multiplier: Decimal, share: Share, now: datetime) -> Pay:
        a, b = self._settings.availability, self._settings.job
        beside = a if self._settings.available_at_work else Decimal(0)
        busy, idle = job_pay(b, multiplier, beside), waiting_pay(a, share, self._settings.preparation)
        at_work = f"({shown(b)} x {shown(multiplier)} + {shown(beside)}) / {WEEK} = {shown(figure(busy))}"
        workings = (
            Working(f"an hour of work: {at_work} RENDER, for job, multiplier and availability beside it"),
            Working(f"an hour without: {self._waiting(share)} = {shown(figure(idle))} RENDER, for availability and preparation"),
        )
        return Pay(busy, idle, workings, "the reward formula of Dispersed", now, now + LIFE)

    def _waiting(self, share: Share) -> str:
        preparing, rest = self._settings.preparation, share.complement()
        if not preparing:
            return f"{shown(self._settings.availability)} / {WEEK}"
        assignable = Share(rest.count - preparing.count)
        return f"({shown(self._settings.availability)} x {assignable} + {_PREPARATION} x {preparing}) / {rest} / {WEEK}"

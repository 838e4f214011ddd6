"""What every network would pay for some GPUs now: asked, not flown, and nothing is decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from autopilot.contracts import Adapter
from autopilot.daemon.fanout import as_they_come
from autopilot.errors import AdapterError
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, Quote, Silence
from autopilot.model.power import Draw, PowerPrice
from autopilot.settings import Settings
from autopilot.store.store import Store
from autopilot.units import UsdPerHour, UsdPerKwh


@dataclass(frozen=True, slots=True)
class Offer:
    """One venue's answer for one GPU, and what would be left of it."""

    device: Device
    answer: Answer
    power: UsdPerHour
    """What serving adds to the power bill."""

    @property
    def net(self) -> UsdPerHour | None:
        """Expected income less that power; None where there is no quote."""
        return self.answer.expected - self.power if isinstance(self.answer, Quote) else None


@dataclass(frozen=True, slots=True)
class Survey:
    """All answers, the best first for each GPU, and the networks that gave none."""

    at: datetime
    """When the last answer was in, so that no figure has an age below nothing."""
    offers: Sequence[Offer]
    silent: Mapping[Venue, str]
    """Why, of a network by its name alone; of one venue of a network that has others, by the venue."""
    draw: Draw
    """Of any of the GPUs."""
    price: UsdPerKwh
    """Of power."""
    awaited: frozenset[NetworkId] = frozenset()
    """The networks that may still answer."""
    kept: frozenset[Venue] = frozenset()
    """Venues that are silent, and whose last quotes are among the offers."""

    def offer(self, device: Device, answer: Answer) -> Offer:
        """The answer, with what serving there adds to the power bill."""
        return Offer(device, answer, (self.draw.at(answer.venue) - self.draw.idle) * self.price)


def tariff(settings: Settings) -> PowerPrice:
    """The tariff, with the prices by the hour that the daemon was told last."""
    power = settings.power.tariff()
    if settings.power.series is None or not settings.state.exists():
        return power
    with closing(Store.read_only(settings.state)) as store:
        return replace(power, hours=store.power.prices())


def survey(
    adapters: Mapping[NetworkId, Adapter], devices: Sequence[Device], draw: Draw, price: PowerPrice, at: datetime, deadline: timedelta
) -> Iterator[Survey]:
    """Ask every network once, all at the same time, from ``at`` on: what is known before anybody has answered, and after each answer.

    The last one is whole, at the deadline at the latest.
    """
    asked = {network: adapter for network, adapter in adapters.items() if network != IDLE.network}
    named = {device.id: device for device in devices}
    found = Survey(at, [], {}, draw, price.at(at), frozenset(asked))
    yield found
    for network, outcome in as_they_come({name: partial(each.rates.quotes, devices) for name, each in asked.items()}, deadline):
        found = _with(replace(found, awaited=found.awaited - {network}), network, outcome, named)
        yield found


def _with(found: Survey, network: NetworkId, outcome: Any, named: Mapping[DeviceId, Device]) -> Survey:
    """The same with one network's answers, or with the reason for its silence."""
    if isinstance(outcome, BaseException):
        told = isinstance(outcome, AdapterError | TimeoutError)
        why = str(outcome).removeprefix(f"{network}: ") if told else f"{type(outcome).__name__}: {outcome}"
        return replace(found, silent={**found.silent, Venue(network): why})
    answers = [answer for answer in outcome if not isinstance(answer, Silence) and answer.device in named]
    silent = {answer.venue: answer.reason.removeprefix(f"{network}: ") for answer in outcome if isinstance(answer, Silence)}
    offers = [*found.offers, *(found.offer(named[answer.device], answer) for answer in answers)]
    last = max((answer.seen_at for answer in answers), default=found.at)
    return replace(found, at=max(found.at, last), offers=sorted(offers, key=_best_first), silent={**found.silent, **silent})


def with_last_good(found: Survey, remembered: Iterable[tuple[Answer, str]], devices: Sequence[Device]) -> Survey:
    """The same, with the newest quotes that still count of those who gave no answer; their age tells them apart.

    ``remembered`` is what was answered before, oldest first, each with the model of its device.
    """
    told, silent = {offer.answer.venue for offer in found.offers}, found.silent.keys()
    newest = {
        (answer.venue, model): answer
        for answer, model in remembered
        if answer.venue not in told and not silent.isdisjoint((answer.venue, Venue(answer.venue.network)))
    }
    kept = [
        found.offer(device, replace(answer, device=device.id))
        for device in devices
        for (_, model), answer in newest.items()
        if model == device.model and isinstance(answer, Quote) and answer.usable(found.at)
    ]
    venues = frozenset(offer.answer.venue for offer in kept)
    return replace(found, offers=sorted([*found.offers, *kept], key=_best_first), kept=venues)


def _best_first(offer: Offer) -> tuple[str, float, str]:
    return offer.device.label, -float(offer.net) if offer.net is not None else float("inf"), str(offer.answer.venue)

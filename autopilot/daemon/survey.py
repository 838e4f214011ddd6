"""What every network would pay for some GPUs now: asked, not flown, and nothing is decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from autopilot.contracts import Adapter
from autopilot.errors import AdapterError
from autopilot.model.device import IDLE, Device, NetworkId
from autopilot.model.market import Answer, Quote
from autopilot.model.power import Draw, PowerPrice
from autopilot.pilot.world import Gather
from autopilot.units import UsdPerHour


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
    silent: Mapping[NetworkId, str]
    power: UsdPerHour
    """What serving adds to the power bill of any of the GPUs."""


def survey(
    adapters: Mapping[NetworkId, Adapter], devices: Sequence[Device], draw: Draw, price: PowerPrice, at: datetime, gather: Gather
) -> Survey:
    """Ask every network once, all at the same time, from ``at`` on."""
    asked = {network: adapter for network, adapter in adapters.items() if network != IDLE.network}
    outcomes = gather([partial(adapter.rates.quotes, devices) for adapter in asked.values()])
    power = (draw.lit - draw.idle) * price.at(at)
    named = {device.id: device for device in devices}
    offers: list[Offer] = []
    silent: dict[NetworkId, str] = {}
    for network, outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, BaseException):
            told = isinstance(outcome, AdapterError | TimeoutError)
            silent[network] = str(outcome).removeprefix(f"{network}: ") if told else f"{type(outcome).__name__}: {outcome}"
        else:
            offers += (Offer(named[answer.device], answer, power) for answer in outcome if answer.device in named)
    last = max((offer.answer.seen_at for offer in offers), default=at)
    return Survey(max(at, last), sorted(offers, key=_best_first), silent, power)


def with_last_good(found: Survey, remembered: Iterable[tuple[Answer, str]], devices: Sequence[Device]) -> Survey:
    """The same, with the newest quotes that still count of the networks that gave no answer; their age tells them apart.

    ``remembered`` is what was answered before, oldest first, each with the model of its device.
    """
    newest = {(answer.venue, model): answer for answer, model in remembered if answer.venue.network in found.silent}
    kept = [
        Offer(device, replace(answer, device=device.id), found.power)
        for device in devices
        for (_, model), answer in newest.items()
        if model == device.model and isinstance(answer, Quote) and answer.usable(found.at)
    ]
    return replace(found, offers=sorted([*found.offers, *kept], key=_best_first))


def _best_first(offer: Offer) -> tuple[str, float, str]:
    return offer.device.label, -float(offer.net) if offer.net is not None else float("inf"), str(offer.answer.venue)

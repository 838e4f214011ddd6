"""Views of a small world, for tests of strategies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.history import Record
from autopilot.model.market import Answer, Basis, NoQuote, Quote
from autopilot.model.node import Observation, Phase, Placement
from autopilot.model.plan import EntryCost
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.units import HOUR, UsdPerHour

MODEL = "RTX 4090"
START = datetime(2026, 1, 1, tzinfo=UTC)


def device(number: int = 0, model: str = MODEL) -> Device:
    """A GPU of a rig."""
    return Device(DeviceId(f"gpu-{number}"), model, 24, index=number)


def venue(name: str) -> Venue:
    """A network with one market."""
    return Venue(NetworkId(name))


def answer(name: str, owner: Device, rate: str | float | None, as_of: datetime, seen_at: datetime) -> Answer:
    """A quote in USD per hour that counts for an hour; None is a network that offers nothing."""
    if rate is None:
        return NoQuote(venue(name), owner.id, seen_at, "no rate", as_of)
    money = UsdPerHour.of(rate) if isinstance(rate, str) else UsdPerHour.nearest(rate)
    return Quote(venue(name), owner.id, money, as_of, seen_at, seen_at + HOUR, Basis.ESTIMATE, "a test")


def view(
    rates: Mapping[str, Sequence[str | float | None]],
    here: str = IDLE.network,
    *,
    devices: int = 1,
    stayed: timedelta = timedelta(days=1),
    entry: EntryCost | None = None,
    draw: Draw | None = None,
    power: PowerPrice | None = None,
) -> View:
    """The hourly rates of each network, oldest first, as known at the end of the last hour.

    The last rate of each is its quote; a network with an empty sequence never answered. Every device is ``here``.
    """
    rig = tuple(device(number) for number in range(devices))
    now = START + HOUR * max((len(column) for column in rates.values()), default=0)
    record = Record()
    quotes: dict[tuple[Venue, DeviceId], Answer] = {}
    for name, column in rates.items():
        first = now - HOUR * len(column)
        for index, rate in enumerate(column):
            as_of = first + HOUR * (index + 1)
            record.learn(answer(name, rig[0], rate, as_of, as_of), MODEL)
            if as_of == now:
                quotes.update({(venue(name), each.id): answer(name, each, rate, now, now) for each in rig})
    place = venue(here)
    since = now - stayed
    placements = {each.id: Placement(each.id, place, since, Observation(each.id, place, Phase.READY, now)) for each in rig}
    entries = {(venue(name), each.id): entry or EntryCost() for name in rates for each in rig}
    draws = {each.id: draw or Draw() for each in rig}
    return View(now, rig, placements, quotes, record.until_now(), entries, {}, draws, power or PowerPrice())

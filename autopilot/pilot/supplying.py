"""The power supply: what power costs, and what the devices draw, as far as it is known."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from autopilot.errors import AutopilotError
from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.power import Draw, PowerPrice
from autopilot.pilot.world import World
from autopilot.store.power import Measured
from autopilot.units import HOUR, Watts, hour_start

log = logging.getLogger(__name__)

_KEPT = timedelta(days=2)
"""Prices of hours that are longer over are forgotten."""
_HALF_LIFE = 24.0
"""Hours after which a measured draw counts half."""
_WATT = 1000


class Supply:
    """Keeps the day-ahead prices that were told, and the mean of what each model was measured to draw at each venue."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.devices = {device.id: device for device in world.devices}
        self._asked: Future[Any] | None = None
        self._why = "none was told"
        self._measured = dict(world.store.power.measured())
        self._news: dict[tuple[Venue, str], Measured] = {}
        self._draws: dict[DeviceId, Draw] = {}
        self.power: PowerPrice = replace(world.power, hours=world.store.power.prices()) if world.series else world.power
        """The tariff, with all that was told."""

    def poll(self) -> None:
        """Begin to ask for the prices of the hours ahead, where anybody tells them."""
        if self._world.series and self._asked is None:
            self._asked = self._world.ask(self._world.series)

    @property
    def come(self) -> bool:
        """Whether there is anything to take in."""
        return self._asked is not None and self._asked.done()

    def take(self, now: datetime) -> bool:
        """Take in what was told; True where that changed anything. Where nothing was, the prices that are known go on."""
        if self._asked is None or not self._asked.done():
            return False
        asked, self._asked = self._asked, None
        try:
            told = dict(asked.result())
        except Exception as error:  # noqa: BLE001  # a file or a server may be broken in any way; the rig must fly on
            self._why = str(error) if isinstance(error, AutopilotError) else f"{type(error).__name__}: {error}"
            log.warning("the prices of power were not told: %s", self._why)
            return False
        self._why = "they end before it"
        with self._world.store.atomic():
            self._world.store.power.price(told, now - _KEPT)
        known = {hour: price for hour, price in {**self.power.hours, **told}.items() if hour >= now - _KEPT}
        changed, self.power = known != self.power.hours, replace(self.power, hours=known)
        return changed

    def trouble(self, now: datetime) -> str:
        """What is reckoned with instead, where prices are to be told and the present one was not; empty where all is well."""
        if not self._world.series or hour_start(now) in self.power.hours:
            return ""
        source = "calendar" if self.power.calendar and self.power.calendar.at(now) is not None else "fixed price"
        return f"power at {self.power.at(now)} by the {source}, no price of this hour is known: {self._why}"

    @property
    def draws(self) -> Mapping[DeviceId, Draw]:
        """What is configured, and what was measured where nothing is."""
        if not self._draws:
            self._draws = {device: self._draw(self._world.draws.get(device, Draw()), own.model) for device, own in self.devices.items()}
        return self._draws

    def _draw(self, draw: Draw, model: str) -> Draw:
        if draw.lit or draw.venues:
            return draw
        seen = {venue: _rounded(each) for (venue, known), each in self._measured.items() if known == model}
        idle = seen.pop(IDLE, Watts(0))
        return Draw(max(seen.values()), draw.idle or idle, seen) if seen else draw

    def note(self, device: DeviceId, venue: Venue, watts: Watts, span: timedelta) -> None:
        """A device was measured to draw so much for a while: at work at a venue, or doing nothing."""
        key, hours = (venue, self.devices[device].model), span / HOUR
        before = self._measured.get(key, Measured(float(watts.count), 0.0))
        kept = before.hours * 0.5 ** (hours / _HALF_LIFE)
        mean = before.milliwatts + (watts.count - before.milliwatts) * hours / (kept + hours)
        self._measured[key] = self._news[key] = Measured(mean, kept + hours)
        self._draws = {}

    def keep(self) -> None:
        """Write down what was measured since the last time. Call it inside a transaction."""
        if self._news:
            self._world.store.power.measure(self._news)
            self._news = {}


def _rounded(measured: Measured) -> Watts:
    """To the watt: a rig on which nothing changes is the same from hour to hour."""
    return Watts(round(measured.milliwatts / _WATT) * _WATT)

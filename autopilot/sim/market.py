"""The fluid market of a recorded or generated panel (docs/market.md §2): what a venue shows, and what it pays.

Both are the same rate, but not at the same time: a quote shows an hour that is over, and income is what the present hour
turns out to pay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isnan
from typing import TYPE_CHECKING

from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.market import NO_QUOTE_LIFE, ROOMY, Answer, Basis, NoQuote, Quote, Room
from autopilot.units import HOUR, Usd, UsdPerHour, hour_start

if TYPE_CHECKING:
    import numpy as np

    from autopilot.sim.panel import Panel


@dataclass(frozen=True, slots=True)
class Tape:
    """One GPU model's panel, with what is shown of it."""

    panel: Panel
    shown: np.ndarray
    """USD per hour as strategies see it: the panel's own rates, or those with noise."""


class FluidMarket:
    """Every network's rate for every GPU model, hour by hour, and its room for all GPUs of a rig where that is limited."""

    def __init__(self, tapes: Mapping[str, Tape], lag: int = 1, rooms: Mapping[NetworkId, Room] | None = None) -> None:
        self._tapes = tapes
        self._lag = lag * HOUR
        self._rooms = rooms or {}
        # With no lag the present hour itself is shown, which is not over: what is shown then describes its start.
        self._known_after = min(self._lag, HOUR)
        self._columns = {model: {name: i for i, name in enumerate(tape.panel.networks)} for model, tape in tapes.items()}

    def room(self, network: NetworkId) -> Room:
        """For how many GPUs of one rig the network's rate holds in all, and how the pay falls."""
        return self._rooms.get(network, ROOMY)

    def answer(self, network: NetworkId, device: Device, now: datetime) -> Answer | None:
        """What the network shows now: the row that is ``lag`` hours old. None where it knows no such GPU."""
        column = self._columns.get(device.model, {}).get(network)
        if column is None:
            return None
        hour = hour_start(now) - self._lag
        as_of = self.as_of(hour)
        shown = self.shown(device.model, column, hour)
        venue = Venue(network)
        if shown is None:
            return NoQuote(venue, device.id, now, "no rate in this hour", as_of)
        return Quote(venue, device.id, shown, as_of, now, now + NO_QUOTE_LIFE, Basis.ADMINISTERED, "panel")

    def as_of(self, hour: datetime) -> datetime:
        """The instant that the rate of an hour describes: the end of the hour."""
        return hour + self._known_after

    def shown(self, model: str, column: int, hour: datetime) -> UsdPerHour | None:
        """The rate that strategies see of an hour; None where it is missing."""
        tape = self._tapes[model]
        return _cell(tape.shown, _row(tape.panel.start, hour), column)

    def income(self, network: NetworkId, model: str, hour: datetime, span: timedelta) -> Usd:
        """What a span within an hour really pays; a missing rate pays nothing."""
        tape = self._tapes[model]
        rate = _cell(tape.panel.rates, _row(tape.panel.start, hour), self._columns[model][network])
        return rate * span if rate else Usd(0)


def _row(start: datetime, hour: datetime) -> int:
    return (hour - start) // HOUR


def _cell(rates: np.ndarray, row: int, column: int) -> UsdPerHour | None:
    if not 0 <= row < len(rates):
        return None
    rate = float(rates[row, column])
    return None if isnan(rate) else UsdPerHour.nearest(rate)

"""Forecasts, experts, accounts and the vote as one state that is extended by hours (docs/market.md §5).

What it says after some hours depends on those hours, and not on how many came at once: so a flight hour by hour, a lesson learned from
years, and a replay of the record all agree to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from autopilot_strategies.accounts import Accounts
from autopilot_strategies.experts import Cast, Panel, panel, tables
from autopilot_strategies.plans import Entry, Outlook, Power
from autopilot_strategies.signals import Floats, Readings, Signals
from autopilot_strategies.targets import Targets

_AT_ONCE, _WITH_LOCKS = 480, 48
"""Hours that are worked on together, and where venues ask for a stay: it bounds the memory, and changes nothing else."""


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """The state after some hours of one GPU model's rates."""

    hour: int
    """Hours from 1970-01-01T00Z to the start of the next row."""
    entry: Entry
    panel: Panel
    cast: Cast
    signals: Signals
    accounts: Accounts
    readings: Readings
    """Of the newest hour; none before the first."""
    levels: Floats
    """The forecast at the newest hour: (1, anchors, venues)."""
    lows: Floats
    """Its low ends."""
    table: Targets
    """What every expert would do at the start of the next hour: (1, experts, places)."""

    @classmethod
    def start(cls, hour: int, entry: Entry, cast: Cast) -> Self:
        """Nothing seen; column k of the rates is place k + 1 of the costs."""
        venues, experts = len(entry.dark) - 1, panel(locks=entry.locks)
        signals = Signals.start(venues)
        stay = np.tile(np.arange(venues + 1, dtype=np.int16), (1, len(experts.prior), 1))
        nothing = np.zeros((0, len(cast.anchors), venues))
        readings = signals.extend(np.zeros((0, venues)))[1]
        return cls(hour, entry, experts, cast, signals, Accounts.start(experts), readings, nothing, nothing, stay)

    @property
    def ahead(self) -> float:
        """Hours that the plans look ahead, by their weight."""
        return self.accounts.ahead(self.panel)

    def extend(self, rates: Floats) -> Engine:
        """Take in more hours (hours, venues), USD/h, NaN where missing."""
        engine, portion = self, _WITH_LOCKS if self.entry.locks else _AT_ONCE
        for begin in range(0, len(rates), portion):
            engine = engine._take(rates[begin : begin + portion])
        return engine

    def _take(self, rates: Floats) -> Engine:
        cast, levels, lows = self.cast.extend(rates)
        signals, readings = self.signals.extend(rates)
        decided, _ = tables(readings, levels, cast.anchors, self.entry)
        before = np.concatenate((self.table, decided[:-1]))
        accounts = self.accounts.extend(self.panel, self.entry, before, rates, self.hour)
        return replace(
            self,
            hour=self.hour + len(rates),
            cast=cast,
            signals=signals,
            accounts=accounts,
            readings=readings.cut(slice(-1, None)),
            levels=levels[-1:],
            lows=lows[-1:],
            table=decided[-1:],
        )

    def ballot(self, factors: Floats, power: Power) -> tuple[Targets, Outlook]:
        """What every expert would do now, (rows, experts, places), for each row of factors by which the venues' rates are multiplied.

        Nothing may be asked before the first hour.
        """
        levels = self.levels * factors[:, None]
        return tables(self.readings.scaled(factors), levels, self.cast.anchors, self.entry, power)

    def low(self, factors: Floats, power: Power) -> Outlook:
        """The outlook if every rate came out at the low end of its forecast, for one row of factors as above."""
        return Outlook.of(self.lows * factors[:, None], self.cast.anchors, self.readings.scaled(factors), power)

    def base(self, factors: Floats, power: Power) -> Outlook:
        """The outlook if nothing is believed but the rates that the base rule looks at, likewise."""
        return Outlook.net(self.readings.scaled(factors).filtered[:, :1], power)

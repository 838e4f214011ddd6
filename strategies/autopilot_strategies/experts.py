"""The experts: each a table of what to do from wherever one is (docs/market.md §5).

Four families, which share the vote equally at first: plans on the forecast, plans that believe the last hours' average to last,
leads of a fixed share on averages, and those that have no parameter to be wrong about or are slow to believe anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from autopilot_strategies.plans import FREE, HAIRCUTS, HORIZONS, Entry, Outlook, Power, plan
from autopilot_strategies.signals import AVERAGES, FILTERS, Floats, Readings
from autopilot_strategies.targets import Targets, beyond, everywhere, led

PREMIUMS = (0.0, 0.4, 0.8, 1.6)
"""How much plans dread a stay that cannot be cut short, where some venue asks for one."""
LEADS = (0.03, 0.1, 0.2)
"""By which the best must lead the present place."""
_FAST = len(AVERAGES) - 1
"""The averages that the fixed leads look at; the slow rule has the last one."""

_PLANS = [f"{horizon:g} h{'' if haircut == 1 else f' at {haircut:g}'}" for horizon in HORIZONS for haircut in HAIRCUTS]
_LEADS = [f"lead {100 * lead:g} % on {hours:g} h" for hours in AVERAGES[:_FAST] for lead in LEADS]
_SLOW = ["slow rule", *(f"band {hours:g} h" for hours in FILTERS)]


class Cast(Protocol):
    """A forecaster: a frozen state that is extended by rows, whatever their number at a time."""

    def extend(self, rates: Floats) -> tuple[Self, Floats, Floats]:
        """The state after more hours (hours, venues), and levels (hours, anchors, venues) in USD/h at ``anchors`` hours ahead.

        The last ones are their low ends, or the levels where these are not known.
        """
        ...

    @property
    def anchors(self) -> Floats:
        """Hours from the end of a row to the end of the hour that is forecast, ascending."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """All experts, in one order. One entry each."""

    names: tuple[str, ...]
    prior: Floats
    """Their share of the vote while nothing is measured."""
    horizon: Floats
    """Hours of a plan; infinite for what is none."""
    free: NDArray[np.bool_]
    """Whether it votes from the first hour: the last family, which the first days cannot mislead."""
    base: int
    """The rule that the guard falls back to."""


def families(*, locks: bool = False) -> dict[str, list[str]]:
    """The experts of each family by name, in the order of the panel; where a venue asks for a stay, plans come with every premium."""
    dread = [f", premium {premium:g}" if premium else "" for premium in (PREMIUMS if locks else PREMIUMS[:1])]
    plans = [f"plan {plan}{premium}" for premium in dread for plan in _PLANS]
    return {"forecast": plans, "average": [f"average's {plan}" for plan in plans], "leads": _LEADS, "slow": _SLOW}


def panel(*, locks: bool = False) -> Panel:
    """Those of this module."""
    every = list(families(locks=locks).values())
    names, sizes = [name for family in every for name in family], [len(family) for family in every]
    prior = np.repeat(1 / np.array(sizes) / len(sizes), sizes)
    plans = np.tile(np.repeat(HORIZONS, len(HAIRCUTS)), (sizes[0] + sizes[1]) // len(_PLANS))
    horizon = np.concatenate((plans, np.full(sum(sizes[2:]), np.inf)))
    free = np.arange(len(names)) >= len(names) - sizes[-1]
    return Panel(tuple(names), prior, horizon, free, len(names) - len(FILTERS))


def tables(readings: Readings, levels: Floats, anchors: Floats, entry: Entry, power: Power = FREE) -> tuple[Targets, Outlook]:
    """What every expert would do (hours, experts, places), and the outlook that the first family plans on."""
    outlook, lasting = Outlook.of(levels, anchors, readings, power), Outlook.lasting(readings, power)
    plans = _plans(Outlook(np.concatenate((outlook.path, lasting.path))), readings, entry)
    fast = _leads(readings.income[:, :_FAST] - power.now, LEADS)
    slow = _leads(readings.income[:, _FAST:] - power.now, LEADS[:1])
    return np.concatenate((plans, fast, slow, _bands(readings, entry, power)), axis=1), outlook


def _plans(outlooks: Outlook, readings: Readings, entry: Entry) -> Targets:
    """Those on the forecast and those on the average, of which the outlooks are one after the other."""
    if entry.locks:
        entry = entry.dreaded(np.tile(np.sqrt(readings.restless[:, 0].mean(axis=2)), (2, 1)), PREMIUMS)
    return np.concatenate(np.split(plan(outlooks, entry), 2), axis=1)


def _leads(rates: Floats, leads: tuple[float, ...]) -> Targets:
    """For averages (hours, averages, venues): (hours, averages x leads, places)."""
    by_rate = np.repeat(_places_first(_with_idle(rates)), len(leads), axis=2)
    return everywhere(led(by_rate, np.tile(leads, rates.shape[1])), by_rate)


def _bands(readings: Readings, entry: Entry, power: Power) -> Targets:
    """(hours, filters, places)."""
    rates = _places_first(_with_idle(readings.filtered - power.now))
    restless = np.zeros((len(rates), *rates.shape))
    restless[1:, 1:] = readings.restless.transpose(2, 3, 0, 1)
    dark, cash = entry.dark[:, None, None], entry.cash[:, None, None]
    return everywhere(rates, beyond(rates[:, None], restless, dark[:, None], cash[:, None]))


def _places_first(rates: Floats) -> Floats:
    return np.ascontiguousarray(np.moveaxis(rates, -1, 0))


def _with_idle(rates: Floats) -> Floats:
    return np.concatenate((np.zeros((*rates.shape[:-1], 1)), rates), axis=-1)

"""The fast lane: many settings of strategies flown over one course, their kernels compiled (docs/market.md §2).

It decides what the pilot would decide, hour by hour, and counts the same money as ``runner.fly``; a test holds both equal. Between
the hours of a strategy's alarm nothing can happen, so those are not flown but summed. What is remembered of the rates is worked out
once for all settings that remember alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from math import inf, isnan
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from autopilot.backtest.compiler import compiled
from autopilot.backtest.gains import NANO, Floats, Gains
from autopilot.backtest.runner import Course, Terms
from autopilot.contracts import Strategy, Sweepable
from autopilot.errors import ConfigError
from autopilot.model.device import NetworkId, Venue
from autopilot.model.kernel import NOWHERE, Alarm, Kernel, Offers, Recall, Seat, chance_at, instant
from autopilot.units import HOUR, UsdPerKwh, micros

_HOUR = float(micros(HOUR))
_BITS = 4
_BLOCK = 1 << _BITS
"""Hours that are passed over together where none of them has an alarm."""


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """What each strategy came to, in the order in which they were given, summed over all GPUs."""

    net_usd: Floats
    moves: NDArray[np.int64]
    """Entries into a venue."""
    dark_hours: Floats
    paths: NDArray[np.int16]
    """For each strategy and hour the place that a GPU is on or on its way to: 0 for idle, then the networks by name.

    Empty unless asked for.
    """


def sweep(strategies: Sequence[Strategy], course: Course, terms: Terms, *, paths: bool = False) -> Swept:
    """Fly every strategy over the course by itself. Raises ConfigError for what only ``runner.fly`` can do, and without numba."""
    if terms.guards or terms.rooms or course.jobs is not None:
        raise ConfigError("a sweep flies the fluid market, without guards and without limits of room: fly these strategies one by one")
    kernels = _kernels(strategies)
    tables = _Tables.of(course, terms)
    count = len(kernels)
    traced = np.zeros((count, course.hours if paths else 0), np.int16)
    accounts = _Accounts(np.zeros(count), np.zeros(count, np.int64), np.zeros(count), traced)
    for members in _alike(kernels):
        _fly_group([kernels[index] for index in members], np.array(members), tables, accounts)
    gpus = terms.gpus
    return Swept(accounts.net / NANO * gpus, accounts.moves * gpus, accounts.dark / _HOUR * gpus, traced)


def _kernels(strategies: Sequence[Strategy]) -> list[Kernel]:
    for each in {type(strategy): strategy for strategy in strategies}.values():
        if not isinstance(each, Sweepable):
            raise ConfigError(f"{type(each).__name__} has no kernel that could be swept: fly it by itself")
    return [cast("Sweepable", strategy).kernel for strategy in strategies]


def _alike(kernels: Sequence[Kernel]) -> list[list[int]]:
    """The numbers of those that decide and remember alike, and differ in settings alone."""
    groups: dict[object, list[int]] = {}
    for index, kernel in enumerate(kernels):
        groups.setdefault((kernel.choose, kernel.recall, kernel.alarm and kernel.alarm.urge), []).append(index)
    return list(groups.values())


class _Sky(NamedTuple):
    """What a flight looks up. Arrays by hour and place, but for those that say otherwise."""

    rates: Any
    """As known at the hour."""
    lifts: Any
    dark: Any
    """By place, hours."""
    cash: Any
    """By place, USD."""
    memories: Any
    urges: Any
    """By place and hour."""
    peaks: Any
    """The highest urge of each block of hours, by place."""
    worth: Any
    """By place and hour: the nano-dollars of all hours before."""
    entry: Any
    """Nano-dollars of a move until the next decision."""
    unlit: Any
    """By hour: how long a move would be dark within the course, in microseconds."""
    span: int
    """Full hours from a move to the next decision."""
    downtime: float
    """In microseconds."""


class _Accounts(NamedTuple):
    """What flights come to, by strategy, as in ``Swept``; money in nano-dollars and dark time in microseconds."""

    net: Any
    moves: Any
    dark: Any
    paths: Any


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """A course and its terms, before any strategy looks at them."""

    seen: Floats
    """What was ever known, oldest first: the last ``hours`` rows are what is newest at each scored hour. Column 0 is idle."""
    ends: datetime
    """The instant that the first of these rows describes; the others follow hour by hour."""
    lifts: Floats
    gains: Gains
    downtime: timedelta
    unlit: Floats

    @classmethod
    def of(cls, course: Course, terms: Terms) -> _Tables:
        """Rates and money in whole nano-dollars, as the pilot counts them."""
        panel, hours = course.panel, course.hours
        first = (course.start - panel.start) // HOUR - terms.lag
        before = max(-first, 0)
        seen = np.full((first + before + hours, len(panel.networks) + 1), np.nan)
        known = np.round(course.shown[: max(first + hours, 0)] * NANO) / NANO
        seen[before : before + len(known), 1:] = known
        seen[:, NOWHERE] = 0.0
        ends = panel.at(min(terms.lag, 1) - before)
        lifts, draw = _power(course, terms)
        gains = Gains.of(course.scored, draw, terms.downtime, terms.fee)
        unlit = np.minimum(float(micros(terms.downtime)), _HOUR * (hours - np.arange(hours)))
        return cls(seen, ends, lifts, gains, terms.downtime, unlit)

    def sky(self, recall: Recall | None, alarm: Alarm | None) -> _Sky:
        """With what a group of strategies remembers, and how strongly each hour asks them to leave each place."""
        hours, places = self.lifts.shape
        rates = self.seen[-hours:]
        dark, cash = np.full(places, self.downtime / HOUR), np.full(places, self.gains.fee / NANO)
        dark[NOWHERE] = cash[NOWHERE] = 0.0
        memories = rates if recall is None else self._memories(recall)[-hours:]
        urges = np.full((places, hours), inf)
        if alarm is not None:
            compiled(_urge_all)(compiled(alarm.urge), rates, self.lifts, dark, cash, urges)
        blocks = np.pad(urges, ((0, 0), (0, -hours % _BLOCK)), constant_values=-inf)
        peaks = blocks.reshape(places, -1, _BLOCK).max(axis=2)
        worth = np.pad(np.cumsum(self.gains.gain, axis=0), ((1, 0), (0, 0))).T.copy()
        downtime = float(micros(self.downtime))
        gains = self.gains
        return _Sky(rates, self.lifts, dark, cash, memories, urges, peaks, worth, gains.entry, self.unlit, gains.span, downtime)

    def _memories(self, recall: Recall) -> NDArray[np.void]:
        """What is remembered at each row of ``seen``, by place."""
        kind = np.dtype([(name, np.float64) for name in recall.empty._fields])
        memories = np.zeros((*self.seen.shape, len(recall.empty)))
        memories[:] = recall.empty
        instants = [self.ends + row * HOUR for row in range(len(self.seen))]
        as_of, chances = np.array([instant(at) for at in instants]), np.array([chance_at(at) for at in instants], np.int64)
        compiled(_remember)(compiled(recall.take), recall.setting, recall.empty, as_of, self.seen, chances, memories)
        return memories.view(kind)[..., 0].view(np.recarray)


def _power(course: Course, terms: Terms) -> tuple[Floats, Floats]:
    """By hour and place: what serving adds to the bill in USD, and the bill in nano-dollars."""
    idle = terms.draw.idle
    lit = [terms.draw.at(Venue(NetworkId(name))) for name in course.panel.networks]

    @cache
    def row(price: UsdPerKwh) -> tuple[list[float], list[int]]:
        return [0.0, *(float((watts - idle) * price) for watts in lit)], [(watts * price).count for watts in (idle, *lit)]

    if not terms.power.hours and terms.power.calendar is None:
        lifts, draws = row(terms.power.flat)
        return np.tile(lifts, (course.hours, 1)), np.tile(np.array(draws, np.float64), (course.hours, 1))
    rows = [row(terms.power.at(course.start + hour * HOUR)) for hour in range(course.hours)]
    return np.array([lifts for lifts, _ in rows]), np.array([draws for _, draws in rows], np.float64)


def _fly_group(kernels: Sequence[Kernel], members: NDArray[np.intp], tables: _Tables, accounts: _Accounts) -> None:
    """Fly strategies that differ in settings alone."""
    choose, recall, alarm = kernels[0].choose, kernels[0].recall, kernels[0].alarm
    sky = tables.sky(recall, alarm)
    # A little less than calm: an urge is a quotient, and what the kernel compares with is not.
    calm = [max(kernel.alarm.calm * (1 - 1e-9) - 1e-12, 0.0) if kernel.alarm else 0.0 for kernel in kernels]
    kind = np.dtype([(name, np.float64) for name in (*kernels[0].setting._fields, "calm")])
    settings = np.array([(*kernel.setting, limit) for kernel, limit in zip(kernels, calm, strict=True)], kind).view(np.recarray)
    compiled(_fly_all)(compiled(choose), settings, members, sky, accounts)


# What follows is compiled. It runs as it is, too, only slowly.


def _remember(take: Any, setting: Any, empty: Any, as_of: Any, rates: Any, chances: Any, memories: Any) -> None:
    """The memory of each place after each row of rates."""
    for place in range(1, rates.shape[1]):
        memory = empty
        for row in range(rates.shape[0]):
            if not isnan(rates[row, place]):
                memory = take(setting, memory, as_of[row], rates[row, place], chances[row])
            for item in range(len(memory)):
                memories[row, place, item] = memory[item]


def _urge_all(urge: Any, rates: Any, lifts: Any, dark: Any, cash: Any, urges: Any) -> None:
    """How strongly each hour asks to leave each place."""
    for hour in range(rates.shape[0]):
        offers = Offers(rates[hour], lifts[hour], dark, cash)
        for place in range(rates.shape[1]):
            urges[place, hour] = urge(place, offers)


def _next_alarm(urges: Any, peaks: Any, hour: int, calm: float) -> int:
    """The first hour from this one on with an urge above calm; the number of hours or more where there is none."""
    hours = len(urges)
    while hour < hours:
        if urges[hour] > calm:
            return hour
        hour += 1
        if hour & (_BLOCK - 1) == 0:
            block = hour >> _BITS
            while block < len(peaks) and peaks[block] <= calm:
                block += 1
            hour = block << _BITS
    return hour


def _fly_all(choose: Any, settings: Any, members: Any, sky: _Sky, accounts: _Accounts) -> None:
    """Fly every setting from idle, and write its account to the row of its member."""
    hours = sky.rates.shape[0]
    for each in range(len(settings)):
        setting, member = settings[each], members[each]
        place, begun, since, net, hour = 0, 0, 0.0, 0.0, 0
        while True:
            hour = _next_alarm(sky.urges[place], sky.peaks[place], hour, setting.calm)
            if hour >= hours:
                break
            offers = Offers(sky.rates[hour], sky.lifts[hour], sky.dark, sky.cash)
            target = choose(setting, Seat(place, hour * _HOUR - since), offers, sky.memories[hour])[0]
            if target == place:
                hour += 1
                continue
            net += sky.worth[place, hour] - sky.worth[place, begun]
            accounts.paths[member, hour:] = target
            place, begun, since = target, hour, hour * _HOUR
            if target != 0:
                net += sky.entry[hour, target]
                accounts.moves[member] += 1
                accounts.dark[member] += sky.unlit[hour]
                begun, since = min(hour + sky.span, hours), since + sky.downtime
            hour = max(hour + 1, begun)
        accounts.net[member] = net + sky.worth[place, hours] - sky.worth[place, begun]

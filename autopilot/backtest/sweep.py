"""The fast lane: many settings of strategies flown over one course, their kernels compiled (docs/market.md §2).

It decides what the pilot would decide, hour by hour, and counts the same money as ``runner.fly``; a test holds both equal. Between
the hours of a strategy's alarm nothing can happen, so those are not flown but summed. What is remembered of the rates is worked out
once for all settings that remember alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from autopilot.model.kernel import NOWHERE, Digest, Kernel, Offers, Recall, Seat, chance_at, instant
from autopilot.units import HOUR, UsdPerKwh, Watts, micros

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
    for members in _alike(kernels, steady=_steady(terms)):
        _fly_group([kernels[index] for index in members], np.array(members), tables, accounts)
    gpus = terms.gpus
    return Swept(accounts.net / NANO * gpus, accounts.moves * gpus, accounts.dark / _HOUR * gpus, traced)


def _kernels(strategies: Sequence[Strategy]) -> list[Kernel]:
    for each in {type(strategy): strategy for strategy in strategies}.values():
        if not isinstance(each, Sweepable):
            raise ConfigError(f"{type(each).__name__} has no kernel that could be swept: fly it by itself")
    return [cast("Sweepable", strategy).kernel for strategy in strategies]


def _alike(kernels: Sequence[Kernel], *, steady: bool) -> list[list[int]]:
    """The numbers of those that decide and remember alike, and differ in settings alone. Where power is steady, any stay costs the same."""
    groups: dict[object, list[int]] = {}
    for index, kernel in enumerate(kernels):
        stay = None if steady else kernel.stay
        groups.setdefault((kernel.choose, kernel.recall, kernel.digest, kernel.alarm and kernel.alarm.urge, stay), []).append(index)
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
    course: Course
    terms: Terms
    gains: Gains
    unlit: Floats
    blank: int
    """Rows before the first that could be known."""
    digested: dict[Digest, Floats]
    """What was read already."""

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
        gains = Gains.of(course.scored, _draws(course, terms), terms.downtime, terms.fee)
        unlit = np.minimum(float(micros(terms.downtime)), _HOUR * (hours - np.arange(hours)))
        return cls(seen, ends, course, terms, gains, unlit, before, {})

    def sky(self, kernel: Kernel) -> _Sky:
        """With what strategies like this one look at and remember, and how strongly each hour asks them to leave each place."""
        recall, alarm, lifts = kernel.recall, kernel.alarm, _lifts(self.course, self.terms, kernel.stay)
        hours, places = lifts.shape
        rates = self.seen[-hours:]
        dark, cash = np.full(places, self.terms.downtime / HOUR), np.full(places, self.gains.fee / NANO)
        dark[NOWHERE] = cash[NOWHERE] = 0.0
        memories = self._memories(recall)[-hours:] if recall else self._digested(kernel.digest) if kernel.digest else rates
        urges = np.full((places, hours), inf)
        if alarm is not None:
            compiled(_urge_all)(compiled(alarm.urge), rates, lifts, dark, cash, urges)
        blocks = np.pad(urges, ((0, 0), (0, -hours % _BLOCK)), constant_values=-inf)
        peaks = blocks.reshape(places, -1, _BLOCK).max(axis=2)
        worth = np.pad(np.cumsum(self.gains.gain, axis=0), ((1, 0), (0, 0))).T.copy()
        downtime = float(micros(self.terms.downtime))
        gains = self.gains
        return _Sky(rates, lifts, dark, cash, memories, urges, peaks, worth, gains.entry, self.unlit, gains.span, downtime)

    def _digested(self, digest: Digest) -> Floats:
        """What is read at each scored hour; nothing, where no rate was known yet. What reads alike is read once."""
        if digest not in self.digested:
            known, hours = self.seen[self.blank :, 1:], self.course.hours
            rows = digest.rows(known, self.ends + self.blank * HOUR)
            self.digested[digest] = np.concatenate((np.zeros((self.blank, *rows.shape[1:])), rows))[-hours:]
        return self.digested[digest]

    def _memories(self, recall: Recall) -> NDArray[np.void]:
        """What is remembered at each row of ``seen``, by place."""
        kind = np.dtype([(name, np.float64) for name in recall.empty._fields])
        memories = np.zeros((*self.seen.shape, len(recall.empty)))
        memories[:] = recall.empty
        instants = [self.ends + row * HOUR for row in range(len(self.seen))]
        as_of, chances = np.array([instant(at) for at in instants]), np.array([chance_at(at) for at in instants], np.int64)
        compiled(_remember)(compiled(recall.take), recall.setting, recall.empty, as_of, self.seen, chances, memories)
        return memories.view(kind)[..., 0].view(np.recarray)


def _steady(terms: Terms) -> bool:
    return not terms.power.hours and terms.power.calendar is None


def _by_price(course: Course, terms: Terms, price: Callable[[datetime], UsdPerKwh], row: Callable[[UsdPerKwh], list[float]]) -> Floats:
    """A row for the price of each hour; equal prices have equal rows."""
    if _steady(terms):
        return np.tile(row(terms.power.flat), (course.hours, 1))
    row = cache(row)
    return np.array([row(price(course.start + hour * HOUR)) for hour in range(course.hours)])


def _lit(course: Course, terms: Terms) -> list[Watts]:
    return [terms.draw.at(Venue(NetworkId(name))) for name in course.panel.networks]


def _lifts(course: Course, terms: Terms, stay: timedelta) -> Floats:
    """By hour and place: what serving adds to the bill in USD, at the mean price of a stay as it is foreseen."""
    more = [watts - terms.draw.idle for watts in _lit(course, terms)]

    def price(hour: datetime) -> UsdPerKwh:
        return terms.power.foreseen(hour).mean(hour, hour + stay) if stay else terms.power.at(hour)

    return _by_price(course, terms, price, lambda price: [0.0, *(float(watts * price) for watts in more)])


def _draws(course: Course, terms: Terms) -> Floats:
    """By hour and place: the bill in nano-dollars."""
    drawn = [terms.draw.idle, *_lit(course, terms)]
    return _by_price(course, terms, terms.power.at, lambda price: [float((watts * price).count) for watts in drawn])


def _fly_group(kernels: Sequence[Kernel], members: NDArray[np.intp], tables: _Tables, accounts: _Accounts) -> None:
    """Fly strategies that differ in settings alone."""
    choose, sky = kernels[0].choose, tables.sky(kernels[0])
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

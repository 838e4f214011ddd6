"""The rules of the mining switchers as plain functions of numbers; ``rules.py`` says what each rule is, and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from autopilot.model.kernel import NOWHERE, Offers, Seat
from autopilot_strategies.choice import Lead
from autopilot_strategies.contest import Case, contested
from autopilot_strategies.memory import Accepted, Average

_LOCK = 100.0
"""RainbowMiner's factor for a miner in its first rounds."""


class Rounds(NamedTuple):
    """Rainbow's parameters; spans in microseconds."""

    interval: float
    lock: float
    prevention: float
    decay: float
    hysteresis: float


def _rainbow_bid(setting: Rounds, seat: Seat, place: int, _rate: float, lift: float, memory: Average) -> tuple[float, float]:
    factor = _bonus(setting, seat.age) if place == seat.place else 1 - _doubt(setting, memory.error, seat.age)
    return memory.live - lift, memory.live * factor - lift


def _bonus(setting: Rounds, age: float) -> float:
    return (1 + setting.hysteresis) * (_LOCK if age < setting.lock else 1.0)


def _doubt(setting: Rounds, error: float, age: float) -> float:
    """The margin of error, at most the whole, as far as it has not faded; only whole per cent count."""
    slowed = round(age / setting.interval) / max(setting.prevention, 1.0)
    doubt = min(error, 1.0) * min(setting.prevention, 1.0) * math.pow(setting.decay, slowed)
    return math.floor(100 * doubt + 1e-9) / 100  # the last term keeps a rounding of floats from making 4 % of 5 %


choose_rainbow = contested(_rainbow_bid)


class Kept(NamedTuple):
    """What the present venue counts more, and a span that begins when a device arrives, in microseconds."""

    span: float
    bonus: float


def _nemos_bid(setting: Kept, seat: Seat, place: int, rate: float, lift: float, _memory: object) -> tuple[float, float]:
    price = rate - lift
    if place != seat.place:
        return price, price
    return price, math.inf if seat.age < setting.span else price * (1 + setting.bonus)


choose_nemos = contested(_nemos_bid)


def _accepted_bid(_setting: Lead, _seat: Seat, _place: int, _rate: float, lift: float, memory: Accepted) -> tuple[float, float]:
    price = memory.price - lift
    return price, price


def share_gained(old: float, new: float) -> float:
    """What the best for every device would add, as a share of what the rig earns; infinite where it earns nothing."""
    return (new - old) / old if old > 0 else math.inf


_choose_accepted = contested(_accepted_bid)


def choose_for_rig(setting: Lead, seat: Seat, offers: Offers, memories: Sequence[Accepted]) -> Case:
    """NiceHash Miner for a device that is the whole rig, or one of equal ones: it stays where the rig would gain too little."""
    case: Case = _choose_accepted(setting, seat, offers, memories)
    if seat.place == NOWHERE or share_gained(case.own_price, max(case.own_price, case.price)) >= setting.lead:
        return case
    return Case(seat.place, case.best, case.own_price, case.own_worth, case.price, case.worth)


def _mindminer_bid(setting: Kept, seat: Seat, place: int, rate: float, lift: float, _memory: object) -> tuple[float, float]:
    price = rate - lift
    if place != seat.place or seat.age >= setting.span:
        return price, price
    return price, price * (1 + setting.bonus) if price > 0 else math.inf


choose_mindminer = contested(_mindminer_bid)

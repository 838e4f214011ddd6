"""A market that nobody recorded: seeded, and as restless as the real ones.

The logarithm of a rate is a level plus five movements: a wander that comes back to the level, the rhythm of the day and of
the week, the price of the token that pays (shared by every GPU model that is paid in it), and a regime that is redrawn now
and then. Some hours have no rate, and some spans no answer at all.

Only ``random.Random`` is used, and every series has a seed of its own: the same seed gives the same market on every machine,
and a further network, GPU model or hour changes nothing of what was there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import cos, exp, exp2, nan, sqrt, tau
from random import Random

from autopilot.errors import ConfigError, did_you_mean
from autopilot.sim.panel import Panel
from autopilot.store.raterow import RateRow, shown
from autopilot.units import HOUR, UsdPerHour

LEVELS = {"RTX 3090": 0.17, "RTX 4090": 0.34, "A100": 1.05, "H100": 2.05}
"""USD an hour, about which the networks pay for each GPU model."""

_MICRO = 1000
"""Rates are written in whole millionths of a dollar, which count a thousand nano-dollars each."""
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Wander:
    """A mean-reverting walk of a logarithm (Ornstein-Uhlenbeck), seen once an hour."""

    sd: float
    """In the long run."""
    half_life: float
    """Hours in which half of a distance from the mean is gone."""

    def start(self, random: Random) -> float:
        """Where it is at first: anywhere that it could be after a long time."""
        return random.gauss(0.0, self.sd)

    def step(self, at: float, random: Random) -> float:
        """Where it is an hour later."""
        kept = exp2(-1.0 / self.half_life)
        return kept * at + self.sd * sqrt(1.0 - kept * kept) * random.gauss(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Habit:
    """How a network pays."""

    token: str
    premium: float
    """Over the level of the GPU model, as a share."""
    passed_on: float
    """How much of a move of the token reaches the rate; where asks are in dollars, little."""
    wander: Wander
    daily: float
    """Half the way between the best and the worst hour of the day, as a share."""
    peak: int
    """The best hour of the day, UTC."""
    weekend: float
    """What Saturday and Sunday add, as a share."""
    outages: float
    """Hours from one to the next, on average."""


NETWORKS = {
    "akash": Habit("AKT", 0.03, 0.1, Wander(0.05, 60.0), 0.02, 15, -0.01, 2000.0),
    "bittensor": Habit("TAO", 0.02, 0.9, Wander(0.07, 30.0), 0.0, 0, 0.0, 1200.0),
    "nosana": Habit("NOS", -0.03, 0.6, Wander(0.06, 18.0), 0.05, 19, 0.03, 900.0),
    "render": Habit("RENDER", 0.0, 0.4, Wander(0.08, 10.0), 0.12, 16, -0.10, 1500.0),
}

_TOKEN = Wander(0.10, 120.0)
_SHOCK_EVERY, _SHOCK_SD = 400.0, 0.12
_REGIME_EVERY, _REGIME_SD = 700.0, 0.08
_GAP_EVERY = 250.0
_OUTAGE_HOURS = 9.0


class _Token:
    """The logarithm of a token's price over its usual one. Pay returns to the level as capacity comes and goes."""

    def __init__(self, seed: int, name: str) -> None:
        self._random = Random(f"{seed}/token/{name}")  # noqa: S311  # a market is no secret
        self._at = _TOKEN.start(self._random)

    def step(self) -> float:
        self._at = _TOKEN.step(self._at, self._random)
        if self._random.random() < 1.0 / _SHOCK_EVERY:
            self._at += self._random.gauss(0.0, _SHOCK_SD)
        return self._at


class _Series:
    """What one network pays for one GPU model, hour by hour."""

    def __init__(self, seed: int, network: str, gpu: str) -> None:
        self.network, self.gpu = network, gpu
        self._habit = NETWORKS[network]
        self._level = LEVELS[gpu] * (1.0 + self._habit.premium)
        self._random = Random(f"{seed}/{network}/{gpu}")  # noqa: S311
        self._at = self._habit.wander.start(self._random)
        self._regime = self._random.gauss(0.0, _REGIME_SD)
        self._silent = 0

    def step(self, hour: datetime, token: float, line: int) -> RateRow | None:
        """The row of the hour; None while the network does not answer."""
        habit, random = self._habit, self._random
        self._at = habit.wander.step(self._at, random)
        if random.random() < 1.0 / _REGIME_EVERY:
            self._regime = random.gauss(0.0, _REGIME_SD)
        if random.random() < 1.0 / habit.outages:
            self._silent = 1 + int(random.expovariate(1.0 / _OUTAGE_HOURS))
        gap = random.random() < 1.0 / _GAP_EVERY
        if self._silent:
            self._silent -= 1
            return None
        rhythm = habit.daily * cos(tau * (hour.hour - habit.peak) / 24.0) + habit.weekend * (hour.weekday() >= _SATURDAY)
        usd = self._level * exp(self._at + self._regime + habit.passed_on * token + rhythm)
        rate = None if gap else UsdPerHour(round(usd * 1e6) * _MICRO)
        return RateRow(line, hour, self.network, self.gpu, rate)


def generate(seed: int, start: datetime, hours: int, gpus: Iterable[str]) -> Iterator[RateRow]:
    """The rates of every network for these GPU models, hour by hour. Raises ConfigError for a model without a level."""
    series = [_Series(seed, network, _known(gpu)) for gpu in gpus for network in NETWORKS]
    tokens = {habit.token: _Token(seed, habit.token) for habit in NETWORKS.values()}
    line = 2
    for index in range(hours):
        hour = start + index * HOUR
        moves = {name: token.step() for name, token in tokens.items()}
        for each in series:
            row = each.step(hour, moves[NETWORKS[each.network].token], line)
            if row is not None:
                yield row
                line += 1


@lru_cache(maxsize=8)  # every network of a simulated rig asks for the same one, and nobody can write to it
def generated_panel(seed: int, start: datetime, hours: int, gpu: str) -> Panel:
    """The same rates as a panel. Raises ConfigError for a model without a level."""
    import numpy as np

    networks = tuple(sorted(NETWORKS))
    rates = np.full((hours, len(networks)), nan)
    for row in generate(seed, start, hours, [gpu]):
        if row.rate is not None:
            rates[(row.hour - start) // HOUR, networks.index(row.network)] = float(row.rate)
    return Panel(start, gpu, networks, rates)


def _known(gpu: str) -> str:
    if gpu not in LEVELS:
        raise ConfigError(f"no market is generated for {shown(gpu)}; {did_you_mean(gpu, LEVELS)}")
    return gpu

"""How good the forecasts are: ``python benchmarks/skill.py [--boosting] [--full] [--only NAMES] [FOLDER]`` prints tables of skill.

Skill is 1 - MSE / MSE(persistence), walked forward, at the end of each history and decayed with a half-life of 45 days, on
differences between the venues near the top. FOLDER has the recorded panels (default: AUTOPILOT_TEST_DATA); without any, only
the generated families are measured. Each is seen as it is, and through quotes that are off by 8 %.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autopilot.clock import stopwatch
from autopilot.sim.panel import read_panel
from autopilot.units import HOUR
from autopilot_strategies.forecasting import ANCHORS, Forecaster, Lesson, Skill

Floats = NDArray[np.float64]

PANELS = ("subnets", "tokens", "regions_t4", "regions_v100", "venues_h100_80gb_pcie")
NOISES = (0.0, 0.08)
HOURS, VENUES = 3500, 8
_MONDAY = 480_096
"""Hours from 1970-01-01T00Z to a Monday."""
_TERM = 4 * 168
"""Hours from one lesson of boosting to the next."""


@dataclass(frozen=True, slots=True)
class Case:
    """A history to forecast: rates (hours, venues), of which the first row starts ``hour`` hours after 1970-01-01T00Z."""

    name: str
    hour: int
    rates: Floats


class World:
    """Movements of the logarithm of a rate, (hours, venues)."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def walk(self, sd: float) -> Floats:
        """A martingale."""
        return np.cumsum(self.random.normal(0.0, sd, (HOURS, VENUES)), axis=0)

    def wander(self, sd: float, half_life: float) -> Floats:
        """A walk that comes back (Ornstein-Uhlenbeck)."""
        kept = float(np.exp2(-1.0 / half_life))
        steps = self.random.normal(0.0, sd * np.sqrt(1.0 - kept * kept), (HOURS, VENUES))
        steps[0] = self.random.normal(0.0, sd, VENUES)
        for row in range(1, HOURS):
            steps[row] += kept * steps[row - 1]
        return steps

    def regime(self, sd: float, every: float) -> Floats:
        """A level that is redrawn now and then."""
        turns = np.cumsum(self.random.random((HOURS, VENUES)) < 1.0 / every, axis=0, dtype=np.int64)
        return np.take_along_axis(self.random.normal(0.0, sd, (HOURS, VENUES)), turns, axis=0)

    def rhythm(self, size: float) -> Floats:
        """A wave of the day, and a level for each day of the week."""
        hours = np.arange(HOURS)
        wave = np.cos(2.0 * np.pi * (hours[:, None] - self.random.uniform(0.0, 24.0, VENUES)) / 24.0)
        return size * (self.random.uniform(0.3, 1.0, VENUES) * wave + 0.5 * self.random.normal(0.0, 1.0, (7, VENUES))[hours // 24 % 7])

    def jitter(self, sd: float) -> Floats:
        """Each hour by itself."""
        return self.random.normal(0.0, sd, (HOURS, VENUES))


FAMILIES: dict[str, Callable[[World], Floats]] = {
    "mixed": lambda of: of.rhythm(0.06) + of.wander(0.08, 24.0) + of.wander(0.1, 200.0) + of.regime(0.08, 400.0),
    "fast": lambda of: of.wander(0.15, 6.0) + of.jitter(0.05),
    "slow": lambda of: of.wander(0.15, 240.0),
    "seasonal": lambda of: of.rhythm(0.15) + of.wander(0.08, 48.0),
    "regime": lambda of: of.regime(0.15, 300.0) + of.wander(0.03, 12.0),
    "martingale": lambda of: of.walk(0.01),
}


def cases(folder: Path | None, only: Collection[str]) -> Iterator[Case]:
    """The recorded panels that the folder has, then the generated families."""
    for path in (folder / f"{name}.csv.gz" for name in PANELS if name in only) if folder else ():
        panel = read_panel(path)
        yield Case(path.name.partition(".")[0], int(panel.start.timestamp()) // int(HOUR.total_seconds()), panel.rates)
    for seed, (name, family) in enumerate(FAMILIES.items()):
        world = World(seed)
        if name in only:
            yield Case(name, _MONDAY, 0.35 * np.exp(world.random.normal(0.0, 0.1, VENUES) + family(world)))


def seen(rates: Floats, noise: float) -> Floats:
    """The rates times a log-normal error of mean one."""
    sd = np.sqrt(np.log1p(noise * noise))
    return rates * np.exp(np.random.default_rng(0).normal(-sd * sd / 2.0, sd, rates.shape))


def forecast(case: Case, *, boosting: bool) -> Skill:
    """Walk through the history, with a lesson every four weeks where boosting is asked for."""
    state = Forecaster.start(case.rates.shape[1], case.hour)
    for first in range(0, len(case.rates), _TERM):
        lesson = Lesson.learn(case.rates[:first], case.hour) if boosting else None
        state = state.taught(lesson) if lesson else state
        state, _ = state.extend(case.rates[first : first + _TERM])
    return state.skill()


def compact(skill: Skill) -> Iterator[str]:
    """The best of each kind, chosen by anchor with hindsight; the ridge; and what the mix made of them."""
    kinds: dict[str, Callable[[str], bool]] = {
        "best average": lambda name: name.startswith("average of"),
        "best rhythm": lambda name: name in {"hour of day", "hour of week", "average and rhythm"},
        "without outliers": lambda name: name == "without outliers",
        "ridge": lambda name: name == "ridge",
        "boosting": lambda name: name == "boosting",
    }
    for kind, belongs in kinds.items():
        members = [each for each in skill.members if belongs(each.name) and "no lesson" not in each.why]
        if members:
            best = (max(each.differences[a] for each in members) for a in range(len(ANCHORS)))
            yield f"  {kind:<18}" + "".join(f"{value:7.3f}" for value in best)
    yield f"  {'mix':<18}" + "".join(f"{value:7.3f}" for value in skill.mix.differences)
    yield f"  {'mix, on levels':<18}" + "".join(f"{value:7.3f}" for value in skill.mix.levels)


def speed() -> Iterator[str]:
    """Of twelve venues, on one core."""
    rates = seen(np.full((HOURS, 12), 0.35), 0.1)
    began = stopwatch()
    state, _ = Forecaster.start(12, _MONDAY).extend(rates)
    yield f"{HOURS} rows of 12 venues at once: {stopwatch() - began:.2f} s"
    times = []
    for row in range(24):
        began = stopwatch()
        state, _ = state.extend(rates[row : row + 1])
        times.append(stopwatch() - began)
    yield f"one row: {1e3 * sorted(times)[12]:.2f} ms in the middle, {1e3 * max(times):.2f} ms where the weights are solved again"


def main() -> int:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--boosting", action="store_true", help="with quantile boosting: a lesson every four weeks")
    options.add_argument("--full", action="store_true", help="every member")
    options.add_argument("--only", default=",".join((*PANELS, *FAMILIES)), help="some of them, with commas between")
    options.add_argument("folder", nargs="?", default=os.environ.get("AUTOPILOT_TEST_DATA"), help="with the recorded panels")
    chosen = options.parse_args()
    print(f"{'hours ahead':<20}" + "".join(f"{ahead:>7}" for ahead in ANCHORS))
    for case in cases(Path(chosen.folder) if chosen.folder else None, chosen.only.split(",")):
        for noise in NOISES:
            skill = forecast(Case(case.name, case.hour, seen(case.rates, noise)), boosting=chosen.boosting)
            print(f"{case.name}, noise {noise:g}", *(skill.lines() if chosen.full else compact(skill)), sep="\n", flush=True)
    print(*speed(), sep="\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

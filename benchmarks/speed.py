"""How fast a sweep is: ``python benchmarks/speed.py [--short] [--vectorbt PYTHON]`` prints a table of figures against their limits.

1,000 leads of ``threshold`` are flown over three years of hours and eight venues: by ``autopilot.backtest.sweep``, by the same rule
as a loop over numpy arrays, and by the same rule as orders of vectorbt, which is in no list of ours: name an interpreter that has it
(``python -m venv vbt && vbt/bin/pip install vectorbt``), and it is asked in the same run. All three must come to the same money. Seconds
are those of one core, user and system. Then 100 experts of ``forecast`` fly half a year, each a plan of another horizon, and every built-in
strategy decides for 8 GPUs, each at another one of 12 venues.
``--short`` flies less, and fails only where a figure is twice as bad as its limit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from autopilot.backtest.compiler import compiled
from autopilot.backtest.runner import Course, Terms
from autopilot.backtest.sweep import sweep
from autopilot.contracts import Strategy
from autopilot.model.history import Record
from autopilot.model.view import View
from autopilot.plugins import built_in_strategies, make_strategy
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START, answer, device, venue, view
from autopilot.units import HOUR
from autopilot_strategies.alone import Planner

VENUES, GPUS, LIVE_VENUES, LIVE_HOURS = 8, 8, 12, 24 * 60
PLANNED = 4_380
"""Hours that the experts of ``forecast`` fly."""
DARK = 0.5
"""Hours of a move: the default downtime."""

VECTORBT = """
import json, sys, time
import numpy as np
import vectorbt as vbt

given = np.load(sys.argv[1])
rates, paths = given["rates"], given["paths"]
hours, venues = rates.shape
nan = np.full((1, venues), np.nan)
taken = prepared = 0.0
nets = []
for turn, path in enumerate([paths[0], *paths]):
    begun = time.process_time()
    # One unit of the venue that one is at: it gains in price what the venue pays. The dark part of an hour is a fee of arriving.
    price = 1e3 + np.concatenate([np.zeros((1, venues)), np.cumsum(rates, axis=0)])
    held = np.concatenate([path[:, None] == np.arange(1, venues + 1), np.zeros((1, venues), bool)])
    held[-1] = held[-2]
    size = np.where(held != np.concatenate([np.zeros((1, venues), bool), held[:-1]]), held.astype(float), np.nan)
    fees = np.where(size == 1, np.concatenate([rates, nan * 0]) * float(sys.argv[2]), 0.0)
    middle = time.process_time()
    flown = vbt.Portfolio.from_orders(price, size, size_type="targetamount", fixed_fees=fees, init_cash=1e6, freq="1h")
    end = time.process_time()
    if turn:  # the first one compiles
        prepared, taken = prepared + middle - begun, taken + end - middle
        nets.append(float(flown.total_profit().sum()))
print(json.dumps({"prepared": prepared, "taken": taken, "nets": nets, "version": vbt.__version__}))
"""
"""The rule as orders: flown one setting at a time, which is as fast as several together. Where it goes is known before it begins."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement, and the limit that it must keep: at least, or at most where that is said."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    at_most: bool = False

    def kept(self, slack: float) -> bool:
        """Whether it keeps its limit, with this much slack."""
        if self.limit is None:
            return True
        return self.value <= self.limit * slack if self.at_most else self.value * slack >= self.limit

    def __str__(self) -> str:
        limit = "" if self.limit is None else f"{'at most' if self.at_most else 'at least'} {self.limit:,g}"
        return f"| {self.what} | {self.value:,.4g} {self.unit} | {limit} |"


@dataclass(frozen=True, slots=True)
class Field:
    """What is flown."""

    course: Course
    leads: np.ndarray
    strategies: list[Strategy]

    @classmethod
    def drawn(cls, hours: int, count: int) -> Field:
        """Rates that change by 4 % an hour and return to their mean by 2 % an hour; leads from 0.1 to 30 %."""
        dice = np.random.default_rng(0)
        steps, logs = 0.04 * dice.standard_normal((hours, VENUES)), np.zeros((hours, VENUES))
        for hour in range(1, hours):
            logs[hour] = 0.98 * logs[hour - 1] + steps[hour]
        panel = Panel(datetime(2025, 1, 1, tzinfo=UTC), MODEL, tuple("abcdefgh"), np.round(0.4 * np.exp(logs), 9))
        leads = np.round(np.linspace(0.001, 0.3, count), 9)
        strategies = [make_strategy("threshold", {"lead": f"{lead:.9f}"}).strategy for lead in leads]
        return cls(Course(panel, panel.rates, panel.start, panel.end), leads, strategies)

    @property
    def steps(self) -> int:
        """How many hours all settings fly together."""
        return self.course.hours * len(self.strategies)


def seconds(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """The least core time of some runs, and what came of it."""
    least = float("inf")
    for _ in range(times):
        begun = process_time()
        made = work()
        least = min(least, process_time() - begun)
    return least, made


def measure(field: Field, vectorbt: str) -> Iterator[Figure]:
    """The sweep, its rivals, and the hardware."""
    first, _ = seconds(lambda: sweep(field.strategies, field.course, Terms()), 1)
    taken, swept = seconds(lambda: sweep(field.strategies, field.course, Terms()))
    ours = taken / field.steps
    yield Figure("compiling, once a process", first - taken, "s")
    yield Figure(f"sweep: {len(field.strategies):,} settings x {field.course.hours:,} h x {VENUES} venues", taken, "s")
    yield Figure("sweep, per setting and hour", ours * 1e9, "ns")
    yield Figure("sweep, settings times hours", 1e-6 / ours, "million a second")
    bound = _bound(field)
    yield Figure("the hardware: one comparison per setting and hour, vectorised, in cache", bound * 1e9, "ns")
    yield Figure("sweep over the hardware's bound", ours / bound, "times")
    some = np.linspace(0, len(field.leads) - 1, 5).astype(int)
    loop, nets = seconds(lambda: [_loop(field.course.panel.rates, field.leads[each]) for each in some], 1)
    _agree("the numpy loop", nets, swept.net_usd[some])
    loop /= len(some) * field.course.hours
    yield Figure("the same rule as a loop over numpy arrays, per setting and hour", loop * 1e6, "µs")
    yield Figure("the loop over the sweep", loop / ours, "times", 50)
    yield from _vectorbt(field, vectorbt, some, ours, swept.net_usd[some])


def _bound(field: Field) -> float:
    """Core seconds of the least that visits every hour of every setting: compare a number that is at hand, and count."""
    numbers = field.course.panel.rates[:, 0].copy()
    count = compiled(_count)
    count(numbers, field.leads)
    return seconds(lambda: count(numbers, field.leads))[0] / field.steps


def _count(numbers: Any, limits: Any) -> int:
    found = 0
    for limit in limits:
        for number in numbers:
            found += number > limit
    return found


def _loop(rates: np.ndarray, lead: float) -> float:
    """What threshold nets with the default terms: what is known at an hour is the rate of the hour before."""
    best, best_rate = rates.argmax(axis=1), rates.max(axis=1)
    place, net = -1, 0.0
    for hour in range(1, len(rates)):
        known = rates[hour - 1]
        present = known[place] if place >= 0 else 0.0
        highest = best_rate[hour - 1]
        if place < 0 or (highest > present and highest >= present * (1 + lead)):
            place = best[hour - 1]
            net -= DARK * rates[hour, place]
        net += rates[hour, place]
    return float(net)


def _vectorbt(field: Field, interpreter: str, some: np.ndarray, ours: float, nets: np.ndarray) -> Iterator[Figure]:
    if subprocess.run([interpreter, "-c", "import vectorbt"], capture_output=True, check=False).returncode:  # noqa: S603
        print(f"{interpreter} has no vectorbt: python -m venv vbt && vbt/bin/pip install vectorbt, then --vectorbt vbt/bin/python\n")
        return
    preparing, traced = seconds(lambda: sweep([field.strategies[each] for each in some], field.course, Terms(), paths=True), 1)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "given.npz"
        np.savez(given, rates=field.course.panel.rates, paths=traced.paths)
        ran = subprocess.run(  # noqa: S603  # the interpreter that was named
            [interpreter, "-c", VECTORBT, str(given), str(DARK)], capture_output=True, text=True, check=True
        )
    told = json.loads(ran.stdout)
    _agree("vectorbt", told["nets"], nets)
    steps = len(some) * field.course.hours
    yield Figure(f"vectorbt {told['version']} from_orders, per setting and hour", told["taken"] / steps * 1e6, "µs")
    yield Figure("its target sizes beforehand, by our sweep and numpy (not counted)", (told["prepared"] + preparing) / steps * 1e6, "µs")
    yield Figure("vectorbt over the sweep", told["taken"] / steps / ours, "times", 500)


def _agree(who: str, theirs: Any, ours: Any) -> None:
    if not np.allclose(theirs, ours, rtol=1e-6, atol=0):
        sys.exit(f"{who} comes to {theirs} USD, the sweep to {ours}: they do not fly the same rule")


def experts(field: Field) -> Iterator[Figure]:
    """Plans on the forecast, which is read once for all of them."""
    course = replace(field.course, end=field.course.panel.at(PLANNED))
    plans = [Planner(horizon=(4 + each) * HOUR) for each in range(100)]
    sweep(plans[:1], course, Terms())  # it compiles
    once, _ = seconds(lambda: sweep(plans[:1], course, Terms()), 1)
    taken, _ = seconds(lambda: sweep(plans, course, Terms()), 1)
    each = (taken - once) / (99 * course.hours)
    yield Figure("the forecasts that all plans are made on, and one plan, per hour", once / course.hours * 1e6, "µs")
    yield Figure(f"sweep of plans: 17 blocks x {VENUES} venues each, per setting and hour", each * 1e6, "µs")
    yield Figure("sweep of plans, settings times hours", 1e-6 / each, "million a second")


def decide() -> Iterator[Figure]:
    """The slowest of five decisions, an hour apart, of each built-in strategy; what it learned and remembers is carried on."""
    for name in built_in_strategies():
        strategy, worst = make_strategy(name, {}).strategy, 0.0
        for turn, seen in enumerate(_views()):
            strategy = strategy.fit(seen.history) if turn == 0 else strategy
            taken, _ = seconds(lambda strategy=strategy, seen=seen: strategy.decide(seen), 1)  # type: ignore[misc]
            worst = max(worst, taken) if turn else 0.0
        yield Figure(f"one decision of {name} for {GPUS} GPUs at {LIVE_VENUES} venues", worst * 1e3, "ms", 50, at_most=True)


def _views() -> Iterator[View]:
    """Six hours in a row, of a record of two months."""
    dice = np.random.default_rng(1)
    table = np.round(0.4 * np.exp(np.cumsum(0.02 * dice.standard_normal((LIVE_HOURS, LIVE_VENUES)), axis=0)), 9)
    record = Record()
    for hour, row in enumerate(table):
        now = START + (hour + 1) * HOUR
        for place, rate in enumerate(row):
            record.learn(answer(f"venue-{place:02}", device(), float(rate), now, now), MODEL)
        if hour >= LIVE_HOURS - 6:
            columns = {f"venue-{place:02}": [*([None] * hour), float(rate)] for place, rate in enumerate(row)}
            yield _apart(replace(view(columns, "venue-03", devices=GPUS), history=record.until_now()))


def _apart(seen: View) -> View:
    """Every GPU at a venue of its own, so that no two of them ask the same."""
    places = {}
    for number, (each, place) in enumerate(seen.placements.items()):
        there = venue(f"venue-{number:02}")
        places[each] = replace(place, venue=there, seen=replace(place.seen, venue=there))
    return replace(seen, placements=places)


def main() -> int:
    """The table. The exit status is 1 where a figure is worse than its limit, with ``--short`` twice as bad."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    arguments = sys.argv[1:]
    short = "--short" in arguments
    vectorbt = arguments[arguments.index("--vectorbt") + 1] if "--vectorbt" in arguments else sys.executable
    field = Field.drawn(4_380, 200) if short else Field.drawn(26_280, 1_000)
    print("| figure | measured | limit |\n|---|---:|---:|")
    broken = 0
    for figure in (*measure(field, vectorbt), *experts(field), *decide()):
        print(figure, flush=True)
        broken += not figure.kept(2.0 if short else 1.0)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

"""Planning for a fleet: ``python benchmarks/fleet.py [--short]`` assigns 10,000 GPUs of 12 models to 20 venues with falling pay.

It prints how long a plan takes after warm-up, how far it is from a bound that linear programming's duality proves (docs/market.md §4), and
what two simpler ways are worth of that bound: nobody moves, and everybody goes to the venue whose next place looks best. The fleets are
drawn by a seed. ``--short`` takes fewer repetitions and forgives twice the time.
"""

from __future__ import annotations

import argparse
import resource
from dataclasses import dataclass
from statistics import median

import numpy as np

from autopilot.clock import stopwatch
from autopilot_strategies.blocks import bound, search
from autopilot_strategies.fleet import Arrangement, Fleet, Ints

GPUS, MODELS, VENUES = 10_000, 12, 20
MOST_SECONDS = 0.020
MOST_GAP = 1e-4


def drawn(seed: int, *, limits: bool) -> Fleet:
    """A fleet as it might stand: models of all prices, at venues that pay them within some 25 % and take most of them.

    USD over a day. Each further GPU at a venue earns 0.05 to 0.5 % less than the one before; with ``limits`` six venues have hardly more
    places than GPUs.
    """
    rng = np.random.default_rng(seed)
    pay = 24 * rng.lognormal(-0.8, 0.7, (MODELS, 1)) * rng.lognormal(0.0, 0.25, (MODELS, VENUES))
    counts = rng.multinomial(GPUS, rng.dirichlet(np.ones(MODELS * VENUES)))
    kind, home = np.divmod(np.arange(MODELS * VENUES), VENUES)
    cost = rng.uniform(0.0, 0.2, (len(kind), 1)) + rng.uniform(0.05, 0.5, (MODELS, VENUES))[kind]
    cost[rng.random((MODELS, VENUES))[kind] < 0.2] = np.inf  # noqa: PLR2004  # a fifth of the venues does not take a model
    cost[np.arange(len(kind)), home] = 0.0
    there = np.bincount(home, weights=counts, minlength=VENUES).astype(int)
    places = np.where(limits & (np.arange(VENUES) % 3 == 0), there + 20, GPUS)
    some = counts > 0
    return Fleet(counts[some], kind[some], home[some], pay, cost[some], rng.uniform(0.0005, 0.005, VENUES), places)


def herd(fleet: Fleet) -> Ints:
    """Everybody to the venue whose next place pays most after the cost of going there, as long as there are places."""
    where = fleet.staying()
    next_place = Arrangement(fleet).marginals(fleet.by_kind(where))[fleet.kind] - fleet.cost
    for group, venue in enumerate(next_place.argmax(1).tolist()):
        home = fleet.home[group]
        gone = min(int(where[group, home]), int(fleet.places[venue] - where[:, venue].sum())) if venue != home else 0
        where[group, home] -= gone
        where[group, venue] += gone
    return where


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fleet, planned."""

    name: str
    seconds: tuple[float, ...]
    core: float
    """Seconds of one core, at best: what others do on a shared machine lengthens this less."""
    gap: float
    """What is missing to the bound, as a share of it."""
    staying: float
    herding: float
    bounding: float
    """Seconds that the bound takes."""

    def line(self) -> str:
        """For the table."""
        fast, usual = (1000 * pick(self.seconds) for pick in (min, median))
        return (
            f"{self.name:<26} {fast:6.1f} ms best {usual:6.1f} ms median {1000 * self.core:6.1f} ms of a core   gap {self.gap:8.5%}"
            f"   nobody moves {self.staying:6.2%}   all to the best {self.herding:6.2%}   bound took {1000 * self.bounding:5.0f} ms"
        )


def measure(name: str, fleet: Fleet, repeats: int) -> Outcome:
    """Plan it so many times, after three to warm up."""
    for _ in range(3):
        where = search(fleet)
    seconds, cores = [], []
    for _ in range(repeats):
        began, before = stopwatch(), _core()
        search(fleet)
        cores.append(_core() - before)
        seconds.append(stopwatch() - began)
    began = stopwatch()
    best = bound(fleet, where)
    took = stopwatch() - began
    shares = [fleet.total(each) / best for each in (where, fleet.staying(), herd(fleet))]
    return Outcome(name, tuple(seconds), min(cores), 1 - shares[0], shares[1], shares[2], took)


def _core() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Print the table; 1 where a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer repetitions, and twice the time is forgiven")
    short = parser.parse_args().short
    seeds = range(1, 3) if short else range(1, 21)
    cases = [
        (f"{'with' if limits else 'no'} limits, seed {seed}", drawn(seed, limits=limits)) for limits in (False, True) for seed in seeds
    ]
    outcomes = [measure(name, fleet, 25 if short else 40) for name, fleet in cases]
    print(f"{GPUS:,} GPUs of {MODELS} models, {VENUES} venues with falling pay; shares are of the bound")
    for outcome in outcomes:
        print(outcome.line())
    slowest, widest = max(min(outcome.seconds) for outcome in outcomes), max(outcome.gap for outcome in outcomes)
    limit = 2 * MOST_SECONDS if short else MOST_SECONDS
    cores = [outcome.core for outcome in outcomes]
    print(f"of a core: mean {1000 * sum(cores) / len(cores):.1f} ms, most {1000 * max(cores):.1f} ms")
    print(f"slowest {1000 * slowest:.1f} ms (limit {1000 * limit:.0f}), widest gap {widest:.5%} (limit {MOST_GAP:.3%})")
    return 0 if slowest <= limit and widest <= MOST_GAP else 1


if __name__ == "__main__":
    raise SystemExit(main())

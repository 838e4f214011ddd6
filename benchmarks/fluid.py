"""Regret of ``forecast`` on recorded panels against every rival: ``python benchmarks/fluid.py FOLDER`` prints a table.

FOLDER holds files for the backtest, each with one GPU model. The first half of each is history, the second half is scored, with a
downtime of 0.25, 1, 4 and 12 h and with quotes that are exact or off by 8 %. Rivals are the fixed leads of 0 to 30 %, the best of them
in hindsight for each case, the controls and the rules of the mining switchers. ``forecast`` is flown hour by hour on arrays, which a test
holds equal to the pilot's flight.

``--broken``: with forecasts that are permuted, flipped and frozen. ``--ablate``: without parts of it. ``--locked``: where one venue, or
each, keeps who goes there for 12 or 24 h. ``--short``: one panel, for CI.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from autopilot.backtest.runner import Course, Terms, perfect
from autopilot.backtest.sweep import sweep
from autopilot.contracts import Strategy
from autopilot.plugins import make_strategy
from autopilot.sim.panel import Panel as RatePanel
from autopilot.sim.panel import noisy, read_panel
from autopilot.units import HOUR
from autopilot_strategies.accounts import Accounts
from autopilot_strategies.experts import Panel, families, panel, tables
from autopilot_strategies.forecast import Levels
from autopilot_strategies.forecasting import Forecaster
from autopilot_strategies.plans import FREE, Entry, Outlook, braked
from autopilot_strategies.signals import Floats, Readings, Signals
from autopilot_strategies.targets import Targets

DOWNTIMES = (0.25, 1.0, 4.0, 12.0)
NOISES = (0.0, 0.08)
LEADS = tuple(range(31))
"""Per cent."""
PEERS = ("rainbow", "rainbow-ticks", "nemos", "nemos-ticks", "nicehash", "nicehash-ticks", "mindminer", "mindminer-ticks")
LOCKED = 1.0
"""Hours of downtime at which locks are flown."""
CONTROLS = ("stay", "greedy", "payback")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Bend = Callable[[Floats], Floats]
"""What becomes of the levels of a forecast, (hours, anchors, venues)."""


@dataclass(frozen=True, slots=True)
class Way:
    """How ``forecast`` is flown."""

    name: str
    parts: frozenset[str] = frozenset(families())
    """The families of experts that vote."""
    learns: bool = True
    """Whether the votes follow profit."""
    guarded: bool = True
    bend: Bend = field(default=lambda levels: levels)
    locks: str = "priced"
    """What it makes of a stay that cannot be cut short: "priced", only "known", or "ignored"."""

    def panel(self, entry: Entry) -> Panel:
        """The experts, of whom only some have a voice."""
        whole, every = panel(locks=entry.locks), families(locks=entry.locks)
        share = np.concatenate([np.full(len(names), family in self.parts) for family, names in every.items()])
        share &= self.locks == "priced" or np.array(["premium" not in name for name in whole.names])
        return replace(whole, prior=whole.prior * share, free=whole.free if share[whole.free].any() else share)


@dataclass(frozen=True, slots=True)
class Sky:
    """A course, and all that does not hang on the cost of a move."""

    name: str
    noise: float
    course: Course
    levels: Floats
    lows: Floats
    readings: Readings
    anchors: Floats

    @classmethod
    def of(cls, path: Path, noise: float) -> Sky:
        """The second half of a file."""
        recorded = read_panel(path)
        shown = noisy(recorded, noise, 0) if noise else recorded.rates
        return cls.over(path.name.removesuffix(".csv.gz"), noise, recorded, shown, recorded.at(recorded.hours // 2))

    @classmethod
    def over(cls, name: str, noise: float, recorded: RatePanel, shown: Floats, start: datetime) -> Sky:
        """A panel from an instant on."""
        cast = Levels(Forecaster.start(venues=len(recorded.networks), hour=(recorded.start - _EPOCH) // HOUR))
        levels, lows = cast.extend(shown)[1:]
        readings = Signals.start(len(recorded.networks)).extend(shown)[1]
        return cls(name, noise, Course(recorded, shown, start, recorded.end), levels, lows, readings, cast.anchors)

    @property
    def before(self) -> int:
        """Hours of history."""
        return (self.course.start - self.course.panel.start) // HOUR

    def brakes(self, row: int, entry: Entry, move: tuple[int, int], hours: float) -> bool:
        """Whether a move by what is known at the end of a row would rest on a forecast whose low end loses."""
        now = slice(row, row + 1)
        outlook, low = (Outlook.of(each[now], self.anchors, self.readings.cut(now), FREE) for each in (self.levels, self.lows))
        return braked(outlook, low, entry, move, hours)

    def tables(self, entry: Entry) -> Targets:
        """What every expert would do at the start of each hour, the first excepted."""
        parts = []
        for begin in range(0, len(self.levels), 480):
            piece = slice(begin, begin + 480)
            parts.append(tables(self.readings.cut(piece), self.levels[piece], self.anchors, entry)[0])
        return np.concatenate(parts)


def fly(sky: Sky, downtime: float, way: Way, stay: Floats | None = None) -> float:
    """The net of one device in USD, from idle: what the pilot would come to with ``forecast``.

    ``stay`` has the hours for which each venue keeps who goes there.
    """
    shown, paid = sky.course.shown, np.nan_to_num(sky.course.panel.rates)
    venues = shown.shape[1]
    stay = np.zeros(venues) if stay is None else stay
    sky = replace(sky, levels=way.bend(sky.levels), lows=way.bend(sky.lows))
    entry = Entry(np.array([0.0] + [downtime] * venues), np.zeros(venues + 1), np.append(0.0, stay * (way.locks != "ignored")))
    experts, decided, hour = way.panel(entry), sky.tables(entry), (sky.course.panel.start - _EPOCH) // HOUR
    still = np.tile(np.arange(venues + 1, dtype=np.int16), (1, *decided.shape[1:2], 1))
    decided = np.concatenate((still, decided))
    accounts = Accounts.start(experts).extend(experts, entry, decided[: sky.before], shown[: sky.before], hour)
    here, busy, came, net = 0, 0, -np.inf, 0.0
    for row in range(sky.before, len(shown)):
        if not way.learns:
            accounts = replace(accounts, weights=experts.prior / experts.prior.sum())
        if busy == 0:
            election = accounts.elect(experts, entry, _on_offer(decided[row], shown[row - 1]), here)
            target = election.target if way.guarded else election.wish
            doubted = target != here and way.guarded and election.foreseen
            if target != here and not (doubted and sky.brakes(row - 1, entry, (here, target), accounts.ahead(experts))):
                here, came = target, row
                busy = int(np.ceil(max(downtime, stay[here - 1]) if here else downtime))
        busy, lit = max(busy - 1, 0), min(max(row + 1 - came - downtime, 0.0), 1.0)
        net += lit * paid[row, here - 1] if here else 0.0
        accounts = accounts.extend(experts, entry, decided[row : row + 1], shown[row : row + 1], hour + row)
    return float(net)


def _on_offer(table: Targets, known: Floats) -> Targets:
    """Nobody goes where nothing is offered."""
    offered = np.concatenate(([True], ~np.isnan(known)))
    return np.where(offered[table], table, np.arange(len(offered), dtype=np.int16))


@dataclass(frozen=True, slots=True)
class Case:
    """A course and a downtime, with the regret of everyone in per cent."""

    sky: Sky
    downtime: float
    best: float
    """Of perfect foresight, USD."""
    leads: tuple[float, ...]
    rivals: dict[str, float]

    @classmethod
    def of(cls, sky: Sky, downtime: float) -> Case:
        """The rivals flown."""
        terms = Terms(downtime=timedelta(hours=downtime))
        best = perfect(sky.course, terms).net_usd
        names = (*CONTROLS, *PEERS)
        fixed = [make_strategy("threshold", {"lead": str(lead / 100)}).strategy for lead in LEADS]
        strategies: Sequence[Strategy] = [*fixed, *(make_strategy(name, {}).strategy for name in names)]
        regrets = [100 * (1 - net / best) for net in sweep(strategies, sky.course, terms).net_usd.tolist()]
        return cls(sky, downtime, best, tuple(regrets[: len(LEADS)]), dict(zip(names, regrets[len(LEADS) :], strict=True)))

    def regret(self, way: Way, stay: Floats | None = None) -> float:
        """Per cent of perfect foresight that is missed."""
        return 100 * (1 - fly(self.sky, self.downtime, way, stay) / self.best)

    @property
    def label(self) -> str:
        """For the first column."""
        return f"{self.sky.name[:24]:24} {self.sky.noise:5.0%} {self.downtime:6g} h"


def cases(folder: Path, *, short: bool) -> Iterator[Case]:
    """Every panel, noise and downtime; of the short form the largest file and two downtimes."""
    paths = [path for path in sorted(folder.glob("*.csv.gz")) if not path.name.startswith("electricity")]
    for path in [max(paths, key=lambda path: path.stat().st_size)] if short else paths:
        for noise in NOISES:
            sky = Sky.of(path, noise)
            for downtime in DOWNTIMES[1:3] if short else DOWNTIMES:
                yield Case.of(sky, downtime)


def contest(flown: Iterator[Case], allowed: float) -> bool:
    """The main table; whether ``forecast`` keeps to the best lead plus 0.3 points everywhere, and to half the best peer on average."""
    print(f"{'regret, %':24} {'noise':>5} {'dark':>8} {'forecast':>9} {'best lead':>14} {'threshold':>10} {'greedy':>8} {'best peer':>26}")
    own: list[float] = []
    every: list[Case] = []
    missed = []
    for case in flown:
        regret, lead = case.regret(Way("forecast")), min(case.leads)
        own.append(regret)
        every.append(case)
        peer = min(PEERS, key=lambda name: case.rivals[name])
        late = regret > lead + 0.3
        missed += [regret - lead] if late else []
        at = f"{lead:.2f} at {case.leads.index(lead)} %"
        rest = f"{case.leads[5]:10.2f} {case.rivals['greedy']:8.2f} {peer:>18} {case.rivals[peer]:7.2f}"
        print(f"{case.label} {regret:9.2f} {at:>14} {rest}{'  MISSED' if late else ''}", flush=True)
    means = {name: float(np.mean([case.rivals[name] for case in every])) for name in (*CONTROLS, *PEERS)}
    means |= {f"lead {lead} %": float(np.mean([case.leads[lead] for case in every])) for lead in LEADS}
    best = min(PEERS, key=lambda name: means[name])
    ratio = float(np.mean(own)) / means[best]
    print(f"\nmean: forecast {np.mean(own):.2f}, best lead of each case {np.mean([min(case.leads) for case in every]):.2f}")
    print(", ".join(f"{name} {mean:.2f}" for name, mean in sorted(means.items(), key=lambda item: item[1])[:14]))
    kept = f"{len(own) - len(missed)} of {len(own)} cases"
    print(f"{kept} within 0.3 points of the best lead in hindsight; {ratio:.2f} of the best peer, {best}")
    return max(missed, default=0.0) <= allowed * 0.3 and ratio <= allowed * 0.5


def _flipped(levels: Floats) -> Floats:
    known = np.nan_to_num(levels)
    return np.asarray(2 * known.mean(axis=2, keepdims=True) - known)


BROKEN: dict[str, Bend] = {
    "permuted": lambda levels: np.roll(levels, levels.shape[2] // 2, axis=2),
    "flipped": _flipped,
    "frozen": lambda levels: np.repeat(levels[400:401], len(levels), axis=0),
}


def _broken() -> list[Way]:
    alone = frozenset({"forecast"})
    ways = []
    for name, bend in BROKEN.items():
        ways.append(Way(f"{name} alone", alone, guarded=False, bend=bend))
        ways.append(Way("guarded", alone, bend=bend))
        ways.append(Way("voted", bend=bend))
    return ways


def _ablated() -> list[Way]:
    every = frozenset(families())
    return [Way("all"), *(Way(f"no {part}", every - {part}) for part in families()), Way("equal votes", learns=False)]


def table(flown: Iterator[Case], ways: Sequence[Way], *, share: bool) -> None:
    """Several ways side by side: regret, or the share of perfect foresight."""
    print(f"{'share' if share else 'regret, %':24} {'noise':>5} {'dark':>8} " + " ".join(f"{way.name:>15}" for way in ways))
    rows = []
    for case in flown:
        regrets = [case.regret(way) for way in ways]
        rows.append([1 - regret / 100 for regret in regrets] if share else regrets)
        print(f"{case.label} " + " ".join(f"{value:15.3f}" for value in rows[-1]), flush=True)
    for name, value in (("mean", np.mean(rows, axis=0)), ("least" if share else "most", (np.min if share else np.max)(rows, axis=0))):
        print(f"{name:39} " + " ".join(f"{each:15.3f}" for each in value))


def locked(flown: Iterator[Case]) -> None:
    """Regret against perfect foresight that nothing keeps, where the venue that leads most often, or each, keeps who goes there."""
    ways = [Way(name, locks=name) for name in ("priced", "known", "ignored")]
    print(f"{'regret, %':24} {'noise':>5} {'dark':>8} {'stay':>14} " + " ".join(f"{way.name:>9}" for way in ways))
    rows = []
    for case in flown:
        venues = case.sky.course.scored.shape[1]
        leads = np.bincount(np.nan_to_num(case.sky.course.scored).argmax(axis=1), minlength=venues)
        for hours in (12.0, 24.0):
            for name, keeps in (("one venue", np.arange(venues) == leads.argmax()), ("every venue", np.ones(venues))):
                rows.append([case.regret(way, hours * keeps) for way in ways])
                print(f"{case.label} {hours:2g} h {name:>9} " + " ".join(f"{value:9.3f}" for value in rows[-1]), flush=True)
    print(f"{'mean':54} " + " ".join(f"{value:9.3f}" for value in np.mean(rows, axis=0)))


def main() -> int:
    """Print the table; 1 where the contest is lost, in the short form by twice the figure."""
    parser = argparse.ArgumentParser(description="regret of forecast on recorded panels")
    parser.add_argument("folder", type=Path)
    for option in ("--broken", "--ablate", "--locked", "--short"):
        parser.add_argument(option, action="store_true")
    given = parser.parse_args()
    flown = cases(given.folder, short=given.short)
    if given.broken or given.ablate:
        table(flown, _broken() if given.broken else _ablated(), share=given.broken)
        return 0
    if given.locked:
        locked(case for case in flown if case.downtime == LOCKED)
        return 0
    return 0 if contest(flown, 2.0 if given.short else 1.0) else 1


if __name__ == "__main__":
    raise SystemExit(main())

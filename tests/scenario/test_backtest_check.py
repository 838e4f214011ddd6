"""``autopilot backtest --check``: it passes what is honest, and every check of it is seen to fail."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, Self

import numpy as np
import pytest
from rich.table import Table
from typer.testing import CliRunner

from autopilot.backtest.checking import Finding, no_future, recount, the_sums, under_the_oracle
from autopilot.backtest.checks import Checks, as_text, check
from autopilot.backtest.report import Result
from autopilot.backtest.runner import Course, Flight, Terms, fly, perfect
from autopilot.cli import app
from autopilot.contracts import NamedStrategy
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.history import History
from autopilot.model.plan import Decision, Hold, Move, Plan, PlanId
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.plugins import STRATEGIES
from autopilot.sim.panel import Panel
from autopilot.store.ledger import Entry, Kind, Ledger
from autopilot.testing.views import MODEL, START, venue
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

NETWORKS = ("alder", "birch", "cedar")
TERMS = Terms(timedelta(minutes=90), Usd.of("0.003"), gpus=2, draw=Draw(Watts.of(300), Watts.of(20)), power=PowerPrice(UsdPerKwh.of("0.2")))


def course(hours: int = 60, past: int = 24, seed: int = 1) -> Course:
    """Three networks that take the lead from each other every few hours, with hours that nobody recorded."""
    random = np.random.default_rng(seed)
    rates = 0.4 + 0.2 * np.abs(np.cumsum(random.normal(0, 0.3, (past + hours, 3)), axis=0) % 2 - 1)
    rates[random.random(rates.shape) < 0.05] = np.nan
    panel = Panel(START - past * HOUR, MODEL, NETWORKS, rates.round(9))
    return Course(panel, panel.rates, START, START + hours * HOUR)


def plan(view: View, target: Callable[[Device], Venue]) -> Decision:
    """Every device to its target."""
    moves = tuple(Move(each.id, view.venue(each), target(each)) for each in view.free() if target(each) != view.venue(each))
    if not moves:
        return Hold(view.now, "planted")
    return Plan(PlanId(f"planted-{view.now:%Y%m%dT%H}"), view.now, moves, Usd(0), Usd(0), HOUR, "planted")


def best(view: View, device: Device) -> Venue:
    """The highest quote, idle where there is none."""
    offers = view.offers(device)
    return max(offers, key=lambda place: offers[place].expected, default=IDLE)


@dataclass(frozen=True)
class Honest:
    """Always at the highest quote."""

    def decide(self, view: View) -> Decision:
        """By what is known."""
        return plan(view, lambda device: best(view, device))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self


class Peeker(Honest):
    """Finds the course that is flown among its callers' variables, and goes to what pays most in the coming hour."""

    def decide(self, view: View) -> Decision:
        """By what is to come."""
        frame: FrameType | None = sys._getframe()
        while frame and not isinstance(frame.f_locals.get("course"), Course):
            frame = frame.f_back
        assert frame
        panel = frame.f_locals["course"].panel
        row = np.nan_to_num(panel.rates[(view.now - panel.start) // HOUR])
        return plan(view, lambda _: venue(NETWORKS[int(row.argmax())]))


class Rememberer(Honest):
    """Writes down what was best at every hour, and looks an hour ahead when it flies again."""

    seen: ClassVar[dict[datetime, Venue]] = {}

    def decide(self, view: View) -> Decision:
        """By what was to come, the last time."""
        self.seen[view.now] = best(view, view.devices[0])
        return plan(view, lambda device: self.seen.get(view.now + HOUR, best(view, device)))


def flown(strategy: Honest, over: Course, terms: Terms = TERMS) -> tuple[NamedStrategy, Flight]:
    """A strategy and its reported flight."""
    named = NamedStrategy(type(strategy).__name__.lower(), strategy)
    return named, fly(over, terms, named)


def result_of(over: Course, terms: Terms, *flights: Flight) -> Result:
    """What the command has before it checks."""
    return Result("rates.csv", over, terms, perfect(over, terms), flights)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_an_honest_strategy_passes(lag: int) -> None:
    """Whatever is known when: every other future is tried, and every check has one sentence."""
    over, terms = course(), replace(TERMS, lag=lag)
    named, flight = flown(Honest(), over, terms)
    checks = check(result_of(over, terms, flight), [named])

    assert checks.passed
    assert [
        Finding("no future", "honest", passed=True, sentence="its decisions are the same under 9 other futures"),
        Finding("the sums", "honest", passed=True, sentence="gross, fees, power and dark hours follow from where it was each hour"),
    ] == list(checks.findings[:2])
    assert ["honest", *(f"{name} throughout" for name in ("idle", *NETWORKS))] == [each.strategy for each in checks.findings[2:]]
    assert {"flights", "no future", "the sums", "sensitivity"} == checks.seconds.keys()


@pytest.mark.parametrize("strategy", [Peeker(), Rememberer()])
def test_who_knows_the_future_is_found(strategy: Honest) -> None:
    """Be it read from the panel that is flown, or remembered from the flight that is reported."""
    over = course()
    Rememberer.seen.clear()
    found = no_future(over, TERMS, *flown(strategy, over))

    assert not found.passed
    assert "is another" in found.sentence


def test_a_course_of_an_hour_cannot_be_cut() -> None:
    """It is said, and nothing fails."""
    over = course(hours=1)
    found = no_future(over, TERMS, *flown(Honest(), over))

    assert (True, "the course is too short to try another future") == (found.passed, found.sentence)


@pytest.mark.parametrize(("kind", "what"), [(Kind.PAID, "gross"), (Kind.FEE, "fees"), (Kind.POWER, "power"), (Kind.DARK, "dark")])
def test_a_tampered_ledger_is_found(kind: Kind, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousandth too much of anything, or a minute too long, and the check names it."""

    def book(ledger: Ledger, entries: Any) -> None:
        tampered = [_more(each) if each.kind is kind else each for each in entries]
        honest(ledger, tampered)

    honest = Ledger.book
    monkeypatch.setattr(Ledger, "book", book)
    over = course()
    found = the_sums(over, TERMS, flown(Honest(), over)[1])

    assert not found.passed
    assert found.sentence.startswith(f"{what}: the ledger has ")


def _more(entry: Entry) -> Entry:
    if entry.kind is Kind.DARK:
        return replace(entry, end=entry.end + timedelta(minutes=1))
    return replace(entry, amount=Usd(entry.amount.count + entry.amount.count // 1000))


def test_a_device_that_moves_while_dark_is_found() -> None:
    """No such course exists, whatever the ledger says."""
    over = course()
    flight = flown(Honest(), over)[1]
    hops = [venue(NETWORKS[hour % 2]) for hour in range(over.hours)]
    found = the_sums(over, TERMS, replace(flight, placements={**flight.placements, next(iter(flight.placements)): hops}))

    assert (False, "it leaves alder while dark, 0 h after the start") == (found.passed, found.sentence)


def test_an_oracle_that_is_too_low_is_found() -> None:
    """By the strategies that net more, and by the networks that do when they are never left."""
    over = course()
    result = result_of(over, TERMS, flown(Honest(), over)[1])
    low = replace(result, oracle=replace(result.oracle, net_usd=result.oracle.net_usd / 2))

    assert all(finding.passed for finding in under_the_oracle(result))
    assert {"honest", "alder throughout", "birch throughout", "cedar throughout"} == {
        finding.strategy for finding in under_the_oracle(low) if not finding.passed
    }


def test_a_recount_by_hand() -> None:
    """Against a course that was reckoned by hand.

    Two moves at 0.10 each, 90 minutes dark. The first serves half of the second hour and all of the third, where the rate is
    missing; after an idle hour the other is cut by the end. Power at 1 USD/kWh is 1 kW lit and 0.1 kW dark or idle.
    """
    rates = np.array([[1, np.nan], [2, np.nan], [np.nan, 1], [1, np.nan], [1, np.nan]])
    over = Course(Panel(START, MODEL, ("a", "b"), rates), rates, START, START + 5 * HOUR)
    terms = Terms(timedelta(minutes=90), Usd.of("0.1"), draw=Draw(Watts.of(1000), Watts.of(100)), power=PowerPrice(UsdPerKwh.of(1)))
    sums = recount(over, terms, [0, 0, 0, -1, 0])

    assert (1.0, 0.2, 2.5) == (sums.gross, sums.fees, sums.dark)
    assert (1.85, -1.05) == pytest.approx((sums.power, sums.net))


PLANTED = """
import sys
import numpy as np
from autopilot.backtest.runner import Course
from autopilot.model.device import NetworkId, Venue
from autopilot.model.plan import Hold, Move, Plan, PlanId
from autopilot.units import HOUR, Usd

class Seer:
    def decide(self, view):
        frame = sys._getframe()
        while not isinstance(frame.f_locals.get("course"), Course):
            frame = frame.f_back
        panel = frame.f_locals["course"].panel
        row = np.nan_to_num(panel.rates[(view.now - panel.start) // HOUR])
        there = Venue(NetworkId(panel.networks[int(row.argmax())]))
        moves = tuple(Move(each.id, view.venue(each), there) for each in view.free() if view.venue(each) != there)
        if not moves:
            return Hold(view.now, "I know")
        return Plan(PlanId(f"seer-{view.now:%Y%m%dT%H}"), view.now, moves, Usd(0), Usd(0), HOUR, "I know")
    def fit(self, history):
        return self
"""


@pytest.fixture
def rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file of rates, beside a strategy of somebody else's that sees the future."""
    folder = tmp_path / "seer"
    metadata = folder / "seer-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "seer_strategy.py").write_text(PLANTED)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: seer\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{STRATEGIES}]\nseer = seer_strategy:Seer\n")
    monkeypatch.syspath_prepend(folder)
    panel = course(past=0).panel
    lines = [
        f"{panel.at(hour):%Y-%m-%dT%H:%M:%SZ},{name},{MODEL},{'' if np.isnan(rate) else f'{rate:.9f}'}"
        for hour, row in enumerate(panel.rates)
        for name, rate in zip(NETWORKS, row, strict=True)
    ]
    file = tmp_path / "rates.csv"
    file.write_text("\n".join(["timestamp,network,gpu,usd_per_hour", *lines, ""]))
    yield file
    sys.modules.pop("seer_strategy", None)


def test_the_command_passes_what_is_honest(rates: Path) -> None:
    """Exit code 0; the checks are in the JSON, with the cases and what each part took."""
    ran = CliRunner().invoke(app, ["backtest", str(rates), "--strategy", "stay,payback", "--check", "--json", "-"])
    checks = json.loads(ran.stdout)["checks"]

    assert 0 == ran.exit_code
    assert {"passed", "findings", "sensitivity", "seconds"} == checks.keys()
    assert checks["passed"]
    assert all({"check", "strategy", "passed", "sentence"} == finding.keys() for finding in checks["findings"])
    (tried,) = checks["sensitivity"]
    assert {"start", "end", "cases", "warnings"} == tried.keys()
    assert ("2026-01-01T00:00:00Z", "2026-01-03T12:00:00Z") == (tried["start"], tried["end"])
    assert [["stay", "payback"]] * 9 == [[each["name"] for each in case["strategies"]] for case in tried["cases"]]


def test_the_command_fails_for_a_stranger_who_sees_the_future(rates: Path) -> None:
    """Exit code 1, after the table that says which check failed and whose; without --check nobody looks."""
    words = ["backtest", str(rates), "--strategy", "payback", "--strategy", "seer"]
    ran, unchecked = CliRunner().invoke(app, [*words, "--check"]), CliRunner().invoke(app, [*words, "--json", "-"])
    failed = [line for line in ran.stdout.splitlines() if "FAILED" in line]

    assert (1, 0) == (ran.exit_code, unchecked.exit_code)
    assert ["no future", "seer"] == [failed[0][:9], failed[0].split()[2]]
    assert 1 == len(failed)
    assert "checks" not in json.loads(unchecked.stdout)


def test_the_tables_say_the_same_words_once() -> None:
    """Passed strategies share a row; the seeds of the noise share a column."""
    over = course()
    named, flight = flown(Honest(), over)
    other = replace(flight, name="other")
    checks: Checks = check(result_of(over, TERMS, flight, other), [named, NamedStrategy("other", Honest())])
    first, second, *_ = as_text(checks)

    assert isinstance(first, Table)
    assert isinstance(second, Table)
    assert ["honest, other"] * 2 == list(first.columns[1].cells)[:2]
    assert ["strategy", "as given", "downtime x0.5", "downtime x2", "downtime x4", "fee +1 cent", "lag +1 h", "noise 0.08", "rank"] == [
        column.header for column in second.columns
    ]

"""``autopilot backtest --check``: all checks of one result, what they took, and how they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from autopilot.backtest.checking import Finding, no_future, the_sums, under_the_oracle
from autopilot.backtest.report import Result
from autopilot.backtest.sensitivity import Outcome, Sensitivity, sensitivity
from autopilot.clock import stopwatch
from autopilot.contracts import NamedStrategy
from autopilot.store.raterow import zulu

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class Checks:
    """What was found about a result."""

    findings: Sequence[Finding]
    sensitivity: Sequence[Sensitivity]
    """Over the whole course, or its last days, or each where only some strategies are quick enough."""
    seconds: dict[str, float]
    """By the part that took them."""

    @property
    def passed(self) -> bool:
        """Whether every check has."""
        return all(finding.passed for finding in self.findings)


def check(result: Result, strategies: Sequence[NamedStrategy], on_step: Callable[[], None] = lambda: None) -> Checks:
    """Check a result and the strategies that it is of; ``on_step`` is called after each strategy and each case."""
    course, terms = result.course, result.terms
    seconds = {"flights": sum(flight.seconds for flight in result.flights)}
    began = stopwatch()
    findings = []
    for strategy, flight in zip(strategies, result.flights, strict=True):
        findings.append(no_future(course, terms, strategy, flight))
        on_step()
    seconds["no future"], began = stopwatch() - began, stopwatch()
    findings += [the_sums(course, terms, flight) for flight in result.flights]
    findings += under_the_oracle(result)
    seconds["the sums"], began = stopwatch() - began, stopwatch()
    tried = sensitivity(course, terms, strategies, [flight.seconds for flight in result.flights], on_step)
    seconds["sensitivity"] = stopwatch() - began
    return Checks(findings, tried, seconds)


def as_json(checks: Checks) -> dict[str, Any]:
    """The checks as the command gives them out. Numbers are not rounded."""
    return {
        "passed": checks.passed,
        "findings": [asdict(finding) for finding in checks.findings],
        "sensitivity": [_tried(each) for each in checks.sensitivity],
        "seconds": checks.seconds,
    }


def _tried(tried: Sensitivity) -> dict[str, Any]:
    outcomes = [
        {
            "case": outcome.case,
            "strategies": [_outcome(*row) for row in zip(tried.names, outcome.nets, outcome.shares, outcome.ranks, strict=True)],
        }
        for outcome in tried.outcomes
    ]
    span = {"start": zulu(tried.course.start), "end": zulu(tried.course.end)}
    return {**span, "cases": outcomes, "warnings": list(tried.warnings())}


def _outcome(name: str, net: float, share: float | None, rank: int) -> dict[str, Any]:
    return {"name": name, "net_usd": net, "share": share, "rank": rank}


def as_text(checks: Checks) -> Iterator[Table | Text]:
    """The checks for a person: what passed and what failed, then what other terms would have made of the result."""
    from rich.text import Text

    yield _findings_table(checks)
    for tried in checks.sensitivity:
        yield _sensitivity_table(tried)
        yield from (Text(f"warning: {warning}") for warning in tried.warnings())


def _findings_table(checks: Checks) -> Table:
    """What is said of several strategies in the same words stands once."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    took = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in checks.seconds.items())
    table = Table(title="checks", caption=took, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for name in ("check", "of", "", "what was found"):
        table.add_column(name, overflow="fold")
    said: dict[tuple[str, bool, str], list[str]] = {}
    for finding in checks.findings:
        said.setdefault((finding.check, finding.passed, finding.sentence), []).append(finding.strategy)
    for (name, passed, sentence), strategies in said.items():
        table.add_row(name, escape(", ".join(strategies)), "passed" if passed else "FAILED", escape(sentence))
    return table


def _sensitivity_table(tried: Sensitivity) -> Table:
    """The seeds of the noise are one column, with their mean."""
    from rich import box
    from rich.table import Table

    span = f"{zulu(tried.course.start)} to {zulu(tried.course.end)}"
    caption = "share of what perfect foresight nets on the same terms; rank: best and worst"
    table = Table(title=f"on other terms, {span}", caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    columns: dict[str, list[Outcome]] = {}
    for outcome in tried.outcomes:
        columns.setdefault(outcome.case.partition(",")[0], []).append(outcome)
    for name in ("strategy", *columns, "rank"):
        table.add_column(name, justify="left" if name == "strategy" else "right", overflow="fold")
    for index, name in enumerate(tried.names):
        best, worst = tried.ranks(index)
        cells = (_mean([outcome.shares[index] for outcome in outcomes]) for outcomes in columns.values())
        table.add_row(name, *cells, f"{best}" if best == worst else f"{best}-{worst}")
    return table


def _mean(shares: Sequence[float | None]) -> str:
    known = [share for share in shares if share is not None]
    return f"{sum(known) / len(known):.2%}" if known else "-"

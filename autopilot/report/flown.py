"""The page of a backtest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from autopilot.backtest.checks import Checks
from autopilot.backtest.leads import Lead
from autopilot.backtest.report import Result
from autopilot.backtest.runner import Flight, rig
from autopilot.backtest.sensitivity import Sensitivity
from autopilot.dashboard.trips import Trip, trips
from autopilot.dashboard.words import counted, money, span
from autopilot.model.device import IDLE
from autopilot.report import occupancies, switch_costs
from autopilot.report.drawing import Rates, allocation, bars, colours, lines, market, undrawn
from autopilot.report.records import instants, marks, net_curve, strips
from autopilot.report.shapes import DARK, Curve, Page, Part, Table
from autopilot.store.journal import Arrival
from autopilot.store.ledger import Kind
from autopilot.units import HOUR

_UNTRIED = "Not tried: other terms are tried in a fluid market only."


@dataclass(frozen=True, slots=True)
class Tried:
    """What would have come on other terms. Nothing is in it of what was not tried."""

    terms: Sequence[Sensitivity] = ()
    leads: Sequence[Lead] = ()
    checks: Checks | None = None


def page(result: Result, tried: Tried) -> Page:
    """All that a backtest found."""
    best_first = sorted(result.flights, key=lambda flight: flight.totals.net, reverse=True)
    made = {flight.name: trips(flight.store, result.course.end) for flight in best_first}
    course, terms, painted = result.course, result.terms, colours(made)
    return Page(
        f"Backtest of {counted(len(best_first), 'strategy', 'strategies')} on {counted(terms.gpus, 'GPU')} {course.panel.gpu}",
        f"{course.start:%Y-%m-%d %H:%M} to {course.end:%Y-%m-%d %H:%M} UTC, {course.hours:,} h of {result.file};"
        f" a move is dark for {span(terms.downtime)}, its fee is {money(terms.fee, 4) if terms.fee else '0'} USD."
        " All amounts are USD, all times UTC.",
        list(_summary(result, best_first)),
        [
            _results(result, best_first, tried.checks),
            *_earnings(result, best_first),
            *_places(result, best_first, made),
            switch_costs.part(made),
            occupancies.part({flight.name: flight.store for flight in best_first}),
            *_terms(tried.terms, course.hours, painted),
            _leads(tried.leads, painted),
        ],
        [flight.name for flight in best_first],
        [device.label for device in rig(terms.gpus, course.panel.gpu)],
    )


def _best(result: Result) -> str:
    return "the informed bound" if result.course.jobs else "perfect foresight"


def _summary(result: Result, best_first: Sequence[Flight]) -> Iterator[str]:
    first, last = best_first[0], best_first[-1]
    net, share = float(first.totals.net), result.share(first)
    days = f"{result.course.hours / 24:,.1f} days with {counted(result.terms.gpus, 'GPU')}"
    yield f"{first.name} earned most: {money(net)} USD net in {days}, {money(result.per_gpu_day(net), 3)} USD a GPU and day."
    best = f"{_best(result).capitalize()} would have netted {money(result.oracle_net)} USD"
    yield (
        f"{best}; {first.name} missed {money(100 * (1 - share), 2)} % of it."
        if share is not None
        else f"{best}: there was nothing to earn."
    )
    moved = f"It moved {counted(first.moves, 'time')} and was dark for {money(first.totals.dark / HOUR, 1)} h"
    if last is first:
        yield f"{moved}. No other strategy was flown to hold it against."
    else:
        worst = f"{money(last.totals.net)} USD with {counted(last.moves, 'move')}"
        yield f"{moved}. The last of {len(best_first)}, {last.name}, netted {worst}."


def _results(result: Result, best_first: Sequence[Flight], checks: Checks | None) -> Part:
    names = ("strategy", "net $", "regret", "$/GPU-day", "moves", "dark h", "gross $", "fees $", "power $")
    oracle = result.oracle_net
    scale = result.terms.gpus / result.oracle.devices
    sums = (money(scale * each) for each in (result.oracle.gross_usd, result.oracle.fee_usd, result.oracle.power_usd))
    top = (_best(result), money(oracle), "–", money(result.per_gpu_day(oracle), 3), f"{result.oracle_moves:,}", "not counted", *sums)
    words = [f"Regret is the share of what {_best(result)} would have netted that was missed."]
    if checks is not None:
        failed = [f"{each.check}, {each.strategy}: {each.sentence}" for each in checks.findings if not each.passed]
        words += [f"A check failed: {each}" for each in failed] or ["The checks passed: no future, the sums, perfect foresight."]
    return Part("Results", words, tables=[Table(names, [top, *(_result(result, flight) for flight in best_first)])])


def _result(result: Result, flight: Flight) -> tuple[str, ...]:
    totals, share = flight.totals, result.share(flight)
    net = float(totals.net)
    figures = (money(totals.dark / HOUR, 1), money(totals.paid), money(totals.fees), money(totals.power))
    regret = "not defined" if share is None else f"{money(100 * (1 - share), 2)} %"
    return flight.name, money(net), regret, money(result.per_gpu_day(net), 3), f"{flight.moves:,}", *figures


def _earnings(result: Result, best_first: Sequence[Flight]) -> Iterator[Part]:
    at = instants(result.course.start, result.course.end)
    flown = [net_curve(flight.store, flight.name, Kind.PAID, at, strategy=flight.name) for flight in best_first]
    words = "Net of fees and power, summed up over time."
    hourly = result.oracle.hourly
    if hourly is None:
        unknown = f"Of {_best(result)} only the sum is known, {money(result.oracle_net)} USD: it is not drawn."
        yield Part("Earnings, USD", [words, unknown], lines(flown))
        yield Part(
            "Regret over time, USD", [f"Not drawn, since {_best(result)} is only known as a sum; the table has the regret of the whole."]
        )
        return
    sums = [0.0, *accumulate((hourly * result.terms.gpus).tolist())]
    oracle = Curve(_best(result), [(moment, sums[(moment - result.course.start) // HOUR]) for moment in at], reference=True)
    yield Part("Earnings, USD", [words], lines([*flown, oracle]))
    missed = [_missed(oracle, curve) for curve in flown]
    yield Part("Regret over time, USD", [f"What {_best(result)} had netted more by then."], lines(missed))


def _missed(oracle: Curve, curve: Curve) -> Curve:
    pairs = zip(oracle.points, curve.points, strict=True)
    return Curve(curve.name, [(at, (best or 0) - (net or 0)) for (at, best), (_, net) in pairs], curve.strategy)


def _places(result: Result, best_first: Sequence[Flight], made: Mapping[str, Sequence[Trip]]) -> Iterator[Part]:
    course = result.course
    devices = rig(result.terms.gpus, course.panel.gpu)
    painted = colours([*course.panel.networks, str(IDLE), DARK])
    within = (course.start, course.end)
    idle = [Arrival(course.start, device.id, IDLE, "a flight begins so") for device in devices]
    stays = {each.name: [*idle, *each.store.journal.arrivals()] for each in best_first}
    drawn = [strip for each in best_first for strip in strips(stays[each.name], made[each.name], devices, each.name, within)]
    words = (
        "Which venue each GPU was at. Where stays were shorter than the screen can show, each slot has the venue that filled most of it."
    )
    yield Part("Where the GPUs were", [words], allocation(drawn, painted, within), venues=list(painted.items()))
    by_id = {device.id: device for device in devices}
    moves = [mark for each in best_first for mark in marks(made[each.name], by_id, each.name)]
    rates = _rates(result)
    told = "expected rates as strategies saw them" if course.jobs else "rates as they were paid"
    words = f"The {told}, and each switch when it was opened, in the colour of where it leads. Point at one for its reason."
    yield Part("Rates and moves, USD an hour", [words, *undrawn(rates, moves)], market(rates, moves, painted))


def _rates(result: Result) -> Rates:
    course = result.course
    first = (course.start - course.panel.start) // HOUR
    table = course.shown[first : first + course.hours] if course.jobs else course.scored
    hours = [course.start + index * HOUR for index in range(course.hours)]
    columns = zip(course.panel.networks, table.T.tolist(), strict=True)
    return {
        (name, course.panel.gpu): [(hour, rate if rate == rate else None) for hour, rate in zip(hours, rates, strict=True)]  # noqa: PLR0124  # NaN
        for name, rates in columns
    }


def _terms(tried: Sequence[Sensitivity], hours: int, painted: Mapping[str, str]) -> Iterator[Part]:
    heading = "On other terms, % of perfect foresight"
    if not tried:
        yield Part(heading, [_UNTRIED])
    for each in tried:
        cases = [outcome.case for outcome in each.outcomes]
        by_name = {name: [outcome.shares[index] for outcome in each.outcomes] for index, name in enumerate(each.names)}
        drawn = {name: [None if share is None else 100 * share for share in row] for name, row in by_name.items()}
        few = each.course.hours < hours
        words = ["The share of what perfect foresight nets on the same terms: how much of the result is owed to the terms."]
        words += ["More hours would have taken too long."] if few else []
        words += [f"Mind: {warning}." for warning in each.warnings()]
        rows = [(name, *("not defined" if share is None else f"{money(share, 2)} %" for share in row)) for name, row in drawn.items()]
        table = Table(("strategy", *cases), rows, filtered=True)
        name = f"{heading}, the last {each.course.hours:,} h" if few else heading
        yield Part(name, words, bars(cases, drawn, painted), [table])


def _leads(tried: Sequence[Lead], painted: Mapping[str, str]) -> Part:
    heading = "With other leads, USD"
    if not tried:
        return Part(
            heading, ["Not tried: no strategy that was flown moves by a lead, trying it would take too long, or the market is one of jobs."]
        )
    names = [f"{float(lead):.0%}" for lead in tried[0].leads]
    rows = [(each.strategy, *map(money, each.nets)) for each in tried]
    words = "What every strategy that moves by a lead nets with another one, whether it is ticked above or not."
    return Part(
        heading,
        [words],
        bars(names, {each.strategy: each.nets for each in tried}, painted, filtered=False),
        [Table(("strategy", *names), rows)],
    )

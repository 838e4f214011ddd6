"""``autopilot backtest``: what strategies would have earned on recorded rates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from autopilot.cli import jobs, market, options
from autopilot.errors import ConfigError

if TYPE_CHECKING:
    from autopilot.backtest.checks import Checks
    from autopilot.backtest.report import Result
    from autopilot.backtest.runner import Course, Terms
    from autopilot.contracts import NamedStrategy


class SeveralValues(TyperCommand):
    """Lets ``--strategy`` and ``--param`` take several values after one another, as well as once each."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further value; a path is never taken for one."""
        spread: list[str] = []
        option = None
        for index, word in enumerate(args):
            previous = args[index - 1] if index else ""
            if word.startswith("-"):
                option = word if word in ("--strategy", "--param") else None
            elif option and previous != option and _is_value(option, word):
                spread.append(option)
            spread.append(word)
        return super().parse_args(ctx, spread)


def _is_value(option: str, word: str) -> bool:
    from autopilot.plugins import strategy_names

    if option == "--param":
        return "=" in word and "." in word.partition("=")[0]
    return word in strategy_names()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=SeveralValues)(backtest)


def backtest(
    rates: market.RatesArgument,
    start: market.StartOption = None,
    end: market.EndOption = None,
    gpu: market.GpuOption = None,
    gpus: market.GpusOption = 1,
    strategy: Annotated[list[str] | None, typer.Option(help="A strategy by name; several may follow. Default: all built-in ones.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A strategy's parameter: NAME.KEY=VALUE, e.g. threshold.lead=0.1; several may follow.")
    ] = None,
    downtime: market.DowntimeOption = "30m",
    fee: market.FeeOption = "0",
    lag: market.LagOption = 1,
    power: market.PowerOption = "0",
    idle_power: market.IdlePowerOption = "0",
    tariff: market.TariffOption = "0",
    model: jobs.MarketOption = "fluid",
    setting: jobs.SettingOption = None,
    noise: market.NoiseOption = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same noise, hires and jobs.")] = 0,
    config: market.GuardsOption = None,
    json_to: market.JsonOption = None,
    decisions: Annotated[Path | None, typer.Option(help="A folder for one NAME.csv a strategy: where each GPU was, hour by hour.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write the result as a page with charts, to open in any browser.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Check that no strategy saw the future and that the sums agree, and try other terms. Exit code 1 where it fails.",
        ),
    ] = False,
) -> None:
    """Fly strategies through recorded rates with the daemon's own pilot, and compare them with perfect foresight."""
    options.at_least("--noise", noise, 0)
    if report is not None:
        _ready(report)
    said: dict[str, object] = {"--start": start, "--end": end, "--gpu": gpu}
    said |= {"--downtime": downtime != "30m", "--fee": fee != "0", "--lag": lag != 1}
    jobs.check(rates, model, setting, {"--noise": noise, "--check": check}, said)
    span = market.Span.of(start, end)
    terms = market.terms_of(downtime, fee, lag, gpus, power, idle_power, config)
    strategies = _strategies(strategy or (), param or ())
    if setting is not None:
        course, terms = jobs.setting_of(rates, setting, seed, terms)
    else:
        course = market.course_of(rates, gpu, span, noise, seed)
        if model == "jobs":
            course = jobs.course_of(str(rates), course, seed, terms)
    terms = replace(terms, power=market.tariff_of(tariff, course))
    result = _fly(str(rates), course, terms, strategies)
    checks = _checked(result, strategies) if check else None
    if report is not None:
        _write_page(result, checks, strategies, report)
    _give_out(result, checks, json_to, decisions)
    if checks and not checks.passed:
        raise typer.Exit(1)


def _strategies(names: Sequence[str], parameters: Sequence[str]) -> list[NamedStrategy]:
    from autopilot.plugins import built_in_strategies, make_strategy

    wanted = [name for each in names for name in each.split(",")] or built_in_strategies()
    chosen: dict[str, dict[str, str]] = {name: {} for name in wanted}
    for written in parameters:
        place, sign, value = written.partition("=")
        name, dot, key = place.rpartition(".")
        if not (sign and dot and key):
            raise ConfigError(f"--param: {written!r} is not NAME.KEY=VALUE, e.g. threshold.lead=0.1")
        if name not in chosen:
            raise ConfigError(f"--param: {name!r} is not among the strategies flown: {', '.join(chosen)}")
        chosen[name][key] = value
    return [make_strategy(name, values) for name, values in chosen.items()]


def _fly(file: str, course: Course, terms: Terms, strategies: Sequence[NamedStrategy]) -> Result:
    from autopilot.backtest.report import Result
    from autopilot.backtest.runner import fly, perfect

    with _flying(course.hours * len(strategies)) as on_hour:
        flights = [fly(course, terms, strategy, on_hour) for strategy in strategies]
    return Result(file, course, terms, perfect(course, terms), flights)


def _checked(result: Result, strategies: Sequence[NamedStrategy]) -> Checks:
    from autopilot.backtest import checks, sensitivity
    from autopilot.cli.progress import counting

    with counting("checking", len(strategies) + len(list(sensitivity.cases(result.course, result.terms)))) as advance:
        return checks.check(result, strategies, advance)


@contextmanager
def _flying(hours: int) -> Iterator[Callable[[], None]]:
    from autopilot.cli.progress import counting

    with counting("flying", hours) as advance:
        yield advance


def _ready(out: Path) -> None:
    from autopilot.report.page import ready

    ready(out)


def _write_page(result: Result, checks: Checks | None, strategies: Sequence[NamedStrategy], out: Path) -> None:
    """With other terms and other leads, which take seconds."""
    from autopilot.backtest.leads import leads
    from autopilot.backtest.sensitivity import sensitivity
    from autopilot.report.flown import Tried, page
    from autopilot.report.page import write

    course, terms = result.course, result.terms
    if course.jobs:
        tried = Tried()
    else:
        took = [flight.seconds for flight in result.flights]
        tried = Tried(
            checks.sensitivity if checks else sensitivity(course, terms, strategies, took), list(leads(result, strategies)), checks
        )
    write(page(result, tried), out)
    typer.echo(f"{out}: written", err=True)


def _give_out(result: Result, checks: Checks | None, json_to: str | None, decisions: Path | None) -> None:
    from autopilot.backtest.checks import as_json as checks_as_json
    from autopilot.backtest.report import as_json, write_decisions

    try:
        if decisions is not None:
            decisions.mkdir(parents=True, exist_ok=True)
            for flight in result.flights:
                write_decisions(decisions, flight, result.course)
        report = as_json(result) | ({"checks": checks_as_json(checks)} if checks else {})
        text = json.dumps(report, indent=2)
        if json_to == "-":
            typer.echo(text)
            return
        if json_to is not None:
            Path(json_to).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be written: {error.strerror}") from None
    _show(result, checks)


def _show(result: Result, checks: Checks | None) -> None:
    from rich.console import Console

    from autopilot.backtest.checks import as_text
    from autopilot.backtest.report import as_table

    console = Console()
    console.print(as_table(result))
    if checks:
        for shown in as_text(checks):
            console.print(shown)

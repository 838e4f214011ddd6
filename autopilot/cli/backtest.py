"""``autopilot backtest``: what strategies would have earned on recorded rates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from autopilot.cli import options
from autopilot.errors import ConfigError
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

if TYPE_CHECKING:
    from autopilot.backtest.report import Result
    from autopilot.backtest.runner import Course, Terms
    from autopilot.contracts import NamedStrategy
    from autopilot.guards import Guard
    from autopilot.model.power import PowerPrice
    from autopilot.sim.panel import Panel


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
    rates: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet: timestamp,network,gpu,usd_per_hour.")],
    start: Annotated[str | None, typer.Option(help="First hour to score, ISO 8601 with zone; earlier rows are history.")] = None,
    end: Annotated[str | None, typer.Option(help="End of the hours to score, exclusive.")] = None,
    gpu: Annotated[str | None, typer.Option(help="Which GPU model, where the file has several.")] = None,
    gpus: Annotated[int, typer.Option(help="How many equal GPUs.")] = 1,
    strategy: Annotated[list[str] | None, typer.Option(help="A strategy by name; all built-in ones without.")] = None,
    param: Annotated[list[str] | None, typer.Option(help="A parameter: NAME.KEY=VALUE.")] = None,
    downtime: Annotated[str, typer.Option(help="Dark time of a move, with its unit.")] = "30m",
    fee: Annotated[str, typer.Option(help="USD for each move.")] = "0",
    lag: Annotated[int, typer.Option(help="Hours after which a rate is known.")] = 1,
    power: Annotated[str, typer.Option(help="Watts at a venue.")] = "0",
    idle_power: Annotated[str, typer.Option(help="Watts while dark or idle.")] = "0",
    tariff: Annotated[str, typer.Option(help="USD per kWh, or a file timestamp,usd_per_kwh.")] = "0",
    market: Annotated[str, typer.Option(help="The model of the market: fluid.")] = "fluid",
    noise: Annotated[float, typer.Option(help="Sd of the error of what strategies see.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    config: Annotated[Path | None, typer.Option(help="Fly with the guards of this configuration; without, with none.")] = None,
    json_to: Annotated[str | None, typer.Option("--json", help="Write JSON to a file, or to stdout with -.")] = None,
    decisions: Annotated[Path | None, typer.Option(help="A folder for NAME.csv: where each device was, hour by hour.")] = None,
) -> None:
    """Fly strategies through recorded rates with the daemon's own pilot, and compare them with perfect foresight."""
    from autopilot.backtest.runner import Terms
    from autopilot.model.power import Draw

    options.at_least("--gpus", gpus, 1)
    options.at_least("--lag", lag, 0)
    options.at_least("--noise", noise, 0)
    if market != "fluid":
        raise ConfigError(f"--market: there is no market model {market!r}; there is fluid")
    span = _Span(start and options.at("--start", start), end and options.at("--end", end))
    terms = Terms(
        options.span("--downtime", downtime),
        options.amount("--fee", fee, Usd),
        lag,
        gpus,
        Draw(options.amount("--power", power, Watts), options.amount("--idle-power", idle_power, Watts)),
        guards=_guards(config),
    )
    strategies = _strategies(strategy or (), param or ())
    course = _course(rates, gpu, span, noise, seed)
    terms = replace(terms, power=_tariff(tariff, course))
    result = _fly(str(rates), course, terms, strategies)
    _give_out(result, json_to, decisions)


@dataclass(frozen=True, slots=True)
class _Span:
    """The hours to score, as asked for; None is the panel's own."""

    start: datetime | str | None
    end: datetime | str | None

    def within(self, panel: Panel) -> tuple[datetime, datetime]:
        first = _hour_from(self.start, panel.start) if isinstance(self.start, datetime) else panel.start
        last = _hour_from(self.end, panel.start) if isinstance(self.end, datetime) else panel.end
        first, last = max(first, panel.start), min(last, panel.end)
        if first >= last:
            raise ConfigError(f"--start and --end leave no hour of the file, which has {panel.start} to {panel.end}")
        return first, last


def _hour_from(at: datetime, origin: datetime) -> datetime:
    """The first full hour that is not earlier."""
    return at + (origin - at) % HOUR


def _course(path: Path, gpu: str | None, span: _Span, noise: float, seed: int) -> Course:
    from autopilot.backtest.runner import Course
    from autopilot.cli.progress import reading
    from autopilot.sim.panel import noisy, read_panel

    with reading(path) as progress:
        panel = read_panel(path, gpu, progress)
    start, end = span.within(panel)
    return Course(panel, noisy(panel, noise, seed) if noise else panel.rates, start, end)


def _guards(config: Path | None) -> Sequence[Guard]:
    if config is None:
        return ()
    from autopilot.guards import chosen
    from autopilot.settings import load

    return chosen(load(config).guards)


def _tariff(written: str, course: Course) -> PowerPrice:
    from autopilot.model.power import PowerPrice
    from autopilot.sim.tariff import read_tariff

    try:
        return PowerPrice(UsdPerKwh.of(written.removesuffix(UsdPerKwh.symbol).strip()))
    except ValueError:
        return read_tariff(Path(written), course.start, course.end)


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


@contextmanager
def _flying(hours: int) -> Iterator[Callable[[], None]]:
    from autopilot.cli.progress import counting

    with counting("flying", hours) as advance:
        yield advance


def _give_out(result: Result, json_to: str | None, decisions: Path | None) -> None:
    from rich.console import Console

    from autopilot.backtest.report import as_json, as_table, write_decisions

    try:
        if decisions is not None:
            decisions.mkdir(parents=True, exist_ok=True)
            for flight in result.flights:
                write_decisions(decisions, flight, result.course)
        text = json.dumps(as_json(result), indent=2)
        if json_to == "-":
            typer.echo(text)
            return
        if json_to is not None:
            Path(json_to).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be written: {error.strerror}") from None
    Console().print(as_table(result))

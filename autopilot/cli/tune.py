"""``autopilot tune``: parameters for a strategy, judged by hours that they were not chosen on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli import market, options
from autopilot.cli.backtest import SeveralValues
from autopilot.errors import ConfigError

if TYPE_CHECKING:
    from autopilot.backtest.runner import Course
    from autopilot.backtest.searching import Search
    from autopilot.backtest.tuning import Tuning


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=SeveralValues)(tune)


def tune(
    rates: market.RatesArgument,
    strategy: Annotated[str, typer.Option(help="The strategy whose parameters are searched.")],
    trials: Annotated[
        int, typer.Option(help="How many sets of parameters to try before each fold; those of earlier runs of the study count.")
    ] = 100,
    processes: Annotated[int, typer.Option(help="How many processes search at once.")] = 1,
    storage: Annotated[
        str | None, typer.Option(help="Where to keep and share the search: an Optuna URL, or a journal file. Default: nowhere.")
    ] = None,
    study: Annotated[str | None, typer.Option(help="The name of the search there. Default: the strategy's.")] = None,
    folds: Annotated[int, typer.Option(help="Into how many parts the hours are cut: each is flown with what was chosen before it.")] = 5,
    param: Annotated[
        list[str] | None, typer.Option(help="Where to search: NAME.KEY=LOW..HIGH, or NAME.KEY=VALUE for a fixed value.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same noise, and the same search where it is not shared.")] = 0,
    start: market.StartOption = None,
    end: market.EndOption = None,
    gpu: market.GpuOption = None,
    gpus: market.GpusOption = 1,
    downtime: market.DowntimeOption = "30m",
    fee: market.FeeOption = "0",
    lag: market.LagOption = 1,
    power: market.PowerOption = "0",
    idle_power: market.IdlePowerOption = "0",
    tariff: market.TariffOption = "0",
    noise: market.NoiseOption = 0.0,
    config: market.GuardsOption = None,
    json_to: market.JsonOption = None,
) -> None:
    """Search a strategy's parameters walk-forward, and say whether they hold in hours that they were not chosen on."""
    from autopilot.backtest.parameters import space_of
    from autopilot.backtest.searching import Search

    for option, number in (("--trials", trials), ("--processes", processes)):
        options.at_least(option, number, 1)
    options.at_least("--noise", noise, 0)
    span = market.Span.of(start, end)
    terms = market.terms_of(downtime, fee, lag, gpus, power, idle_power, config)
    space = space_of(strategy, _asked(strategy, param or ()))
    course = market.course_of(rates, gpu, span, noise, seed)
    terms = replace(terms, power=market.tariff_of(tariff, course))
    tuning = _search(course, folds, Search(space, terms, {}, trials, seed, study or strategy, storage), processes)
    _give_out(tuning, json_to)
    if tuning.interrupted:
        raise typer.Exit(130)


def _asked(strategy: str, parameters: Sequence[str]) -> dict[str, str]:
    asked = {}
    for written in parameters:
        place, sign, value = written.partition("=")
        name, dot, key = place.rpartition(".")
        if not (sign and dot and key):
            raise ConfigError(f"--param: {written!r} is not NAME.KEY=LOW..HIGH, e.g. threshold.lead=0..0.3")
        if name != strategy:
            raise ConfigError(f"--param: {name!r} is not the strategy that is tuned, {strategy}")
        asked[key] = value
    return asked


def _search(course: Course, folds: int, wanted: Search, processes: int) -> Tuning:
    from autopilot.backtest.tuning import folds_of, tune
    from autopilot.cli.progress import counting

    cut = folds_of(course, folds)
    with counting("searching", wanted.trials * (folds + 1)) as advance:
        return tune(course, cut, wanted, processes, advance)


def _give_out(tuning: Tuning, json_to: str | None) -> None:
    from rich.console import Console

    from autopilot.backtest.tuned import as_json, as_table, verdict

    if tuning.lost:
        typer.echo(f"autopilot: {tuning.lost} of the workers ended before their time", err=True)
    text = json.dumps(as_json(tuning), indent=2)
    if json_to == "-":
        typer.echo(text)
        return
    if json_to is not None:
        try:
            Path(json_to).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{error.filename}: cannot be written: {error.strerror}") from None
    Console().print(as_table(tuning))
    typer.echo(f"\n{verdict(tuning)}")

"""The options of ``autopilot backtest --market jobs``: recorded rates, or one setting of a file of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from autopilot.backtest.runner import Course, Terms

MODELS = ("fluid", "jobs")
MarketOption = Annotated[
    str, typer.Option("--market", help="The model of the market: fluid (each hour pays its rate) or jobs (hires come and go).")
]
SettingOption = Annotated[str | None, typer.Option("--setting", help="With --market jobs and a file of settings: which one to fly.")]


def check(path: Path, model: str, setting: str | None, fluid: Mapping[str, object], recorded: Mapping[str, object]) -> None:
    """Raises ConfigError for a model that there is not, and for options that it has no use for.

    ``fluid`` has what is of the fluid market alone, ``recorded`` what a setting says itself; each option's value is true where it was
    given.
    """
    if model not in MODELS:
        raise ConfigError(f"--market: there is no market model {model!r}; there is {' and '.join(MODELS)}")
    if setting is not None and model != "jobs":
        raise ConfigError("--setting: a setting is flown with --market jobs")
    if setting is None and model == "jobs" and path.suffix == ".toml":
        from autopilot.sim.jobs_setting import read_settings

        raise ConfigError(f"{path}: is a file of settings: choose one with --setting; {did_you_mean('', read_settings(path))}")
    for option, given in fluid.items() if model == "jobs" else ():
        if given:
            raise ConfigError(f"{option}: is for --market fluid; leave it out")
    for option, given in recorded.items() if setting is not None else ():
        if given:
            raise ConfigError(f"{option}: the setting says this itself; leave it out")


def course_of(file: str, course: Course, seed: int, terms: Terms) -> Course:
    """Recorded rates in a market of jobs. Raises DataError."""
    from autopilot.backtest.jobs_course import rates_course

    return rates_course(file, course, terms.lag, seed, terms.gpus)


def setting_of(path: Path, name: str, seed: int, terms: Terms) -> tuple[Course, Terms]:
    """The course of one setting, and the terms with what moving costs there. Raises ConfigError."""
    from autopilot.backtest.jobs_course import setting_course
    from autopilot.sim.jobs_setting import read_setting

    setting = read_setting(path, name)
    course = setting_course(setting, seed, terms.gpus)
    return course, replace(terms, downtime=setting.downtime, fee=setting.fee, lag=setting.public.late)

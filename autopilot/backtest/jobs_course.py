"""A market of jobs as a course to be flown: from a named setting, or from recorded rates that tell occupancy and job lengths."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from autopilot.backtest.runner import Course
from autopilot.errors import DataError
from autopilot.sim.hazards import Floats
from autopilot.sim.jobs import Motion
from autopilot.sim.jobs_node import JobsMarket
from autopilot.sim.jobs_setting import Public, Rules, Setting
from autopilot.sim.jobs_tape import Venues, make_tape, setting_tape
from autopilot.sim.panel import Panel
from autopilot.units import HOUR

START = datetime(2025, 1, 1, tzinfo=UTC)
"""Of every setting: it has no calendar of its own."""

_MOST_ODDS = 999.0
"""A venue that is said to be always hired is hired again after a thousandth of a job."""


def setting_course(setting: Setting, seed: int, gpus: int) -> Course:
    """One seed of a setting."""
    tape = setting_tape(setting, seed, gpus)
    order = sorted(range(len(tape.venues)), key=tape.venues.__getitem__)
    panel = Panel(START, "any", tuple(tape.venues[column] for column in order), tape.truth.pay[:, order])
    return Course(panel, panel.rates, panel.start, panel.end, JobsMarket(tape, START, setting.jobs))


def rates_course(file: str, course: Course, lag: int, seed: int, gpus: int) -> Course:
    """The hours of a panel, in a market of jobs: pay and the hazards of all rigs as recorded; this rig, lengths and luck by the seed.

    Raises DataError where the file has a rate without the occupancy or the job length that belongs to it.
    """
    panel, rules = course.panel, Rules(public=Public(late=lag))
    occupancy, job_hours = _column(file, panel, "occupancy", panel.occupancy), _column(file, panel, "job_hours", panel.job_hours)
    odds = np.minimum(occupancy / np.maximum(1.0 - occupancy, 1e-9), _MOST_ODDS)
    idle = np.zeros_like(panel.rates) if panel.idle is None else np.nan_to_num(panel.idle)
    first = (course.start - panel.start) // HOUR
    scored = slice(first + course.hours)
    venues = Venues(panel.networks, Motion(panel.rates[scored]), Motion((odds / job_hours)[scored]), idle[scored], job_hours[scored], first)
    tape = make_tape(venues, rules, seed, gpus)
    told = tape.told
    return replace(
        course,
        shown=told.pay * told.occupancy + told.idle * (1.0 - told.occupancy),
        jobs=JobsMarket(tape, course.start, rules.jobs),
    )


def _column(file: str, panel: Panel, name: str, values: Floats | None) -> Floats:
    """The column, with a harmless figure where there is no rate."""
    if values is None:
        raise DataError(f"{file}: has no column {name}, which a market of jobs needs; add it, or fly --market fluid")
    missing = np.isnan(values) & ~np.isnan(panel.rates)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        where = f"{panel.networks[column]} has a rate at {panel.at(int(row)):%Y-%m-%dT%H:%MZ}"
        raise DataError(f"{file}: {where} and no {name}, which a market of jobs needs; add it, or drop the row")
    return np.where(np.isnan(values), 0.5, values)

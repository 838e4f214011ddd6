"""The rule for venues that pay by the job is one: flown by the Pilot from what it has seen, or over arrays, it comes to the same."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Self

import pytest

from autopilot.backtest.jobflight import costs, flyer
from autopilot.backtest.jobs_course import setting_course
from autopilot.backtest.runner import Flight, Terms, fly
from autopilot.contracts import NamedStrategy
from autopilot.model.device import Device
from autopilot.model.history import History
from autopilot.model.node import Phase
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.sim.jobs import to_hours
from autopilot.sim.jobs_setting import Setting, read_settings
from autopilot_strategies.choice import Choice, decide_each
from autopilot_strategies.hiring import choose

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "jobs.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The array-level flight that the figures come from."""
    spec = spec_from_file_location("jobs_benchmark", BENCHMARK)
    if spec is None or spec.loader is None:
        pytest.fail("benchmarks/jobs.py cannot be loaded")
    module = module_from_spec(spec)
    sys.modules["jobs_benchmark"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Hiring:
    """The rule as a strategy that leaves a device alone while it works, as the flight over arrays does."""

    def decide(self, view: View) -> Decision:
        """Each device by itself."""
        return decide_each(view, "hiring", lambda device: self._choose(view, device))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """It learns from the view's experience."""
        return self

    def _choose(self, view: View, device: Device) -> Choice:
        if view.placements[device.id].seen.phase is Phase.BUSY:
            return Choice(view.venue(device), "it works")
        return choose(view, device)


def short(name: str, days: int = 12) -> Setting:
    """The first days of a setting of the benchmark."""
    return read_settings(BENCHMARK.with_name("jobs.toml"))[name].model_copy(update={"days": days})


def flown(setting: Setting, seed: int) -> Flight:
    """One device by the Pilot."""
    terms = Terms(setting.downtime, setting.fee)
    return fly(setting_course(setting, seed, 1), terms, NamedStrategy("hiring", Hiring()))


@pytest.mark.parametrize("name", ["cal-rig70-dark15m", "cal-rig100-dark2h", "gen-rig25-dark15m", "gen-rig100-dark2h"])
@pytest.mark.parametrize("seed", [3, 4])
def test_the_pilot_and_the_arrays_fly_the_same_course(benchmark: ModuleType, name: str, seed: int) -> None:
    """Hour by hour the same venue, and the same money: so what the benchmark measures is what the Pilot does."""
    setting = short(name)
    course = setting_course(setting, seed, 1)
    assert course.jobs is not None
    tape, dark, fee = course.jobs.tape, to_hours(setting.downtime), float(setting.fee)
    flight = flown(setting, seed)
    flyer_ = flyer(benchmark.by_belief, benchmark.remember)
    outcome = flyer_.fly(tape, costs(tape.hours, dark, fee), benchmark.mind(len(tape.venues), dark, fee))
    (placed,) = flight.placements.values()

    assert [tape.venues[column] for column in outcome.path] == [venue.network for venue in placed]
    assert outcome.net == pytest.approx(float(flight.totals.net), abs=1e-6)
    assert outcome.moves > 1

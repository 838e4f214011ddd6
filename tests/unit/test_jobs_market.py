"""The tape of a jobs market: its draws are the same for all, its public figures late and wrong, and its file is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autopilot.backtest.jobs_course import rates_course
from autopilot.backtest.runner import Course
from autopilot.errors import ConfigError, DataError
from autopilot.sim.hazards import Walk
from autopilot.sim.jobs import Purpose, Tape, draws, remaining, stream, wait
from autopilot.sim.jobs_setting import Drawn, Jobs, Moves, Place, Public, Setting, read_setting, read_settings
from autopilot.sim.jobs_tape import setting_tape
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START
from autopilot.units import HOUR, Usd

FILE = Path(__file__).parents[2] / "benchmarks" / "jobs.toml"
PLACES = (
    Place(name="akash", pay=0.39, occupancy=0.72, job=24 * HOUR),
    Place(name="lium", pay=0.32, occupancy=0.6, job=2 * HOUR, idle=0.15),
)


def tape(days: int = 30, seed: int = 1, devices: int = 1, **others: object) -> Tape:
    """Of two venues."""
    plain = {"world": PLACES, "downtime": HOUR, "fee": Usd(0), "days": days}
    return setting_tape(Setting.model_validate(plain | others), seed, devices)


def test_the_file_has_twelve_settings_and_every_figure() -> None:
    """Two worlds, three spreads and two dark times; and where the file says what the code would assume, both say the same."""
    settings = read_settings(FILE)
    kinds = {(isinstance(each.world, Drawn), each.moves.rig.sd, each.downtime / HOUR) for each in settings.values()}
    usual = settings["cal-rig70-dark15m"]

    assert {(drawn, sd, dark) for drawn in (False, True) for sd in (0.25, 0.7, 1.0) for dark in (0.25, 2.0)} == kinds
    assert len(settings) == 12
    assert (Moves(), Public(), Jobs()) == (usual.moves, usual.public, usual.jobs)
    assert (usual.days, usual.seeds, Usd.of("0.01")) == (120, 40, usual.fee)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.replace('world = "gen"', 'world = "gem"', 1), "there is no world 'gem'; did you mean gen?"),
        (lambda text: text.replace("rig_sd = 0.25", "rig_sd = -1", 1), "settings.cal-rig25-dark15m.rig_sd: Input should be greater"),
        (lambda text: text.replace("[public]\n", "[public]\nlatte = 2\n"), "public.latte: Extra inputs"),
        (lambda text: text.replace("days = 120", "days = "), "is no TOML"),
        (lambda text: text.replace('job = "24h"', "job = 24", 1), "24 is no duration; write it with its unit"),
    ],
    ids=["world", "figure", "key", "toml", "unit"],
)
def test_a_bad_file_is_refused(tmp_path: Path, change: Callable[[str], str], complaint: str) -> None:
    """In one line that names the file and the field."""
    path = tmp_path / "jobs.toml"
    path.write_text(change(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_settings(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_setting_is_refused() -> None:
    """With the names that are close."""
    with pytest.raises(ConfigError, match="has no setting 'cal-rig25-dark1h'; did you mean cal-rig25-dark"):
        read_setting(FILE, "cal-rig25-dark1h")


def test_the_same_seed_is_the_same_market() -> None:
    """To the last digit, and another seed is another."""
    one, two = tape().truth, tape().truth

    assert np.array_equal(one.pay, two.pay)
    assert np.array_equal(one.hazard, two.hazard)
    assert np.array_equal(one.lengths, two.lengths)
    assert not np.array_equal(tape().truth.waits[0, 0, :9], tape(seed=2).truth.waits[0, 0, :9])


def test_a_longer_market_begins_as_the_shorter_one_did() -> None:
    """So do the draws, and a further device changes nothing of the first one's luck."""
    short, long = tape().truth, tape(days=40, devices=3).truth
    count = min(short.waits.shape[2], long.waits.shape[2])

    assert np.array_equal(short.pay, long.pay[:720])
    assert np.array_equal(short.waits[:, 0, :count], long.waits[:, 0, :count])
    assert np.array_equal(short.lengths[:, 0, :count], long.lengths[:, 0, :count])
    assert not np.array_equal(long.lengths[:, 0, :9], long.lengths[:, 1, :9])


def test_nobody_runs_out_of_draws() -> None:
    """Whoever waits through every hour, and works in no time at all, still has some left."""
    truth = tape(days=300).truth
    hires = truth.hazard.sum(axis=0)

    assert (truth.waits[:, 0].sum(axis=1) > hires).all()


def test_the_public_is_told_late_and_wrong() -> None:
    """With no error the odds are the network's hazard times the job, of three hours before; with one they spread about them."""
    still = Walk(sd=0.0, half_life=HOUR)
    exact = tape(public={"error": still, "job_sd": 0.0, "late": 3}, moves={"rig": still})
    odds = exact.shown.occupancy / (1 - exact.shown.occupancy)
    wrong = tape(public={"error": {"sd": 0.8, "half_life": "1d"}, "job_sd": 0.5, "late": 3}, moves={"rig": still})
    error = np.log(wrong.shown.occupancy / (1 - wrong.shown.occupancy) / odds)

    assert np.allclose(odds[3:], (exact.truth.hazard * exact.truth.job_hours)[:-3], rtol=1e-6)
    assert np.array_equal(exact.shown.pay[3:], exact.truth.pay[:-3])
    assert np.array_equal(exact.shown.job_hours, exact.truth.job_hours)
    assert error.std() == pytest.approx(0.8, rel=0.25)
    assert (wrong.shown.job_hours != wrong.truth.job_hours).all()


def test_a_rig_is_hired_as_its_hazard_says() -> None:
    """Over many hires the exposure of a wait has the mean one, and a length the mean of its venue."""
    for sigma in (0.0, 1.0):
        waits, lengths = draws(0, np.full((20_000, 1), 2.0), 1, [sigma])

        assert waits.mean() == pytest.approx(1.0, rel=0.03)
        assert lengths.mean() == pytest.approx(1.0, rel=0.05)


def test_a_wait_in_parts_is_the_same_wait() -> None:
    """The hire comes at the same instant, however often one looks in between."""
    truth = tape().truth
    at, left = wait(truth, 0, 5.25, 700.0, 5.25, 3.0)
    middle, need = wait(truth, 0, 5.25, 6.5, 5.25, 3.0)

    assert (0.0, 6.5) == (left, middle)
    assert wait(truth, 0, middle, 700.0, 5.25, need)[0] == pytest.approx(at, abs=1e-9)


@pytest.mark.parametrize("sigma", [0.0, 0.8, 1.2])
def test_what_is_left_of_a_job_is_expected_by_its_age(sigma: float) -> None:
    """As a sample of jobs shows: a memoryless one forgets its age, a log-normal one that is old goes on for long."""
    random = stream(0, Purpose.LENGTH)
    lengths = 3.0 * (np.exp(sigma * random.standard_normal(400_000) - sigma**2 / 2) if sigma else random.standard_exponential(400_000))
    for age in (0.0, 1.0, 6.0):
        assert remaining(age, 3.0, sigma) == pytest.approx((lengths[lengths > age] - age).mean(), rel=0.04)


def test_a_job_of_any_age_is_expected_to_end() -> None:
    """No age makes the figure negative or endless."""
    assert all(0 < remaining(age, 2.0, 1.0) < 1e5 for age in (1e-9, 1e3, 1e4, 1e9))


def panel(**columns: np.ndarray) -> Panel:
    """Three days of two networks, with a gap in the first."""
    rates = np.full((72, 2), 0.4)
    rates[5, 0] = np.nan
    return Panel(START, MODEL, ("akash", "nosana"), rates, **columns)


def course(flown: Panel, first: int = 24) -> Course:
    """The rows before the first one are history."""
    return Course(flown, flown.rates, START + first * HOUR, flown.end)


def test_recorded_rates_become_a_market() -> None:
    """Pay as recorded, the network's hazard from occupancy and job length, history shown as what was expected."""
    full = {"occupancy": np.full((72, 2), 0.75), "job_hours": np.full((72, 2), 6.0), "idle": np.full((72, 2), 0.1)}
    flown = rates_course("r.csv", course(panel(**full)), 1, 3, 1)
    assert flown.jobs is not None
    made = flown.jobs.tape

    assert made.hours == 48
    assert np.allclose(made.hazard.level, 0.5)
    assert np.array_equal(np.isnan(flown.shown), np.isnan(flown.panel.rates))
    assert np.allclose(made.shown.pay, 0.4)
    assert np.nanmean(flown.shown - 0.3 * made.told.occupancy) == pytest.approx(0.1)


def test_an_hour_without_a_rate_hires_nobody() -> None:
    """And is shown as unknown, one hour later."""
    full = {"occupancy": np.full((72, 2), 0.75), "job_hours": np.full((72, 2), 6.0)}
    made = rates_course("r.csv", course(panel(**full), 0), 1, 3, 1).jobs
    assert made is not None

    assert [0.0] == made.tape.truth.hazard[5, :1].tolist()
    assert np.isnan(made.tape.shown.pay[[0, 6], 0]).all()


def test_rates_without_occupancy_or_job_lengths_are_refused() -> None:
    """The file and the column are named; where only some rows lack it, the first of them is too."""
    some = np.full((72, 2), 6.0)
    some[7, 1] = np.nan
    complaints = []
    for columns in ({}, {"occupancy": np.full((72, 2), 0.5)}, {"occupancy": np.full((72, 2), 0.5), "job_hours": some}):
        with pytest.raises(DataError) as caught:
            rates_course("r.csv", course(panel(**columns)), 1, 0, 1)
        complaints.append(str(caught.value))

    assert complaints == [
        "r.csv: has no column occupancy, which a market of jobs needs; add it, or fly --market fluid",
        "r.csv: has no column job_hours, which a market of jobs needs; add it, or fly --market fluid",
        "r.csv: nosana has a rate at 2026-01-01T07:00Z and no job_hours, which a market of jobs needs; add it, or drop the row",
    ]

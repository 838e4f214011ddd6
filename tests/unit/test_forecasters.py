"""The forecasters: what they say where the answer is known, how their skill is measured, and who is used."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from autopilot_strategies.forecasting import ANCHORS, Forecaster, Lesson, MemberSkill, Paths
from autopilot_strategies.forecasting.boosting import _examples, _walked
from autopilot_strategies.forecasting.features import Memory
from autopilot_strategies.forecasting.members import MEMBERS
from autopilot_strategies.forecasting.rhythm import Floats, Rhythm

MONDAY = 480_096
"""Hours from 1970-01-01T00Z to a Monday, 00:00."""


def walked(rates: Floats) -> tuple[Forecaster, Paths]:
    """All of the rates, from a Monday on."""
    return Forecaster.start(rates.shape[1], MONDAY).extend(rates)


def returning(rows: int, half_life: float, venues: int = 4, seed: int = 0) -> Floats:
    """Rates that wander around 0.3 USD/h and come back."""
    random = np.random.default_rng(seed)
    kept = 2.0 ** (-1.0 / half_life)
    rates = random.normal(0.0, 0.05 * np.sqrt(1.0 - kept * kept), (rows, venues))
    for row in range(1, rows):
        rates[row] += kept * rates[row - 1]
    return rates + 0.3


def rhythmic(rows: int) -> Floats:
    """Four venues that take turns at being the best of the day."""
    phase = np.arange(rows)[:, None] / 24.0 + np.arange(4) / 4.0
    return 0.3 + 0.05 * np.cos(2.0 * np.pi * phase) + np.random.default_rng(0).normal(0.0, 0.002, (rows, 4))


def named(state: Forecaster, name: str) -> MemberSkill:
    """The skill of one member."""
    return next(each for each in state.skill().members if each.name == name)


def test_with_nothing_learned_the_last_rate_is_believed() -> None:
    """In the first day every anchor says what the venue paid last."""
    rates = returning(20, half_life=5.0)
    _, paths = walked(rates)

    assert np.array_equal(np.repeat(rates[:, None], len(ANCHORS), axis=1), paths.mid)
    assert np.array_equal(np.zeros((20, len(ANCHORS))), paths.skill)


def test_a_rate_that_never_moves_is_forecast_to_stay() -> None:
    """A plateau has no scale of its own, and must not divide by it."""
    rates = np.full((24 * 30, 3), 0.25)
    rates[:, 2] = 0.0
    _, paths = walked(rates)

    assert np.allclose(np.repeat(rates[:, None], len(ANCHORS), axis=1), paths.mid, rtol=0.0, atol=1e-12)
    assert np.allclose(paths.mid[-1], paths.low[-1], rtol=0.0, atol=1e-12)


def test_a_rhythm_is_found() -> None:
    """Where venues take turns by the hour of day, half a day ahead is known almost as well as the next hour."""
    rates = rhythmic(24 * 42)
    state, paths = walked(rates)
    eight = ANCHORS.index(8)
    error = paths.mid[-192:-8, eight] - rates[-184:]

    assert np.sqrt(np.mean(error**2)) < 0.005
    assert state.skill().mix.differences[eight] > 0.85
    assert named(state, "hour of day").differences[eight] > 0.9


def test_noise_is_averaged_away() -> None:
    """Where every hour stands for itself, the mix comes near to half the squared error of persistence: all there is to win."""
    rates = 0.3 + np.random.default_rng(1).normal(0.0, 0.03, (24 * 60, 4))
    state, _ = walked(rates)

    assert min(state.skill().mix.differences) > 0.3
    assert state.skill().mix.differences[0] > 0.45


def test_what_comes_back_is_believed_to_come_back() -> None:
    """The ridge learns how fast: of a deviation with a half-life of 12 h, a quarter is left after 24 h."""
    rates = returning(24 * 120, half_life=12.0)
    state, paths = walked(rates)
    left = np.polyfit(rates[-1000:].ravel() - 0.3, paths.mid[-1000:, ANCHORS.index(24)].ravel() - 0.3, 1)[0]

    assert abs(left - 0.25) < 0.12
    assert named(state, "ridge").differences[ANCHORS.index(24)] > 0.2


def test_a_forecaster_that_does_not_beat_persistence_is_not_used_and_says_so() -> None:
    """Of a martingale nothing is known but where it is."""
    state, _ = walked(0.3 + np.cumsum(np.random.default_rng(2).normal(0.0, 0.003, (24 * 60, 4)), axis=0))
    skill = state.skill()
    weights, differences = np.array([each.weights for each in skill.members]), np.array([each.differences for each in skill.members])

    assert not weights[1:][differences[1:] <= 0.0].any()
    assert named(state, "average of 8 h").why == "not used: does not beat persistence"
    assert "in use 1, 2" in named(state, "persistence").why
    assert named(state, "boosting").why == "not used: it has had no lesson"
    assert np.mean(skill.mix.differences) > -0.03


def test_the_table_names_every_member_with_its_skill() -> None:
    """A person reads who is used, how good it is for each horizon, and why the others are not."""
    state, _ = walked(rhythmic(24 * 20))
    lines = list(state.skill().lines())

    assert [*MEMBERS, "mix"] == [line[:20].strip() for line in lines[2:]]
    assert str(ANCHORS[-1]) == lines[1].split()[-1]
    assert f"{named(state, 'hour of day').differences[3]:.3f}" in lines[2 + MEMBERS.index("hour of day")]


def test_before_the_first_day_nothing_is_measured() -> None:
    """Nobody is used without evidence, and the reason is that there is none."""
    state, _ = walked(returning(23, half_life=5.0))

    assert named(state, "ridge").why == "not used: nothing is measured yet"
    assert {0.0} == {value for each in state.skill().members for value in each.differences}


def test_skill_is_what_a_recount_of_the_paths_finds() -> None:
    """On levels: the decayed sum of squared errors in the scale of the hour of the forecast, against that of the last rate."""
    rates = returning(24 * 12, half_life=4.0)
    state, paths = walked(rates)
    facts = _walked(rates, MONDAY)
    expected = []
    for a, ahead in enumerate(ANCHORS):
        mine = last = 0.0
        for row in range(ahead, len(rates)):
            weight = 2.0 ** (-((len(rates) - 1) // 24 - row // 24) / 45.0)
            mine += weight * float(np.sum(((paths.mid[row - ahead, a] - rates[row]) / facts.scale[row - ahead]) ** 2))
            last += weight * float(np.sum(((rates[row - ahead] - rates[row]) / facts.scale[row - ahead]) ** 2))
        expected.append(1.0 - mine / last)

    assert np.allclose(expected, state.skill().mix.levels, rtol=1e-9, atol=1e-12)


def test_the_band_holds_four_of_five() -> None:
    """Where tomorrow is like yesterday, one in ten lies below the band and one in ten above it."""
    rates = returning(24 * 120, half_life=6.0)
    _, paths = walked(rates)
    for a, ahead in enumerate(ANCHORS):
        outcome, rows = rates[1000 + ahead :], slice(1000, len(rates) - ahead)

        assert abs(np.mean(outcome < paths.low[rows, a]) - 0.1) < 0.04
        assert abs(np.mean(outcome > paths.high[rows, a]) - 0.1) < 0.04


def test_one_outlier_is_not_believed_and_two_are() -> None:
    """A level that jumps for an hour is not the level; when the next hour agrees, it is."""
    rates = returning(60, half_life=5.0, venues=1)
    rates[50:52] += 1.0
    memory, _ = Memory.start(1).extend(rates[:51], MONDAY, Rhythm.start(1))
    after, _ = memory.extend(rates[51:52], MONDAY + 51, Rhythm.start(1))

    assert memory.level[0] < 0.7 < rates[50, 0]
    assert after.level[0] == rates[51, 0]


def test_averages_know_how_long_a_gap_was() -> None:
    """After a gap, the average has moved as far as if the rate that came back had been there all along."""
    rates = returning(300, half_life=5.0, venues=2)
    rates[200:250] = rates[250]
    rates[200:250, 1] = np.nan
    memory, _ = Memory.start(2).extend(rates[:251], MONDAY, Rhythm.start(2))
    alone, _ = Memory.start(1).extend(np.where(np.isnan(rates[:251, 1:]), rates[250, 1], rates[:251, 1:]), MONDAY, Rhythm.start(1))

    assert np.allclose(alone.means[:7, 0], memory.means[:7, 1], rtol=1e-12, atol=0.0)


def test_extending_leaves_the_old_state_as_it_was() -> None:
    """The same state can be extended again, and says the same."""
    rates = rhythmic(24 * 20)
    state, _ = walked(rates[:300])
    first, expected = state.extend(rates[300:])
    second, actual = pickle.loads(pickle.dumps(state)).extend(rates[300:])  # noqa: S301  # our own bytes

    assert state.rows == 300
    assert np.array_equal(expected.mid, actual.mid)
    assert np.array_equal(first.stack.weights, second.stack.weights)


def test_the_state_of_a_rig_is_small() -> None:
    """Twelve venues over months take a few megabytes, however long it ran."""
    state, _ = walked(returning(24 * 70, half_life=5.0, venues=12))

    assert len(pickle.dumps(state)) < 4_000_000


def test_a_lesson_says_what_scikit_learn_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trees that were taken over give the mean of the quantiles that their estimators give."""
    from unittest.mock import patch

    from sklearn.ensemble import GradientBoostingRegressor

    models = []
    fit = GradientBoostingRegressor.fit

    def kept(model: GradientBoostingRegressor, *data: Floats) -> GradientBoostingRegressor:
        models.append(fit(model, *data))
        return models[-1]

    monkeypatch.setattr("autopilot_strategies.forecasting.boosting._SAMPLES", 600)
    rates = rhythmic(24 * 8)
    with patch.object(GradientBoostingRegressor, "fit", kept):
        lesson = Lesson.learn(rates, MONDAY)
    shown, _ = _examples(_walked(rates, MONDAY))
    expected = sum(part * model.predict(shown) for part, model in zip((0.3, 0.4, 0.3), models, strict=True))

    assert lesson is not None
    assert np.allclose(expected, lesson.apply(shown), rtol=1e-9, atol=1e-9)


def test_a_lesson_counts_from_its_day_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes nothing before, it becomes a member, and one that knows the future is refused."""
    monkeypatch.setattr("autopilot_strategies.forecasting.boosting._SAMPLES", 3000)
    rates = rhythmic(24 * 30)
    state, _ = walked(rates[: 24 * 14])
    lesson = Lesson.learn(rates[: 24 * 14], MONDAY)
    assert lesson is not None
    taught, _ = state.taught(lesson).extend(rates[24 * 14 :])
    untaught, _ = state.extend(rates[24 * 14 :])

    assert named(taught, "boosting").differences[ANCHORS.index(8)] > 0.2
    assert {0.0} == set(named(untaught, "boosting").differences)
    assert "no lesson" not in named(taught, "boosting").why
    with pytest.raises(ValueError, match="1 hours that are still to come"):
        walked(rates[: 24 * 14 - 1])[0].taught(lesson)


def test_there_is_no_lesson_in_nothing() -> None:
    """Less than a day, or no rate at all, teaches nothing."""
    assert Lesson.learn(np.full((20, 2), 0.3), MONDAY) is None
    assert Lesson.learn(np.full((100, 2), np.nan), MONDAY) is None


def test_a_daemon_forecasts_without_scikit_learn_and_scipy() -> None:
    """They cost more memory than all of the forecasts: only a lesson imports them."""
    program = (
        "import sys, numpy as np; from autopilot_strategies.forecasting import Forecaster; "
        "Forecaster.start(2, 0).extend(np.full((200, 2), 0.3)); print({'sklearn', 'scipy', 'pandas'} & set(sys.modules))"
    )
    talk = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert talk.stdout.strip() == "set()"

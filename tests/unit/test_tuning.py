"""What a tuning is made of: ranges, folds, and the rule by which it recommends."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.backtest.parameters import Range, Space, space_of
from autopilot.backtest.runner import Course
from autopilot.backtest.tuned import as_json, as_table, as_toml, verdict
from autopilot.backtest.tuning import EMBARGO, Scored, Tuning, folds_of
from autopilot.errors import ConfigError
from autopilot.plugins import STRATEGIES, built_in_strategies, kinds_of, make_strategy, value_of
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START
from autopilot.units import HOUR

TUNABLE = [name for name in built_in_strategies() if kinds_of(name)]
RANGES = [(name, each) for name in TUNABLE for each in space_of(name, {}).ranges]
KINDS = """
from __future__ import annotations
from dataclasses import dataclass
from datetime import timedelta
from autopilot.units import Share, UsdPerHour

@dataclass(frozen=True)
class Kinds:
    floor: UsdPerHour = UsdPerHour(20_000_000)
    patient: bool = False
    times: int = 1
    weight: float = 0.0
    debt: float = -2.0
    decay: Share = Share(900_000_000)
    wait: timedelta = timedelta(0)
    label: str = "a"

    def decide(self, view): ...
    def fit(self, history): return self
"""


@pytest.fixture
def kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stranger's strategy with a parameter of every kind."""
    metadata = tmp_path / "kinds-1.0.dist-info"
    metadata.mkdir()
    (tmp_path / "kinds_of_parameters.py").write_text(KINDS)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: kinds\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{STRATEGIES}]\nkinds = kinds_of_parameters:Kinds\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "kinds"


def course(hours: int) -> Course:
    """Rates of no interest."""
    panel = Panel(START, MODEL, ("alder",), np.full((hours, 1), 0.4))
    return Course(panel, panel.rates, panel.start, panel.end)


@pytest.mark.parametrize(("strategy", "each"), RANGES, ids=[f"{name}.{each.key}" for name, each in RANGES])
def test_the_default_is_inside_and_stays_as_it_is(strategy: str, each: Range) -> None:
    """Written for a configuration it gives the very strategy that there was, digit by digit."""
    assert each.low <= each.default <= each.high
    assert make_strategy(strategy, {}).strategy == make_strategy(strategy, {each.key: each.written(each.default)}).strategy


@given(st.sampled_from(RANGES), st.floats(0, 1))
def test_whatever_is_tried_can_be_written(case: tuple[str, Range], where: float) -> None:
    """It is read again as the number that was tried, to three digits, or to the minute of a long span."""
    strategy, each = case
    number = each.low + where * (each.high - each.low)
    if each.whole:
        number = round(number)
    value = value_of(each.kind, each.written(number), strategy)
    read = value / HOUR if isinstance(value, timedelta) else float(value)

    assert number == pytest.approx(read, rel=1e-3, abs=1 / 60 if each.kind is timedelta else 1e-9)


def test_ranges_by_kind(kinds: str) -> None:
    """Around the default: by ratios where there is one, within 0 and 1 for a share; text is not searched."""
    space = space_of(kinds, {})
    ranges = {each.key: (each.low, each.high, each.by_ratio, each.whole) for each in space.ranges}

    assert {
        "floor": (0.0025, 0.16, True, False),
        "patient": (0, 1, False, True),
        "times": (0, 5, False, True),
        "weight": (0, 1, False, False),
        "debt": (-16, 16, False, False),
        "decay": (pytest.approx(0.2), 1, False, False),
        "wait": (0, 48, False, False),
    } == ranges
    assert {"floor": "0.05 $/h", "patient": "true", "times": "3", "weight": "0.1235", "debt": "-2.0", "decay": "0.9", "wait": "1h30m"} == (
        space.parameters({"floor": 0.05, "patient": 1, "times": 3, "weight": 0.12345, "debt": -2, "decay": 0.9, "wait": 1.5})
    )


def test_ranges_as_asked_for(kinds: str) -> None:
    """In the units of a configuration; a single value is kept, in the defaults too."""
    space = space_of(kinds, {"floor": "0.01 $/h..0.2 $/h", "wait": "30m..12h", "decay": "0.1..0.2", "label": "b", "times": "7"})
    ranges = {each.key: (each.low, each.high) for each in space.ranges}

    assert [(0.01, 0.2), (0.5, 12.0), (0.1, 0.2)] == [ranges[key] for key in ("floor", "wait", "decay")]
    assert {"label": "b", "times": "7"} == space.kept
    assert (7, "b") == tuple(getattr(space.default().strategy, key) for key in ("times", "label"))
    assert space.default_numbers() is None, "the default of decay lies outside"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"lid": "0..1"}, "strategy 'threshold' has no parameter 'lid'; did you mean lead?"),
        ({"lead": "0.2..0.1"}, "threshold.lead: 0.2..0.1 is no range: its low end must be below its high end"),
        ({"lead": "0..2"}, "threshold.lead: a share lies between 0 and 1"),
        ({"lead": "0.1"}, "strategy 'threshold' has no parameter to tune"),
    ],
)
def test_a_range_that_makes_no_sense_is_one_line(asked: Mapping[str, str], why: str) -> None:
    """It says where, and what to do."""
    with pytest.raises(ConfigError) as caught:
        space_of("threshold", asked)

    assert str(caught.value).startswith(why)


def test_what_has_no_range_is_said(kinds: str) -> None:
    """Text is no number; and a strategy without parameters has nothing to tune."""
    with pytest.raises(ConfigError, match=r"kinds\.label has no range"):
        space_of(kinds, {"label": "a..b"})
    with pytest.raises(ConfigError, match="strategy 'stay' has no parameter to tune"):
        space_of("stay", {})


def test_a_strategy_may_refuse_what_is_tried() -> None:
    """What does not fit together is no strategy, and no error."""
    space = space_of("nicehash", {})
    numbers = {each.key: each.default for each in space.ranges}

    assert space.made(numbers) is not None
    assert space.made({**numbers, "least_samples": 8, "most_samples": 2}) is None


@given(st.integers(2, 9), st.integers(0, 500))
def test_folds_are_scored_once_and_never_seen_before(count: int, more: int) -> None:
    """The parts follow each other to the end; what is chosen on begins with the course and ends a day before."""
    over = course((count + 1) * 48 + more)
    folds = folds_of(over, count)

    assert count == len(folds)
    assert over.end == folds[-1].part.end
    for fold, following in zip(folds, [*folds[1:], None], strict=True):
        assert over.start == fold.before.start < fold.before.end == fold.part.start - EMBARGO
        assert following is None or fold.part.end == following.part.start


def test_folds_that_are_too_short_are_refused() -> None:
    """With how many hours there must be."""
    with pytest.raises(ConfigError, match="287 h are too few for 5 folds, which need 288"):
        folds_of(course(287), 5)
    with pytest.raises(ConfigError, match="--folds: must be 2 or more, is 1"):
        folds_of(course(1000), 1)


def tuned(inside: Sequence[float], outside: Sequence[float], lead: str = "0.2") -> Tuning:
    """Gains over defaults that have nine tenths of perfect foresight everywhere."""
    space = space_of("threshold", {})
    folds = folds_of(course(2000), max(len(inside), 2))
    scored = [
        Scored(fold, {"lead": lead}, 10, 0.9 + more, 0.9, 0.9 + held, 0.9) for fold, more, held in zip(folds, inside, outside, strict=False)
    ]
    return Tuning(space, scored, {"lead": lead}, interrupted=False, lost=0)


@pytest.mark.parametrize(
    ("tuning", "why"),
    [
        (tuned([0.02, 0.02, 0.02], [0.02, 0.03, 0.01]), ""),
        (tuned([0.02, 0.02], [0.01, 0.01]), ""),
        (tuned([0.04, 0.04], [0.019, 0.019]), "less than half of the +4.00% in sample"),
        (tuned([0.02, 0.02, 0.02], [0.05, -0.03, 0.01]), "not more than its standard error of 2.31%"),
        (tuned([0.02, 0.02], [-0.01, -0.01]), "gain -1.00% of perfect foresight out of sample, which is not more"),
        (tuned([0.0, 0.0], [0.0, 0.0], lead="0.05"), "nothing that was tried is better than they are"),
        (tuned([0.02], [0.02]), "1 fold was searched"),
    ],
)
def test_the_rule(tuning: Tuning, why: str) -> None:
    """Recommended is what gains more than its standard error out of sample, and at least half of what it gained in sample."""
    told = as_json(tuning)

    assert why in tuning.doubt
    assert bool(why) == bool(tuning.doubt)
    assert (not why, None if why else "[strategies.threshold]\nlead = 0.2") == (told["recommend"], told["toml"])
    assert verdict(tuning).startswith("Keep the defaults: " if why else "Out of sample they gain ")


def test_what_is_reported() -> None:
    """For every fold and in the mean: shares in and out of sample, those of the defaults, and the gap."""
    tuning = tuned([0.04, 0.02], [0.01, 0.02])
    told, table = as_json(tuning), as_table(tuning)

    assert [pytest.approx(0.03), pytest.approx(0.0)] == [fold["gap"] for fold in told["folds"]]
    assert told["overall"] == {
        "in_sample": pytest.approx(0.93),
        "out_of_sample": pytest.approx(0.915),
        "default_in_sample": pytest.approx(0.9),
        "default_out_of_sample": pytest.approx(0.9),
        "gap": pytest.approx(0.015),
        "gain": pytest.approx(fmean([0.01, 0.02])),
        "gain_in_sample": pytest.approx(0.03),
        "standard_error": pytest.approx(0.005),
    }
    assert ["94.00%", "92.00%", "93.00%"] == list(table.columns[2].cells)


def test_the_table_to_paste_is_read_as_it_was_meant(kinds: str) -> None:
    """Numbers and flags are bare, whatever has a unit is in quotes, and the strategy that is made of it is the one that was flown."""
    numbers = {"floor": 0.05, "patient": 1, "times": 3, "weight": 0.1, "debt": -2, "decay": 0.8, "wait": 1.5}
    space: Space = space_of(kinds, {"label": "b"})
    tuning = Tuning(space, [], space.parameters(numbers), interrupted=False, lost=0)
    read = tomllib.loads(as_toml(tuning))["strategies"][kinds]

    assert {
        "floor": "0.05 $/h",
        "patient": True,
        "times": 3,
        "weight": 0.1,
        "debt": -2,
        "decay": 0.8,
        "wait": "1h30m",
        "label": "b",
    } == read
    made = space.made(numbers)
    assert made
    assert made.strategy == make_strategy(kinds, read).strategy

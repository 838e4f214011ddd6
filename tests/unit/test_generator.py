"""The generated market: the same for everybody, and restless like the real ones."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

import numpy as np
import pytest

from autopilot.errors import ConfigError
from autopilot.sim.generator import LEVELS, NETWORKS, generate, generated_panel
from autopilot.sim.panel import read_panel
from autopilot.store.exports import write_rates
from autopilot.store.raterow import RateRow
from autopilot.units import HOUR

START = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLE = Path(__file__).parents[2] / "examples" / "rates.csv.gz"
YEAR = 24 * 364


def of(rows: Iterable[RateRow], gpu: str) -> list[RateRow]:
    """The rows of one GPU model, without their lines."""
    return [row._replace(line=0) for row in rows if row.gpu == gpu]


def test_the_seed_makes_the_market() -> None:
    """The same seed gives the same rows, another seed others."""
    one, again, other = (list(generate(seed, START, 100, ["H100"])) for seed in (7, 7, 8))

    assert one == again
    assert one != other


def test_what_is_there_stays_when_more_is_asked_for() -> None:
    """A further GPU model, and further hours, change no row of the others."""
    alone = list(generate(7, START, 200, ["H100"]))

    assert of(alone, "H100") == of(generate(7, START, 200, ["RTX 4090", "H100"]), "H100")
    assert alone == list(itertools.takewhile(lambda row: row.hour < START + 200 * HOUR, generate(7, START, 300, ["H100"])))


@pytest.mark.parametrize(("gpu", "low", "high"), [("RTX 4090", 0.25, 0.45), ("H100", 1.5, 2.6)])
def test_rates_are_of_the_size_of_real_ones(gpu: str, low: float, high: float) -> None:
    """Over a year the mean of every network, and nine tenths of its hours, lie where such a GPU really earns."""
    panel = generated_panel(3, START, YEAR, gpu)

    assert (np.nanmean(panel.rates, axis=0) > low).all()
    assert (np.nanmean(panel.rates, axis=0) < high).all()
    assert np.nanmean((panel.rates > low) & (panel.rates < high)) > 0.9


def test_no_network_is_best_for_long() -> None:
    """Every network has its days, and a rig that always sits at the best earns clearly more than one that stays."""
    rates = np.nan_to_num(generated_panel(5, START, YEAR, "RTX 4090").rates)
    best = rates.argmax(axis=1)

    assert min(np.bincount(best, minlength=len(NETWORKS))) > YEAR * 0.05
    assert rates.max(axis=1).mean() > 1.05 * rates.mean(axis=0).max()


def test_the_day_and_the_week_have_a_rhythm() -> None:
    """Render pays more by day than by night and less at the weekend; bittensor knows neither."""
    panel = generated_panel(2, START, YEAR, "H100")
    rates = {name: panel.rates[:, column] for column, name in enumerate(panel.networks)}
    hours = np.arange(YEAR) % 24
    weekday = np.array([panel.at(index).weekday() for index in range(YEAR)])

    def lead(name: str, over: np.ndarray, under: np.ndarray) -> float:
        return float(np.nanmean(rates[name][over]) / np.nanmean(rates[name][under]) - 1)

    assert lead("render", hours == NETWORKS["render"].peak, hours == NETWORKS["render"].peak - 12) > 0.15
    assert lead("render", weekday < 5, weekday >= 5) > 0.05
    assert abs(lead("bittensor", hours == 16, hours == 4)) < 0.03


def test_a_shock_of_a_token_reaches_every_market_that_pays_in_it() -> None:
    """The day-to-day moves of one network are alike for two GPU models, and those of two networks are not."""
    days: dict[tuple[str, str], np.ndarray] = {}
    for gpu in ("RTX 4090", "H100"):
        panel = generated_panel(4, START, YEAR, gpu)
        rates = np.where(np.isnan(panel.rates), np.nanmean(panel.rates, axis=0), panel.rates)
        means = np.log(rates).reshape(-1, 24, len(NETWORKS)).mean(axis=1)
        days |= {(gpu, name): np.diff(means[:, column]) for column, name in enumerate(panel.networks)}

    def likeness(one: tuple[str, str], other: tuple[str, str]) -> float:
        return float(np.corrcoef(days[one], days[other])[0, 1])

    assert likeness(("RTX 4090", "bittensor"), ("H100", "bittensor")) > 0.25
    assert abs(likeness(("RTX 4090", "bittensor"), ("RTX 4090", "akash"))) < 0.15


def test_there_are_gaps_and_outages() -> None:
    """Single hours have a row without a rate; now and then a network gives no row for hours; both are rare."""
    rows = list(generate(6, START, YEAR, ["H100"]))
    gaps = mean(row.rate is None for row in rows)
    heard = {(row.network, row.hour) for row in rows}
    silent = [
        sum(1 for _ in run)
        for name in NETWORKS
        for there, run in itertools.groupby((name, START + n * HOUR) in heard for n in range(YEAR))
        if not there
    ]

    assert 0.001 < gaps < 0.01
    assert max(silent) > 6
    assert 0 < sum(silent) < 0.03 * YEAR * len(NETWORKS)


def test_an_unknown_model_is_answered_with_a_close_one() -> None:
    """No level is invented."""
    with pytest.raises(ConfigError, match=r"no market is generated for 'RTX4090'; did you mean RTX 4090 or RTX 3090\?"):
        list(generate(7, START, 1, ["RTX4090"]))
    with pytest.raises(ConfigError):
        generated_panel(7, START, 1, "")


@pytest.mark.parametrize("gpu", LEVELS)
def test_a_panel_is_the_file_that_would_be_written(tmp_path: Path, gpu: str) -> None:
    """The demo's market and the file's are the same."""
    path = tmp_path / "rates.csv"
    write_rates(path, generate(9, START, 500, LEVELS))
    read, made = read_panel(path, gpu), generated_panel(9, START, 500, gpu)

    assert (read.start, read.gpu, read.networks) == (made.start, made.gpu, made.networks)
    np.testing.assert_array_equal(read.rates, made.rates)


def test_lines_are_those_of_the_file() -> None:
    """The header is line 1."""
    assert [2, 3, 4, 5, 6] == [row.line for row in generate(7, START, 2, ["H100"])][:5]


def test_the_example_is_what_the_command_writes(tmp_path: Path) -> None:
    """``autopilot rates generate examples/rates.csv.gz`` writes the file that lies there; it is small."""
    path = tmp_path / "rates.csv.gz"
    write_rates(path, generate(7, START, 120 * 24, ["RTX 4090"]))

    assert gzip.decompress(EXAMPLE.read_bytes()) == gzip.decompress(path.read_bytes())
    assert EXAMPLE.stat().st_size < 300_000

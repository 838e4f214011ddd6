"""A panel has every hour from the first to the last, and says of each cell what the file says."""

from __future__ import annotations

import csv
import gzip
import math
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from autopilot.errors import ConfigError, DataError
from autopilot.sim.panel import Panel, noisy, read_panel
from autopilot.units import HOUR

HEADER = "timestamp,network,gpu,usd_per_hour\n"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
DATA = os.environ.get("AUTOPILOT_TEST_DATA")
NAN = math.nan


def written(folder: Path, rows: str, header: str = HEADER) -> Path:
    """A file with these rows; a number at the start of a row is its hour on the first of January."""
    lines = [f"2026-01-01T{int(hour):02}:00:00Z,{rest}" for hour, _, rest in (row.partition(",") for row in rows.split())]
    path = folder / "rates.csv"
    path.write_text(header + "\n".join(lines) + "\n")
    return path


def test_every_hour_is_there_and_networks_are_sorted(tmp_path: Path) -> None:
    """Rows in any order make the same panel; what is absent or empty is missing, not zero, and an empty hour counts."""
    panel = read_panel(written(tmp_path, "3,render,H100,0 0,akash,H100,2.5 0,render,H100, 1,akash,H100,2.6"))

    assert (MIDNIGHT, MIDNIGHT + 4 * HOUR, 4) == (panel.start, panel.end, panel.hours)
    assert panel.at(2) == MIDNIGHT + 2 * HOUR
    assert panel.networks == ("akash", "render")
    assert panel.gpu == "H100"
    np.testing.assert_array_equal([[2.5, NAN], [2.6, NAN], [NAN, NAN], [NAN, 0.0]], panel.rates)
    assert (panel.occupancy, panel.idle, panel.job_hours) == (None, None, None)


def test_empty_cells_at_both_ends_and_other_models_count_as_hours(tmp_path: Path) -> None:
    """The panel spans every timestamp of the file, whatever stands there."""
    path = written(tmp_path, "0,akash,A100,1 1,akash,H100, 2,akash,H100,2 3,akash,H100, 5,nosana,A100,")
    panel = read_panel(path, "H100")

    assert (MIDNIGHT, 6) == (panel.start, panel.hours)
    assert panel.networks == ("akash",)
    np.testing.assert_array_equal([[NAN], [NAN], [2.0], [NAN], [NAN], [NAN]], panel.rates)


def test_rates_are_whole_nano_dollars(tmp_path: Path) -> None:
    """A rate is rounded once, half to even, as the ledger would."""
    panel = read_panel(written(tmp_path, "0,a,g,0.0000000025 1,a,g,0.3333333333333"))

    assert [0.000000002, 0.333333333] == panel.rates[:, 0].tolist()


def test_optional_columns_are_aligned(tmp_path: Path) -> None:
    """Where some rows know the occupancy, the others have NaN; a column that knows nothing is None."""
    header = "timestamp,network,gpu,usd_per_hour,occupancy,idle_usd_per_hour,job_hours\n"
    panel = read_panel(written(tmp_path, "0,a,g,1,,,2.5 1,a,g,1,0.5,, 1,b,g,,0.25,,", header))

    assert panel.occupancy is not None
    assert panel.job_hours is not None
    np.testing.assert_array_equal([[NAN, NAN], [0.5, 0.25]], panel.occupancy)
    np.testing.assert_array_equal([[2.5, NAN], [NAN, NAN]], panel.job_hours)
    assert panel.idle is None


def test_a_panel_cannot_be_written_to(tmp_path: Path) -> None:
    """What was recorded stays."""
    panel = read_panel(written(tmp_path, "0,a,g,1"))

    with pytest.raises(ValueError, match="read-only"):
        panel.rates[0, 0] = 2


def test_a_file_of_several_models_needs_a_choice(tmp_path: Path) -> None:
    """They are named, and a wrong choice is answered with a close one."""
    path = written(tmp_path, "0,a,H100,1 0,a,A100,1")
    with pytest.raises(ConfigError, match="several GPU models; choose one with --gpu: 'A100', 'H100'"):
        read_panel(path)
    with pytest.raises(ConfigError, match=r"no rates of 'H10O'; did you mean H100 or A100\?"):
        read_panel(path, "H10O")


def test_an_hour_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Also where both are empty, of another model than the chosen one, or far apart: the first repetition is named."""
    for rows, lines in (
        ("0,a,g,1 0,b,g,1 0,a,g,1 0,b,g,1", (4, 2)),
        ("0,a,g, 0,a,g,", (3, 2)),
        ("0,a,g,1 1,a,h,1 5,a,g,1 1,a,h,1", (5, 3)),
    ):
        path = written(tmp_path, rows)
        with pytest.raises(DataError) as refused:
            read_panel(path, "g")

        assert str(refused.value).startswith(f"{path}: line {lines[0]}: 2026-01-01T0")
        assert f"stands at line {lines[1]} already" in str(refused.value)


def test_the_duplicate_is_named_as_it_stands(tmp_path: Path) -> None:
    """Hour, network and model."""
    with pytest.raises(DataError, match=r"line 5: 2026-01-01T04:00:00Z 'b' 'g' stands at line 3 already"):
        read_panel(written(tmp_path, "2,a,g,1 4,b,g,1 4,a,g,1 4,b,g,2"))


def test_bad_rows_refuse_the_file(tmp_path: Path) -> None:
    """Counted, with their lines, and with the way to leave them out."""
    with pytest.raises(DataError, match=r"2 bad rows: line 3: .*; line 4: .*--skip-bad"):
        read_panel(written(tmp_path, "0,a,g,1 1,a,g,-1 2,a,g,x"))


def test_an_absurd_span_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    """A wrong year is named with its line."""
    path = tmp_path / "rates.csv"
    path.write_text(HEADER + "2026-01-01T00:00:00Z,a,g,1\n0001-01-01T00:00:00Z,a,g,1\n9999-12-31T23:00:00Z,a,g,1\n")

    with pytest.raises(DataError, match=r"0001-01-01T00:00:00Z \(line 3\) to 9999-12-31T23:00:00Z \(line 4\)"):
        read_panel(path)


def test_noise_has_mean_one_and_its_sd() -> None:
    """The error is log-normal, drawn by the seed for each hour and network, and a missing rate stays missing."""
    rates = np.full((20_000, 2), 0.5)
    rates[7, 1] = NAN
    panel = Panel(MIDNIGHT, "g", ("a", "b"), rates)
    error = noisy(panel, 0.25, 3) / 0.5

    assert np.isnan(error[7, 1])
    assert np.count_nonzero(np.isnan(error)) == 1
    assert np.nanmean(error) == pytest.approx(1, abs=0.005)
    assert np.nanstd(error) == pytest.approx(0.25, abs=0.005)
    assert np.nanstd(np.log(error)) == pytest.approx(math.sqrt(math.log(1 + 0.25**2)), abs=0.005)
    np.testing.assert_array_equal(noisy(panel, 0.25, 3), noisy(panel, 0.25, 3))
    assert not np.array_equal(noisy(panel, 0.25, 3), noisy(panel, 0.25, 4), equal_nan=True)
    np.testing.assert_array_equal(rates, noisy(panel, 0, 3))


@pytest.mark.parametrize("sd", [-0.1, NAN, math.inf])
def test_noise_that_makes_no_sense_is_refused(sd: float) -> None:
    """A standard deviation is a number from 0 up."""
    with pytest.raises(ConfigError, match="the noise is a standard deviation"):
        noisy(Panel(MIDNIGHT, "g", ("a",), np.ones((1, 1))), sd, 0)


@pytest.mark.skipif(not DATA, reason="AUTOPILOT_TEST_DATA names no folder of recorded rates")
@pytest.mark.parametrize("name", ["tokens", "subnets", "regions_t4", "regions_v100", "venues_h100_80gb_pcie"])
def test_recorded_rates_as_a_panel(name: str) -> None:
    """Every cell of a real file is in its place, and nothing else is."""
    path = Path(str(DATA)) / f"{name}.csv.gz"
    panel = read_panel(path)
    with gzip.open(path, "rt") as file:
        rows = list(csv.DictReader(file))
    hours = sorted(datetime.fromisoformat(row["timestamp"]) for row in rows)
    assert (hours[0], hours[-1] + HOUR) == (panel.start, panel.end)
    assert sorted({row["network"] for row in rows}) == list(panel.networks)

    expected = np.full(panel.rates.shape, NAN)
    for row in rows:
        hour = (datetime.fromisoformat(row["timestamp"]) - panel.start) // HOUR
        expected[hour, panel.networks.index(row["network"])] = float(row["usd_per_hour"] or NAN)
    np.testing.assert_allclose(expected, panel.rates, rtol=0, atol=5e-10)

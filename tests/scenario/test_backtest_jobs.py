"""``autopilot backtest --market jobs``: recorded rates or a named setting, the informed bound beside every result."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from autopilot.cli import app
from autopilot.errors import ConfigError, DataError
from autopilot.testing.views import START
from autopilot.units import HOUR

SETTINGS = """
days = 2
seeds = 1
fee = "0.01 $"
[moves]
[public]
[jobs]
[worlds]
two = [{ name = "birch", pay = 0.4, occupancy = 0.7, job = "2h" }, { name = "alder", pay = 0.3, occupancy = 0.9, job = "3h" }]
[settings]
mine = { world = "two", rig_sd = 0.7, downtime = "15m" }
"""
Row = dict[str, object]


def rates(path: Path, change: Callable[[Row], Row] = dict) -> str:
    """Two days of two networks, with all that a market of jobs needs."""
    rows = [
        {"timestamp": f"{START + hour * HOUR:%Y-%m-%dT%H:%M:%SZ}", "network": name, "gpu": "RTX 4090", "usd_per_hour": rate}
        | {"occupancy": share, "job_hours": 3, "idle_usd_per_hour": 0.01}
        for hour in range(48)
        for name, rate, share in (("alder", 0.3, 0.9), ("birch", 0.4, 0.7))
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(change(dict(rows[0]))))
        writer.writeheader()
        writer.writerows(change(dict(row)) for row in rows)
    return str(path)


def backtest(*words: str) -> Result:
    """The command."""
    return CliRunner().invoke(app, ["backtest", *words], env={"COLUMNS": "200"})


def report(*words: str) -> dict[str, Any]:
    """Its JSON."""
    done = backtest(*words, "--json", "-")

    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def nets(result: dict[str, Any]) -> dict[str, float]:
    """Of each strategy."""
    return {each["name"]: each["net_usd"] for each in result["strategies"]}


def test_a_setting_is_flown(tmp_path: Path) -> None:
    """With its own costs, as JSON of the usual shape with the informed bound for the oracle, and as a table that says so."""
    path = tmp_path / "jobs.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    words = (str(path), "--market", "jobs", "--setting", "mine", "--strategy", "stay", "greedy", "--gpus", "2")
    result = report(*words)

    assert {"file": str(path), "hours": 48, "networks": ["alder", "birch"], "gpu": "any"}.items() <= result["panel"].items()
    assert result["costs"] == {"downtime_hours": 0.25, "fee_usd": 0.01}
    assert result["oracle"].keys() == {"net_usd", "moves", "kind"}
    assert result["oracle"]["kind"] == "informed"
    assert [each["share"] for each in result["strategies"]] == [
        each["net_usd"] / result["oracle"]["net_usd"] for each in result["strategies"]
    ]
    assert "the informed bound" in backtest(*words).stdout


def test_recorded_rates_are_flown(tmp_path: Path) -> None:
    """The seed draws the hires: the same one the same money, another one another, whoever flies beside."""
    words = (rates(tmp_path / "rates.csv"), "--market", "jobs", "--start", f"{START + 24 * HOUR:%Y-%m-%dT%H:%MZ}")
    alone = nets(report(*words, "--seed", "1", "--strategy", "stay"))

    assert alone["stay"] == nets(report(*words, "--seed", "1", "--strategy", "greedy", "stay"))["stay"]
    assert alone["stay"] != nets(report(*words, "--seed", "2", "--strategy", "stay"))["stay"]
    assert alone["stay"] < 24 * 0.4


def without(column: str) -> Callable[[Row], Row]:
    """Rows that lack a column."""
    return lambda row: {name: value for name, value in row.items() if name != column}


def later_without(column: str) -> Callable[[Row], Row]:
    """Rows whose cell is empty from the second day on."""
    second = f"{START + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    return lambda row: row | ({column: ""} if str(row["timestamp"]) >= second else {})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without("occupancy"), "has no column occupancy, which a market of jobs needs"),
        (without("job_hours"), "has no column job_hours, which a market of jobs needs"),
        (later_without("job_hours"), "alder has a rate at 2026-01-02T00:00Z and no job_hours"),
    ],
    ids=["occupancy", "job_hours", "some"],
)
def test_rates_that_do_not_say_enough_are_refused(tmp_path: Path, change: Callable[[Row], Row], complaint: str) -> None:
    """In one line that names the file and the column."""
    path = rates(tmp_path / "rates.csv", change)
    done = backtest(path, "--market", "jobs", "--strategy", "stay")

    assert isinstance(done.exception, DataError)
    assert str(done.exception).startswith(f"{path}: {complaint}")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--market", "jbos"], "--market: there is no market model 'jbos'; there is fluid and jobs"),
        (["--market", "jobs"], "is a file of settings: choose one with --setting; there is mine"),
        (["--setting", "mine"], "--setting: a setting is flown with --market jobs"),
        (["--market", "jobs", "--setting", "yours"], "has no setting 'yours'; there is mine"),
        (["--market", "jobs", "--setting", "mine", "--downtime", "1h"], "--downtime: the setting says this itself; leave it out"),
        (["--market", "jobs", "--setting", "mine", "--noise", "0.1"], "--noise: is for --market fluid; leave it out"),
        (["--market", "jobs", "--setting", "mine", "--check"], "--check: is for --market fluid; leave it out"),
    ],
    ids=["model", "none", "fluid", "name", "downtime", "noise", "check"],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, words: Sequence[str], complaint: str) -> None:
    """Before anything is flown, in one line."""
    path = tmp_path / "jobs.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    done = backtest(str(path), *words)

    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).endswith(complaint)

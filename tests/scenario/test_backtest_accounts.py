"""What ``autopilot backtest`` reports, against accounts made from its files alone by ``recount.py``."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from autopilot.cli import app

HOUR = timedelta(hours=1)
NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
BUILT_IN = {
    *("stay", "greedy", "threshold", "payback", "forecast"),
    *("rainbow", "nemos", "nicehash", "mindminer"),
    *("rainbow-ticks", "nemos-ticks", "nicehash-ticks", "mindminer-ticks"),
}
STRATEGY_KEYS = {
    *("name", "net_usd", "gross_usd", "power_usd", "fee_usd", "share"),
    *("moves", "dark_hours", "usd_per_gpu_day", "seconds"),
}


@dataclass(frozen=True)
class Case:
    """One command: its options, and the same for the recount."""

    downtime: str = "30m"
    minutes: int = 30
    fee: str = "0"
    lag: int = 1
    gpus: int = 1
    power: int = 0
    idle_power: int = 0
    tariff: str | None = "0"
    """None is the recorded tariff, hour by hour."""
    noise: str = "0"
    history: int = 0
    """Hours of the file before the first that is scored."""
    hours: int | None = 48
    """None is to the end of the file."""

    def options(self, tariff_file: Path | None) -> list[str]:
        """The command's options but for the span."""
        numbers = {"fee": self.fee, "lag": self.lag, "gpus": self.gpus, "power": self.power, "idle-power": self.idle_power}
        words = {"downtime": self.downtime, **numbers, "tariff": self.tariff or tariff_file, "noise": self.noise, "seed": 7}
        return [part for name, value in words.items() for part in (f"--{name}", str(value))]

    def terms(self, recount: ModuleType, tariff_file: Path | None) -> Any:
        """The same for the recount."""
        tariff = self.tariff or recount.read_tariff(tariff_file)
        return recount.Terms(self.minutes, self.fee, self.power, self.idle_power, tariff)


CASES = {
    "the defaults": Case(),
    "long dark, fees, power by the hour, three GPUs": Case(
        "2h30m", 150, "0.01", lag=2, gpus=3, power=300, idle_power=30, tariff=None, history=240
    ),
    "no dark time, noisy quotes": Case("0m", 0, "0.002", power=250, tariff="0.25", noise="0.1", history=240),
}
GAPPY_CASES = {
    "the defaults": Case(hours=None),
    "a quarter of an hour": Case("0.25h", 15, "0.01", power=300, idle_power=30, tariff="0.2", hours=None),
    "a third of an hour, two GPUs": Case("20m", 20, "0.003", lag=3, gpus=2, power=333, tariff="0.123456789", history=100, hours=96),
    "half a day": Case("12h", 720, "0.1", power=300, idle_power=30, tariff="0.2", hours=96),
    "longer than the file": Case("1000h", 60_000, "0.1", hours=None),
}


def backtest(*arguments: str | Path) -> dict[str, Any]:
    """What the command prints, which must be JSON and nothing else."""
    ran = CliRunner().invoke(app, ["backtest", *map(str, arguments), "--json", "-"])
    assert ran.exit_code == 0, ran.output
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def zulu(time: datetime) -> str:
    """An instant as the command writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def check_case(recount: ModuleType, file: Path, case: Case, folder: Path, tariff_file: Path | None = None) -> None:
    """Fly every built-in strategy, and hold the report against the recount of its decisions."""
    whole = recount.read_panel(file)
    start = whole.time(case.history)
    panel = whole.cut(start, start + case.hours * HOUR if case.hours else None)
    span = ["--start", zulu(start)] if case.history else []
    span += ["--end", zulu(panel.time(len(panel.rates)))] if case.hours else []
    report = backtest(file, *case.options(tariff_file), *span, "--decisions", folder)
    terms = case.terms(recount, tariff_file)

    assert {each["name"] for each in report["strategies"]} == BUILT_IN
    assert report["panel"]["hours"] == len(panel.rates)
    assert recount.best(panel, terms) * case.gpus == pytest.approx(report["oracle"]["net_usd"], rel=1e-9, abs=1e-9)
    for told in report["strategies"]:
        courses = recount.read_courses(folder / f"{told['name']}.csv", panel)
        check_account(recount.account(panel, courses, terms), told)
        check_figures(report, told, case.gpus)
        if not case.history:
            assert {name: course[: case.lag] for name, course in courses.items()} == {
                f"gpu-{index}": ["idle"] * case.lag for index in range(case.gpus)
            }, "nothing is known yet"


def check_account(expected: Any, told: Mapping[str, Any]) -> None:
    """Money agrees to 1e-6, moves and dark hours to the last."""
    name = told["name"]
    money = [told[f"{what}_usd"] for what in ("net", "gross", "fee", "power")]

    assert [expected.net, expected.gross, expected.fees, expected.power] == pytest.approx(money, rel=1e-6, abs=1e-9), name
    assert (expected.moves, expected.dark_hours) == (told["moves"], told["dark_hours"]), name


def check_figures(report: Mapping[str, Any], told: Mapping[str, Any], gpus: int) -> None:
    """Share and USD per GPU-day follow from the net; nobody beats perfect foresight."""
    best, net = report["oracle"]["net_usd"], told["net_usd"]

    assert net <= best + 1e-9 * abs(best), told["name"]
    assert told["share"] == (pytest.approx(net / best) if best > 0 else None)
    assert net * 24 / (gpus * report["panel"]["hours"]) == pytest.approx(told["usd_per_gpu_day"])


@pytest.fixture(scope="module")
def gappy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of three networks with odd names, where cells are empty, rows are absent and whole hours are missing."""
    draw = random.Random(11)  # noqa: S311  # a seed makes the file the same each time
    levels = {"render net": 0.3, "x,y": 0.31, "é/½": 0.29}
    file = tmp_path_factory.mktemp("rates") / "gappy.csv"
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["timestamp", "network", "gpu", "usd_per_hour"])
        for hour in range(240):
            gone = 60 <= hour < 66
            for name, level in levels.items():
                levels[name] = level * draw.lognormvariate(0, 0.08)
                absent, empty = draw.random() < 0.1, draw.random() < 0.1 or hour in {0, 239}
                if not absent and not gone:
                    writer.writerow([zulu(NEW_YEAR + hour * HOUR), name, "rtx4090", "" if empty else f"{level:.9f}"])
        writer.writerow([zulu(NEW_YEAR + 240 * HOUR), "x,y", "rtx4090", ""])
    return file


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_recorded_rates(rates_file: Path, case: Case, tmp_path: Path, tariff_file: Path, recount: ModuleType) -> None:
    """On days of every recorded file, every strategy's account follows from its decisions, and the oracle is the optimum."""
    check_case(recount, rates_file, case, tmp_path, tariff_file)


@pytest.mark.long
def test_whole_recorded_files(rates_file: Path, tmp_path: Path, recount: ModuleType) -> None:
    """The same on every recorded file from end to end."""
    case = Case("2h30m", 150, "0.01", power=300, idle_power=30, tariff="0.2", hours=None)

    check_case(recount, rates_file, case, tmp_path)


@pytest.mark.parametrize("case", GAPPY_CASES.values(), ids=GAPPY_CASES)
def test_rates_with_gaps(gappy: Path, case: Case, tmp_path: Path, recount: ModuleType) -> None:
    """The same where rates, rows and hours are missing, at both ends too, and names are odd."""
    check_case(recount, gappy, case, tmp_path)


def test_shape_of_the_report(gappy: Path, tmp_path: Path) -> None:
    """The JSON has the keys of the convention and no others, names the scored hours, and lists what was asked for."""
    span = ("--start", "2025-01-03T10:30:00Z", "--end", "2025-01-04T14:30:00+02:00")
    report = backtest(gappy, *span, "--strategy", "threshold", "--strategy", "stay", "--decisions", tmp_path / "new" / "folder")

    assert set(report) == {"panel", "costs", "oracle", "strategies"}
    assert report["panel"] == {
        "file": str(gappy),
        "hours": 26,
        "networks": ["render net", "x,y", "é/½"],
        "gpu": "rtx4090",
        "start": "2025-01-03T11:00:00Z",
        "end": "2025-01-04T13:00:00Z",
    }
    assert report["costs"] == {"downtime_hours": 0.5, "fee_usd": 0}
    assert set(report["oracle"]) == {"net_usd", "moves"}
    assert [each["name"] for each in report["strategies"]] == ["threshold", "stay"]
    assert all(set(each) == STRATEGY_KEYS for each in report["strategies"])
    assert {file.name for file in (tmp_path / "new" / "folder").iterdir()} == {"threshold.csv", "stay.csv"}


def test_one_model_of_several(tmp_path: Path, recount: ModuleType) -> None:
    """With ``--gpu`` only the rates of that model count, and still every hour of the file."""
    file = tmp_path / "models.csv"
    hours = [zulu(NEW_YEAR + hour * HOUR) for hour in range(12)]
    a100 = [f"{hour},a,a100,2.5" for hour in hours]
    t4 = [f"{hour},b,t4,0.{index + 1}" for index, hour in enumerate(hours[3:8])]
    file.write_text("\n".join(["timestamp,network,gpu,usd_per_hour", *a100, *t4, ""]), encoding="utf-8")
    report = backtest(file, "--gpu", "t4", "--strategy", "greedy", "--decisions", tmp_path)
    panel = recount.read_panel(file, "t4")
    courses = recount.read_courses(tmp_path / "greedy.csv", panel)

    assert (12, ["b"], "t4") == tuple(report["panel"][key] for key in ("hours", "networks", "gpu"))
    check_account(recount.account(panel, courses, recount.Terms()), report["strategies"][0])


def test_table_in_80_columns(tmp_path: Path) -> None:
    """On a terminal of 80 columns every strategy has its whole name and its whole figures on one line."""
    rows = (f"2025-03-{hour // 24 + 1:02}T{hour % 24:02}:00:00Z,{name},G,99.{hour:02}\n" for hour in range(48) for name in "ab")
    file = tmp_path / "rates.csv"
    file.write_text("timestamp,network,gpu,usd_per_hour\n" + "".join(rows))
    command = [sys.executable, "-m", "autopilot", "backtest", str(file), "--gpus", "4"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"})
    rows_shown = {cells[0]: cells[1:] for line in ran.stdout.splitlines() if len(cells := line.split()) == 9}

    assert "…" not in ran.stdout
    assert rows_shown.keys() == BUILT_IN
    assert rows_shown["stay"][0] == "18,459.10"  # four times half of 99.01 and the whole of 99.02 to 99.47


def test_no_share_of_nothing(gappy: Path) -> None:
    """Where perfect foresight loses money, the share is null."""
    report = backtest(gappy, "--strategy", "stay", "--idle-power", "30", "--power", "3000", "--tariff", "0.5")

    assert report["oracle"]["net_usd"] < 0
    assert [None] == [each["share"] for each in report["strategies"]]


def test_account_by_hand(recount: ModuleType) -> None:
    """The recount itself, against a course that was reckoned by hand.

    Two moves at 0.10 each, 90 minutes dark. The first serves half of the second hour and all of the third, where the rate
    is missing; after an idle hour the other is cut by the end. Power at 1 USD/kWh is 1 kW lit and 0.1 kW dark or idle.
    """
    rates = [{"a": 10**9}, {"a": 2 * 10**9}, {"b": 10**9}, {"a": 10**9}, {"a": 10**9}]
    terms = recount.Terms(90, "0.1", 1000, 100, "1")
    told = recount.account(recount.Panel(NEW_YEAR, rates), {"gpu-0": ["a", "a", "a", "idle", "a"]}, terms)

    assert (1.0, 0.2, 2, 2.5) == (told.gross, told.fees, told.moves, told.dark_hours)
    assert (1.85, -1.05) == pytest.approx((told.power, told.net))


def test_account_refuses_a_change_while_dark(recount: ModuleType) -> None:
    """A course that changes its place while dark is none."""
    panel = recount.Panel(NEW_YEAR, [{"a": 10**9, "b": 10**9}] * 3)
    for places in (["a", "b", "b"], ["a", "idle", "a"]):
        with pytest.raises(ValueError, match="dark minutes"):
            recount.account(panel, {"gpu-0": places}, recount.Terms(90))

"""``autopilot tune``: it recommends what holds in hours that it was not chosen on, nothing else, and it ends, whatever happens to it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autopilot.backtest import earning
from autopilot.backtest.earning import net_usd
from autopilot.backtest.parameters import space_of
from autopilot.backtest.runner import Course, Terms, fly
from autopilot.backtest.searching import Search, search
from autopilot.backtest.tuning import ALL, Tuning, folds_of, tune
from autopilot.cli import app
from autopilot.errors import ConfigError
from autopilot.plugins import make_strategy
from autopilot.sim.panel import Panel, noisy
from autopilot.testing.views import MODEL, START
from autopilot.units import HOUR

TERMS = Terms(timedelta(minutes=15))
NETWORKS = ("alder", "birch", "cedar")


def walk(hours: int, seed: int) -> Course:
    """Rates that never come back: the last one is all that there is to know."""
    steps = np.random.default_rng(seed).normal(0, 0.02, (hours, 3))
    panel = Panel(START, MODEL, NETWORKS, (0.4 * np.exp(np.cumsum(steps, axis=0))).round(9))
    return Course(panel, panel.rates, panel.start, panel.end)


def blurred(hours: int, seed: int) -> Course:
    """Rates that come back to one level within two days, seen with an error of a tenth: most leads that one sees are none."""
    random = np.random.default_rng(seed)
    logs = np.zeros((hours, 3))
    for hour in range(1, hours):
        logs[hour] = 0.98 * logs[hour - 1] + 0.03 * random.normal(size=3)
    panel = Panel(START, MODEL, NETWORKS, (0.4 * np.exp(logs)).round(9))
    return Course(panel, noisy(panel, 0.1, seed), panel.start, panel.end)


def wanted(trials: int, strategy: str = "threshold", storage: str | None = None, study: str = "mine") -> Search:
    """A search over all parameters of a strategy."""
    return Search(space_of(strategy, {}), TERMS, {}, trials, 1, study, storage)


def tuned(over: Course, trials: int = 25) -> Tuning:
    """Five folds."""
    return tune(over, folds_of(over, 5), wanted(trials), 1)


@pytest.mark.parametrize("seed", [0, 1])
def test_on_a_random_walk_the_defaults_are_kept(seed: int) -> None:
    """Whatever lead did better before a fold did so by luck: it gains less than its standard error after."""
    tuning = tuned(walk(1500, seed))

    assert tuning.doubt
    assert 0.005 > abs(tuning.gain)


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_recommended_holds_on_an_untouched_part(seed: int) -> None:
    """Where the noise makes leads, a higher threshold truly pays: in the last hours, which no search has seen, as well."""
    over = blurred(1900, seed)
    untouched = replace(over, start=over.start + 1500 * HOUR)
    tuning = tuned(replace(over, end=untouched.start))
    chosen, default = (make_strategy("threshold", values) for values in (tuning.parameters, {}))
    nets = [float(fly(untouched, TERMS, strategy).totals.net) for strategy in (chosen, default)]

    assert "" == tuning.doubt
    assert float(tuning.parameters["lead"]) > 0.1
    assert nets[0] > 1.02 * nets[1]


def test_compiled_and_flown_nets_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a search finds the same, only sooner; without numba everything is flown."""
    over = walk(60, 3)
    strategies = [make_strategy("threshold", {"lead": lead}) for lead in ("0", "0.1")]
    flown = [float(fly(over, TERMS, each).totals.net) for each in strategies]

    assert flown == pytest.approx(net_usd(over, TERMS, strategies), rel=1e-9)
    monkeypatch.setattr(earning, "find_spec", lambda _: None)
    assert not earning.compiled(strategies[0], TERMS)
    assert flown == net_usd(over, TERMS, strategies)


def test_the_defaults_are_the_first_trial() -> None:
    """Nothing that is chosen is worse than they are on the hours that it was chosen on."""
    over = walk(300, 1)
    found = search(replace(wanted(1), courses={ALL: over}), 1)

    assert {"lead": 0.05} == found.best[ALL].numbers


def test_the_same_seed_finds_the_same() -> None:
    """By itself, without a storage; another seed tries others."""
    request = replace(wanted(20), courses={ALL: blurred(300, 1)})
    found = [search(replace(request, seed=seed), 1).best[ALL].numbers for seed in (1, 1, 2)]

    assert found[0] == found[1]
    assert found[0] != found[2]


def test_parameters_that_a_strategy_refuses_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search goes on, and what it finds can be made."""
    monkeypatch.setattr(earning, "find_spec", lambda _: None)  # a few short flights are sooner done than compiled
    over, request = walk(100, 1), wanted(12, "nicehash-ticks")
    found = search(replace(request, courses={ALL: over}), 1)

    assert 12 > found.best[ALL].trials, "nothing was refused: another seed is needed"
    assert request.space.made(found.best[ALL].numbers) is not None


@pytest.mark.parametrize("kind", ["{}/studies.log", "sqlite:///{}/studies.db"])
def test_a_search_goes_on_where_it_was_left(kind: str, tmp_path: Path) -> None:
    """Only the trials that miss are made; over other rates, terms or ranges the study is refused."""
    over, storage = walk(100, 1), kind.format(tmp_path)

    def trials(request: Search) -> int:
        made: list[None] = []
        search(replace(request, courses={"1": over, ALL: over}), 1, lambda: made.append(None))
        return len(made)

    assert [6, 0, 4] == [trials(wanted(count, storage=storage)) for count in (3, 3, 5)]
    assert 6 == trials(wanted(3, storage=storage, study="another"))
    with pytest.raises(ConfigError, match="--study: mine/1 is a search over other rates, options or ranges"):
        trials(replace(wanted(5, storage=storage), terms=Terms(HOUR)))


@pytest.mark.parametrize("storage", ["sqlite:////none/such.db", "bogus://x", "/none/such.log"])
def test_a_storage_that_cannot_be_used_is_one_line(storage: str) -> None:
    """It names the option."""
    with pytest.raises(ConfigError, match="--storage: ") as caught:
        search(replace(wanted(1, storage=storage), courses={ALL: walk(100, 1)}), 1)

    assert "\n" not in str(caught.value)


def test_ctrl_c_keeps_what_was_found() -> None:
    """Trials go round the folds, so that each has some when it comes."""
    over = walk(400, 1)
    calls: list[None] = []

    def interrupt() -> None:
        calls.append(None)
        if len(calls) == limit:
            raise KeyboardInterrupt

    limit = 5 * 8
    tuning = tune(over, folds_of(over, 4), wanted(1000), 1, interrupt)

    assert tuning.interrupted
    assert [8] * 4 == [fold.trials for fold in tuning.folds]

    calls.clear()
    limit = 1
    with pytest.raises(KeyboardInterrupt):
        tune(over, folds_of(over, 4), wanted(1000), 1, interrupt)


@pytest.mark.long
def test_killed_workers_do_not_hang_it() -> None:
    """When one is killed the other makes up for it; when all are, it ends with what was found."""
    over = walk(100, 1)
    one = search(replace(wanted(40), courses={ALL: over}), 2, killing(1))
    both = search(replace(wanted(10**6), courses={ALL: over}), 2, killing(2))

    assert (1, False) == (one.lost, one.interrupted)
    assert one.best[ALL].trials >= 40
    assert (2, False) == (both.lost, both.interrupted)
    assert 0 < both.best[ALL].trials < 10**6


def killing(count: int) -> Callable[[], None]:
    """After the first trial, kills so many of the workers."""
    done = threading.Event()

    def kill() -> None:
        if not done.is_set():
            done.set()
            for worker in multiprocessing.active_children()[:count]:
                os.kill(worker.pid or 0, signal.SIGKILL)

    return kill


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    """A file of rates."""
    panel = walk(300, 1).panel
    lines = [
        f"{panel.at(hour):%Y-%m-%dT%H:%M:%SZ},{name},{MODEL},{rate:.9f}"
        for hour, row in enumerate(panel.rates)
        for name, rate in zip(NETWORKS, row, strict=True)
    ]
    file = tmp_path / "rates.csv"
    file.write_text("\n".join(["timestamp,network,gpu,usd_per_hour", *lines, ""]))
    return file


def test_the_command(rates: Path) -> None:
    """The folds, their mean and the verdict, as JSON and for a person; keeping the defaults is a result, and exits with 0."""
    words = ["tune", str(rates), "--strategy", "payback", "--trials", "4", "--folds", "3"]
    words += ["--param", "payback.theta=0..0.3", "payback.horizon=6h..3d"]
    told, shown = CliRunner().invoke(app, [*words, "--json", "-"]), CliRunner().invoke(app, words)
    report = json.loads(told.stdout)

    assert (0, 0) == (told.exit_code, shown.exit_code)
    assert {"theta": {"low": "0", "high": "0.3"}, "horizon": {"low": "6h", "high": "3d"}} == report["ranges"]
    assert {"theta": "0.15", "horizon": "2d"} == report["defaults"]
    assert [4, 4, 4] == [fold["trials"] for fold in report["folds"]]
    assert report["folds"][0]["chosen_on"] == {"start": "2026-01-01T00:00:00Z", "end": "2026-01-03T03:00:00Z"}
    assert report["folds"][0]["scored_in"] == {"start": "2026-01-04T03:00:00Z", "end": "2026-01-07T06:00:00Z"}
    assert report["recommend"] is (report["toml"] is not None)
    if report["toml"]:
        make_strategy("payback", tomllib.loads(report["toml"])["strategies"]["payback"])
    assert ("For autopilot.toml:" if report["recommend"] else f"Keep the defaults: {report['why']}.") in shown.stdout
    assert "mean" in shown.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--strategy", "stay"], "strategy 'stay' has no parameter to tune"),
        (["--strategy", "threshold", "--param", "payback.theta=0..1"], "--param: 'payback' is not the strategy that is tuned, threshold"),
        (["--strategy", "threshold", "--param", "lead"], "--param: 'lead' is not NAME.KEY=LOW..HIGH, e.g. threshold.lead=0..0.3"),
        (["--strategy", "threshold", "--folds", "50"], "300 h are too few for 50 folds, which need 2448"),
        (["--strategy", "threshold", "--trials", "0"], "--trials: must be 1 or more, is 0"),
    ],
)
def test_a_wrong_option_is_one_line(rates: Path, words: list[str], why: str) -> None:
    """Nothing is searched."""
    error = CliRunner().invoke(app, ["tune", str(rates), *words]).exception

    assert isinstance(error, ConfigError)
    assert str(error).startswith(why)


def test_without_optuna_it_says_how_to_install_it(rates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    error = CliRunner().invoke(app, ["tune", str(rates), "--strategy", "threshold"]).exception

    assert 'autopilot tune needs Optuna: pip install "yield-autopilot[sweep]"' == str(error)


@pytest.fixture
def tuning(rates: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A search of two processes that would take for ever, once it has found something. It is gone afterwards, whatever became of it."""
    log = tmp_path / "studies.log"
    words = ["tune", str(rates), "--strategy", "threshold", "--trials", "1000000", "--folds", "2", "--processes", "2", "--json", "-"]
    command = [sys.executable, "-m", "autopilot", *words, "--storage", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            until(lambda: log.exists() and log.read_text().count('"state":1,') > 60)
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.long
def test_ctrl_c_at_a_terminal(tuning: subprocess.Popen[str]) -> None:
    """It reaches every process of the group; the result is still given out, and the exit code is that of an interruption."""
    os.killpg(tuning.pid, signal.SIGINT)
    out, err = tuning.communicate(timeout=60)

    assert (130, "") == (tuning.returncode, err)
    assert json.loads(out)["interrupted"]


@pytest.mark.long
def test_workers_end_with_whoever_started_them(tuning: subprocess.Popen[str]) -> None:
    """However it ended: they would search on for nobody."""
    tuning.kill()
    tuning.wait()

    until(lambda: not _lives(tuning.pid))


def _lives(group: int) -> bool:
    """Whether any process of the group still runs. One that is over and that nobody has asked for does not."""
    stats = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            stats.append(path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split())
    return any(int(of) == group and state != "Z" for state, _, of, *_ in stats)


def until(true: Callable[[], bool]) -> None:
    """Wait for it, for at most a minute."""
    for _ in range(600):
        with suppress(OSError):
            if true():
                return
        threading.Event().wait(0.1)
    pytest.fail("it never came")

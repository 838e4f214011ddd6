"""The example strategy, installed as a distribution of its own, is found, tested, backtested and flown."""

from __future__ import annotations

import json
from typing import Any

import pytest

BACKTEST = "autopilot backtest examples/rates.csv.gz --strategy my-strategy --end 2026-01-08T00:00:00Z --json -"


@pytest.fixture
def owner(reader: Any) -> Any:
    """A reader who has installed it."""
    assert 0 == reader.run("pip install ./examples").returncode
    return reader


def test_it_is_found_by_its_entry_point(reader: Any) -> None:
    """Once installed, and not before."""
    command = "autopilot plugins --json"
    before = json.loads(reader.run(command).stdout)
    reader.run("pip install ./examples")
    found = [plugin for plugin in json.loads(reader.run(command).stdout) if plugin not in before]

    assert [("strategy", "my-strategy", "my-strategy", "0.1.0", "my_strategy:Smoothed", "")] == [
        tuple(plugin[key] for key in ("kind", "name", "distribution", "version", "value", "problem")) for plugin in found
    ]


def test_its_own_tests_pass(owner: Any) -> None:
    """The suite that it inherits among them, in a folder that knows nothing of ours."""
    run = owner.run("cp examples/test_my_strategy.py . && python -m pytest -W error test_my_strategy.py")

    assert 0 == run.returncode, run.stdout
    assert "test_no_future" in owner.run("python -m pytest --collect-only -q test_my_strategy.py").stdout


def test_it_is_backtested_with_its_parameters(owner: Any) -> None:
    """Like any other, and its parameters change what it does."""
    runs = [
        json.loads(owner.run(BACKTEST + options).stdout)["strategies"]
        for options in ("", " --param my-strategy.lead=0 --param my-strategy.half_life=2h")
    ]
    [[shipped], [restless]] = runs

    assert "my-strategy" == shipped["name"]
    assert 1 <= shipped["moves"] < restless["moves"]
    assert 0 < shipped["share"] <= 1


def test_a_wrong_parameter_is_answered_with_the_right_one(owner: Any) -> None:
    """As for a strategy of the house."""
    run = owner.run(BACKTEST + " --param my-strategy.leed=0.9")

    assert (2, "autopilot: strategy 'my-strategy' has no parameter 'leed'; did you mean lead?\n") == (run.returncode, run.stderr)


def test_it_can_be_flown(owner: Any) -> None:
    """The example configuration with this strategy is good to fly."""
    run = owner.run("AUTOPILOT_STRATEGY=my-strategy autopilot check --config examples/autopilot.toml")

    assert 0 == run.returncode, run.stderr
    assert run.stdout.endswith("strategy my-strategy; state in autopilot.db; good to fly\n")

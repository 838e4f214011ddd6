"""Every strategy that comes with the autopilot passes the suite, as it is shipped and with other parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from autopilot.contracts import Strategy
from autopilot.plugins import STRATEGIES, built_in_strategies, load, make_strategy
from autopilot.testing.strategies import StrategyContract

OTHERWISE: Mapping[str, Mapping[str, str]] = {
    "threshold": {"lead": "0.3"},
    "payback": {"theta": "0", "horizon": "6h"},
    "rainbow": {"prevention": "1", "hysteresis": "0.2", "live_window": "3h"},
    "rainbow-ticks": {"minimum_intervals": "3", "decay": "0.5", "stable_window": "2d"},
    "nemos": {"bonus": "0", "interval": "10m"},
    "nemos-ticks": {"minimum_cycles": "4"},
    "nicehash": {"lead": "0.1", "interval": "30m"},
    "nicehash-ticks": {"least_samples": "1", "most_samples": "5"},
    "mindminer": {"timeout": "3h"},
    "mindminer-ticks": {"lead": "0.2"},
    "forecast": {"boosting": "true"},
}
"""Parameters that change what a strategy does."""

CASES: list[tuple[str, Mapping[str, str]]] = [(name, {}) for name in built_in_strategies()] + list(OTHERWISE.items())


class TestBuiltIn(StrategyContract):
    """Found by entry point, made from parameters as they are written in a configuration."""

    @pytest.fixture(params=CASES, ids=[f"{name}{dict(parameters) or ''}" for name, parameters in CASES])
    def strategy(self, request: pytest.FixtureRequest) -> Strategy:
        """One of them."""
        name, parameters = request.param
        return make_strategy(name, parameters).strategy


@pytest.mark.parametrize("name", built_in_strategies())
def test_every_strategy_with_parameters_is_tried_with_others(name: str) -> None:
    """A new one is added to the table above."""
    factory = load(STRATEGIES, name)
    has_parameters = dataclasses.is_dataclass(factory) and bool(dataclasses.fields(factory))

    assert has_parameters == (name in OTHERWISE)

"""What a sweep refuses, in one line each; and that what it compiles also runs as it is."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from autopilot.backtest import sweep as module
from autopilot.backtest.compiler import compiled
from autopilot.backtest.runner import Course, Terms
from autopilot.backtest.sweep import sweep
from autopilot.contracts import Strategy, Sweepable
from autopilot.errors import ConfigError
from autopilot.guards import Dwell
from autopilot.model.history import History
from autopilot.model.plan import Decision, Hold
from autopilot.model.view import View
from autopilot.plugins import make_strategy
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START
from autopilot.units import HOUR, Usd

RATES = np.array([[0.3, 0.1], [0.3, 0.5], [np.nan, 0.5], [0.4, 0.5], [0.9, 0.5]])
PANEL = Panel(START, MODEL, ("a", "b"), RATES)
COURSE = Course(PANEL, PANEL.rates, PANEL.start, PANEL.end)


@dataclass(frozen=True, slots=True)
class Wordless:
    """A stranger's strategy, which is complete without a kernel."""

    def decide(self, view: View) -> Decision:
        """Stay."""
        return Hold(view.now, "as ever")

    def fit(self, history: History) -> Wordless:  # noqa: ARG002
        """Nothing is learned."""
        return self


def test_accounts_by_hand() -> None:
    """To a in the second hour, to b in the third, half an hour dark each; to a when it is known to pay most, which is too late."""
    swept = sweep([make_strategy("greedy", {}).strategy], COURSE, Terms(fee=Usd.of("0.01"), gpus=3), paths=True)

    assert [[0, 1, 2, 2, 2]] == swept.paths.tolist()
    assert [6] == swept.moves.tolist()
    assert [3.0] == swept.dark_hours.tolist()
    assert [3 * (0.15 + 0.25 + 0.5 + 0.5 - 0.02)] == pytest.approx(swept.net_usd.tolist(), rel=1e-12)


def test_a_strategy_without_a_kernel_is_a_strategy() -> None:
    """It is only not swept."""
    stranger = Wordless()

    assert isinstance(stranger, Strategy)
    assert not isinstance(stranger, Sweepable)
    with pytest.raises(ConfigError, match="Wordless has no kernel that could be swept: fly it by itself"):
        sweep([stranger], COURSE, Terms())


def test_guards_are_not_swept() -> None:
    """They look at journals that a sweep does not write."""
    with pytest.raises(ConfigError, match="without guards"):
        sweep([make_strategy("greedy", {}).strategy], COURSE, Terms(guards=(Dwell(HOUR),)))


def test_without_numba_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, and only when something is to be compiled."""
    monkeypatch.setitem(sys.modules, "numba", None)

    def untouched() -> int:
        return 1

    with pytest.raises(ConfigError, match=r'pip install "yield-autopilot\[sweep\]"'):
        compiled(untouched)


def test_plain_and_compiled_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loops and kernels give the same numbers, to the last bit, when nothing is compiled."""
    names = ("stay", "payback", "rainbow-ticks", "nicehash-ticks")
    strategies = [make_strategy(name, {}).strategy for name in names]
    dice = np.random.default_rng(2)
    panel = Panel(START, MODEL, ("a", "b"), np.round(0.4 * np.exp(np.cumsum(0.05 * dice.standard_normal((90, 2)), axis=0)), 9))
    course, terms = Course(panel, panel.rates, START + 10 * HOUR, panel.end), Terms(timedelta(minutes=100))
    fast = sweep(strategies, course, terms, paths=True)
    monkeypatch.setattr(module, "compiled", lambda function: function)
    plain = sweep(strategies, course, terms, paths=True)

    assert fast.paths.tolist() == plain.paths.tolist()
    assert fast.net_usd.tolist() == plain.net_usd.tolist()

"""What other terms would have made of a result: one term is changed at a time, and what depends on it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Self

import numpy as np
import pytest

from autopilot.backtest.checking import part
from autopilot.backtest.runner import Course, Terms, fly
from autopilot.backtest.sensitivity import Sensitivity, cases, sensitivity
from autopilot.contracts import NamedStrategy
from autopilot.guards import StaleQuote
from autopilot.model.history import History
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.plugins import make_strategy
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START
from autopilot.units import HOUR, Usd

TERMS = Terms(timedelta(minutes=90), Usd.of("0.003"))


def course(hours: int = 60, past: int = 24) -> Course:
    """Three networks that take the lead from each other every few hours."""
    steps = np.random.default_rng(1).normal(0, 0.3, (past + hours, 3))
    panel = Panel(START - past * HOUR, MODEL, ("alder", "birch", "cedar"), (0.5 + 0.2 * np.sin(np.cumsum(steps, axis=0))).round(9))
    return Course(panel, panel.rates, START, START + hours * HOUR)


def test_a_part_has_its_past_and_the_whole_future() -> None:
    """Two weeks of history before it, where there are as many, and every row after it."""
    over = course(hours=600, past=24)
    late, early = part(over, 480, 24), part(over, 0, 24)

    assert (START + 480 * HOUR, START + 504 * HOUR) == (late.start, late.end)
    assert (START + (480 - 336) * HOUR, over.panel.end) == (late.panel.start, late.panel.end)
    assert over.panel.start == early.panel.start
    np.testing.assert_array_equal(over.scored[480:504], late.scored)


def test_every_case_changes_one_term() -> None:
    """Three downtimes, a fee, a lag, three seeds of noise; without dark time there is none to change."""
    names = [
        "as given",
        "downtime x0.5",
        "downtime x2",
        "downtime x4",
        "fee +1 cent",
        "lag +1 h",
        *(f"noise 0.08, seed {n}" for n in (1, 2, 3)),
    ]
    tried = {case.name: case for case in cases(course(), TERMS)}

    assert names == list(tried)
    assert timedelta(hours=6) == tried["downtime x4"].terms.downtime
    assert Usd.of("0.013") == tried["fee +1 cent"].terms.fee
    assert 4 - 2 == tried["lag +1 h"].terms.lag
    assert not np.array_equal(tried["noise 0.08, seed 1"].course.shown, tried["noise 0.08, seed 2"].course.shown, equal_nan=True)
    assert names[:1] + names[4:] == [case.name for case in cases(course(), Terms(timedelta(0)))]


def test_what_depends_on_the_terms_is_warned_of() -> None:
    """A rule that hops for tenths of a cent nets less than nothing with a fee of a cent, and then comes after one that stays."""
    over = course(past=48)
    cheap = Course(replace(over.panel, rates=over.panel.rates / 1000), over.shown / 1000, over.start, over.end)
    strategies = [make_strategy("greedy", {}), make_strategy("stay", {})]
    (tried,) = sensitivity(cheap, Terms(timedelta(0)), strategies, [0.1, 0.1])
    sign, ranks = tried.warnings()

    assert sign.startswith("greedy nets ")
    assert sign.endswith(" with fee +1 cent")
    assert "the order of the strategies depends on the terms; ranks: greedy 1 to 2, stay 1 to 2" == ranks
    assert (float(fly(cheap, Terms(timedelta(0)), strategies[0]).totals.net)) == pytest.approx(tried.outcomes[0].nets[0])


def test_only_the_last_days_are_tried_where_all_would_take_too_long() -> None:
    """A strategy whose flight took a minute is flown over a day, beside all that can be swept, which are swept over everything too."""
    over, guarded = course(30), replace(TERMS, guards=(StaleQuote(),))
    greedy, flown = make_strategy("greedy", {}), NamedStrategy("flown", Flown())
    day, whole = (over.end - 24 * HOUR, over.end), (over.start, over.end)

    assert [(["greedy"], *whole)] == _hours(sensitivity(over, TERMS, [greedy], [60.0]))
    assert [(["flown"], *whole)] == _hours(sensitivity(over, TERMS, [flown], [0.1]))
    assert [(["greedy"], *whole), (["greedy", "flown"], *day)] == _hours(sensitivity(over, TERMS, [greedy, flown], [1.0, 60.0]))
    assert [(["greedy"], *day)] == _hours(sensitivity(over, guarded, [greedy], [60.0]))


class Flown:
    """Decides as ``greedy``, without a kernel."""

    def decide(self, view: View) -> Decision:
        """The same."""
        return make_strategy("greedy", {}).strategy.decide(view)

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self


def _hours(every: list[Sensitivity]) -> list[tuple[Sequence[str], datetime, datetime]]:
    return [(tried.names, tried.course.start, tried.course.end) for tried in every]

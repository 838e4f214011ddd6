"""What a rule remembers of a price is what its formula says, whatever is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autopilot.contracts import Strategy
from autopilot.model.kernel import chance_at
from autopilot.testing.views import START, venue, view
from autopilot.units import HOUR
from autopilot_strategies import rules
from autopilot_strategies.memory import Remembering, Samples, accepting, averaging, enough


def test_nicehash_then_takes_the_newest_price() -> None:
    """Of the rates that confirmed a rise, the last one is the accepted price."""
    step = Remembering(accepting(samples=1, least=3, most=3))
    state = None
    for hour, rate in enumerate((1.0, 5.0, 6.0, 4.0)):
        state = step(state, START + hour * HOUR, rate)

    assert state is not None
    assert state.price == 4.0


def test_nicehash_draws_two_and_three_alike() -> None:
    """Each about half of the time, and the same for the same instant."""
    chances = [chance_at(START + hour * HOUR) for hour in range(1000)]
    draws = [enough(Samples(1, 2, 3), chance) for chance in chances]

    assert {2, 3} == set(draws)
    assert 450 < draws.count(2) < 550
    assert chances == [chance_at(START + hour * HOUR) for hour in range(1000)]


def test_averages_are_plain_means_until_a_window_is_covered() -> None:
    """From then on a rate weighs its span over the window."""
    step = Remembering(averaging(live=3 * HOUR, stable=100 * HOUR))
    state = None
    seen = []
    for hour, rate in enumerate((2.0, 4.0, 9.0, 1.0)):
        state = step(state, START + hour * HOUR, rate)
        seen.append((state.live, state.stable) if state else None)

    assert seen == [(2.0, 2.0), (3.0, 3.0), (5.0, 5.0), pytest.approx((5 - 4 / 3, 4.0))]


def test_the_margin_of_error_is_the_mean_distance_from_the_average_before() -> None:
    """For 2, 4, 9 these are nothing, 2/2 and 6/3."""
    step = Remembering(averaging(live=HOUR, stable=100 * HOUR))
    state = None
    for hour, rate in enumerate((2.0, 4.0, 9.0)):
        state = step(state, START + hour * HOUR, rate)

    assert state is not None
    assert pytest.approx((0 + 1 + 2) / 3) == state.error


def test_a_missing_hour_changes_no_average() -> None:
    """And the next rate stands for all the time since the last one."""
    step = Remembering(averaging(live=2 * HOUR, stable=100 * HOUR))
    state = step(None, START, 1.0)

    assert step(None, START, None) is None
    assert step(state, START + HOUR, None) == state
    state = step(step(state, START + HOUR, None), START + 9 * HOUR, 3.0)
    assert state is not None
    assert state.live == 3.0


def test_a_rise_from_nothing_is_a_whole_error() -> None:
    """A share of zero cannot be said, so it counts as all; from zero to zero nothing is wrong."""
    step = Remembering(averaging(live=HOUR, stable=100 * HOUR))
    state = step(step(None, START, 0.0), START + HOUR, 0.0)

    assert state is not None
    assert state.error == 0.0
    state = step(state, START + 2 * HOUR, 3.0)
    assert state is not None
    assert pytest.approx(1 / 3) == state.error


@pytest.mark.parametrize("rule", [rules.rainbow(), rules.nicehash()], ids=["rainbow", "nicehash"])
def test_a_quote_counts_before_the_history_has_it(rule: Strategy) -> None:
    """Where the history ends earlier, or is empty, the quote is the newest rate."""
    seen = view({"own": [1, 1], "rival": [0.5, 3]}, "own")
    stale = view({"own": [1], "rival": [0.5]}, "own").history

    assert [move.target for move in rule.decide(replace(seen, history=stale)).moves] == [venue("rival")]
    assert [move.target for move in rule.decide(replace(seen, history=view({}).history)).moves] == [venue("rival")]

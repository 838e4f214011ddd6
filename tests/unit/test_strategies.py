"""The controls and the pay-back rule decide exactly as they are defined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autopilot.contracts import Strategy
from autopilot.model.device import DeviceId
from autopilot.model.plan import EntryCost, ExitCost, Hold, Plan
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.testing.views import device, venue, view
from autopilot.units import HOUR, Share, Usd, UsdPerKwh, Watts
from autopilot_strategies.greedy import Greedy
from autopilot_strategies.payback import Payback
from autopilot_strategies.stay import Stay
from autopilot_strategies.threshold import Threshold

EVERY: tuple[Strategy, ...] = (Stay(), Greedy(), Threshold(), Payback())
FOLLOWERS = EVERY[1:]
TWO_DOLLARS: Mapping[str, Any] = {"draw": Draw(lit=Watts.of(2000)), "power": PowerPrice(UsdPerKwh.of(1))}
"""What serving costs an hour."""


def target(strategy: Strategy, seen: View) -> str | None:
    """Where the first device is sent; None where it stays."""
    return {move.device: str(move.target) for move in strategy.decide(seen).moves}.get(device(0).id)


def note(strategy: Strategy, seen: View) -> str:
    """What is said about the first device."""
    return strategy.decide(seen).notes[device(0).id]


@pytest.mark.parametrize("strategy", EVERY)
def test_nothing_known_is_no_reason_to_move(strategy: Strategy) -> None:
    """No network at all, none that answered, none that offers anything."""
    assert isinstance(strategy.decide(view({})), Hold)
    assert isinstance(strategy.decide(view({"a": []})), Hold)
    assert isinstance(strategy.decide(view({"a": [None, None]})), Hold)


@pytest.mark.parametrize("strategy", EVERY)
def test_a_fixed_device_gets_neither_move_nor_sentence(strategy: Strategy) -> None:
    """A switch is open on it: it is not the strategy's to move."""
    seen = replace(view({"a": [1]}, devices=2), fixed=frozenset({device(0).id}))

    assert {device(1).id} == {move.device for move in strategy.decide(seen).moves}
    assert {device(1).id} == set(strategy.decide(seen).notes)


@pytest.mark.parametrize("strategy", FOLLOWERS)
def test_a_venue_that_did_not_answer_is_kept(strategy: Strategy) -> None:
    """Doubt means stay, whatever the others pay."""
    seen = view({"own": [], "rival": [100]}, "own")

    assert isinstance(strategy.decide(seen), Hold)
    assert "GPU-0: stay at own: it gave no answer, and leaving would be a guess" == note(strategy, seen)


@pytest.mark.parametrize("strategy", FOLLOWERS)
def test_a_venue_that_offers_nothing_is_left(strategy: Strategy) -> None:
    """It was asked, and pays nothing: that is known, and anything is more."""
    assert target(strategy, view({"own": [9, None], "rival": [0.1, 0.1]}, "own")) == "rival"


@pytest.mark.parametrize("strategy", EVERY)
def test_from_idle_the_best_is_taken(strategy: Strategy) -> None:
    """Of equals the first by name."""
    assert target(strategy, view({"low": [1], "twin": [2], "pair": [2]})) == "pair"


def test_stay_takes_the_highest_mean_and_a_missing_rate_counts_as_zero() -> None:
    """Half of the time 1 $/h is less than always 0.6, and the last rate alone says nothing."""
    assert target(Stay(), view({"a": [1, None, 1, None], "b": [0.6] * 4})) == "b"
    assert target(Stay(), view({"a": [1, None, 1, 0.5], "b": [0.6] * 4})) == "a"
    assert target(Stay(), view({"a": [9, 1], "b": [0, 2]})) == "a"
    assert target(Stay(), view({"a": [9, None], "b": [1, 2]})) == "a"


def test_stay_goes_at_the_first_known_rate() -> None:
    """A rate of zero is a rate."""
    assert target(Stay(), view({"a": [None, None], "b": [None, 0]})) == "b"


def test_stay_never_moves_again() -> None:
    """Whatever comes: a better one, no offer, no answer."""
    for own in ([1.0], [None], []):
        assert isinstance(Stay().decide(view({"own": own, "rival": [100]}, "own")), Hold)


def test_stay_goes_only_where_somebody_answers() -> None:
    """The past may know networks that are out today, or that this rig does not have at all."""
    seen = view({"gone": [9, 9], "there": [1, 1]})
    answered = {key: answer for key, answer in seen.quotes.items() if key[0] != venue("gone")}

    assert target(Stay(), replace(seen, quotes=answered)) == "there"
    assert isinstance(Stay().decide(replace(seen, quotes={})), Hold)


def test_stay_looks_at_its_own_model() -> None:
    """What another GPU earned is not what this one would."""
    seen = view({"a": [1]})
    other = replace(seen.devices[0], model="H100 SXM")

    assert isinstance(Stay().decide(replace(seen, devices=(other,))), Hold)


def test_greedy_goes_to_the_highest_last_rate() -> None:
    """For any lead, at any cost; of equals it stays where it is."""
    dear = EntryCost(boot=10 * HOUR, fee=Usd.of(100))

    assert target(Greedy(), view({"own": [9, 1], "rival": [1, 1.0001]}, "own", entry=dear)) == "rival"
    assert target(Greedy(), view({"own": [1], "rival": [1]}, "own")) is None
    assert target(Greedy(), view({"own": [1], "a": [2], "b": [3]}, "own")) == "b"
    assert target(Greedy(), view({"a": [0]})) == "a"
    assert note(Greedy(), view({"own": [1], "rival": [2]}, "own")) == "GPU-0: leave own (1 $/h) for rival (2 $/h), the highest now"


def test_threshold_moves_when_the_lead_is_reached() -> None:
    """At 5 per cent and above, not below."""
    assert target(Threshold(), view({"own": [1], "rival": [1.05]}, "own")) == "rival"
    assert target(Threshold(), view({"own": [1], "rival": [1.0499]}, "own")) is None
    assert target(Threshold(Share.of("0.5")), view({"own": [1], "rival": [1.49]}, "own")) is None
    assert target(Threshold(Share.of("0.5")), view({"own": [1], "rival": [1.5]}, "own")) == "rival"


def test_threshold_needs_no_lead_over_nothing() -> None:
    """A share of nothing is nothing: from idle, or from a venue that pays zero, anything leads; an equal does not."""
    assert target(Threshold(), view({"own": [0], "rival": [1e-9]}, "own")) == "rival"
    assert target(Threshold(), view({"own": [0], "rival": [0]}, "own")) is None
    assert target(Threshold(), view({"a": [0]})) == "a"


def test_threshold_says_what_is_needed() -> None:
    """So that a person sees how far away the move is."""
    seen = view({"own": [0.4], "rival": [0.41]}, "own")

    assert note(Threshold(), seen) == "GPU-0: stay at own (0.4 $/h); rival has 0.41, 0.42 is needed"


RATE = st.integers(0, 4_000).map(lambda milli: milli / 1000)
POWER = st.sampled_from([0, 1000])


@given(here=RATE, there=RATE, theta=st.integers(0, 100), hours=st.integers(1, 72), dark=st.integers(0, 240), fee=RATE, watts=POWER)
def test_payback_moves_exactly_when_the_rule_says(
    here: float, there: float, theta: int, hours: int, dark: int, fee: float, watts: int
) -> None:
    """(g_j - g_i - theta |g_i|) H > d_j g_j + f_j for the best j; idle is one, and all of its numbers are nothing."""
    own, rival = here - watts / 1000, there - watts / 1000
    bar = own + theta / 100 * abs(own)
    gain, idle = (rival - bar) * hours - max(rival, 0) * dark / 60 - fee, -bar * hours
    assume(abs(gain) > 1e-6 and abs(idle) > 1e-6 and abs(gain - idle) > 1e-6)
    entry = EntryCost(boot=timedelta(minutes=dark), fee=Usd.nearest(fee))
    draw, power = Draw(lit=Watts.of(watts)), PowerPrice(UsdPerKwh.of(1))
    seen = view({"own": [here], "rival": [there]}, "own", entry=entry, draw=draw, power=power)
    expected = "rival" if gain > max(idle, 0) else "idle" if idle > 0 else None

    assert expected == target(Payback(Share(theta * 10_000_000), hours * HOUR), seen)


def test_payback_counts_the_margin_for_a_gain() -> None:
    """0.15 of 1 $/h over 48 h: a lead of 0.15 pays for nothing, one of 0.2 for a fee below 2.4 $."""
    assert target(Payback(), view({"own": [1], "rival": [1.15]}, "own")) is None
    assert target(Payback(), view({"own": [1], "rival": [1.2]}, "own", entry=EntryCost(fee=Usd.of("2.39")))) == "rival"
    assert target(Payback(), view({"own": [1], "rival": [1.2]}, "own", entry=EntryCost(fee=Usd.of("2.41")))) is None


@pytest.mark.parametrize(("forfeit", "expected"), [("40.7", "idle"), ("40.9", None)])
def test_payback_counts_the_margin_for_a_loss_too(forfeit: str, expected: str | None) -> None:
    """At -1 $/h the bar is -0.85, not -1.15: a loss makes nobody flee sooner. Leaving saves 48 times 0.85, which is 40.8 $."""
    seen = view({"own": [1]}, "own", **TWO_DOLLARS)
    leaving = replace(seen, exits={device().id: ExitCost(forfeits=Usd.of(forfeit))})

    assert expected == target(Payback(), leaving)


def test_payback_counts_dark_time_at_the_rate_that_it_delays() -> None:
    """Three hours dark at 2 $/h are 6 $; the lead over 1.15 in six hours is 5.1 $, in eight 6.8 $."""
    seen = view({"own": [1], "rival": [2]}, "own", entry=EntryCost(boot=2 * HOUR, ramp=HOUR))

    assert target(Payback(horizon=6 * HOUR), seen) is None
    assert target(Payback(horizon=8 * HOUR), seen) == "rival"


def test_payback_takes_the_best_after_its_cost() -> None:
    """The highest rate is not the best where it costs more to get there than it is ahead."""
    seen = view({"own": [1], "cheap": [2], "dear": [2.1]}, "own")
    fees = {**seen.entries, (venue("dear"), device().id): EntryCost(fee=Usd.of(5))}

    assert target(Payback(), seen) == "dear"
    assert target(Payback(), replace(seen, entries=fees)) == "cheap"


def test_payback_goes_idle_rather_than_lose() -> None:
    """Nothing is better than less than nothing, and costs nothing to get to."""
    seen = view({"own": [1], "rival": [1.5]}, "own", **TWO_DOLLARS)

    assert target(Payback(), seen) == "idle"
    assert target(Payback(), view({"rival": [1.5]}, **TWO_DOLLARS)) is None


def test_payback_puts_its_arithmetic_into_the_plan() -> None:
    """Gain and cost in money over the horizon, and in words; the sums of all devices that move."""
    decision = Payback().decide(view({"own": [1], "rival": [2]}, "own", devices=2, entry=EntryCost(boot=HOUR, fee=Usd.of("0.5"))))

    assert isinstance(decision, Plan)
    assert (Usd.of("81.6"), Usd.of(5), 48 * HOUR) == (decision.gain, decision.cost, decision.horizon)
    assert decision.notes[DeviceId("gpu-1")] == (
        "GPU-1: leave own (1 $/h net) for rival (2 $/h net): a lead of 0.85 $/h pays 2.5 $ of switch back in 2.94 h, horizon 48 h"
    )


def test_payback_refuses_a_horizon_of_nothing() -> None:
    """No lead would ever pay."""
    with pytest.raises(ValueError, match=r"payback\.horizon must be longer than nothing, not 0:00:00"):
        Payback(horizon=timedelta(0))


@pytest.mark.parametrize("strategy", EVERY)
def test_nothing_is_learned(strategy: Strategy) -> None:
    """None of these rules has a past that it keeps."""
    assert strategy is strategy.fit(view({"a": [1, 2]}).history)

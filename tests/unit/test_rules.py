"""The rules of the mining switchers decide as their formulas say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial

import pytest

from autopilot.contracts import Strategy
from autopilot.model.device import IDLE, DeviceId
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.testing.views import device, venue, view
from autopilot.units import HOUR, Share, UsdPerKwh, Watts
from autopilot_strategies import rules

MINUTE = timedelta(minutes=1)
HUNGRY = Draw(lit=Watts.of(2000))
ONE_DOLLAR = PowerPrice(UsdPerKwh.of(1))
BOTH_FORMS = pytest.mark.parametrize(("form", "tick"), [(0, MINUTE), (1, HOUR)], ids=["wall-clock", "ticks"])


def targets(rule: Strategy, seen: View) -> dict[DeviceId, str]:
    """Where each device that moves is sent."""
    return {move.device: str(move.target) for move in rule.decide(seen).moves}


def lead_needed(moves: Callable[[float], bool]) -> float:
    """The smallest lead, rival over incumbent, at which a rule moves."""
    low, high = 0.5, 2.5
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if moves(middle) else (middle, high)
    return high


def steady(rule: Strategy, stayed: timedelta) -> Callable[[float], bool]:
    """Whether a rule moves to a rival that always paid so many times as much."""
    return lambda lead: bool(rule.decide(view({"own": [1e3] * 2, "rival": [1e3 * lead] * 2}, "own", stayed=stayed)).moves)


RAINBOW = [
    (0.05, [1.0842, 1.0619, 1.0510, 1.0404, 1.0300]),
    (0.10, [1.1444, 1.1075, 1.0842, 1.0510, 1.0300]),
    (0.30, [1.4714, 1.3377, 1.2118, 1.0957, 1.0404]),
]


@BOTH_FORMS
@pytest.mark.parametrize(("error", "leads"), RAINBOW)
def test_rainbow_needs_the_lead_of_its_formula(error: float, leads: Sequence[float], form: int, tick: timedelta) -> None:
    """At 0, 5, 13, 30 and 60 rounds after a switch, past the lock, for a rival with this margin of error."""
    rule = (rules.rainbow, rules.rainbow_ticks)[form](minimum_intervals=0)
    # Two rates, of which the second is off by twice the error: then the plain mean of the errors is the error. The live price
    # is the last one where a rate stands for longer than the window of ten rounds, and the mean of both where it does not.
    first, second = [(1 / (1 + 2 * error), 1.0), (1 / (1 + error), (1 + 2 * error) / (1 + error))][form]

    def moves(rounds: int, lead: float) -> bool:
        rival = [1e6 * lead * first, 1e6 * lead * second]
        return bool(rule.decide(view({"own": [1e6, 1e6], "rival": rival}, "own", stayed=rounds * tick)).moves)

    found = [lead_needed(partial(moves, rounds)) for rounds in (0, 5, 13, 30, 60)]

    assert leads == pytest.approx(found, abs=5.1e-5)


@BOTH_FORMS
def test_nemos_always_needs_a_tenth(form: int, tick: timedelta) -> None:
    """However long ago the last switch was, once a cycle has run."""
    rule = (rules.nemos, rules.nemos_ticks)[form]
    found = [lead_needed(steady(rule(minimum_cycles=0), 0 * tick))]
    found += [lead_needed(steady(rule(), rounds * tick)) for rounds in (5, 13, 30, 60)]

    assert [1.10] * 5 == pytest.approx(found, abs=1e-6)


@BOTH_FORMS
def test_mindminer_needs_its_lead_until_its_time_is_over(form: int, tick: timedelta) -> None:
    """Five per cent before twelve rounds, and none from then on."""
    rule = (rules.mindminer, rules.mindminer_ticks)[form]()
    found = [lead_needed(steady(rule, rounds * tick)) for rounds in (0, 5, 11, 12, 13, 30, 60)]

    assert [1.05] * 3 + [1.0] * 4 == pytest.approx(found, abs=1e-6)


@BOTH_FORMS
@pytest.mark.parametrize(("count", "lead"), [(1, 1.02), (2, 1.04), (4, 1.08), (6, 1.12), (8, 1.16)])
def test_nicehash_needs_more_for_one_of_many(count: int, lead: float, form: int, tick: timedelta) -> None:
    """One GPU of n equal ones moves alone from n times 2 per cent on, at any time."""
    rule = (rules.nicehash, rules.nicehash_ticks)[form]()

    def moves(rounds: int, candidate: float) -> bool:
        seen = view({"own": [1e3] * 2, "rival": [1e3 * candidate] * 2}, "own", devices=count, stayed=rounds * tick)
        one = {key: answer for key, answer in seen.quotes.items() if key[0] == venue("own") or key[1] == device(0).id}
        return bool(rule.decide(replace(seen, quotes=one)).moves)

    found = [lead_needed(partial(moves, rounds)) for rounds in (0, 13, 60)]

    assert [lead] * 3 == pytest.approx(found, abs=1e-6)


def test_rainbow_counts_the_first_round_a_hundredfold() -> None:
    """So that 103 times the price is what a rival needs in it."""
    found = lead_needed(lambda lead: steady(rules.rainbow(), 59 * timedelta(seconds=1))(lead * 100))

    assert pytest.approx(1.03) == found
    assert pytest.approx(1.03) == lead_needed(steady(rules.rainbow(), 60 * timedelta(seconds=1)))


def test_rainbow_never_doubts_more_than_the_whole() -> None:
    """A margin of error of 200 per cent counts as 100, of which half is left after 13 minutes."""
    seen = view({"own": [1, 1], "rival": [1, 5]}, "own", stayed=13 * MINUTE)

    assert targets(rules.rainbow(), seen) == {device(0).id: "rival"}
    assert targets(rules.rainbow(), view({"own": [4, 4], "rival": [1, 5]}, "own", stayed=13 * MINUTE)) == {}


def test_nemos_runs_a_whole_cycle() -> None:
    """Whatever a rival pays, the present venue is kept for 90 s."""
    rates = {"own": [1], "rival": [1000]}

    assert targets(rules.nemos(), view(rates, "own", stayed=timedelta(seconds=89))) == {}
    assert targets(rules.nemos(), view(rates, "own", stayed=timedelta(seconds=90))) == {device(0).id: "rival"}


def losing(own: float, rival: float, stayed: timedelta = HOUR) -> View:
    """Net rates of which 2 $/h are eaten by power."""
    return view({"own": [own + 2], "rival": [rival + 2]}, "own", stayed=stayed, draw=HUNGRY, power=ONE_DOLLAR)


def test_nemos_flees_from_a_loss_to_a_greater_one() -> None:
    """Its defect: -1.00 times 1.10 is -1.10, so a rival at -1.05 wins, and one at -1.15 does not."""
    assert targets(rules.nemos(), losing(-1, -1.05)) == {device(0).id: "rival"}
    assert targets(rules.nemos(), losing(-1, -1.15)) == {}


def test_rainbow_clings_to_a_loss_as_to_a_gain() -> None:
    """Its bonus is on revenue: at 1 $/h before power it takes a rival with more than 1.03, a loss or not."""
    assert targets(rules.rainbow(), losing(-1, -0.98)) == {}
    assert targets(rules.rainbow(), losing(-1, -0.96)) == {device(0).id: "rival"}


def test_mindminer_keeps_what_pays_nothing_until_its_time_is_over() -> None:
    """Its defect: a percentage of nothing says nothing, so only the time counts."""
    rates = {"own": [0], "rival": [5]}

    assert targets(rules.mindminer(), view(rates, "own", stayed=11 * MINUTE)) == {}
    assert targets(rules.mindminer(), view(rates, "own", stayed=12 * MINUTE)) == {device(0).id: "rival"}
    assert targets(rules.mindminer(), losing(-1, 3, 11 * MINUTE)) == {}


def test_nicehash_believes_a_fall_at_once_and_a_rise_later() -> None:
    """In ticks, one higher rate is no confirmation, three are, and two are where the instant drew two."""
    rule = rules.nicehash_ticks()
    after_two = {len(rule.decide(view({"own": [2] * (n + 2), "rival": [1] * n + [5, 5]}, "own")).moves) for n in range(1, 30)}

    assert targets(rule, view({"own": [2, 1], "rival": [1.5, 1.5]}, "own")) == {device(0).id: "rival"}
    assert targets(rule, view({"own": [2] * 2, "rival": [1, 5]}, "own")) == {}
    assert after_two == {0, 1}
    assert targets(rule, view({"own": [2] * 4, "rival": [1, 5, 5, 5]}, "own")) == {device(0).id: "rival"}
    assert targets(rules.nicehash(), view({"own": [2] * 2, "rival": [1, 5]}, "own")) == {device(0).id: "rival"}


def test_nicehash_counts_again_after_a_fall() -> None:
    """Three higher rates that are not in a row confirm nothing; a missing one is no rate, and an equal one not higher."""
    rule = rules.nicehash_ticks(least_samples=3)

    assert targets(rule, view({"own": [2] * 5, "rival": [1, 5, 5, 1, 5]}, "own")) == {}
    assert targets(rule, view({"own": [2] * 5, "rival": [1, 5, 5, None, 5]}, "own")) == {device(0).id: "rival"}
    assert targets(rule, view({"own": [2] * 4, "rival": [1, 1, 1, 5]}, "own")) == {}


def test_nicehash_lets_a_large_gain_take_a_small_one_along() -> None:
    """The rig gains enough, so every device goes to its best, even for a tenth of a per cent."""
    seen = replace(view({"own": [1], "rival": [1.001]}, "own", devices=2), history=view({}).history)
    large = view({"own": [1], "rival": [1.5]}, "own", devices=2).quotes[venue("rival"), device(0).id]

    assert targets(rules.nicehash(), seen) == {}
    assert targets(rules.nicehash(), replace(seen, quotes={**seen.quotes, (venue("rival"), device(0).id): large})) == {
        device(0).id: "rival",
        device(1).id: "rival",
    }


def test_nicehash_places_an_idle_device_of_a_large_rig() -> None:
    """The whole rig gains less than 2 per cent by it, and the others stay; but idle is no choice to go back to."""
    seen = view({"own": [1], "rival": [1.001]}, "own", devices=80)
    idle = replace(seen.placements[device(7).id], venue=IDLE)

    assert targets(rules.nicehash(), replace(seen, placements={**seen.placements, device(7).id: idle})) == {device(7).id: "rival"}


def test_nicehash_does_not_test_a_rig_that_earns_nothing() -> None:
    """A share of nothing says nothing, so the best is taken."""
    assert targets(rules.nicehash(), losing(-1, -0.999)) == {device(0).id: "rival"}


SCALE = [(rules.rainbow, rules.rainbow_ticks, 60), (rules.nemos, rules.nemos_ticks, 40), (rules.mindminer, rules.mindminer_ticks, 60)]


@pytest.mark.parametrize(("wall", "ticks", "times"), [*SCALE, (rules.nicehash, rules.nicehash_ticks, HOUR / timedelta(seconds=44.5))])
def test_the_forms_differ_in_spans_alone(wall: type[rules.Rainbow], ticks: type[rules.Rainbow], times: float) -> None:
    """Every span is so many times longer that a round is an hour; every other parameter is as shipped."""
    shipped, scaled = wall(), ticks()

    assert [each.name for each in fields(wall)] == [each.name for each in fields(ticks)]
    for each in fields(wall):
        value = getattr(shipped, each.name)
        assert getattr(scaled, each.name) == (value * times if isinstance(value, timedelta) else value), each.name


def test_a_parameter_that_makes_no_sense_is_refused() -> None:
    """With the name of the rule and of the parameter."""
    with pytest.raises(ValueError, match=r"rainbow\.live_window must be longer than nothing"):
        rules.rainbow(live_window=timedelta(0))
    with pytest.raises(ValueError, match=r"nemos-ticks\.minimum_cycles must not be negative"):
        rules.nemos_ticks(minimum_cycles=-1)
    with pytest.raises(ValueError, match=r"nicehash\.most_samples must not be less than least_samples: 3 < 4"):
        rules.nicehash(least_samples=4)
    with pytest.raises(ValueError, match=r"nicehash\.interval must be longer than nothing"):
        rules.nicehash(interval=-HOUR)


def test_parameters_change_the_rule() -> None:
    """Each does what its name says."""
    doubted: Mapping[str, Sequence[float]] = {"own": [1, 1], "rival": [1.0, 1.2]}

    assert pytest.approx(1.2) == lead_needed(steady(rules.rainbow(hysteresis=Share.of("0.2")), HOUR))
    assert pytest.approx(1.3) == lead_needed(steady(rules.nemos(bonus=Share.of("0.3")), HOUR))
    assert pytest.approx(1.3) == lead_needed(steady(rules.mindminer(lead=Share.of("0.3")), MINUTE))
    assert targets(rules.rainbow(), view(doubted, "own", stayed=MINUTE)) == {device(0).id: "rival"}
    assert targets(rules.rainbow(decay=Share.of("1"), hysteresis=Share.of("0.1")), view(doubted, "own")) == {}
    assert targets(rules.rainbow(prevention=0, hysteresis=Share.of("0.1")), view(doubted, "own", stayed=MINUTE)) == {device(0).id: "rival"}

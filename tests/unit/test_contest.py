"""What the rules of the mining switchers have in common: who may be left, who is chosen, and what is said about it."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from autopilot.contracts import Strategy
from autopilot.model.device import DeviceId
from autopilot.model.plan import Hold, Plan
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.testing.views import device, view
from autopilot.units import HOUR, Share, UsdPerKwh, Watts
from autopilot_strategies import rules

EVERY = (
    rules.rainbow,
    rules.rainbow_ticks,
    rules.nemos,
    rules.nemos_ticks,
    rules.nicehash,
    rules.nicehash_ticks,
    rules.mindminer,
    rules.mindminer_ticks,
)
ENTRY_POINT = pytest.mark.parametrize("rule", EVERY, ids=[rule.name for rule in EVERY])
HUNGRY = Draw(lit=Watts.of(2000))
ONE_DOLLAR = PowerPrice(UsdPerKwh.of(1))


def targets(rule: Strategy, seen: View) -> dict[DeviceId, str]:
    """Where each device that moves is sent."""
    return {move.device: str(move.target) for move in rule.decide(seen).moves}


def note(rule: Strategy, seen: View) -> str:
    """What is said about the first device."""
    return rule.decide(seen).notes[device(0).id]


@ENTRY_POINT
def test_a_venue_that_offers_nothing_is_left_at_once(rule: type[Strategy]) -> None:
    """No lock, bonus or time protects what is known to pay nothing; and it still draws its power, so a smaller loss is better."""
    assert targets(rule(), view({"own": [9, None], "rival": [0.1, 0.1]}, "own", stayed=timedelta(0))) == {device(0).id: "rival"}
    dear = view({"own": [9, None], "rival": [1, 1]}, "own", draw=HUNGRY, power=ONE_DOLLAR)
    assert targets(rule(), dear) == {device(0).id: "rival"}


@ENTRY_POINT
def test_a_device_that_has_not_arrived_yet_has_no_age(rule: type[Strategy]) -> None:
    """An instant that lies ahead counts as now, and doubts do not grow by it."""
    seen = view({"own": [1, None], "rival": [1, 1.2]}, "own", stayed=-HOUR)

    assert targets(rule(), seen) == targets(rule(), view({"own": [1, None], "rival": [1, 1.2]}, "own", stayed=timedelta(0)))


@ENTRY_POINT
def test_a_venue_that_did_not_answer_is_kept(rule: type[Strategy]) -> None:
    """Doubt means stay, whatever the others pay."""
    decision = rule().decide(view({"own": [], "rival": [100, 100]}, "own"))

    assert isinstance(decision, Hold)
    assert decision.notes == {device(0).id: "GPU-0: stay at own: it gave no answer, and leaving would be a guess"}


@ENTRY_POINT
def test_the_first_placement_is_the_best(rule: type[Strategy]) -> None:
    """From idle there is nothing to lose; of equals the first by name is taken."""
    assert targets(rule(), view({"low": [1, 1], "twin": [2, 2], "pair": [2, 2]})) == {device(0).id: "pair"}


@ENTRY_POINT
def test_idle_stays_idle_where_nothing_pays(rule: type[Strategy]) -> None:
    """Neither for a rate of zero nor for one that power eats."""
    assert targets(rule(), view({"a": [0, 0], "b": [None, None]})) == {}
    assert targets(rule(), view({"a": [1, 1]}, draw=HUNGRY, power=ONE_DOLLAR)) == {}


@ENTRY_POINT
def test_no_offer_is_no_reason_to_move(rule: type[Strategy]) -> None:
    """Without quotes, with none but the present one, and where no venue offers anything."""
    assert isinstance(rule().decide(view({})), Hold)
    assert isinstance(rule().decide(view({"own": [1]}, "own")), Hold)
    assert isinstance(rule().decide(view({"own": [None], "rival": [None]}, "own")), Hold)


@ENTRY_POINT
def test_of_equals_the_present_venue_stays(rule: type[Strategy]) -> None:
    """Also where both pay nothing."""
    assert targets(rule(), view({"a": [1, 1], "own": [1, 1]}, "own")) == {}
    assert targets(rule(), view({"a": [0, 0], "own": [0, 0]}, "own")) == {}


@ENTRY_POINT
def test_a_fixed_device_is_left_alone(rule: type[Strategy]) -> None:
    """It gets neither a move nor a sentence."""
    seen = view({"a": [1, 1], "b": [2, 2]}, "a", devices=2, stayed=99 * HOUR)
    decision = rule().decide(replace(seen, fixed=frozenset({device(0).id})))

    assert [device(1).id] == [move.device for move in decision.moves]
    assert {device(1).id} == set(decision.notes)


@ENTRY_POINT
def test_a_plan_is_named_after_the_rule_and_the_instant(rule: type[rules.Rainbow]) -> None:
    """And its reason is the sentence about the device that moves."""
    plan = rule().decide(view({"a": [1, 1]}))

    assert isinstance(plan, Plan)
    assert plan.id.startswith(f"{rule.name}-20260101T020000")
    assert plan.reason == "GPU-0: leave idle (0 $/h) for a (1 $/h): it counts as 1 $/h against 0"


def test_a_sentence_has_the_arithmetic() -> None:
    """The lead that there is, and the one that it takes."""
    rates = {"nosana": [0.41], "akash": [0.42]}

    assert note(rules.rainbow(), view(rates, "nosana")) == "GPU-0: stay at nosana (0.41 $/h); akash leads by 2.44 %, 3 % are needed"
    assert note(rules.nemos(), view(rates, "akash")) == "GPU-0: stay at akash (0.42 $/h); nothing is higher"
    assert note(rules.nemos(), view(rates, "nosana", stayed=timedelta(minutes=1))) == (
        "GPU-0: stay at nosana (0.41 $/h); akash has 0.42, but it is too early to leave"
    )
    assert note(rules.mindminer(), view(rates, "nosana")) == (
        "GPU-0: leave nosana (0.41 $/h) for akash (0.42 $/h): it leads by 2.44 %, any lead is enough"
    )
    assert note(rules.nicehash(lead=Share.of("0.05")), view(rates, "nosana")) == (
        "GPU-0: stay at nosana (0.41 $/h); akash has 0.42, but the whole rig would gain 2.44 %, 5 % are needed"
    )
    assert note(rules.nemos(), view({"nosana": [None], "akash": [None]}, "nosana")) == "GPU-0: stay at nosana (0 $/h); nothing is higher"
    wasteful = view({"own": [3], "rival": [3.03]}, "own", draw=HUNGRY, power=ONE_DOLLAR)
    assert note(rules.rainbow(), wasteful) == "GPU-0: stay at own (1 $/h); rival leads by 3 %, 9 % are needed"
    losing = view({"own": [1], "rival": [0.95]}, "own", draw=HUNGRY, power=ONE_DOLLAR)
    assert note(rules.nemos(), losing) == ("GPU-0: leave own (-1 $/h) for rival (-1.05 $/h): it counts as -1.05 $/h against -1.1")


@ENTRY_POINT
def test_a_rule_names_its_parameters(rule: type[rules.Rainbow]) -> None:
    """They can be set by name, and a name that it does not have is refused."""
    names = {each.name for each in fields(rule)}
    unknown: dict[str, Any] = {"hysterisis": Share.of("0.1")}

    assert names
    assert rule(**{name: getattr(rule(), name) for name in names}) == rule()
    with pytest.raises(TypeError, match="hysterisis"):
        rule(**unknown)


@ENTRY_POINT
def test_nothing_is_learned(rule: type[Strategy]) -> None:
    """A rule reads its averages from the view, so fitting gives the rule itself."""
    one = rule()

    assert one is one.fit(view({"a": [1, 2]}).history)

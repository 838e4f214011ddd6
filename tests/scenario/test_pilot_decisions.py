"""What the pilot makes of a decision: guards look at it, the journal keeps it, and one that is none moves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autopilot.contracts import NamedStrategy, Scope
from autopilot.errors import StrategyError
from autopilot.guards import Dwell, RigScope
from autopilot.model.device import IDLE
from autopilot.model.plan import Decision, Hold, Move, Plan, PlanId
from autopilot.model.switch import State
from autopilot.model.view import View
from autopilot.testing.views import device, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd
from shared.pilots import serving, states

GPU = device()


def test_a_dry_run_moves_nothing() -> None:
    """It decides and journals, and says what it would do."""
    fleet = Fleet("akash", "nosana")
    fleet.restart(live=False)
    fleet.wish("akash")

    assert "dry run: nothing was moved" in fleet.decide()
    fleet.fly(HOUR)
    assert [] == states(fleet)
    assert [[], []] == [site.told for site in fleet.sites.values()]
    assert ["plan"] == [ruling.decision["kind"] for ruling in fleet.store.journal.rulings()]


def test_a_decision_needs_something_new() -> None:
    """Quotes that were looked at once are not looked at again: the strategy is asked when something was answered."""
    fleet = Fleet("akash")
    fleet.decide()
    fleet.fly(HOUR)

    assert 1 == len(fleet.wishes.views)


def test_guards_hold_back_with_their_reason() -> None:
    """It is said, and journalled with the decision."""
    fleet = Fleet("akash", "nosana", guards=[Dwell(9 * HOUR)])
    serving(fleet, "akash")
    fleet.wish("nosana")

    assert "held back: it came 2h ago, and stays for 9h at least" in fleet.decide()
    assert {GPU.id} == set(list(fleet.store.journal.rulings())[-1].vetoes)
    assert venue("akash") == fleet.at()


def test_a_rig_is_held_back_as_a_whole() -> None:
    """Where one device of a network that takes whole rigs may not move, none does."""
    fleet = Fleet("akash", "nosana", gpus=2)
    fleet.guards = [Dwell(3 * HOUR), RigScope({venue("nosana").network: Scope.RIG})]
    fleet.wish("akash", 1)
    fleet.restart()
    fleet.decide()
    fleet.later(HOUR)
    for gpu in (0, 1):
        fleet.wish("nosana", gpu)

    assert "nosana takes the whole rig, and not all devices move with it" in fleet.decide()
    assert [IDLE, venue("akash")] == [fleet.at(0), fleet.at(1)]


def moves(*pairs: tuple[str, str], gpu: int = 0) -> Callable[[View], Decision]:
    """A strategy's answer with these moves of a device."""
    plan = tuple(Move(device(gpu).id, venue(source), venue(target)) for source, target in pairs)
    return lambda view: Plan(PlanId("a plan"), view.now, plan, Usd(0), Usd(0), HOUR, "a test")


def raising(error: Exception) -> Callable[[View], Decision]:
    """A strategy that ends so."""

    def decide(_: View) -> Decision:
        raise error

    return decide


@pytest.mark.parametrize(
    ("decide", "complaint"),
    [
        (raising(ZeroDivisionError("division by zero")), "failed, so nothing moves: ZeroDivisionError: division by zero"),
        (raising(StrategyError("it knows too little")), "it knows too little"),
        (lambda _: "sell", "it answered str, which is no decision"),
        (lambda view: Hold(view.now, "fine", {GPU.id: object()}), "not JSON serializable"),  # type: ignore[dict-item]
        (moves(("nosana", "akash")), "from nosana, where it is not"),
        (moves(("akash", "atlantis")), "to atlantis, which nobody knows"),
        (moves(("akash", "nosana"), ("akash", "idle")), "which it may not move now"),
        (moves(("akash", "nosana"), gpu=7), "which it may not move now"),
    ],
)
def test_a_strategy_that_fails_holds(decide: Callable[[View], Decision], complaint: str) -> None:
    """Doubt means stay: nothing is moved, the reason is said and journalled, and the next decision is asked for as ever."""
    fleet = Fleet("akash", "nosana")
    serving(fleet, "akash")
    before = len(states(fleet))
    fleet.wishes.decide = decide  # type: ignore[method-assign]

    assert complaint in fleet.decide()
    assert "hold" == list(fleet.store.journal.rulings())[-1].decision["kind"]
    assert before == len(states(fleet))
    assert [] == fleet.sites["akash"].told
    del fleet.wishes.decide  # type: ignore[method-assign]
    serving(fleet, "nosana")


def test_a_plan_may_have_a_name_that_was_used() -> None:
    """Switches are told apart all the same: a careless strategy must not end the flight."""
    fleet = Fleet("akash", "nosana")
    for source, target in (("idle", "akash"), ("akash", "nosana"), ("nosana", "akash")):
        fleet.wishes.decide = moves((source, target))  # type: ignore[method-assign]
        fleet.later(HOUR)
        fleet.decide()

    assert [State.SETTLED] * 3 == states(fleet)
    assert venue("akash") == fleet.at()


def test_a_strategy_learns_and_may_fail_to(caplog: pytest.LogCaptureFixture) -> None:
    """The wiser one flies on; where learning fails, the last good one does."""
    fleet = Fleet("akash")
    wiser = Fleet("akash").wishes
    fleet.wishes.fit = lambda _: wiser  # type: ignore[method-assign, assignment, return-value]
    fleet.pilot.learn()
    wiser.fit = raising(ValueError("too little to learn from"))  # type: ignore[method-assign, assignment]
    fleet.pilot.learn()
    fleet.decide()

    assert (0, 1) == (len(fleet.wishes.views), len(wiser.views))
    assert "could not learn" in caplog.text


def test_the_strategy_is_named_in_the_journal() -> None:
    """With its parameters as they were written, so that it can be made again."""
    fleet = Fleet("akash")
    fleet.pilot = fleet.restart()
    fleet.pilot._learning.strategy = NamedStrategy("wishes", fleet.wishes, {"theta": "0.15"})
    fleet.decide()

    assert {"name": "wishes", "parameters": {"theta": "0.15"}} == next(fleet.store.journal.rulings()).strategy

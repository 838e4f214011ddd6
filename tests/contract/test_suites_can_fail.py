"""Every check of the strategy suite is seen to fail on an offence planted for it, and to pass without."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import FrameType
from typing import ClassVar, Self

import pytest

from autopilot.backtest.runner import Course
from autopilot.contracts import Strategy
from autopilot.errors import StrategyError
from autopilot.model.device import IDLE, Device, NetworkId, Venue
from autopilot.model.history import History
from autopilot.model.plan import Decision, Hold, Move, Plan, PlanId
from autopilot.model.view import View
from autopilot.testing.strategies import StrategyContract, market
from autopilot.testing.views import venue
from autopilot.units import HOUR, Usd

CAUGHT = (AssertionError, StrategyError, ZeroDivisionError)
"""What a check says no with; the last is what one offender raises."""


def plan(view: View, target: Callable[[Device], Venue | None], devices: Sequence[Device] | None = None) -> Decision:
    """A plan that brings each device to its target; a Hold where none has another one than it has."""
    moves = [(each.id, view.venue(each), target(each)) for each in (devices if devices is not None else list(view.free()))]
    real = tuple(Move(device, here, there) for device, here, there in moves if there and there != here)
    if not real:
        return Hold(view.now, "planted")
    return Plan(PlanId(f"planted-{view.now:%Y%m%dT%H%M%S}"), view.now, real, Usd(0), Usd(0), HOUR, "planted")


def best(view: View, device: Device) -> Venue | None:
    """The highest quote."""
    offers = view.offers(device)
    return max(offers, key=lambda place: offers[place].expected, default=None)


class Planted:
    """Honest, until a method is replaced."""

    def decide(self, view: View) -> Decision:
        """Always the best."""
        return plan(view, lambda device: best(view, device))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned."""
        return self


class ReadsBeyondTheCut(Planted):
    """Reaches into the series behind the history, which may have gone on."""

    def decide(self, view: View) -> Decision:
        newest = {key[0]: float(series._rates[-1] or Usd(0)) for key, series in view.history._series.items()}
        return plan(view, lambda device: max(view.offers(device), key=lambda place: newest[place], default=None))


class LearnsBeyondTheCut(Planted):
    """Honest to look at; what it learns is how long the record is by now."""

    def __init__(self, learned: int = 0) -> None:
        self.learned = learned

    def decide(self, view: View) -> Decision:
        return Hold(view.now, f"planted: {self.learned}")

    def fit(self, history: History) -> Self:
        return type(self)(sum(len(series) for series in history._series.values()))


class WalksTheStack(Planted):
    """Finds the panel that is being flown among its callers' variables, and reads the coming hour."""

    def decide(self, view: View) -> Decision:
        frame: FrameType | None = sys._getframe()
        while frame and not isinstance(frame.f_locals.get("course"), Course):
            frame = frame.f_back
        if frame is None:
            return super().decide(view)
        panel = frame.f_locals["course"].panel
        row = panel.rates[(view.now - panel.start) // HOUR]
        coming = {venue(name): row[column] for column, name in enumerate(panel.networks)}
        return plan(view, lambda device: max(view.offers(device), key=lambda place: coming[place], default=None))


class RemembersTheLastFlight(Planted):
    """Writes down what was best at every hour, and looks an hour ahead when it flies again."""

    best: ClassVar[dict[datetime, Venue | None]] = {}

    def decide(self, view: View) -> Decision:
        self.best[view.now] = best(view, view.devices[0])
        return plan(view, lambda device: self.best.get(view.now + HOUR) or best(view, device))


class Counts(Planted):
    """Every third answer is another."""

    calls = 0

    def decide(self, view: View) -> Decision:
        self.calls += 1
        return Hold(view.now, "planted") if self.calls % 3 == 0 else super().decide(view)


class GoesNowhereKnown(Planted):
    """To a venue that no network has."""

    def decide(self, view: View) -> Decision:
        return plan(view, lambda _: Venue(NetworkId("nowhere")))


class MovesTheFixed(Planted):
    """Devices that are not its to move."""

    def decide(self, view: View) -> Decision:
        return plan(view, lambda device: best(view, device), view.devices)


class Raises(Planted):
    """Divides by the number of offers."""

    def decide(self, view: View) -> Decision:
        return Hold(view.now, f"planted: {1 / len(view.quotes)}")


class SaysNothing(Planted):
    """No reason."""

    def decide(self, view: View) -> Decision:
        return Hold(view.now, "")


class LivesInThePast(Planted):
    """A decision of another instant."""

    def decide(self, view: View) -> Decision:
        return Hold(view.now - HOUR, "planted")


class TakesTheFirst(Planted):
    """Moves the device that stands first."""

    def decide(self, view: View) -> Decision:
        return plan(view, lambda device: best(view, device), list(view.free())[:1])


class Flees(Planted):
    """Goes idle when nobody answers."""

    def decide(self, view: View) -> Decision:
        return plan(view, lambda device: best(view, device) or IDLE)


class LearnsInPlace(Planted):
    """Becomes wiser itself."""

    lessons = 0

    def decide(self, view: View) -> Decision:
        return Hold(view.now, f"planted: {self.lessons} lessons")

    def fit(self, history: History) -> Self:  # noqa: ARG002
        self.lessons += 1
        return self


class ForgetsTheInstant(Planted):
    """All of its plans have one name."""

    def decide(self, view: View) -> Decision:
        decision = super().decide(view)
        return replace(decision, id=PlanId("planted")) if isinstance(decision, Plan) else decision


OFFENCES: Mapping[type[Planted], Sequence[str]] = {
    ReadsBeyondTheCut: ["test_a_view_stays_as_it_was"],
    LearnsBeyondTheCut: ["test_a_view_stays_as_it_was"],
    WalksTheStack: ["test_no_future"],
    RemembersTheLastFlight: ["test_no_future"],
    Counts: ["test_the_same_view_gives_the_same_decision", "test_no_future"],
    GoesNowhereKnown: ["test_every_decision_is_legal", "test_no_future"],
    MovesTheFixed: ["test_every_decision_is_legal"],
    Raises: ["test_every_decision_is_legal"],
    SaysNothing: ["test_every_decision_is_legal"],
    LivesInThePast: ["test_every_decision_is_legal"],
    TakesTheFirst: ["test_the_order_of_devices_does_not_matter"],
    Flees: ["test_without_quotes_it_holds"],
    LearnsInPlace: ["test_learning_changes_only_the_copy"],
    ForgetsTheInstant: ["test_a_plan_has_an_id_of_its_own"],
}
PAIRS = [(offender, check) for offender, checks in OFFENCES.items() for check in checks]
CHECKS = sorted(name for name in dir(StrategyContract) if name.startswith("test_"))


def run(check: str, strategy: Strategy) -> None:
    """One check of the suite, as pytest would call it."""
    getattr(StrategyContract(), check)(strategy, market())


@pytest.mark.parametrize(("offender", "check"), PAIRS, ids=[f"{offender.__name__}-{check}" for offender, check in PAIRS])
def test_an_offence_against_the_strategy_suite_is_caught(offender: type[Planted], check: str) -> None:
    """By the check that is there for it."""
    with pytest.raises(CAUGHT):
        run(check, offender())


@pytest.mark.parametrize("check", CHECKS)
def test_the_strategy_suite_passes_an_honest_one(check: str) -> None:
    """The planted offences are what it fails on, not the strategy that they are planted in."""
    run(check, Planted())


def test_every_check_of_the_strategy_suite_has_its_offence() -> None:
    """A check that was never seen to fail proves nothing."""
    assert CHECKS == sorted({check for _, check in PAIRS})

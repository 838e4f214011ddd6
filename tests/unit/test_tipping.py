"""The rate at which a strategy would decide otherwise is one at which it really does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta

import pytest

from autopilot.backtest.replay import replay
from autopilot.clock import stopwatch
from autopilot.contracts import Explains, NamedStrategy
from autopilot.daemon.learner import Prober
from autopilot.model.device import IDLE, Venue
from autopilot.model.plan import EntryCost, Tips
from autopilot.model.view import View
from autopilot.pilot import Pilot, tipping
from autopilot.pilot.deciding import ask
from autopilot.pilot.tipping import PRECISE, Tipper, supposing, tips
from autopilot.pilot.world import in_turn
from autopilot.plugins import make_strategy
from autopilot.sim.generator import generated_panel
from autopilot.testing.views import MODEL, START, device, venue, view
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd, UsdPerHour

AKASH, NOSANA, RENDER = venue("akash"), venue("nosana"), venue("render")
COST = EntryCost(boot=HOUR / 4, fee=Usd.of("0.05"))
HOURS = 60


def seen() -> View:
    """Two GPUs at akash; nosana pays less, and render offers nothing."""
    steady: dict[str, Sequence[str | None]] = {"akash": ["0.40"] * HOURS, "nosana": ["0.35"] * HOURS, "render": [None] * HOURS}
    return view(steady, "akash", devices=2, entry=COST)


def goes(name: str, known: View, place: Venue, rate: UsdPerHour) -> bool:
    """Whether the first GPU is to be at the place, should the place quote this rate."""
    moves = ask(make_strategy(name, {}), supposing(known, place, MODEL, rate)).moves
    return {move.device: move.target for move in moves}.get(device().id, AKASH) == place


def lively() -> View:
    """A week of a generated market; the GPUs are at the first of its venues."""
    rates = generated_panel(7, START, 168, MODEL).rates
    columns = {"akash": rates[:, 0].tolist(), "nosana": rates[:, 1].tolist()}
    return view(columns, "akash", devices=2, entry=COST)


@pytest.mark.parametrize(
    ("name", "known"),
    [("greedy", seen()), ("threshold", seen()), ("payback", seen()), ("payback", lively()), ("forecast", lively())],
    ids=["greedy", "threshold", "payback", "payback-lively", "forecast-lively"],
)
def test_the_strategy_decides_otherwise_just_beyond_the_rate(name: str, known: View) -> None:
    """From the rate on it goes to a venue and just below it does not; the same of staying where it is."""
    tipper = Tipper(make_strategy(name, {}), known)
    for place in (AKASH, NOSANA):
        rate = tipper.rate(device(), place)

        assert rate is not None
        step = UsdPerHour(int(rate.count * 2 * PRECISE))
        assert goes(name, known, place, rate + step)
        assert not goes(name, known, place, rate - step)


def test_the_rate_of_a_plain_rule_is_its_threshold() -> None:
    """One that leads by 5 % of 0.40 $/h is taken; where it is, nothing below 0.35 / 1.05 is stayed with."""
    tipper = Tipper(make_strategy("threshold", {"lead": "0.05"}), seen())
    found = [tipper.rate(device(), place) for place in (NOSANA, AKASH)]

    assert [pytest.approx(0.42, rel=2 * float(PRECISE)), pytest.approx(0.35 / 1.05, rel=2 * float(PRECISE))] == [
        None if rate is None else float(rate) for rate in found
    ]


def test_where_no_rate_makes_a_difference_there_is_none() -> None:
    """One that never moves has no such rate; nor has idle, nor a venue without a quote to be changed."""
    known = seen()
    stays, moves = Tipper(make_strategy("stay", {}), known), Tipper(make_strategy("payback", {}), known)

    assert [None, None] == [stays.rate(device(), AKASH), stays.rate(device(), NOSANA)]
    assert [None, None] == [moves.rate(device(), IDLE), moves.rate(device(), RENDER)]


def test_what_was_supposed_is_not_remembered() -> None:
    """A strategy that keeps what it computed decides as before, once it was asked about other rates."""
    strategy, known = make_strategy("forecast", {}), seen()
    before = ask(strategy, known)
    Tipper(strategy, known).rate(device(), NOSANA)

    assert before == ask(strategy, known)
    assert Tipper(strategy, known).rate(device(), NOSANA) == Tipper(strategy, known).rate(device(1), NOSANA)


def test_a_supposed_rate_is_the_newest_of_the_history_too() -> None:
    """For all GPUs of the model, and nothing else is another: neither the older hours nor the other venues."""
    known, rate = seen(), UsdPerHour.of("0.99")
    other = supposing(known, NOSANA, MODEL, rate)

    assert [rate] * 2 == [quote.expected for each in known.devices if (quote := other.quote(NOSANA, each))]
    points = [point.rate for point in other.history.points(NOSANA, MODEL)]
    assert [rate] == points[-1:]
    assert [point.rate for point in known.history.points(NOSANA, MODEL)][:-1] == points[:-1]
    assert known.quote(AKASH, device()) == other.quote(AKASH, device())
    assert list(known.history.points(AKASH, MODEL)) == list(other.history.points(AKASH, MODEL))


def test_a_forecast_foresees_what_its_sentence_says() -> None:
    """Net of power, of every venue that it looks at; a rule that looks at the present rates foresees nothing."""
    strategy, known = make_strategy("forecast", {}).strategy, lively()

    assert isinstance(strategy, Explains)
    foreseen = strategy.foreseen(known, device())
    assert {AKASH, NOSANA} == foreseen.keys()
    assert f"({float(foreseen[AKASH]):.4g} $/h forecast over " in strategy.decide(known).notes[device().id]
    assert not isinstance(make_strategy("payback", {}).strategy, Explains)


SEARCH = timedelta(minutes=1)
Rates = Callable[[NamedStrategy, View], Future[Tips]]


def flown(probe: Rates | None) -> tuple[Fleet, Pilot]:
    """A rig by ``payback`` that has decided once, whose decisions are looked into, or not."""
    fleet = Fleet("akash", "nosana", gpus=2)
    world = replace(fleet.restart().world, probe=probe)
    fleet.pilot = Pilot(world, make_strategy("payback", {}))
    fleet.decide()
    return fleet, fleet.pilot


def found_at_once(strategy: NamedStrategy, seen: View) -> Future[Tips]:
    """Without a process."""
    return in_turn(lambda: tips(strategy, seen, SEARCH))


def test_a_process_beside_finds_the_same_rates() -> None:
    """Of all devices that could be moved and all venues that offer something, and nothing of those that could not be moved."""
    strategy, known = make_strategy("forecast", {}), lively()
    bound = replace(known, fixed=frozenset({device(1).id}))
    tipper = Tipper(strategy, bound)
    found = Prober().probe(strategy, bound).result(60)

    assert {device().id: {place: tipper.rate(device(), place) for place in (AKASH, NOSANA)}} == found


def test_what_is_not_found_in_time_is_not_known() -> None:
    """Where the device is comes first; of a search without time nothing is told, and not that no rate would do."""
    assert {device().id: {}, device(1).id: {}} == tips(make_strategy("payback", {}), seen(), timedelta(0))
    assert [AKASH, NOSANA] == list(tips(make_strategy("payback", {}), seen(), SEARCH)[device().id])


def test_the_rates_are_kept_beside_the_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is calm: the decision itself waits for nothing, is the same as without, and so is its replay."""
    fleet, _ = flown(found_at_once)
    plain, _ = flown(None)
    ruling = next(fleet.store.journal.newest_rulings())

    assert ruling == next(plain.store.journal.newest_rulings())
    assert {} == fleet.store.tips.of(ruling.at)
    began = stopwatch()
    monkeypatch.setattr(tipping, "stopwatch", lambda: began + 3600.0)
    fleet.tick(SEARCH)
    fleet.tick(SEARCH)
    kept = fleet.store.tips.of(ruling.at)
    assert {each.id for each in fleet.devices} == kept.keys()
    assert {fleet.venue("akash"), fleet.venue("nosana"), IDLE} >= kept[device().id].keys() > set()
    assert [] == [each for each in replay(fleet.store) if not each.same]


def test_one_search_at_a_time_for_a_tenth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of ten seconds is followed by 90 of rest, after which the newest decision counts, and not one in between."""
    asked: list[Future[Tips]] = []
    seconds = [1000.0]
    monkeypatch.setattr(tipping, "stopwatch", lambda: seconds[0])
    fleet, _ = flown(lambda *_: asked.append(Future()) or asked[-1])  # type: ignore[func-returns-value]

    def later(span: float) -> int:
        seconds[0] += span
        fleet.tick(timedelta(seconds=span))
        return len(asked)

    assert [0, 1] == [later(59), later(2)]
    fleet.decide()
    assert 1 == later(10)
    asked[0].set_result({})
    assert [1, 1] == [later(0), later(89)]
    fleet.decide()
    newest = next(fleet.store.journal.newest_rulings()).at
    assert 2 == later(2)
    asked[1].set_result({device().id: {AKASH: None}})
    later(1)
    assert {device().id: {AKASH: None}} == fleet.store.tips.of(newest)


def test_a_search_that_fails_costs_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It is a line in the log; the pilot flies on, and nothing is known of the rates."""
    monkeypatch.setattr(tipping, "_CALM", 0.0)
    fleet, pilot = flown(lambda *_: in_turn(lambda: 1 / 0))
    fleet.tick()
    with caplog.at_level(logging.WARNING):
        fleet.tick()

    assert ["the rates at which it would have been decided otherwise were not found: division by zero"] == caplog.messages
    assert {} == fleet.store.tips.of(next(fleet.store.journal.newest_rulings()).at)
    assert fleet.devices[0].id in pilot.tick()


def test_the_same_failure_is_said_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A strategy that cannot be packed fails after every decision: a year of them must not fill the log."""
    monkeypatch.setattr(tipping, "_CALM", 0.0)
    monkeypatch.setattr(tipping, "_REST", 0)
    outcomes: list[Callable[[], Tips]] = [lambda: {1 / 0: {}}, lambda: {1 / 0: {}}, dict, lambda: {1 / 0: {}}]  # type: ignore[dict-item]
    fleet, _ = flown(lambda *_: in_turn(outcomes.pop(0)))
    for _ in range(4):
        fleet.tick()
        fleet.tick()
        fleet.decide()

    assert not outcomes
    assert 2 == len(caplog.messages)


def test_what_a_strategy_makes_of_a_supposed_rate_is_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """It is asked hundreds of times: one that fails where it is asked for rates that never were says nothing in the daemon's log."""
    broken = NamedStrategy("broken", object())  # type: ignore[arg-type]
    found = Prober().probe(broken, seen()).result(60)

    assert {device().id, device(1).id} == found.keys()
    assert "" == capfd.readouterr().err

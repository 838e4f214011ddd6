"""The suite of a strategy: inherit it, say what the strategy is, and run pytest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest

from autopilot.backtest.futures import FUTURES, Future, changed
from autopilot.backtest.runner import Course, Terms, fly
from autopilot.contracts import NamedStrategy, Strategy
from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.history import History, Record
from autopilot.model.market import Answer
from autopilot.model.plan import Decision, EntryCost, Hold
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.pilot.deciding import check
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START, venue, view
from autopilot.units import HOUR, UsdPerHour, UsdPerKwh, Watts

if TYPE_CHECKING:
    import numpy as np

K = TypeVar("K")
V = TypeVar("V")
Rates = Mapping[str, Sequence[float | None]]
"""USD per hour of each network, hour by hour and all of one length; None where a rate is missing."""


def market(hours: int = 48) -> Rates:
    """Four networks that overtake each other: a rhythm by day, ripples, gaps, a late start and one that never pays."""

    def rate(network: int, hour: int) -> float | None:
        if hour % (11 + network) == network or (network == 1 and hour < hours // 6):
            return None
        daily = math.sin(math.tau * (hour / 24 + network / 3))
        return round(0.3 + 0.15 * daily + 0.05 * math.sin(hour * (2 + network)), 4)

    waves = {name: [rate(index, hour) for hour in range(hours)] for index, name in enumerate(("alder", "birch", "cedar"))}
    return {**waves, "dust": [0.0] * hours}


class StrategyContract:
    """What holds for every strategy. The fixture ``strategy`` must be given; ``rates`` may be.

    A class of yours that inherits this one runs every check below::

        class TestMine(StrategyContract):
            @pytest.fixture
            def strategy(self) -> Strategy:
                return Mine()
    """

    @pytest.fixture
    def strategy(self) -> Strategy:
        """Must be given: the strategy as its factory makes it."""
        msg = "give the fixture 'strategy': the strategy as its factory makes it"
        raise NotImplementedError(msg)

    @pytest.fixture
    def rates(self) -> Rates:
        """May be given: rates that make the strategy move, where those of ``market`` do not."""
        return market()

    def test_every_decision_is_legal(self, strategy: Strategy, rates: Rates) -> None:
        """It moves free devices only, each once, from where it is to a venue that is known; it says when and why."""
        for seen in _views(rates):
            decision = strategy.decide(seen)
            check(decision, seen)

            assert seen.now == decision.made_at
            assert decision.reason, "a decision without a reason"

    def test_a_plan_has_an_id_of_its_own(self, strategy: Strategy, rates: Rates) -> None:
        """The journal knows a plan by its id, so plans of different instants have different ones."""
        plans = [decision for decision in map(strategy.decide, _hourly(rates)) if not isinstance(decision, Hold)]

        assert len(plans) == len({plan.id for plan in plans})

    def test_the_same_view_gives_the_same_decision(self, strategy: Strategy, rates: Rates) -> None:
        """Whatever was asked before, and how often: nothing is remembered but what the view shows."""
        forwards = [strategy.decide(seen) for seen in _views(rates)]
        backwards = [strategy.decide(seen) for seen in reversed(_views(rates))]

        for first, again in zip(forwards, reversed(backwards), strict=True):
            assert first == again

    def test_the_order_of_devices_does_not_matter(self, strategy: Strategy, rates: Rates) -> None:
        """Nor does the order of quotes and placements."""
        for seen in _views(rates):
            assert _without_order(strategy.decide(seen)) == _without_order(strategy.decide(_turned(seen)))

    def test_without_quotes_it_holds(self, strategy: Strategy, rates: Rates) -> None:
        """When no network answers nothing is known, and doubt means stay: whatever the past was like."""
        for seen in _views(rates):
            assert isinstance(strategy.decide(_facing(seen, {})), Hold)

    def test_learning_changes_only_the_copy(self, strategy: Strategy, rates: Rates) -> None:
        """``fit`` leaves the strategy as it was, and the same past teaches the same."""
        views = _views(rates)
        before = [strategy.decide(seen) for seen in views]
        one, other = strategy.fit(views[-1].history), strategy.fit(views[-1].history)

        assert before == [strategy.decide(seen) for seen in views]
        for seen in views:
            decision = one.decide(seen)
            check(decision, seen)
            assert decision == other.decide(seen)

    def test_a_view_stays_as_it_was(self, strategy: Strategy, rates: Rates) -> None:
        """A history is cut at its instant. Whatever the record holds by now, decisions and lessons from it are the same."""
        cut = _hours(rates) // 2
        seen = _spread(view(_part(rates, 0, cut), devices=3))
        decision = strategy.decide(seen)
        learned = strategy.fit(seen.history).decide(seen)
        for name, future in FUTURES.items():
            grown = replace(seen, history=_grown_past(rates, cut, future))

            assert decision == strategy.decide(grown), f"after {cut} h the record went on: {name}"
            assert learned == strategy.fit(grown.history).decide(grown), f"after {cut} h the record went on: {name}"

    def test_no_future(self, strategy: Strategy, rates: Rates) -> None:
        """In a flight of the daemon's own pilot: when everything after an hour is another, every decision up to it stays."""
        told = _flown(strategy, rates)
        hours = _hours(rates)
        for cut in (hours // 3, hours * 2 // 3):
            for name, future in FUTURES.items():
                retold = _flown(strategy, _changed(rates, cut, future), cut + 1)
                for before, after in zip(told, retold, strict=False):
                    assert before == after, f"what comes after {cut} h is another, {name}, and so is a decision before it"
        assert told == _flown(strategy, rates), "a second flight over the same rates was another"


def _hours(rates: Rates) -> int:
    return max(len(column) for column in rates.values())


def _part(rates: Rates, start: int, end: int) -> Rates:
    return {name: column[start:end] for name, column in rates.items()}


def _table(rates: Rates) -> np.ndarray:
    """Hours x networks in the order of their names, NaN where a rate is missing."""
    import numpy as np

    return np.array([[np.nan if rate is None else rate for rate in rates[name]] for name in sorted(rates)]).T


def _changed(rates: Rates, cut: int, future: Future) -> Rates:
    columns = changed(_table(rates), cut, future).T.tolist()
    return {name: [None if math.isnan(rate) else rate for rate in column] for name, column in zip(sorted(rates), columns, strict=True)}


def _views(rates: Rates) -> list[View]:
    """Rigs of three in every situation that comes to mind, early, midway and late."""
    hours = _hours(rates)
    return [seen for cut in (0, 1, hours // 2, hours) for seen in _situations(_part(rates, 0, cut))]


def _hourly(rates: Rates) -> Iterator[View]:
    """An idle rig at every hour."""
    for cut in range(1, _hours(rates) + 1):
        seen = view(_part(rates, 0, cut))
        yield _facing(seen, seen.quotes)


def _situations(known: Rates) -> Iterator[View]:
    idle = view(known, devices=3)
    spread = _spread(idle)
    first, second, _ = idle.devices
    yield _facing(idle, idle.quotes)
    yield spread
    yield replace(spread, fixed=frozenset({first.id, second.id}))
    yield replace(spread, devices=(first, replace(second, model="H100 SXM"), *spread.devices[2:]))
    yield replace(spread, draws={each.id: Draw(Watts.of(400), Watts.of(20)) for each in idle.devices}, power=PowerPrice(UsdPerKwh.of(1)))
    dear = EntryCost(boot=HOUR * 2, fee=UsdPerHour.of("0.5") * HOUR)
    yield replace(spread, entries=dict.fromkeys(spread.entries, dear))
    for silent in sorted({place.venue for place in spread.placements.values()} - {IDLE}):
        yield _facing(spread, {key: answer for key, answer in spread.quotes.items() if key[0] != silent})


def _spread(seen: View) -> View:
    """One device idle, and each of the others at another venue."""
    venues = [IDLE, *sorted({place for place, _ in seen.quotes}), IDLE, IDLE]
    places = {
        each.device: replace(each, venue=place, seen=replace(each.seen, venue=place))
        for each, place in zip(seen.placements.values(), venues, strict=False)
    }
    return _facing(replace(seen, placements=places), seen.quotes)


def _facing(seen: View, quotes: Mapping[tuple[Venue, DeviceId], Answer]) -> View:
    """The view with these quotes, and with the costs of all venues that a pilot would then know of."""
    venues = {IDLE, *(place for place, _ in quotes), *(each.venue for each in seen.placements.values())}
    entries = {(place, each.id): EntryCost() for place in sorted(venues) for each in seen.devices}
    return replace(seen, quotes=quotes, entries=entries)


def _turned(seen: View) -> View:
    """The same view with everything in the other order."""
    return replace(
        seen,
        devices=seen.devices[::-1],
        placements=_backwards(seen.placements),
        quotes=_backwards(seen.quotes),
        entries=_backwards(seen.entries),
        draws=_backwards(seen.draws),
    )


def _backwards(table: Mapping[K, V]) -> dict[K, V]:
    return dict(reversed(list(table.items())))


def _without_order(decision: Decision) -> tuple[object, ...]:
    sums = () if isinstance(decision, Hold) else (decision.gain, decision.cost)
    return frozenset(decision.moves), dict(decision.notes), *sums


def _grown_past(rates: Rates, cut: int, future: Future) -> History:
    """The history of the first hours, of a record that has gone on since."""
    record = Record()
    _learn(record, rates, 0, cut)
    history = record.until_now()
    _learn(record, _changed(rates, cut, future), cut, _hours(rates))
    return history


def _learn(record: Record, rates: Rates, start: int, end: int) -> None:
    for name, column in rates.items():
        for hour in range(start, end):
            rate = column[hour]
            record.add_hour((venue(name), MODEL), START + hour * HOUR, None if rate is None else UsdPerHour.nearest(rate))


@dataclass
class _Witness:
    """Lets the strategy decide, and remembers what the pilot would hide behind a Hold: an error, or an illegal answer."""

    strategy: Strategy
    trouble: list[Exception] = field(default_factory=list)

    def decide(self, seen: View) -> Decision:
        """The strategy's own decision."""
        try:
            decision = self.strategy.decide(seen)
            check(decision, seen)
        except Exception as error:
            self.trouble.append(error)
            raise
        return decision

    def fit(self, history: History) -> Self:
        """The strategy's own lesson."""
        return replace(self, strategy=self.strategy.fit(history))


def _flown(strategy: Strategy, rates: Rates, hours: int | None = None) -> list[tuple[datetime, Mapping[str, Any]]]:
    """What two devices were told, hour by hour, as the journal has it. Raises what the strategy raised."""
    panel = Panel(START, MODEL, tuple(sorted(rates)), _table(rates))
    course = Course(panel, panel.rates, START, START + (hours or panel.hours) * HOUR)
    witness = _Witness(strategy)
    flight = fly(course, Terms(gpus=2), NamedStrategy(type(strategy).__name__, witness))
    if witness.trouble:
        raise witness.trouble[0]
    return [(ruling.at, ruling.decision) for ruling in flight.store.journal.rulings()]

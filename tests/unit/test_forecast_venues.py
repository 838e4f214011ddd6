"""The default strategy where venues differ by more than their rates: stays that cannot be cut short, few places, and trees for who asks."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from autopilot.model.market import Quote, Room
from autopilot.model.plan import EntryCost, Hold
from autopilot.model.view import View
from autopilot.plugins import make_strategy
from autopilot.testing.views import device, venue, view
from autopilot.units import HOUR, Share
from autopilot_strategies import seating
from autopilot_strategies.accounts import Accounts
from autopilot_strategies.ballot import Ballot, as_realised
from autopilot_strategies.engine import Engine
from autopilot_strategies.experts import panel
from autopilot_strategies.forecast import Forecast, Levels, entry_of
from autopilot_strategies.forecasting import Forecaster
from autopilot_strategies.plans import Entry, Outlook, plan
from autopilot_strategies.signals import Floats
from autopilot_strategies.tariffs import Tariff


def _market(hours: int) -> Floats:
    random = np.random.default_rng(0)
    rates = 0.3 * np.exp(0.2 * np.sin(random.normal(0, 0.03, (hours, 3)).cumsum(axis=0)))
    rates[random.random(rates.shape) < 0.02] = np.nan
    return np.asarray(rates)


def _rates_of(rates: Floats) -> dict[str, list[float | None]]:
    names = ("alder", "birch", "cedar")
    return {name: [None if np.isnan(rate) else float(rate) for rate in rates[:, k]] for k, name in enumerate(names)}


def _locked(hours: float, dark: float = 0.5) -> EntryCost:
    return EntryCost(boot=dark * HOUR, least_stay=hours * HOUR)


class TestStays:
    """Venues that keep who goes there."""

    @staticmethod
    def entry(hours: float) -> Entry:
        """Half a dark hour at two venues, of which the second keeps who goes there."""
        return entry_of([_locked(0), _locked(hours)])

    @pytest.mark.parametrize(("hours", "target"), [(0.0, 2), (24.0, 1)])
    def test_a_passing_lead_does_not_pay_where_one_must_stay(self, hours: float, target: int) -> None:
        """The second venue pays three times as much for four hours, and then nothing."""
        path = np.tile([0.0, 1.0, 3.0], (1, 17, 1))
        path[:, 4:, 2] = 0.0

        assert target == plan(Outlook(path), self.entry(hours))[0, -1, 1]

    def test_a_stay_of_one_hour_changes_nothing(self) -> None:
        """Less than the first block: the plan with stays and the one without agree on any path."""
        path = np.random.default_rng(1).uniform(0, 1, (200, 17, 3))
        path[:, :, 0] = 0.0
        long = self.entry(1.0)
        free = replace(long, stay=np.zeros(3))

        assert np.array_equal(plan(Outlook(path), replace(long, stay=np.array([0.0, 0.0, 1.0 + 1e-12]))), plan(Outlook(path), free))

    def test_a_dearer_premium_moves_less(self) -> None:
        """It is paid for every move to the venue that keeps."""
        path = np.random.default_rng(2).uniform(0, 1, (500, 17, 3))
        path[:, :, 0] = 0.0
        entry, restless = self.entry(12.0), np.full((500, 2), 0.2)
        arrivals = [int((plan(Outlook(path), entry.dreaded(restless, (premium,)))[:, :, 1] == 2).sum()) for premium in (0.0, 0.8, 1.6)]

        assert arrivals[0] > arrivals[1] > arrivals[2]

    def test_nobody_leaves_an_account_early(self) -> None:
        """An expert that wants to be elsewhere every hour moves once in twelve."""
        books = Accounts.start(panel())
        tables = np.tile(np.array([1, 2, 1], dtype=np.int16), (400, len(panel().prior), 1))
        entry, rates = entry_of([_locked(12, 0), _locked(12, 0)]), np.ones((400, 2))
        rates[:, 1] = 0.0
        for row in range(400):
            books = books.extend(panel(), entry, tables[row : row + 1], rates[row : row + 1], row)
        lit = [1.0 if (row - 168) // 12 % 2 == 0 else 0.0 for row in range(168, 400)]

        assert sum(lit) == pytest.approx(books.profit[0], rel=0.03)

    def test_portions_do_not_matter_with_stays(self) -> None:
        """As without: hour by hour or at once."""
        rates = _market(420)
        start = Engine.start(480_000, entry_of([_locked(0), _locked(6), _locked(24)]), Levels(Forecaster.start(venues=3, hour=480_000)))
        whole, pieces = start.extend(rates), start
        for end in (1, 169, 170, 401, 420):
            pieces = pieces.extend(rates[pieces.hour - 480_000 : end])

        assert len(whole.panel.names) > len(panel().names)
        assert np.array_equal(whole.accounts.profit, pieces.accounts.profit)
        assert np.array_equal(whole.table, pieces.table)

    @pytest.mark.parametrize(("hours", "moves"), [(2.0, 1), (30.0, 1), (26.0, 0)])
    def test_it_leaves_early_only_if_that_wins_more_than_it_costs(self, hours: float, moves: int) -> None:
        """After 25 h. Cedar pays twice as much: in the 5 h or more that are left that wins more than half a dark hour, in one less."""
        rates = np.full((500, 3), 0.3)
        rates[-48:, 2] = 0.6
        seen = view(_rates_of(rates), "alder", entry=_locked(hours, 2.0), stayed=timedelta(hours=25))
        decision = Forecast().decide(seen)

        assert moves == len(decision.moves)


class TestRooms:
    """Venues with few places, or where each further GPU earns less."""

    @staticmethod
    def seen(room: Room, devices: int = 4) -> View:
        """Alder, where they are, pays 0.3; birch 0.27; cedar 0.5, as long as it has room."""
        found = view(_rates_of(np.tile([0.3, 0.27, 0.5], (500, 1))), "alder", devices=devices, entry=_locked(0))
        quotes = {
            key: replace(each, room=room) if isinstance(each, Quote) and key[0] == venue("cedar") else each
            for key, each in found.quotes.items()
        }
        return replace(found, quotes=quotes)

    @pytest.mark.parametrize("turned", [False, True])
    def test_not_all_go_where_each_further_one_earns_less(self, turned: bool) -> None:  # noqa: FBT001
        """At a fall of 30 % the second earns 0.35, the third 0.245: two go, whatever the order, and the sentence has the margin."""
        seen = self.seen(Room(fall=Share.of("0.3")))
        decision = Forecast().decide(replace(seen, devices=seen.devices[::-1]) if turned else seen)

        assert [venue("cedar")] * 2 == [move.target for move in decision.moves]
        assert {"gpu-2", "gpu-3"} == {move.device for move in decision.moves}
        assert all("one more GPU would add" in note and "at cedar" in note for note in decision.notes.values())

    def test_places_are_not_exceeded(self) -> None:
        """Three fit."""
        assert 3 == len(Forecast().decide(self.seen(Room(places=3))).moves)
        assert 4 == len(Forecast().decide(self.seen(Room(places=5))).moves)

    def test_one_that_must_stay_keeps_its_place(self) -> None:
        """All are bound to alder for days."""
        seen = self.seen(Room(places=3))
        seen = replace(seen, entries={key: _locked(500) for key in seen.entries})

        assert isinstance(Forecast().decide(seen), Hold)

    def test_no_forecast_seats_anybody_while_the_guard_follows_the_base_rule(self) -> None:
        """A forecast of ten times the rates counts for a vote that has earned enough, and for one that has not it changes nothing."""
        start = Engine.start(480_000, entry_of([_locked(0)] * 3), Levels(Forecaster.start(venues=3, hour=480_000)))
        true = start.extend(_market(400))
        seen = view(_rates_of(_market(400)), "alder", entry=_locked(0))
        ballot = Ballot.of(seen, device(), tuple(map(venue, ("alder", "birch", "cedar"))), as_realised, Tariff.of(seen))

        def worths(forecast: float, profit: float) -> seating.Worths:
            accounts = replace(true.accounts, guarded=profit < 0, profit=np.append(true.accounts.profit[:-1], profit))
            levels = true.levels * np.array([1.0, forecast, 1.0])
            return seating.forecast(ballot, replace(true, accounts=accounts, levels=levels, lows=levels), 24.0)

        assert worths(10.0, 1e6) != worths(1.0, 1e6)
        assert worths(10.0, -1e6) == worths(1.0, -1e6)

    def test_hired_devices_are_seated_too(self) -> None:
        """Where pay is by the job, what is believed of it counts."""
        seen = self.seen(Room(fall=Share.of("0.3")))
        quotes = {
            key: replace(each, job_length=5 * HOUR, occupancy=Share.of("0.99"))
            for key, each in seen.quotes.items()
            if isinstance(each, Quote)
        }

        assert 0 < len(Forecast().decide(replace(seen, quotes=quotes)).moves) < 4


class TestBoosting:
    """Trees as one more forecaster, for who asks for them."""

    def test_a_lesson_teaches_trees_only_where_it_is_asked_to(self) -> None:
        """And what is in use is told, with the reason where it is not."""
        pytest.importorskip("sklearn")
        seen = view(_rates_of(_market(300)), "alder")
        strategy = make_strategy("forecast", {"boosting": "true"}).strategy
        taught = pickle.loads(pickle.dumps(strategy.fit(seen.history)))  # noqa: S301  # our own
        plain = Forecast().fit(seen.history)

        assert "boosting" in "\n".join(plain.explain(seen))
        assert "not used: it has had no lesson" in "\n".join(plain.explain(seen))
        assert "not used: it has had no lesson" not in "\n".join(taught.explain(seen))

"""The default strategy: that it decides the same whatever came in which portions, and that its parts do what they say."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from autopilot.model.history import Record
from autopilot.model.plan import EntryCost, Hold
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.testing.views import MODEL, START, device, venue, view
from autopilot.units import HOUR, Usd, UsdPerHour, UsdPerKwh, Watts
from autopilot_strategies.accounts import Accounts
from autopilot_strategies.engine import Engine
from autopilot_strategies.experts import panel
from autopilot_strategies.forecast import Forecast, Levels, entry_of
from autopilot_strategies.forecasting import Forecaster
from autopilot_strategies.hours import Span, hour_of
from autopilot_strategies.plans import FREE, Entry, Outlook, braked, plan
from autopilot_strategies.signals import Floats, Signals


def _market(hours: int, venues: int = 3, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    steps = random.normal(0, 0.03, (hours, venues)).cumsum(axis=0)
    rates = 0.3 * np.exp(0.2 * np.sin(steps))
    rates[random.random(rates.shape) < 0.02] = np.nan
    rates[100:103] = np.nan
    return np.asarray(rates)


def _engine(venues: int, dark: float = 2.5, cash: float = 0.01) -> Engine:
    entry = entry_of([EntryCost(boot=dark * HOUR, fee=Usd.nearest(cash))] * venues)
    return Engine.start(480_000, entry, Levels(Forecaster.start(venues=venues, hour=480_000)))


def _rates_of(rates: Floats) -> dict[str, list[float | None]]:
    names = ("alder", "birch", "cedar")
    return {name: [None if np.isnan(rate) else float(rate) for rate in rates[:, k]] for k, name in enumerate(names)}


def _dear(hours: float = 2.0) -> EntryCost:
    return EntryCost(boot=hours * HOUR)


class TestEngine:
    """One state, extended by hours."""

    def test_portions_do_not_matter(self) -> None:
        """Hour by hour, in odd portions or at once: the same to the last bit."""
        rates = _market(700)
        whole = _engine(3).extend(rates)
        pieces = _engine(3)
        for end in (1, 2, 3, 50, 530, 531, 555, 700):
            pieces = pieces.extend(rates[pieces.hour - 480_000 : end])

        for name in ("place", "busy", "profit", "weights", "income", "guarded", "rows"):
            assert np.array_equal(getattr(whole.accounts, name), getattr(pieces.accounts, name)), name
        assert np.array_equal(whole.table, pieces.table)
        assert np.array_equal(whole.levels, pieces.levels, equal_nan=True)

    def test_the_ballot_is_what_the_accounts_will_follow(self) -> None:
        """Asked with rates as they are and free power, the experts say what their own accounts do at the next hour."""
        engine = _engine(3).extend(_market(400))
        decided, _ = engine.ballot(np.ones((1, 3)), FREE)

        assert np.array_equal(engine.table, decided)


class TestSignals:
    """What is read off the rates."""

    def test_a_gap_is_expected_to_end(self) -> None:
        """A venue that is missing keeps its level, and its chance to be back within the hour is a third at first."""
        rates = np.full((50, 2), 0.5)
        rates[-1, 0] = np.nan
        state, readings = Signals.start(2).extend(rates)

        assert readings.level[-1].tolist() == pytest.approx([0.5, 0.5])
        assert readings.present[-1].tolist() == [0.0, 1.0]
        assert readings.back[-1, 0] == pytest.approx(1 / 3)
        assert not state.present[0]

    def test_an_hour_without_any_rate_teaches_nothing(self) -> None:
        """Then the record has a hole, and not every venue."""
        rates = _market(60)
        state, _ = Signals.start(3).extend(rates)
        later, readings = state.extend(np.full((1, 3), np.nan))

        assert later is state
        assert np.array_equal(readings.income[-1], state.income)


class TestPlans:
    """Dynamic programming over a path."""

    @staticmethod
    def outlook(rates: list[float]) -> Outlook:
        """Rates that last."""
        return Outlook(np.tile([0.0, *rates], (1, 17, 1)))

    @pytest.mark.parametrize(("lead", "hours"), [(0.10, 48.0), (0.02, 384.0)])
    def test_a_lead_pays_from_the_horizon_on_in_which_it_earns_the_switch_back(self, lead: float, hours: float) -> None:
        """With four dark hours a lead of 10 % takes 44 h to pay, one of 2 % takes 204 h."""
        entry = Entry(np.array([0.0, 4.0, 4.0]), np.zeros(3), np.zeros(3))
        decided = plan(self.outlook([1.0, 1.0 + lead]), entry)[0]
        leaving = [horizon for horizon, row in zip(np.repeat([3, 6, 12, 24, 48, 96, 192, 384], 2), decided, strict=True) if row[1] == 2]

        assert hours == min(leaving)

    def test_of_equals_the_first(self) -> None:
        """From idle, which it leaves as soon as that pays."""
        entry = Entry(np.array([0.0, 1.0, 1.0]), np.zeros(3), np.zeros(3))

        assert [1, 1, 2] == plan(self.outlook([0.5, 0.5]), entry)[0, -1].tolist()


class TestBrake:
    """No move rests on a forecast whose low end loses."""

    @pytest.mark.parametrize(("there", "here", "stays"), [(0.1, 0.5, True), (0.3, 0.5, False), (0.1, 0.05, False)])
    def test_the_low_end_must_pay_the_switch_or_beat_the_present_one(self, there: float, here: float, stays: bool) -> None:  # noqa: FBT001
        """Four dark hours at 1 $/h are 4 $; in 20 h a low end of 0.1 pays 2 $, one of 0.3 pays 6 $."""
        entry = Entry(np.array([0.0, 4.0, 4.0]), np.zeros(3), np.zeros(3))
        mid, low = (TestPlans.outlook(rates) for rates in ([0.5, 1.0], [here, there]))

        assert stays == braked(mid, low, entry, (1, 2), 20.0)

    def test_idle_is_always_free_to_go_to_from_a_loss(self) -> None:
        """Nothing is paid for it, and it loses nothing."""
        entry = Entry(np.array([0.0, 4.0]), np.zeros(2), np.zeros(2))
        losing = TestPlans.outlook([-0.1])

        assert not braked(losing, losing, entry, (1, 0), 20.0)

    @pytest.mark.parametrize(("leaving", "foreseen"), [("plans", True), ("others", False), ("everybody", False)])
    def test_it_holds_only_what_rests_on_the_forecast(self, leaving: str, foreseen: bool) -> None:  # noqa: FBT001
        """A forecast that nobody believes any more holds back no move that the other experts make without it."""
        experts = panel()
        plans = np.isfinite(experts.horizon)
        gone = {"plans": plans, "others": ~plans, "everybody": np.full(len(plans), fill_value=True)}[leaving]
        table = np.where(gone[:, None], 2, np.arange(3)).astype(np.int16)
        entry = Entry(np.array([0.0, 4.0, 4.0]), np.zeros(3), np.zeros(3))
        election = replace(Accounts.start(experts), weights=experts.prior).elect(experts, entry, table, 1)

        assert (2, foreseen) == (election.wish, election.foreseen)


class TestHours:
    """Histories as rows."""

    def test_an_instant_belongs_to_the_hour_that_ends_with_it(self) -> None:
        """Or to the one it lies in."""
        start = hour_of(START + HOUR)

        assert start == hour_of(START + HOUR / 2)
        assert start + 1 == hour_of(START + HOUR * 1.001)

    def test_a_single_silent_hour_is_bridged_and_a_missing_rate_is_not(self) -> None:
        """Answers that come a little later each time may skip an hour; a venue that offers nothing says so."""
        record = Record()
        for hours, rate in ((1.0, 1), (2.0, 2), (4.1, 3), (5.2, None), (6.2, 4)):
            record.add((venue("alder"), MODEL), START + hours * HOUR, None if rate is None else UsdPerHour.of(rate))
        history = record.until_now()
        span = Span.of(history, MODEL)

        assert span is not None
        rates = span.rates(history, MODEL, span.start, span.end)
        assert [1.0, 2.0, 2.0, None, 3.0, None, 4.0] == [None if np.isnan(rate) else rate for rate in rates[:, 0]]

    def test_who_is_first_heard_just_after_the_hour_is_not_behind(self) -> None:
        """Alder answers on the hour, and birch five seconds later: both are known from the first row on, and the better one is chosen."""
        record = Record()
        record.add((venue("alder"), MODEL), START + HOUR, UsdPerHour.of("0.3"))
        record.add((venue("birch"), MODEL), START + HOUR + timedelta(seconds=5), UsdPerHour.of("0.5"))
        history = record.until_now()
        span = Span.of(history, MODEL)
        cold = replace(view({"alder": [0.3], "birch": [0.5]}, "idle", entry=_dear(0.5)), history=history)

        assert span is not None
        assert [[0.3, 0.5], [0.3, 0.5]] == span.rates(history, MODEL, span.start, span.end).tolist()
        assert [venue("birch")] == [move.target for move in Forecast().decide(cold).moves]


class TestForecast:
    """The strategy."""

    @staticmethod
    def seen(hours: int = 500, here: str = "idle", entry: EntryCost | None = None) -> View:
        """A view of the market after some hours."""
        return view(_rates_of(_market(hours)), here, devices=2, entry=entry or _dear())

    def test_what_was_learned_changes_nothing_but_the_time_it_takes(self) -> None:
        """One that learned at any hour decides as one that never did, here and after it was sent to another process."""
        seen, fresh = self.seen(here="alder"), Forecast()
        record = Record()
        for name, column in _rates_of(_market(480)).items():
            for hour, rate in enumerate(column):
                record.add_hour((venue(name), MODEL), START + hour * HOUR, None if rate is None else UsdPerHour.nearest(rate))
        record.enter({(venue(name), MODEL): _dear() for name in ("alder", "birch", "cedar")})
        learned = fresh.fit(record.until_now())

        assert fresh.decide(seen) == learned.decide(seen)
        assert fresh.decide(seen) == pickle.loads(pickle.dumps(learned)).decide(seen)  # noqa: S301  # our own

    def test_other_costs_are_not_what_was_learned(self) -> None:
        """A lesson that was learned at other costs is not used."""
        seen = self.seen(here="alder", entry=_dear(9))
        cheap = Forecast().fit(self.seen().history)

        assert Forecast().decide(seen) == cheap.decide(seen)

    def test_every_device_gets_its_reason(self) -> None:
        """The forecast, the votes, and the rate from which on it would move, or that there is none."""
        decision = Forecast().decide(self.seen(here="alder"))

        for note in decision.notes.values():
            assert "of the vote is to leave, 50% are needed" in note
            assert "$/h forecast over" in note

    def test_a_gap_of_an_hour_does_not_make_it_flee(self) -> None:
        """The venue where it is offers nothing in the newest hour; the others pay no more, and a move costs two hours."""
        rates = np.full((400, 3), 0.3)
        rates[-1, 0] = np.nan

        assert isinstance(Forecast().decide(view(_rates_of(rates), "alder", entry=_dear())), Hold)

    def test_it_leaves_for_what_pays_twice_as_much(self) -> None:
        """And stays there: the rest pays less."""
        rates = np.full((500, 3), 0.3)
        rates[-48:, 2] = 0.6
        moved = Forecast().decide(view(_rates_of(rates), "alder", entry=_dear()))

        assert [venue("cedar")] == [move.target for move in moved.moves]
        assert isinstance(Forecast().decide(view(_rates_of(rates), "cedar", entry=_dear())), Hold)

    @pytest.mark.parametrize(("tariff", "stays"), [("0.2", True), ("2", False)])
    def test_dear_power_sends_it_idle(self, tariff: str, stays: bool) -> None:  # noqa: FBT001
        """At 0.3 $/h, 400 W pay at 0.2 $/kWh and not at 2 $/kWh."""
        seen = view(_rates_of(np.full((500, 3), 0.3)), "alder", entry=_dear(0.5))
        seen = replace(seen, draws={device().id: Draw(Watts.of(400))}, power=PowerPrice(UsdPerKwh.of(tariff)))
        seen = replace(seen, entries={**seen.entries, (venue("idle"), device().id): EntryCost()})

        assert stays == isinstance(Forecast().decide(seen), Hold)

    def test_a_venue_that_pays_less_than_it_quotes_is_worth_less(self) -> None:
        """The rates of a venue count as often as the factor says."""
        rates = np.full((500, 3), 0.3)
        rates[-100:, 2] = 0.6
        halved = Forecast(worth=lambda _view, _device, place: 0.4 if place == venue("cedar") else 1.0)
        seen = view(_rates_of(rates), "alder", entry=_dear(), stayed=timedelta(days=2))

        assert isinstance(halved.decide(seen), Hold)

"""What the pilot knows of rates: from networks that answer, fall silent, refuse, or talk nonsense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot.errors import NodeFault, Refused, Transient
from autopilot.model.device import IDLE, DeviceId
from autopilot.model.market import Answer
from autopilot.model.node import Payout
from autopilot.model.plan import EntryCost
from autopilot.testing.views import MODEL, START, device, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd, UsdPerHour

GPU = device()


def offered(fleet: Fleet) -> set[str]:
    """The networks whose quotes the strategy was shown last."""
    return {offer.network for offer in fleet.wishes.views[-1].offers(GPU)}


def test_a_network_that_does_not_answer_keeps_its_quotes_until_they_expire() -> None:
    """And is named as silent; then it is no offer, and not one of nothing either."""
    fleet = Fleet("akash", "nosana")
    fleet.decide()
    fleet.sites["nosana"].rate = Transient("nosana", "503")
    fleet.later(HOUR - timedelta(seconds=1))
    fleet.decide()

    assert {"akash", "nosana"} == offered(fleet)
    assert {"nosana": "nosana: 503"} == fleet.pilot.troubles["silent"]
    fleet.later(timedelta(seconds=1))
    fleet.decide()
    assert {"akash"} == offered(fleet)
    assert not fleet.wishes.views[-1].answered(venue("nosana"), GPU)
    fleet.sites["nosana"].rate = "0.50"
    fleet.decide()
    assert {"akash", "nosana"} == offered(fleet)
    assert {} == fleet.pilot.troubles["silent"]


def test_where_nobody_answers_nothing_is_decided() -> None:
    """There is nothing new to decide upon."""
    fleet = Fleet("akash")
    fleet.sites["akash"].rate = Transient("akash", "503")
    fleet.wish("akash")

    assert "nothing decided yet" in fleet.decide()
    assert [] == fleet.wishes.views


def test_what_was_answered_is_known_after_a_restart() -> None:
    """As long as it counts: an outage of the autopilot is no silence of the networks."""
    fleet = Fleet("akash", "nosana")
    fleet.decide()
    fleet.later(HOUR / 2)
    fleet.restart()
    fleet.sites["akash"].rate = Transient("akash", "503")
    fleet.decide()

    assert {"akash", "nosana"} == offered(fleet)


def test_imported_history_is_known() -> None:
    """To the strategy, from the first decision on, and before what was polled."""
    fleet = Fleet("akash")
    with fleet.store.atomic():
        fleet.store.rates.remember((venue("akash"), MODEL, START - hour * HOUR, UsdPerHour(hour)) for hour in (3, 2, 1))
    fleet.restart()
    fleet.later(HOUR)
    fleet.decide()

    assert [UsdPerHour(3), UsdPerHour(2), UsdPerHour(1), UsdPerHour.of("0.40")] == [
        point.rate for point in fleet.wishes.views[-1].history.points(venue("akash"), MODEL)
    ]


def test_a_network_that_was_taken_out_offers_nothing() -> None:
    """Its last quotes still count by the clock, but nobody could go there."""
    fleet = Fleet("akash", "nosana")
    fleet.decide()
    del fleet.sites["nosana"]
    fleet.restart()
    fleet.decide()

    assert {"akash"} == offered(fleet)


def test_a_network_that_refuses_is_left_alone() -> None:
    """It is asked once and never again, its quotes count no more, and the trouble is told until a human starts anew."""
    fleet = Fleet("akash", "nosana")
    fleet.decide()
    nosana = fleet.sites["nosana"]
    nosana.rate = Refused("nosana", "401: the key is not valid")
    fleet.decide()
    nosana.rate = "9.99"
    fleet.decide()

    assert {"akash"} == offered(fleet)
    assert {"nosana": "nosana: 401: the key is not valid"} == fleet.pilot.troubles["quarantine"]
    fleet.restart()
    fleet.decide()
    assert {"akash", "nosana"} == offered(fleet)


def misled(fleet: Fleet, change: Callable[[Answer], Answer]) -> None:
    """Let nosana answer for something that nobody asked."""
    honest = type(fleet.sites["nosana"]).quotes
    fleet.sites["nosana"].quotes = lambda devices: [change(each) for each in honest(fleet.sites["nosana"], devices)]  # type: ignore[method-assign]


@pytest.mark.parametrize("rate", [ValueError("not JSON"), NodeFault("nosana", "it is no node that was asked")])
def test_an_adapter_that_breaks_its_contract_has_three_chances(rate: Exception) -> None:
    """In a row: one good answer in between, and it starts anew."""
    fleet = Fleet("akash", "nosana")
    for outcome in (rate, rate, "0.40", rate, rate):
        fleet.sites["nosana"].rate = outcome
        fleet.decide()

    assert {} == fleet.pilot.troubles["quarantine"]
    fleet.decide()
    assert "3 times in a row" in fleet.pilot.troubles["quarantine"][venue("nosana").network]
    assert {"akash"} == offered(fleet)


@pytest.mark.parametrize(
    "change",
    [lambda each: replace(each, device=DeviceId("gpu-99")), lambda each: replace(each, venue=venue("akash"))],
    ids=["device", "venue"],
)
def test_an_answer_that_nobody_asked_for_is_not_believed(change: Callable[[Answer], Answer]) -> None:
    """It does not end the flight, nor does it speak for another network."""
    fleet = Fleet("akash", "nosana")
    misled(fleet, change)
    fleet.decide()

    assert {"akash"} == offered(fleet)
    assert 1 == len(list(fleet.store.rates.answers()))
    assert "which nobody asked" in fleet.pilot.troubles["silent"][venue("nosana").network]


def test_a_cost_that_is_not_known_is_not_nothing() -> None:
    """A venue that cannot say what arriving costs is no offer; one that once said keeps its last word."""
    fleet = Fleet("akash", "nosana")
    fleet.sites["nosana"].entry = Transient("nosana", "no gas price")
    fleet.wish("nosana")
    fleet.decide()

    assert ({"akash"}, IDLE) == (offered(fleet), fleet.at())
    fleet.sites["nosana"].entry = EntryCost(least_stay=HOUR / 4)
    fleet.decide()
    fleet.sites["nosana"].entry = RuntimeError("a bug")
    fleet.decide()
    assert {"akash", "nosana"} == offered(fleet)
    assert EntryCost(least_stay=HOUR / 4) == fleet.wishes.views[-1].entries[venue("nosana"), GPU.id]


def test_a_network_that_is_only_slow_is_never_given_up() -> None:
    """An answer that does not come in time is no breach of contract, however often it does not."""
    fleet = Fleet("akash", "nosana")
    fleet.sites["nosana"].rate = TimeoutError("no answer within 20s")
    for _ in range(5):
        fleet.decide()

    assert {"silent": {"nosana": "no answer within 20s"}, "quarantine": {}} == fleet.pilot.troubles


@pytest.mark.parametrize("told", [None, [Payout("1", venue("nosana"), device().id, START, START + HOUR, Usd(1))]])
def test_payouts_that_make_no_sense_end_no_flight(told: Any) -> None:
    """Nothing that speaks for another network is booked; the network is named, and its rates count on."""
    fleet = Fleet("akash", "nosana")
    fleet.sites["akash"].payouts = SimpleNamespace(payouts=lambda _: told)
    fleet.decide()

    assert [venue("akash").network] == list(fleet.pilot.troubles["silent"])
    assert Usd(0) == fleet.store.ledger.totals().paid
    assert {venue("akash"), venue("nosana")} == set(fleet.wishes.views[-1].offers(device()))


def test_a_network_that_refuses_to_tell_its_payouts_is_served_all_the_same() -> None:
    """A wrong key to the books costs no income: the network is named, it is asked again, and its rates count on."""
    fleet, asked = Fleet("akash"), list[datetime]()

    def refused(since: datetime) -> list[Payout]:
        asked.append(since)
        raise Refused("akash", "401: the key is not valid")

    fleet.sites["akash"].payouts = SimpleNamespace(payouts=refused)
    for _ in range(2):
        fleet.decide()
        fleet.later(HOUR)

    assert ({}, 2) == (fleet.pilot.troubles["quarantine"], len(asked))
    assert {"akash": "it does not tell what it has paid: akash: 401: the key is not valid"} == fleet.pilot.troubles["silent"]
    assert {"akash"} == offered(fleet)

"""What the pilot books: by the mode that was seen and the quote that was in force, the same however often it looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.errors import Transient
from autopilot.model.device import DeviceId
from autopilot.model.node import Observation, Payout, Phase
from autopilot.model.plan import EntryCost
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import State
from autopilot.sim.node import Manner
from autopilot.store.ledger import Kind, Totals
from autopilot.testing.views import START, device, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

GPU = device()
SLOW = Manner(boot=HOUR / 4, drain=HOUR / 2)
DRAW = Draw(Watts.of(333), Watts.of(21))
TARIFF = PowerPrice(UsdPerKwh.of("0.117"), {START + hour * HOUR: UsdPerKwh.of(f"0.{hour + 1}07") for hour in range(3)})


def totals(fleet: Fleet) -> Totals:
    """All that was booked."""
    return fleet.store.ledger.totals()


def seconds(count: int) -> timedelta:
    """So many seconds."""
    return timedelta(seconds=count)


def flown(looks: Sequence[int]) -> Totals:
    """The totals of a day at akash, with polls on the hour, and ticks in between at these seconds of the day."""
    fleet = Fleet("akash", draw=DRAW, power=TARIFF)
    fleet.wish("akash")
    for hour in range(24):
        fleet.sites["akash"].rate = f"0.{hour + 100}000001"
        fleet.clock.move_to(START + hour * HOUR)
        fleet.decide()
        for look in sorted(look for look in looks if look // 3600 == hour):
            fleet.clock.move_to(START + seconds(look))
            fleet.tick()
    fleet.clock.move_to(START + 24 * HOUR)
    fleet.decide()
    return totals(fleet)


SELDOM = flown(())


@given(st.lists(st.integers(0, 24 * 3600 - 1), max_size=40))
def test_money_does_not_depend_on_how_often_it_is_booked(looks: list[int]) -> None:
    """Earnings and the power bill are the same to the nano-dollar, whether looked at once an hour or whenever it pleases."""
    assert SELDOM == flown(looks)


def test_an_hour_is_booked_by_the_quote_that_was_in_force() -> None:
    """Not by the one that ended it: what is learned at one o'clock says nothing of noon."""
    rates = sum(Usd.of(f"0.{hour + 100}000001").count for hour in range(24))
    power = DRAW.lit * HOUR
    hours = sum(((power * TARIFF.at(START + hour * HOUR)).count for hour in range(24)), 0)

    assert rates == SELDOM.earned.count
    assert abs(hours - SELDOM.power.count) <= 24


def test_a_device_earns_only_while_it_is_lit() -> None:
    """Idle and dark it draws what it draws at rest; the dark time of the switch is booked for what it is."""
    fleet = Fleet("akash", manner=SLOW, draw=DRAW, power=PowerPrice(UsdPerKwh.of(1)))
    fleet.tick()
    fleet.tick(HOUR)

    assert Totals(Usd(0), Usd(0), Usd.of("0.021"), Usd(0), timedelta(0)) == totals(fleet)
    fleet.wish("akash")
    fleet.decide()
    fleet.tick(HOUR / 4)
    assert (Usd(0), HOUR / 4) == (totals(fleet).earned, totals(fleet).dark)
    fleet.tick(HOUR / 2)
    assert (Usd.of("0.20"), HOUR / 4) == (totals(fleet).earned, totals(fleet).dark)
    assert Usd.of("0.021") + Usd.of("0.00525") + Usd.of("0.1665") == totals(fleet).power


def test_a_drain_is_still_paid() -> None:
    """The last job runs on, and its device is not dark before it ends."""
    fleet = Fleet("akash", "nosana", manner=SLOW)
    fleet.wish("akash")
    fleet.decide()
    fleet.tick(HOUR / 4)
    fleet.wish("nosana")
    fleet.decide()
    fleet.tick(HOUR / 2)
    fleet.tick(HOUR / 4)

    assert State.SETTLED is fleet.store.journal.switches()[-1].state
    assert (Usd.of("0.20"), HOUR / 2) == (totals(fleet).earned, totals(fleet).dark)


def test_what_cannot_be_seen_is_not_booked_as_earned() -> None:
    """Nor where the network offers nothing, though the device is lit and draws for it."""
    fleet = Fleet("akash", draw=DRAW, power=PowerPrice(UsdPerKwh.of(1)))
    fleet.wish("akash")
    fleet.decide()
    fleet.sites["akash"].rate = None
    fleet.decide()
    fleet.tick(HOUR)

    assert (Usd(0), Usd.of("0.333")) == (totals(fleet).earned, totals(fleet).power)
    fleet.sites["akash"].rate = "0.40"
    fleet.sites["akash"].seen = lambda each: Observation(each.id, None, Phase.UNKNOWN, fleet.clock.now())
    fleet.decide()
    fleet.tick(HOUR)
    assert Usd(0) == totals(fleet).earned


def test_a_clock_that_went_back_books_nothing_twice() -> None:
    """The hour that comes again was flown already."""
    fleet = Fleet("akash")
    fleet.wish("akash")
    fleet.decide()
    fleet.tick(HOUR)
    fleet.clock.move_to(START + HOUR / 2)
    fleet.decide()
    fleet.clock.move_to(START + HOUR * 3 / 2)
    fleet.tick()

    assert Usd.of("0.60") == totals(fleet).earned


def test_the_time_of_an_outage_is_not_booked() -> None:
    """Nobody looked: what the device did meanwhile is not known. The network's payouts will tell."""
    fleet = Fleet("akash")
    fleet.wish("akash")
    fleet.decide()
    fleet.tick(HOUR)
    fleet.later(5 * HOUR)
    fleet.restart()
    fleet.tick()
    fleet.tick(HOUR)

    assert Usd.of("0.80") == totals(fleet).earned


@pytest.mark.parametrize("restart", [False, True])
def test_a_fee_is_paid_once(restart: bool) -> None:  # noqa: FBT001
    """When the switch comes to start, however often it is told to and whoever carries it on."""
    fleet = Fleet("akash", manner=SLOW, fee=Usd.of("0.35"))
    fleet.wish("akash")
    fleet.decide()
    for _ in range(4):
        fleet.tick(seconds(60))
        if restart:
            fleet.restart()
    fleet.fly(HOUR)

    assert Usd.of("0.35") == totals(fleet).fees
    assert [(Kind.FEE,)] == list(fleet.store.connection.execute("SELECT kind FROM ledger WHERE kind = 'fee'"))


def test_a_switch_that_turns_back_before_it_starts_pays_no_fee() -> None:
    """Nobody was asked to come."""
    fleet = Fleet("akash", "nosana", manner=SLOW)
    fleet.wish("akash")
    fleet.decide()
    fleet.fly(HOUR)
    fleet.sites["nosana"].entry = EntryCost(fee=Usd.of("0.35"))
    fleet.wish("nosana")
    fleet.decide()
    fleet.later(timedelta(seconds=1))
    fleet.sites["nosana"].rate = "0.01"
    fleet.wish("akash")
    fleet.decide()

    assert State.REVERTED is fleet.store.journal.switches()[-1].state
    assert Usd(0) == totals(fleet).fees


class Till:
    """A source of payouts that remembers since when it was asked."""

    def __init__(self, payouts: Sequence[Payout]) -> None:
        self.told = list(payouts)
        self.asked: list[datetime] = []

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """All of them, as some networks do, whatever was asked for."""
        self.asked.append(since)
        return self.told


def paid(hour: int, amount: str, ident: str = "") -> Payout:
    """An hour's pay."""
    start = START + hour * HOUR
    return Payout(ident or f"pay-{hour}", venue("akash"), DeviceId(GPU.id), start, start + HOUR, Usd.of(amount))


def test_payouts_are_collected_once() -> None:
    """They are asked for since the last one that is known, by a new pilot too, and booked by their own ids."""
    fleet = Fleet("akash")
    till = fleet.sites["akash"].payouts = Till([paid(0, "0.30")])
    fleet.later(2 * HOUR)
    fleet.pilot.collect()
    till.told.append(paid(1, "0.25"))
    fleet.pilot.poll()
    fleet.restart()
    fleet.pilot.poll()

    assert Usd.of("0.55") == totals(fleet).paid
    assert [START + HOUR, START + 2 * HOUR] == till.asked[1:]


def test_a_payout_of_the_future_hides_none_that_is_to_come() -> None:
    """An index that says the year 5138 is asked for what was paid up to now all the same."""
    fleet = Fleet("akash")
    till = fleet.sites["akash"].payouts = Till([paid(28_000_000, "0.30")])
    for _ in range(2):
        fleet.pilot.collect()
        fleet.later(HOUR)
    fleet.restart()
    fleet.pilot.collect()

    assert [START + HOUR, START + 2 * HOUR] == till.asked[1:]


def test_a_network_that_does_not_tell_its_payouts_is_asked_again() -> None:
    """And its rates are asked for all the same."""
    fleet = Fleet("akash")
    till = fleet.sites["akash"].payouts = Till([paid(0, "0.30")])
    honest = till.payouts

    def silent(since: datetime) -> Sequence[Payout]:
        raise Transient("akash", f"no payouts since {since}")

    till.payouts = silent  # type: ignore[method-assign]
    fleet.decide()
    till.payouts = honest  # type: ignore[method-assign]

    assert 1 == len(fleet.wishes.views)
    fleet.decide()
    assert Usd.of("0.30") == totals(fleet).paid

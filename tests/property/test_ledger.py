"""Money is the same however often it is booked, and booked once however often it is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from autopilot.model.device import DeviceId
from autopilot.model.market import Basis
from autopilot.model.node import Payout
from autopilot.store.ledger import Entry, Kind, Ledger, Meter, Totals
from autopilot.store.store import Store
from autopilot.testing.views import START, device, venue
from autopilot.units import HOUR, Usd, UsdPerHour, micros

SECONDS = st.integers(1, 3 * 86_400)
RATES = st.integers(-(10**12), 10**12).map(UsdPerHour)
AKASH, NOSANA = venue("akash"), venue("nosana")


def spans(seconds: Sequence[int]) -> list[tuple[datetime, datetime]]:
    """Spans of these lengths, one after the other."""
    start, found = START, []
    for each in seconds:
        end = start + timedelta(seconds=each)
        found.append((start, end))
        start = end
    return found


@given(RATES, st.lists(st.timedeltas(timedelta(0), timedelta(days=3)), max_size=30))
def test_a_meter_gives_out_the_rounded_total(rate: UsdPerHour, pieces: list[timedelta]) -> None:
    """To the nano-dollar, half to even, whether it is asked every microsecond or once a year."""
    meter = Meter()
    given_out = sum((meter.run("key", rate, piece) for piece in pieces), Usd(0))
    exact = Fraction(rate.count * sum(map(micros, pieces)), micros(HOUR))

    assert Usd(round(exact)) == given_out


@given(RATES, RATES, st.timedeltas(timedelta(0), HOUR))
def test_meters_of_two_things_do_not_mix(one: UsdPerHour, other: UsdPerHour, span: timedelta) -> None:
    """A part of a nano-dollar at one venue is not paid out at another."""
    meter = Meter()
    meter.run("one", one, span)

    assert other * span == meter.run("other", other, span)


def booked(seconds: Sequence[int], together: int, rate: UsdPerHour) -> Totals:
    """The totals of a device that earned, drew power and was dark, booked in batches."""
    ledger, meter = Store.in_memory().ledger, Meter()
    entries = []
    for start, end in spans(seconds):
        earned = meter.run("earned", rate, end - start)
        entries.append(Entry(start, end, device().id, AKASH, Kind.EARNED, earned, Basis.ASK))
        entries.append(Entry(start, end, device().id, AKASH, Kind.POWER, Usd(end.second), Basis.ESTIMATE))
        entries.append(Entry(start, end, device().id, NOSANA, Kind.DARK, Usd(0), Basis.REALISED))
    for first in range(0, len(entries), together):
        ledger.book(entries[first : first + together])
    return ledger.totals()


@given(st.lists(SECONDS, min_size=1, max_size=25), st.integers(1, 7), RATES)
def test_totals_do_not_depend_on_the_batches(seconds: list[int], together: int, rate: UsdPerHour) -> None:
    """Nothing is lost where entries of an hour become one row, and nothing is counted twice."""
    total = timedelta(seconds=sum(seconds))
    totals = booked(seconds, together, rate)

    assert totals == booked(seconds, len(seconds) * 3, rate)
    assert (rate * total, total) == (totals.earned, totals.dark)
    assert sum((Usd(end.second) for _, end in spans(seconds)), Usd(0)) == totals.power
    assert (Usd(0), Usd(0)) == (totals.paid, totals.fees)


PAYOUTS = st.lists(
    st.builds(
        lambda number, hour, amount, where: Payout(
            str(number), where, device(number % 2).id, START + hour * HOUR, START + (hour + 1) * HOUR, Usd(amount)
        ),
        st.integers(0, 5),
        st.integers(0, 3),
        st.integers(0, 10**9),
        st.sampled_from([AKASH, NOSANA]),
    ),
    max_size=12,
    unique_by=lambda payout: (payout.id, payout.venue),
)


@given(PAYOUTS, st.lists(st.integers(0, 12), max_size=4))
def test_a_payout_is_booked_once(payouts: list[Payout], again: list[int]) -> None:
    """However often a network tells it, and whatever the other network calls its own."""
    ledger = Store.in_memory().ledger
    ledger.paid(payouts)
    for cut in again:
        ledger.paid(payouts[cut:])

    assert sum((payout.amount for payout in payouts), Usd(0)) == ledger.totals().paid
    for where in (AKASH, NOSANA):
        ends = [payout.end for payout in payouts if payout.venue == where]
        assert max(ends, default=None) == ledger.last_payout(where.network)


def entry(kind: Kind, amount: int, hour: int = 0, owner: DeviceId | None = None, ref: str = "") -> Entry:
    """An hour's worth of something."""
    start = START + hour * HOUR
    return Entry(start, start + HOUR, owner or device().id, AKASH, kind, Usd(amount), Basis.ESTIMATE, ref)


def filled() -> Ledger:
    """Two devices and two hours."""
    ledger = Store.in_memory().ledger
    ledger.book(
        [
            entry(Kind.EARNED, 100),
            entry(Kind.EARNED, 50, 1),
            entry(Kind.EARNED, 7, 1, device(1).id),
            entry(Kind.PAID, 90, ref="one"),
            entry(Kind.POWER, 20),
            entry(Kind.FEE, 3, ref="switch"),
            entry(Kind.FEE, 3, ref="switch"),
        ]
    )
    return ledger


def test_what_is_left_is_net() -> None:
    """Costs are positive amounts, taken off what was paid or, where nobody tells, off our own estimate."""
    totals = filled().totals()

    assert Totals(Usd(157), Usd(90), Usd(20), Usd(3), timedelta(0)) == totals
    assert (Usd(67), Usd(134)) == (totals.net, totals.expected_net)


def test_totals_of_a_part() -> None:
    """Of one device, or of what ended after an instant."""
    ledger = filled()

    assert [Usd(150), Usd(7), Usd(0)] == [ledger.totals(device=device(number).id).earned for number in range(3)]
    assert [Usd(157), Usd(57), Usd(0)] == [ledger.totals(START + hour * HOUR).earned for hour in range(3)]


def test_an_empty_ledger_has_totals() -> None:
    """All of them nothing, and no last payout."""
    ledger = Store.in_memory().ledger

    assert Totals(Usd(0), Usd(0), Usd(0), Usd(0), timedelta(0)) == ledger.totals()
    assert ledger.last_payout("akash") is None

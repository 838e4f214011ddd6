"""What holds for any quantity."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from autopilot.units import (
    HOUR,
    Kwh,
    Quantity,
    Share,
    Usd,
    UsdPerHour,
    UsdPerKwh,
    Watts,
    divide_rounded,
    micros,
    span_of,
    span_text,
)

KINDS = st.sampled_from([Usd, UsdPerHour, UsdPerKwh, Kwh, Watts])
COUNTS = st.integers(-(10**17), 10**17)
SMALL = st.integers(-(10**12), 10**12)
SHARES = st.integers(0, 10**9).map(Share)
SPANS = st.timedeltas(timedelta(0), timedelta(days=4000))


def _rounded(exact: Fraction) -> int:
    """Half to even, by Python's own arithmetic of fractions."""
    return round(exact)


@given(KINDS, COUNTS)
def test_what_is_written_can_be_read(kind: type[Quantity], count: int) -> None:
    """A quantity survives its own text, and its own digits."""
    quantity = kind(count)

    assert quantity == kind.of(str(quantity).removesuffix(kind.symbol).strip())
    assert quantity == kind.of(Decimal(count) / kind.per_unit)


@given(KINDS, st.decimals(-(10**8), 10**8, places=15))
def test_of_is_the_nearest_count(kind: type[Quantity], written: Decimal) -> None:
    """Whatever was written, the count is the whole number next to it, half to even."""
    assert int((written * kind.per_unit).quantize(Decimal(1), ROUND_HALF_EVEN)) == kind.of(written).count


@given(KINDS, st.integers(-(2**50), 2**50))
def test_a_float_and_back(kind: type[Quantity], count: int) -> None:
    """Up to the digits that a float has, nothing is lost on the way through one."""
    assert kind(count) == kind.nearest(float(kind(count)))


@given(KINDS, st.lists(COUNTS, max_size=8).flatmap(lambda counts: st.tuples(st.just(counts), st.permutations(counts))))
def test_sums_are_exact(kind: type[Quantity], counts: tuple[list[int], list[int]]) -> None:
    """In any order, and to the last digit."""
    one, other = counts

    assert kind(sum(one)) == sum((kind(count) for count in other), kind.zero())


@given(COUNTS, st.integers(-(10**9), 10**9).filter(bool))
def test_division_is_exact_before_it_rounds(numerator: int, denominator: int) -> None:
    """As if it were done in fractions."""
    assert _rounded(Fraction(numerator, denominator)) == divide_rounded(numerator, denominator)


@given(SMALL, SPANS)
def test_a_rate_over_a_time(count: int, span: timedelta) -> None:
    """The amount is the exact product, rounded once."""
    exact = Fraction(count) * micros(span) / micros(HOUR)

    assert Usd(_rounded(exact)) == UsdPerHour(count) * span == span * UsdPerHour(count)


@given(SMALL, SMALL, SPANS)
def test_power_costs_the_same_by_both_ways(milliwatts: int, price: int, span: timedelta) -> None:
    """Energy times its price, or power times its price over the time: they differ by rounding only."""
    draw, tariff = Watts(milliwatts % 10**9), UsdPerKwh(price % 10**10)
    by_energy, by_rate = (draw * span) * tariff, (draw * tariff) * span
    slack = 1 + tariff.count // 10**9 + span // HOUR

    assert abs(by_energy - by_rate).count <= slack


@given(st.integers(-(10**10), 10**10), st.integers(1, 10**12))
def test_pay_back_undoes_a_rate(amount: int, lead: int) -> None:
    """In the time that it says, the lead earns the amount, to the microsecond's worth."""
    span = Usd(amount) / UsdPerHour(lead)

    assert abs(amount * micros(HOUR) - micros(span) * lead) * 2 <= lead


@given(SMALL, SHARES)
def test_a_share_and_the_rest_are_the_whole(count: int, share: Share) -> None:
    """Within the rounding of both."""
    parts = Usd(count).scaled(share) + Usd(count).scaled(share.complement())

    assert abs(parts - Usd(count)).count <= 1


@given(SPANS)
def test_a_span_survives_its_text(span: timedelta) -> None:
    """To the microsecond."""
    assert span == span_of(span_text(span))

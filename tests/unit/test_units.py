"""Quantities carry their unit: what is in the table works and gives the right kind, and nothing else works at all."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from autopilot.units import (
    ALL,
    HOUR,
    NONE,
    Kwh,
    Quantity,
    Share,
    Usd,
    UsdPerHour,
    UsdPerKwh,
    Watts,
    divide_rounded,
    hour_start,
    micros,
    span_of,
    span_text,
)

ROOT = Path(__file__).parents[2]
HALF = Share.of("0.5")
TIMES, OVER, PLUS, MINUS = operator.mul, operator.truediv, operator.add, operator.sub

LEGAL: list[tuple[Callable[[Any, Any], Any], Any, Any, Any]] = [
    (TIMES, UsdPerHour.of("0.40"), 90 * HOUR / 60, Usd.of("0.60")),
    (TIMES, 2 * HOUR, UsdPerHour.of("0.40"), Usd.of("0.80")),
    (OVER, Usd.of(3), 2 * HOUR, UsdPerHour.of("1.5")),
    (OVER, Usd.of(3), UsdPerHour.of(2), timedelta(minutes=90)),
    (TIMES, Watts.of(320), 30 * HOUR, Kwh.of("9.6")),
    (TIMES, HOUR, Watts.of(50), Kwh.of("0.05")),
    (TIMES, Kwh.of("9.6"), UsdPerKwh.of("0.25"), Usd.of("2.4")),
    (TIMES, UsdPerKwh.of("0.25"), Kwh.of("9.6"), Usd.of("2.4")),
    (TIMES, Watts.of(320), UsdPerKwh.of("0.25"), UsdPerHour.of("0.08")),
    (TIMES, UsdPerKwh.of("-0.25"), Watts.of(320), UsdPerHour.of("-0.08")),
    (TIMES, Usd.of("1.1"), 3, Usd.of("3.3")),
    (TIMES, 3, Usd.of("1.1"), Usd.of("3.3")),
    (TIMES, UsdPerHour.of("1.1"), -3, UsdPerHour.of("-3.3")),
    (TIMES, 3, UsdPerHour.of("1.1"), UsdPerHour.of("3.3")),
    (TIMES, Watts.of(7), 3, Watts.of(21)),
    (TIMES, 3, Watts.of(7), Watts.of(21)),
    (PLUS, Usd.of(1), Usd.of(2), Usd.of(3)),
    (PLUS, UsdPerHour.of(1), UsdPerHour.of(2), UsdPerHour.of(3)),
    (MINUS, Watts.of(3), Watts.of(2), Watts.of(1)),
    (MINUS, Kwh.of(3), Kwh.of(2), Kwh.of(1)),
    (PLUS, UsdPerKwh.of(3), UsdPerKwh.of(-2), UsdPerKwh.of(1)),
    (PLUS, HALF, HALF, ALL),
]

OPERANDS: list[Any] = [Usd(1), UsdPerHour(1), UsdPerKwh(1), Kwh(1), Watts(1), Share(1), HOUR, 1, 1.0, True, "1", Decimal(1)]
KINDS = [Usd, UsdPerHour, UsdPerKwh, Kwh, Watts, Share]


def _legal(operation: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    """Whether the table has this pair, or it has no quantity in it."""
    pairs = {(each, type(one), type(other)) for each, one, other, _ in LEGAL}
    same = type(left) is type(right) and operation in (PLUS, MINUS)
    return same or (operation, type(left), type(right)) in pairs or not any(isinstance(each, Quantity) for each in (left, right))


ILLEGAL = [
    (operation, left, right)
    for operation in (TIMES, OVER, PLUS, MINUS)
    for left in OPERANDS
    for right in OPERANDS
    if not _legal(operation, left, right)
]


def _spoken(case: Any) -> str:
    return case.__name__ if callable(case) else repr(case)


@pytest.mark.parametrize(("operation", "left", "right", "result"), LEGAL, ids=_spoken)
def test_what_times_what(operation: Callable[[Any, Any], Any], left: Any, right: Any, result: Any) -> None:
    """The pairs of the table give the amount and the kind that the table says."""
    outcome = operation(left, right)

    assert type(result) is type(outcome)
    assert result == outcome


def test_nothing_else_runs() -> None:
    """Every other pair of a quantity with anything is a TypeError, the table's pairs the other way round included."""
    ran = []
    for operation, left, right in ILLEGAL:
        try:
            operation(left, right)
        except TypeError:
            continue
        ran.append((operation.__name__, left, right))

    assert not ran
    assert len(ILLEGAL) > 300


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_do_not_compare(kind: type[Quantity]) -> None:
    """One of a kind is equal to no one of another, and neither is the greater."""
    for other in KINDS:
        if other is kind:
            continue

        assert kind(1) != other(1)
        with pytest.raises(TypeError):
            assert kind(1) < other(2)  # type: ignore[operator]


def test_a_kind_compares_with_itself() -> None:
    """As its numbers do, so that the best rate can be asked for."""
    assert Usd(2) == max(Usd(1), Usd(2), Usd(-3))
    assert Usd(1) == abs(Usd(-1)) == -Usd(-1)
    assert Usd(5) == sum([Usd(2), Usd(3)], Usd.zero())
    assert not Usd(0)
    assert Usd(-1)


@pytest.mark.parametrize(
    ("written", "count"),
    [("1.25", 1_250_000_000), (2, 2_000_000_000), (Decimal("0.1"), 100_000_000), ("-1e-9", -1), (" 3 ", 3_000_000_000), ("1E3", 10**12)],
)
def test_of_takes_what_was_written(written: str | int | Decimal, count: int) -> None:
    """Text, whole numbers and decimals are taken to the last nano-dollar."""
    assert Usd(count) == Usd.of(written)


@pytest.mark.parametrize(
    ("written", "count"),
    [("0.0000000005", 0), ("0.0000000015", 2), ("0.0000000025", 2), ("-0.0000000015", -2), (f"0.0000000005{1:040}", 1)],
)
def test_of_rounds_half_to_even(written: str, count: int) -> None:
    """At half of the smallest unit the even neighbour is taken, so that rounding has no drift."""
    assert Usd(count) == Usd.of(written)


@pytest.mark.parametrize("amount", [1.5, True, None, b"1"])
def test_of_refuses_by_type(amount: Any) -> None:
    """A float is refused by its type: it may be wrong already. So is what is no number."""
    with pytest.raises(TypeError, match="nearest"):
        Usd.of(amount)


@pytest.mark.parametrize("written", ["", "one", "nan", "-Infinity", "1 $", "9e999999", "1e400", 10**10, "9223372036.9"])
def test_of_refuses_what_is_no_amount(written: str | int) -> None:
    """What is no finite number, or does not fit 64 bits, is a ValueError: short, whatever was written."""
    with pytest.raises(ValueError, match=r"is not a number of|finite|out of range") as caught:
        Usd.of(written)

    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("computed", "count"), [(1.25, 1_250_000_000), (0.1 + 0.2, 300_000_000), (-2.5e-9, -2), (3, 3_000_000_000), (4.9e-10, 0)]
)
def test_nearest_takes_what_was_computed(computed: float, count: int) -> None:
    """A computed float goes to its nearest smallest unit, half to even."""
    assert Usd(count) == Usd.nearest(computed)


@pytest.mark.parametrize("computed", [float("nan"), float("inf"), -float("inf"), 1e300, 1e11])
def test_nearest_refuses_what_is_no_amount(computed: float) -> None:
    """NaN and infinity never get in, nor what 64 bits cannot hold."""
    with pytest.raises(ValueError, match=r"finite|out of range"):
        Usd.nearest(computed)


@pytest.mark.parametrize("count", [1.0, True, "1", Decimal(1), None])
def test_a_count_is_a_whole_number(count: Any) -> None:
    """Nothing but an int is counted, so that no float slips past the two doors."""
    with pytest.raises(TypeError, match="whole numbers"):
        Usd(count)


@pytest.mark.parametrize("count", [2**63, -(2**63)])
def test_a_count_fits_the_store(count: int) -> None:
    """What SQLite cannot hold is refused when it comes to be, not when it is written."""
    with pytest.raises(ValueError, match="out of range"):
        Usd(count)


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Usd.of("1.25"), "1.25 $"),
        (UsdPerHour.of(1000), "1000 $/h"),
        (UsdPerKwh.of("-0.02"), "-0.02 $/kWh"),
        (Watts.of("0.001"), "0.001 W"),
        (Kwh(1), "0.000000001 kWh"),
        (HALF, "0.5"),
        (Usd(0), "0 $"),
    ],
)
def test_a_quantity_says_itself(quantity: Quantity, text: str) -> None:
    """All its digits, and its symbol; with a format, the number as it asks for."""
    assert text == str(quantity) == f"{quantity}"


def test_a_format_is_for_the_number() -> None:
    """The symbol follows it."""
    assert "1.3 $/h" == f"{UsdPerHour.of('1.25001'):.1f}"
    assert "50%" == f"{HALF:.0%}"


def test_a_share_is_a_part() -> None:
    """From nothing to all, and no further; what it leaves out is its complement."""
    assert ALL == NONE.complement()
    assert Share.of("0.75") == Share.of("0.25").complement()
    for outside in ("-0.000000001", "1.000000001"):
        with pytest.raises(ValueError, match="between 0 and 1"):
            Share.of(outside)


def test_scaled_keeps_the_kind() -> None:
    """A share of a rate is a rate, rounded half to even."""
    assert UsdPerHour.of("0.3") == UsdPerHour.of("0.4").scaled(Share.of("0.75"))
    assert [Usd(0), Usd(2), Usd(2)] == [Usd(count).scaled(HALF) for count in (1, 3, 5)]


def test_pay_back_is_a_time() -> None:
    """And the longest there is where no calendar could hold it: a fee over the smallest of leads is no crash."""
    assert timedelta(hours=-2) == Usd.of(-1) / UsdPerHour.of("0.5")
    assert timedelta.max == Usd.of(100) / UsdPerHour(1)
    assert timedelta.min == Usd.of(100) / UsdPerHour(-1)


@pytest.mark.parametrize("divisor", [timedelta(0), UsdPerHour(0)])
def test_nothing_is_divided_by_nothing(divisor: Any) -> None:
    """There is no rate of no time, and no time at no rate."""
    with pytest.raises(ZeroDivisionError):
        Usd(1) / divisor


def test_whole_numbers_are_divided_half_to_even() -> None:
    """On both sides of zero, and whichever of the two is negative."""
    assert [-2, -2, 0, 0, 0, 2, 2] == [divide_rounded(each, 2) for each in (-5, -3, -1, 0, 1, 3, 5)]
    assert [2, 2, 0, 0, 0, -2, -2] == [divide_rounded(each, -2) for each in (-5, -3, -1, 0, 1, 3, 5)]
    assert 1 == divide_rounded(2, 3)


def test_an_hour_is_known_by_its_start() -> None:
    """Hours are half-open: the start belongs to its own hour."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)

    assert noon == hour_start(noon) == hour_start(noon + HOUR - timedelta(microseconds=1))
    assert noon + HOUR == hour_start(noon + HOUR)
    assert 3_600_000_000 == micros(HOUR)


@pytest.mark.parametrize(
    ("written", "span"),
    [
        ("15m", timedelta(minutes=15)),
        ("0.25h", timedelta(minutes=15)),
        ("2h30m", timedelta(hours=2, minutes=30)),
        ("7d", timedelta(days=7)),
        ("0m", timedelta(0)),
        (" 1.5s ", timedelta(seconds=1.5)),
        ("1d1h1m1s", timedelta(days=1, hours=1, minutes=1, seconds=1)),
    ],
)
def test_a_span_as_people_write_it(written: str, span: timedelta) -> None:
    """Numbers with their unit, the greater before the smaller."""
    assert span == span_of(written)


@pytest.mark.parametrize("written", ["", "15", "m", "-15m", "15 m", "30m2h", "1h1h", "1e3h", ".5h", "15min", "nan", 15, None])
def test_what_is_no_span(written: Any) -> None:
    """A bare number above all: nobody can tell whether 15 are seconds or hours."""
    with pytest.raises(ValueError, match="is no duration"):
        span_of(written)


def test_a_span_that_no_calendar_holds() -> None:
    """It is refused in words."""
    with pytest.raises(ValueError, match="longer than a calendar"):
        span_of("9999999999d")


@pytest.mark.parametrize(
    ("span", "text"),
    [(timedelta(0), "0m"), (-HOUR, "-1h"), (timedelta(days=1, minutes=5), "1d5m"), (timedelta(microseconds=1), "0.000001s")],
)
def test_a_span_without_its_zeros(span: timedelta, text: str) -> None:
    """Only the units that it has."""
    assert text == span_text(span)


def test_mypy_refuses_what_is_not_in_the_table() -> None:
    """Each line of the file is a type error, and mypy says so: an ignore that hides none would itself be an error."""
    file = ROOT / "tests" / "typing" / "units_illegal.py"
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", os.devnull, "--follow-imports", "silent"]
    mypy = subprocess.run([sys.executable, "-m", "mypy", *options, str(file)], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (0, "Success: no issues found in 1 source file\n") == (mypy.returncode, mypy.stdout), mypy.stderr

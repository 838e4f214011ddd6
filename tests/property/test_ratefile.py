"""What holds for every number and every file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autopilot.errors import DataError
from autopilot.store.exports import write_rates
from autopilot.store.ratefile import read_rates
from autopilot.store.raterow import RateRow, hour_of, rate_of
from autopilot.units import HOUR, Share, UsdPerHour

T = TypeVar("T")
R = TypeVar("R")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NANO = 1_000_000_000
NUMBERS = st.one_of(
    st.decimals(0, 9_000_000_000, allow_nan=False, places=14).map(str),
    st.decimals(0, 10, allow_nan=False, places=10).map(str),
    st.floats(0, 1e9).map(repr),
    st.integers(0, 10**13).map(lambda count: f"{count // NANO}.{count % NANO:09}5"),
    st.from_regex(r"\A[0-9]{0,12}\.?[0-9]{0,15}([eE][-+]?[0-9]{1,3})?\Z"),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(lambda name: name != "idle")
# Parquet holds floats, which are exact to the nano-dollar up to here.
RATES = st.integers(0, 10**6 * NANO).map(UsdPerHour)
HOURS = st.integers(-1_000_000, 1_000_000).map(lambda count: datetime(2026, 1, 1, tzinfo=UTC) + count * HOUR)
ROWS = st.builds(
    RateRow,
    st.just(0),
    HOURS,
    NAMES,
    NAMES | st.just("idle"),
    st.none() | RATES,
    st.none() | st.integers(0, NANO).map(Share),
    st.none() | RATES,
    st.none() | st.integers(1, 360_000_000).map(lambda seconds: timedelta(seconds=seconds)),
)


def outcome(read: Callable[[T], R], given: T) -> tuple[R | None, str]:
    """What is read, or the sentence with which it is refused."""
    try:
        return read(given), ""
    except (ValueError, DataError) as refused:
        return None, str(refused)


@given(NUMBERS)
@example("0.0000000005")
@example("0.0041869095")
@example("8602.3353012045")
@example("562949.953421312")
@example("9223372036.854775807")
@example("1_0")
@example("-0.0")
def test_rates_round_as_quantities_do(text: str) -> None:
    """The quick way of reading a rate gives what ``UsdPerHour.of`` gives, half to even, at every size."""
    try:
        exact = UsdPerHour.of(text) if text else None
    except (ValueError, ArithmeticError):
        with pytest.raises(ValueError, match="is not a number"):
            rate_of(text)
        return

    assert exact == rate_of(text)


@given(st.text(max_size=12) | st.floats().map(repr) | st.decimals().map(str))
@example("-1e-9")
@example("\u0661")
def test_a_text_is_a_rate_or_is_refused(text: str) -> None:
    """No text crashes; what comes out is missing only for an empty one, and is not negative."""
    rate, said = outcome(rate_of, text)

    assert said.isprintable()
    assert (rate is None) == (text == "" or said != "")
    assert rate is None or (rate.count >= 0 and Decimal(text) > Decimal("-1e-300"))


@given(st.text(max_size=30) | st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str))
def test_a_text_is_an_hour_or_is_refused(text: str) -> None:
    """No text crashes, and what comes out is a full hour in UTC."""
    hour, said = outcome(hour_of, text)

    assert said.isprintable()
    assert hour is None or (hour.tzinfo is UTC and (hour - EPOCH) % HOUR == timedelta(0))


@given(st.lists(ROWS, min_size=1, max_size=5), st.sampled_from([".csv", ".csv.gz", ".parquet"]))
def test_what_is_written_is_read_again(rows: list[RateRow], kind: str) -> None:
    """Every name and number comes back from every kind of file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rates{kind}"
        count = write_rates(path, rows, extras=True)

        assert len(rows) == count
        assert rows == [row._replace(line=0) for row in read_rates(path)]


@given(st.binary(max_size=300))
@example(b"timestamp,network,gpu,usd_per_hour\n\xff,\xff,\xff,\xff\n")
@example(b"PAR1PAR1")
@example(b"\x1f\x8b\x08\x00")
def test_no_file_crashes_the_reader(content: bytes) -> None:
    """Whatever the bytes, there are rows, bad rows, or one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rates.csv"
        path.write_bytes(content)
        count, said = outcome(lambda file: sum(1 for _ in read_rates(file)), path)

    assert said.isprintable()
    assert (count or 0) > 0 or said != ""

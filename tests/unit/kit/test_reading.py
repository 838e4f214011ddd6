"""Whatever an answer holds, it is what was expected or one line that names the field."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.errors import Transient
from autopilot.kit.reading import Field

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def field(value: Any) -> Field:
    """The root of an answer."""
    return Field("akash", "gpu-prices:", value)


@pytest.mark.parametrize("written", [2.5, "2.5", "2.50"])
def test_a_number_may_be_text(written: object) -> None:
    """In plain digits: many an API writes its decimals so."""
    assert Decimal("2.5") == field(written).number(0, 10)


@pytest.mark.parametrize(
    "wrong", [None, True, "", "two", "٢", "1_000", " 2", "nan", float("nan"), float("inf"), "1e999", 10**400, -1, 11, [2]]
)
def test_what_is_no_number_within_bounds_is_transient(wrong: object) -> None:
    """Unknown is not zero, and neither is nonsense."""
    with pytest.raises(Transient, match=r"akash: gpu-prices:price should be a number from 0 to 10"):
        field({"price": wrong}).member("price").number(0, 10)


def test_the_path_leads_to_the_field() -> None:
    """As a person would look it up."""
    root = field({"models": [{"price": {"med": 1}}]})

    assert "gpu-prices:models[0].price.med" == root.member("models").items()[0].member("price").member("med").path


def test_a_field_that_changed_its_name_is_noticed() -> None:
    """It is missing, not null; a null that is there is told apart."""
    assert field({"price": None}).member("price").absent
    with pytest.raises(Transient, match="gpu-prices:price is missing from the answer"):
        field({"prices": 1}).member("price")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-31T15:00:00Z", datetime(2026, 1, 31, 15, tzinfo=UTC)),
        ("2026-01-31T15:00:00.123456789Z", datetime(2026, 1, 31, 15, 0, 0, 123456, tzinfo=UTC)),
        ("2026-01-31T16:00:00+01:00", datetime(2026, 1, 31, 15, tzinfo=UTC)),
    ],
)
def test_an_instant_is_in_utc(written: str, expected: datetime) -> None:
    """Whatever its zone and its digits."""
    assert expected == field(written).instant()


@given(JSON)
def test_nothing_else_is_ever_raised(value: Any) -> None:
    """Every reading of every value is a value or Transient."""
    readings = (
        lambda: field(value).number(0, 10),
        lambda: field(value).count(0, 10),
        lambda: field(value).text(),
        lambda: field(value).flag(),
        lambda: field(value).instant(),
        lambda: field(value).day(),
        lambda: field(value).items(),
        lambda: field(value).members(),
        lambda: field(value).member("a"),
    )
    for reading in readings:
        with suppress(Transient):
            reading()

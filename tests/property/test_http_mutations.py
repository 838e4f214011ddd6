"""Whatever happens to the answer of a network that is described without code: a sane quote, a reason, or one of our errors."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot.errors import Transient
from autopilot.kit.http import Reply
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, NoQuote, Quote
from autopilot.units import UsdPerHour
from autopilot_adapters.http.rates import MOST, answer, expressions, terms
from autopilot_adapters.http.settings import HttpSettings

pytestmark = pytest.mark.long

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
VENUE = Venue(NetworkId("acme"))
GPU = Device(DeviceId("gpu-0"), "RTX 4090")
NOS = TokenPrice("NOS", Decimal("0.305"), NOW, "coingecko", confirmed=True)
ROW = {"gpu": "rtx4090", "price": 318000, "idle": 1000, "gpus": 2, "hired": 30, "total": 40, "job": 5400, "note": "fine", "score": 0.98}
SAID: dict[str, Any] = {
    "at": "2026-11-22T11:30:00Z",
    "version": 7,
    "rows": [ROW, {**ROW, "gpu": "h100", "price": "954000"}, {**ROW, "gpu": "l40s", "price": None}],
    "links": {"next": None, "count": 3},
}
PATHS = {key: f"rows[?gpu=='{{model}}'].{key}" for key in ("price", "idle", "gpus")}
TABLE = HttpSettings(
    url="https://acme.test/",
    models={"RTX 4090": "rtx4090"},
    unit="NOS/h",
    decimals=6,
    occupancy="rows[?gpu=='{model}'].hired",
    occupancy_of="rows[?gpu=='{model}'].total",
    job_length="rows[?gpu=='{model}'].job",
    time="at",
    fee=0.05,
    **PATHS,
)
LOOK, AGREED = expressions(TABLE, "rtx4090"), terms(TABLE, NOS)
GONE, TWICE, RENAMED = object(), object(), object()
SHAPES = [None, True, False, [], {}, [[]], [None], {"price": 1}]
NUMBERS = [0, -1, 1, 2, 0.5, 30, 41, 1e308, -1e308, 1e-308, 10**40, 10**4000, 2**64 - 1, float("nan"), float("inf")]
TEXTS = [
    "",
    "NaN",
    "Infinity",
    "1e5",
    "2.5",
    " 1",
    "1_0",
    "٢",
    "rtx4090",
    "2026-11-22T11:30:00",
    "2026-11-22T11:59:00Z",
    "99999-01-01T00:00Z",
]
VALUES = [*SHAPES, *NUMBERS, *TEXTS, GONE, TWICE, RENAMED]
Steps = tuple[str | int, ...]


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """The way to every value of an answer, but for the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        yield (*steps, step)
        yield from places(each, (*steps, step))


def mutated(*changes: tuple[Steps, Any]) -> Any:
    """The answer with some values changed, gone, there twice or under another name."""
    said = copy.deepcopy(SAID)
    for steps, value in changes:
        parent = said
        with suppress(LookupError, TypeError):  # an earlier change took it away
            for step in steps[:-1]:
                parent = parent[step]
            change(parent, steps[-1], value)
    return said


def change(parent: Any, last: str | int, value: Any) -> None:
    """One change of a value within its object or array."""
    if value is GONE:
        del parent[last]
    elif value is TWICE and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[last]))
    elif value in (TWICE, RENAMED) and isinstance(parent, dict):
        parent[f"{last}_new"] = parent.pop(last)
    else:
        parent[last] = {"new": parent[last]} if value is RENAMED else copy.deepcopy(value)


def heard(said: Any) -> Answer | Transient:
    """What comes of an answer; any other error is a defect, and is not caught here."""
    try:
        return answer(VENUE, GPU, LOOK, Reply(said, NOW, "https://acme.test/", 200), AGREED)
    except Transient as error:
        return error


def named(quote: Quote, steps: Steps) -> bool:
    """Whether the arithmetic names the field: the last name on the way to it."""
    words = {word for working in quote.workings for text in working.inputs for word in re.findall(r"\w+", text)}
    return next(str(step) for step in reversed(steps) if isinstance(step, str)) in words


SOUND = heard(SAID)
keys = st.sampled_from(["at", "rows", "gpu", "price", "total", ""])


@settings(max_examples=2000, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(list(places(SAID))), st.sampled_from(VALUES)), min_size=1, max_size=3))
def test_no_mutation_does_harm(changes: list[tuple[Steps, Any]]) -> None:
    """Within sane bounds, with a reason, or Transient in one line; and a figure that moves says which field moved it."""
    assert isinstance(SOUND, Quote)
    found = heard(mutated(*changes))
    if isinstance(found, Quote):
        assert UsdPerHour(0) < found.gross <= UsdPerHour.of(MOST)
        assert UsdPerHour(0) <= found.expected <= UsdPerHour.of(MOST)
        assert abs(found.expected - SOUND.expected).count <= 0.2 * SOUND.expected.count or any(named(found, steps) for steps, _ in changes)
    elif isinstance(found, NoQuote):
        assert found.reason
    else:
        assert str(found).startswith("acme: ")
        assert "\n" not in str(found)
        assert len(str(found)) < 400


@settings(max_examples=300, derandomize=True)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    )
)
def test_any_json_is_survived(said: Any) -> None:
    """Whatever the server means by it."""
    assert isinstance(heard(said), Transient | NoQuote)


def test_what_the_arithmetic_does_not_name_moves_nothing() -> None:
    """Every other field may say what it likes."""
    others = [steps for steps in places(SAID) if isinstance(SOUND, Quote) and not named(SOUND, steps)]

    assert 10 <= len(others)
    assert {SOUND} == {heard(mutated((steps, value))) for steps in others for value in (None, 0, "x", RENAMED)}

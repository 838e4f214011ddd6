"""A figure that an expression finds becomes dollars for a GPU-hour, and every step of it can be redone by hand."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autopilot.errors import Transient
from autopilot.kit.http import Reply
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, Basis, NativePrice, NoQuote, Quote
from autopilot.units import HOUR
from autopilot_adapters.http.rates import answer, expressions, terms
from autopilot_adapters.http.settings import HttpSettings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
GPU = Device(DeviceId("gpu-0"), "RTX 4090")
VENUE = Venue(NetworkId("acme"))
NOS = TokenPrice("NOS", Decimal("0.305"), NOW, "coingecko 0.305", confirmed=True)
SAID: dict[str, Any] = {
    "at": "2026-11-22T11:30:00Z",
    "rows": [
        {"gpu": "rtx4090", "price": 0.4, "hired": 30, "total": 40, "busy": 75.0, "standby": 0.1, "gpus": 8, "job": 5400},
        {"gpu": "h100", "price": None, "hired": 0, "total": 0},
    ],
}


def row(key: str) -> str:
    """The expression for a key of the GPU's row."""
    return f"rows[?gpu=='{{model}}'].{key}"


def answered(said: Any = None, token: TokenPrice | None = None, model: str = "rtx4090", **table: Any) -> Answer:
    """What an answer says under a table that has little more than a price."""
    least = {"url": "https://acme.test/", "models": {"RTX 4090": model}, "price": row("price"), "unit": "$/h", "occupancy": 1}
    settings = HttpSettings(**{**least, **table})
    reply = Reply(SAID if said is None else said, NOW, "https://acme.test/", 200)
    return answer(VENUE, GPU, expressions(settings, model), reply, terms(settings, token))


def quoted(*args: Any, **table: Any) -> Quote:
    """The same, where there is a quote."""
    found = answered(*args, **table)
    assert isinstance(found, Quote), found
    return found


def changed(key: str, value: Any) -> Any:
    """The answer with another value in the GPU's row, or without it."""
    said = copy.deepcopy(SAID)
    said["rows"][0][key] = value
    return said


def lines(quote: Quote) -> Sequence[str]:
    """The arithmetic, as people read it."""
    return [working.text for working in quote.workings]


def test_a_price_is_a_quote() -> None:
    """With all that the table says of it, and the expression it comes from."""
    quote = quoted(basis="ask", market="spot")

    assert ("0.4 $/h", "0.4 $/h", Basis.ASK, NOW, NOW + 3 * HOUR, "https://acme.test/") == (
        *(str(quote.gross), str(quote.expected), quote.basis, quote.as_of),
        *(quote.expires, quote.source),
    )
    assert "rows[?gpu=='rtx4090'].price" == quote.workings[0].inputs[0]


@pytest.mark.parametrize(
    ("table", "gross", "line"),
    [
        ({"unit": "$/day"}, "0.016666667 $/h", "price: 0.4 $/day / 24 h = 0.016666667 $/h"),
        ({"unit": "$/week"}, "0.002380952 $/h", "price: 0.4 $/week / 168 h = 0.002380952 $/h"),
        ({"unit": "$/month"}, "0.00054757 $/h", "price: 0.4 $/month / 730.5 h = 0.00054757 $/h"),
        ({"decimals": 2}, "0.004 $/h", "price: 0.4 $/h / 10^2 = 0.004 $/h"),
        ({"gpus": row("gpus")}, "0.05 $/h", "price: 0.4 $/h / 8 GPUs = 0.05 $/h"),
        ({"gpus": 4}, "0.1 $/h", "price: 0.4 $/h / 4 GPUs = 0.1 $/h"),
        ({"unit": "$/day", "gpus": 8, "decimals": 1}, "0.000208333 $/h", "price: 0.4 $/day / 10^1 / 24 h / 8 GPUs = 0.000208333 $/h"),
    ],
    ids=lambda case: str(case) if isinstance(case, dict) else "",
)
def test_units_become_dollars_for_a_gpu_hour(table: dict[str, Any], gross: str, line: str) -> None:
    """A whole machine's price is divided by its GPUs, a day's by its hours, cents by a hundred; and it is written down."""
    quote = quoted(**table)

    assert (gross, line) == (str(quote.gross), quote.workings[0].text)


def test_a_token_is_worth_what_the_kit_says() -> None:
    """Nosana's market of 318 millionths a second, paid by the hour: 1.1448 NOS, at 0.305 dollars."""
    quote = quoted(changed("price", 1144800), NOS, unit="NOS/h", decimals=6)

    assert ("0.349164 $/h", NativePrice("NOS", Decimal("1.1448"), NOS.usd, NOW)) == (str(quote.gross), quote.native)
    assert "price: 1144800 NOS/h / 10^6 * 0.305 $ (coingecko 0.305) = 0.349164 $/h" == lines(quote)[0]


def test_a_block_has_the_length_that_the_table_gives() -> None:
    """Akash's 4262.041502 millionths a block of 6 seconds are 2.557 dollars an hour."""
    usdc = TokenPrice("USDC", Decimal(1), NOW, "by construction", confirmed=True)
    quote = quoted(changed("price", "4262.041502"), usdc, unit="USDC/block", block="6s", decimals=6)

    assert ("2.557224901 $/h", None) == (str(quote.gross), quote.job_length)


@pytest.mark.parametrize(
    ("table", "share"),
    [
        ({"occupancy": row("hired"), "occupancy_of": row("total")}, "0.75"),
        ({"occupancy": row("busy"), "occupancy_of": 100}, "0.75"),
        ({"occupancy": 0.6}, "0.6"),
        ({"occupancy": 0}, "0"),
        ({"occupancy": f"max([{row('busy')} | [0], `80`])", "occupancy_of": 100}, "0.8"),
    ],
    ids=lambda case: str(case) if isinstance(case, dict) else "",
)
def test_the_occupancy_is_a_share(table: dict[str, Any], share: str) -> None:
    """Of all GPUs, of a hundred, or as the owner says."""
    assert share == str(quoted(**table).occupancy)


def test_what_is_expected_can_be_redone_by_hand() -> None:
    """Gross less the fee for the occupied share, idle pay for the rest: (0.4 x 0.9 x 0.75 + 0.1 x 0.25) / 8."""
    quote = quoted(
        gpus=row("gpus"), occupancy=row("hired"), occupancy_of=row("total"), idle=row("standby"), fee=0.1, time="at", job_length=row("job")
    )

    assert [
        "price: 0.4 $/h / 8 GPUs = 0.05 $/h",
        "idle: 0.1 $/h / 8 GPUs = 0.0125 $/h",
        "occupancy: 30 / 40 = 0.75",
        "describes 2026-11-22 11:30:00 UTC",
        "a job runs for 1h30m",
        "expected: 0.05 $/h * (1 - 0.1 fee) * 0.75 + 0.0125 $/h * 0.25 = 0.036875 $/h",
    ] == lines(quote)
    assert "0.036875 $/h" == str(quote.expected)


@pytest.mark.parametrize(
    "at", ["2026-11-22T11:30:00Z", "2026-11-22 12:30:00.000+01:00", 1795347000, "1795347000", 1795347000.0, 1795347000000], ids=str
)
def test_the_time_is_read_as_people_write_it(at: object) -> None:
    """With its zone, or since 1970; the figure counts from there."""
    quote = quoted({**SAID, "at": at}, time="at", counts_for="1h")

    assert (NOW - HOUR / 2, NOW + HOUR / 2) == (quote.as_of, quote.expires)


def test_a_clock_that_is_a_little_ahead_does_no_harm() -> None:
    """A figure is never newer than the answer it came with."""
    assert NOW == quoted({**SAID, "at": "2026-11-22T12:04:00Z"}, time="at").as_of


@pytest.mark.parametrize("key", ["price", "gpus", "occupancy", "occupancy_of", "idle", "time", "job_length"])
def test_what_finds_nothing_is_no_quote(key: str) -> None:
    """Unknown is not nought, and not one either: the reason names the key and the expression."""
    expression = "nothing.of[?the == 'kind']"
    found = answered(**{key: expression})

    assert isinstance(found, NoQuote)
    assert f"{key}: {expression} finds nothing in the answer" == found.reason


def test_a_price_of_null_is_no_quote() -> None:
    """The row is there, and says that there is none."""
    found = answered(model="h100")

    assert isinstance(found, NoQuote)
    assert "price: rows[?gpu=='h100'].price finds nothing in the answer" == found.reason


@pytest.mark.parametrize("nought", [0, 0.0, "0", 1e-12, "0e5", -0.0])
def test_a_price_of_nought_pays_nothing(nought: object) -> None:
    """Nor does one that rounds to it: no zero slips through as a rate."""
    found = answered(changed("price", nought))

    assert isinstance(found, NoQuote)
    assert "which is nothing" in found.reason


UNREADABLE = {
    "words": "a lot",
    "an empty text": "",
    "NaN": float("nan"),
    "NaN as text": "NaN",
    "infinity": float("inf"),
    "below nought": -0.4,
    "beyond all bounds": 1e308,
    "a huge whole number": 10**4000,
    "unicode digits": "\u0660.\u0664",
    "an underscore": "0_4",
    "blanks": " 0.4",
    "a comma": "0,4",
    "a flag": True,
    "an object": {"usd": 0.4},
    "two figures": [0.4, 0.5],
}


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("price", {}),
        ("standby", {"idle": row("standby")}),
        ("gpus", {"gpus": row("gpus")}),
        ("hired", {"occupancy": row("hired"), "occupancy_of": 40}),
        ("total", {"occupancy": 0, "occupancy_of": row("total")}),
        ("job", {"job_length": row("job")}),
        ("time", {"time": row("time")}),
    ],
    ids=["price", "idle", "gpus", "occupancy", "occupancy_of", "job_length", "time"],
)
def test_nonsense_is_transient(key: str, table: dict[str, Any], value: object) -> None:
    """It is never read as nought, nor as what it might have meant: the last quote counts. The error names key and expression."""
    with pytest.raises(Transient, match=r"^acme: \w+: .*rows\[\?gpu=='rtx4090'\]") as caught:
        answered(changed(key, value), **table)

    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "table", "message"),
    [
        (changed("hired", 41), {"occupancy": row("hired"), "occupancy_of": row("total")}, "no share of 40"),
        (changed("total", 0), {"occupancy": 0, "occupancy_of": row("total")}, "no share of 0"),
        (changed("price", 1001), {}, "is the unit right"),
        (changed("gpus", 0), {"gpus": row("gpus")}, "a number from 1"),
        ({**SAID, "at": "2026-11-22T11:30:00"}, {"time": "at"}, "its zone"),
        ({**SAID, "at": "2026-11-22T12:06:00Z"}, {"time": "at"}, "past time"),
        ({**SAID, "at": "2026-13-22T11:30:00Z"}, {"time": "at"}, "past time"),
        ({**SAID, "at": 0}, {"time": "at"}, "past time"),
        ({**SAID, "at": "9e999"}, {"time": "at"}, "past time"),
        ({**SAID, "at": "2026-11-22T08:59:00Z"}, {"time": "at"}, "describes 2026-11-22 08:59 UTC, and counts for 3h"),
        ({**SAID, "rows": [*SAID["rows"], SAID["rows"][0]]}, {}, "finds 2 values"),
        (SAID, {"price": "max_by(at, &x)"}, "cannot be used on its answer"),
        (SAID, {"price": "nobody_knows(at)"}, "cannot be used on its answer: Unknown function"),
        (SAID, {"price": "sum(rows[0].[price, at])"}, "cannot be used on its answer"),
        ({"rows": [10**4000] * 20}, {"price": "avg(rows)"}, "cannot be used on its answer"),
        ({"rows": [9 * 10**4299] * 20}, {"price": "sum(rows)"}, "finds something of the kind int"),
        ({"rows": [9 * 10**4299] * 20}, {"price": "length(sum(rows))"}, "cannot be used on its answer: JMESPathTypeError"),
        ({"rows": "\x1b[2J"}, {"price": "sum(rows)"}, r"cannot be used on its answer: .*\\x1b"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_what_cannot_be_true_is_transient(said: Any, table: dict[str, Any], message: str) -> None:
    """More hired than there are, a time to come, a row that is there twice, an expression for another shape."""
    with pytest.raises(Transient, match=message) as caught:
        answered(said, **table)

    assert "\n" not in str(caught.value)


def test_a_job_has_its_length() -> None:
    """In seconds."""
    assert timedelta(minutes=90) == quoted(job_length=row("job")).job_length

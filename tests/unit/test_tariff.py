"""The table ``[power]``, and prices that are told hour by hour."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from autopilot.errors import ConfigError, DataError, Transient
from autopilot.kit.http import Http
from autopilot.kit.series import Form, from_file, from_url, hours_of
from autopilot.kit.unheard import Unheard
from autopilot.model.device import NetworkId, Venue
from autopilot.model.power import Calendar, Draw, Period, PowerPrice
from autopilot.settings import Settings, load
from autopilot.sim.clock import SimClock
from autopilot.testing.views import START
from autopilot.units import HOUR, UsdPerKwh, Watts

WHOLE = """
[power]
price = "0.30 $/kWh"
lit = "350 W"
idle = "20 W"
[power.venues]
akash = "300 W"
"nosana/rtx-4090" = "250 W"
[power.calendar]
zone = "Europe/Prague"
periods = [
    { days = "mon-fri", from = "7:00", to = "22:00", price = "0.40 $/kWh" },
    { days = ["sat", "sun"], from = "22:00", to = "24:00", price = "0.10 $/kWh" },
]
[power.series]
file = "prices.csv"
factor = "0.001"
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Settings]:
    """The settings of a file with this text."""

    def write(text: str) -> Settings:
        path = tmp_path / "autopilot.toml"
        path.write_text(text, encoding="utf-8")
        return load(path)

    return write


def test_the_whole_table(written: Callable[[str], Settings]) -> None:
    """As a world takes it."""
    power = written(WHOLE).power
    day = Period(frozenset(range(5)), time(7), time(22), UsdPerKwh.of("0.40"))
    night = Period(frozenset({5, 6}), time(22), time(0), UsdPerKwh.of("0.10"))
    own = {Venue(NetworkId("akash")): Watts.of(300), Venue(NetworkId("nosana"), "rtx-4090"): Watts.of(250)}

    assert PowerPrice(UsdPerKwh.of("0.30"), calendar=Calendar(ZoneInfo("Europe/Prague"), (day, night))) == power.tariff()
    assert Draw(Watts.of(350), Watts.of(20), own) == power.draw()
    assert power.series
    assert (Path("prices.csv"), Decimal("0.001")) == (power.series.file, power.series.factor)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            '[power.calendar]\nzone = "Europe/Pragu"\nperiods = []',
            "power.calendar.zone: 'Europe/Pragu' is no time zone like 'Europe/Prague'",
        ),
        ("[power.calendar]\nperiods = []", "power.calendar.zone: Field required"),
        (
            '[power.calendar]\nzone = "UTC"\nperiods = [{ from = "7:10", price = "1 $/kWh" }]',
            "a tariff changes on a quarter of an hour, not at 07:10",
        ),
        (
            '[power.calendar]\nzone = "UTC"\nperiods = [{ from = "25:00", price = "1 $/kWh" }]',
            "'25:00' is no time of the day; write it like '07:00'",
        ),
        (
            '[power.calendar]\nzone = "UTC"\nperiods = [{ days = "mun", price = "1 $/kWh" }]',
            "'mun' is no day; write them like 'mon-fri' or 'sat, sun'",
        ),
        (
            '[power.calendar]\nzone = "UTC"\nperiods = [{ form = "7:00", price = "1 $/kWh" }]',
            "'power.calendar.periods.0.form'; did you mean from?",
        ),
        ('[power.series]\nfile = "a"\nurl = "b"', "power.series: name the file or the url that has the prices, one of them"),
        ('[power.series]\nfile = "a"', "power: a series needs a price too, for the hours that it does not tell"),
        ('[power.series]\nfil = "a"', "unknown key 'power.series.fil'; did you mean file?"),
        ('[power.venues]\nidle = "20 W"', "power: what is drawn at idle is set by power.idle, not among the venues"),
        ('[power.venues]\nakash = "-1 W"', "must not be negative"),
        ('[power.venues]\nakash = "300"', "power.venues.akash: '300' needs its unit"),
    ],
)
def test_what_cannot_be_meant_is_one_line(table: str, message: str, written: Callable[[str], Settings]) -> None:
    """With the key, and the remedy."""
    with pytest.raises(ConfigError) as caught:
        written(table)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_in_an_address_is_not_shown(written: Callable[[str], Settings]) -> None:
    """Whoever prints the settings prints no secret."""
    settings = written('[power]\nprice = "1 $/kWh"\n[power.series]\nurl = "https://prices/?key=geheim"')

    assert "geheim" not in repr(settings) + settings.model_dump_json()


PRICED = {START: UsdPerKwh.of("0.1"), START + HOUR: UsdPerKwh.of("-0.02")}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Form(), "hour,price\n2026-01-01T00:00:00Z,0.1\n2026-01-01T02:00:00+01:00,-0.02\n"),
        (Form("Zeit", "EUR", factor=Decimal("0.0005")), "\ufeffZeit,EUR\n2026-01-01T00:00Z,200\n2026-01-01T01:00Z,-40\n"),
        (Form(), json.dumps([{"hour": START.timestamp(), "price": 0.1}, {"hour": START.timestamp() + 3600, "price": "-0.02"}])),
        (
            Form("t", "p", "data.hours"),
            json.dumps({"data": {"hours": [{"t": 1000 * START.timestamp() + 3.6e6 * k, "p": [0.1, -0.02][k]} for k in (0, 1)]}}),
        ),
        (
            Form(),
            "hour,price\n"
            + "".join(f"2026-01-01T00:{m:02}Z,{p}\n" for m, p in ((0, 0.4), (15, 0), (30, 0.1), (45, -0.1)))
            + "2026-01-01T01:00Z,-0.02",
        ),
    ],
    ids=["csv", "by the megawatt-hour", "json", "json within", "quarters"],
)
def test_prices_in_every_form(form: Form, text: str) -> None:
    """Hour by hour in UTC; the quarters of an hour are averaged."""
    assert PRICED == hours_of(form, text.encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hour,price\n2026-01-01T00:00:00,0.1", "has no zone"),
        ("time,price\n2026-01-01T00:00Z,0.1", "a row without 'hour'; there is time, price"),
        ("hour,price\n2026-01-01T00:00Z,85", "is it by the MWh? Then set factor = 0.001"),
        ("hour,price\n2026-01-01T00:00Z,", "cannot be read"),
        ("hour,price\n2026-01-01T00:00Z,nan", "cannot be read"),
        ("hour,price\n", "has no price in it"),
        ('{"data": []}', "has no list of objects at '@'"),
        ("[" * 100, "is nested deeper"),
        ("\udcff", "is neither JSON nor CSV"),
    ],
)
def test_what_is_no_series_says_so(text: str, message: str) -> None:
    """What is wrong, and where."""
    with pytest.raises(Unheard) as caught:
        hours_of(Form(), text.encode("utf-8", "surrogateescape"))

    assert message in str(caught.value)


def test_a_file_is_read_anew(tmp_path: Path) -> None:
    """What a script writes every afternoon is known with the next question; a file that is not there is named."""
    path = tmp_path / "prices.csv"
    series = from_file(path, Form())
    with pytest.raises(DataError, match=r"prices\.csv: cannot be read: No such file"):
        series()
    path.write_text("hour,price\n2026-01-01T00:00Z,0.1\n", encoding="utf-8")

    assert {START: UsdPerKwh.of("0.1")} == series()
    path.write_text("hour,price\nnoon,0.1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"prices\.csv: has a row that cannot be read"):
        series()


def test_a_server_is_asked_through_the_kit() -> None:
    """CSV as well as JSON; what is neither is Transient, and the key in the address is hidden."""
    answers = iter(["hour,price\n2026-01-01T00:00Z,0.1\n", '[{"hour": "2026-01-01T00:00Z", "price": 0.1}]', "<html>"])
    http = Http(
        SimClock(datetime(2026, 1, 1, tzinfo=UTC)), transport=httpx.MockTransport(lambda _: httpx.Response(200, text=next(answers)))
    )
    series = from_url(http, "https://prices.example/day?key=geheim", Form())

    assert {START: UsdPerKwh.of("0.1")} == series() == series()
    with pytest.raises(Transient) as caught:
        series()
    assert str(caught.value).startswith("power: https://prices.example/day")
    assert "geheim" not in str(caught.value)

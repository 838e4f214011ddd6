"""``autopilot ledger`` tells what was accrued, reported and paid apart, and never takes what nobody told for zero."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autopilot.cli import ledger
from autopilot.errors import ConfigError, DataError, StoreError
from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.market import Basis, NativePrice, Quote
from autopilot.model.node import NativeAmount, Payout
from autopilot.store.accounts import Span, accounts, newest_price
from autopilot.store.ledger import Entry, Kind
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, START, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd, UsdPerHour

Run = Callable[..., Result]
GPU = DeviceId("gpu-0")
DAY = timedelta(days=1)
AKASH, NOSANA, SALAD = venue("akash"), venue("nosana"), venue("salad")


def booked(kind: Kind, place: str, usd: str, hour: int = 0) -> Entry:
    """One hour of one GPU."""
    at = START + hour * HOUR
    return Entry(at, at + HOUR, GPU, venue(place) if place != "idle" else IDLE, kind, Usd.of(usd), Basis.ESTIMATE)


def payout(ident: str, place: str, usd: str, hour: int, tokens: str = "", *, settled: bool = True) -> Payout:
    """For one hour of work, in NOS where an amount of them is given."""
    at, amount = START + hour * HOUR, Usd.of(usd)
    native = NativeAmount("NOS", Decimal(tokens), Decimal(usd) / Decimal(tokens)) if tokens else None
    return Payout(ident, venue(place), GPU, at, at + HOUR, amount, native, settled)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Nosana pays in tokens, akash reports and does not pay, salad says nothing, and some time was idle."""
    with closing(Store.open(tmp_path / "autopilot.db")) as books:
        with books.atomic():
            books.ledger.book(
                [
                    booked(Kind.EARNED, "akash", "1.25"),
                    booked(Kind.POWER, "akash", "0.035"),
                    booked(Kind.FEE, "akash", "0.02"),
                    booked(Kind.EARNED, "nosana", "3", 23),
                    booked(Kind.EARNED, "nosana", "1", 24),
                    booked(Kind.DARK, "nosana", "0", 23),
                    booked(Kind.POWER, "salad", "0.01"),
                    booked(Kind.POWER, "idle", "0.003"),
                ]
            )
            books.ledger.paid(
                [
                    payout("r1", "akash", "1.10", 1, settled=False),
                    payout("tx1", "nosana", "2.00", 22, "5"),
                    payout("tx2", "nosana", "1.50", 23, "3"),
                ]
            )
            books.rates.record([(quote(), MODEL)])
        yield books


def quote() -> Quote:
    """With the newest price of a token."""
    native = NativePrice("NOS", Decimal(1), Decimal("0.25"), START + 2 * DAY)
    seen = START + 2 * DAY
    return Quote(NOSANA, GPU, UsdPerHour.of("0.25"), seen, seen, seen + HOUR, Basis.ASK, "a test", native=native)


@pytest.fixture
def run(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in the folder of the state file, which somebody else holds open, on a terminal of 80 columns."""
    assert str(tmp_path / "autopilot.db") == store.connection.path
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *words: CliRunner().invoke(ledger.app, list(words))


DRAWN = """\
What the networks owe and pay, $

 network    accrued     reported         paid    power  fees      net      dark
 ──────────────────────────────────────────────────────────────────────────────
 akash         1.25         1.10          not     0.04  0.02    ~1.20       0 m
                                     reported
 idle             –            –            –     0.00  0.00     0.00       0 m
 nosana        4.00          not         3.50  unknown  0.00     3.50  1 h 00 m
                        reported
 salad      unknown          not          not     0.01  0.00  unknown       0 m
                        reported     reported

nosana: 8 NOS were 3.50 $ when paid; 2.00 $ at the price of 2026-01-03 00:00 UTC
net: paid, or where no payout is known accrued (~), less power and fees
"""


def test_what_nobody_told_is_not_zero(store: Store) -> None:
    """Unknown income, payouts and power are None; dark time and fees are all that was booked."""
    found = {each.network: each for each in accounts(store, Span())}

    assert (Usd.of("1.25"), Usd.of("1.10"), None) == (found["akash"].accrued, found["akash"].reported, found["akash"].paid)
    assert (Usd.of(4), None, Usd.of("3.50"), None) == (
        found["nosana"].accrued,
        found["nosana"].reported,
        found["nosana"].paid,
        found["nosana"].power,
    )
    assert (None, None, None, None) == (found["salad"].accrued, found["salad"].reported, found["salad"].paid, found["salad"].net)
    assert (HOUR, Usd.of("1.195")) == (found["nosana"].dark, found["akash"].net)


def test_a_table_says_so_in_words(run: Run) -> None:
    """Within 80 columns; tokens at the price of then and at the newest one."""
    lines = [line.rstrip() for line in run().stdout.splitlines()]

    assert DRAWN.splitlines() == lines
    assert max(map(len, lines)) <= 80


def test_reported_tokens_have_their_worth_of_then_and_now(run: Run, store: Store) -> None:
    """Apart from the paid ones, at the newest price on record, be it a quote's or a payout's. What was paid since is not added up."""
    owed = payout("tx3", "nosana", "1.20", 60, "4", settled=False)
    with store.atomic():
        store.ledger.paid([owed, replace(owed, settled=True)])
    told = next(each for each in json.loads(run("--json").stdout)["networks"] if each["network"] == "nosana")

    assert (1.2, 4.7, 4.7) == (told["reported_usd"], told["paid_usd"], told["net_usd"])
    assert (["paid", "reported"], ["12", "4"], [4.7, 1.2]) == (told["token_is"], told["token_amount"], told["token_usd_then"])
    assert ([3.6, 1.2], {"2026-01-03T13:00:00+00:00"}) == (
        [round(each, 9) for each in told["token_usd_now"]],
        set(told["token_price_as_of"]),
    )
    assert "nosana: 4 NOS were 1.20 $ when reported; 1.20 $ at the price of 2026-01-03 13:00 UTC" in " ".join(run().stdout.split())


def test_a_token_without_a_price_on_record_is_not_worth_nothing(store: Store) -> None:
    """Another network's token of the same name tells nothing about it."""
    assert None is newest_price(store, "akash", "NOS")
    assert None is newest_price(store, "nosana", "AKT")


def test_json_and_csv_name_their_units(run: Run) -> None:
    """What is not known is null, or empty."""
    networks = {each["network"]: each for each in json.loads(run("--json").stdout)["networks"]}
    rows = {row["network"]: row for row in csv.DictReader(run("--csv").stdout.splitlines())}

    assert (1.25, 1.1, None, "accrued") == tuple(
        networks["akash"][name] for name in ("accrued_usd", "reported_usd", "paid_usd", "net_is_of")
    )
    assert (["NOS"], ["8"], [3.5], [2.0]) == tuple(
        networks["nosana"][name] for name in ("token", "token_amount", "token_usd_then", "token_usd_now")
    )
    assert ("", "", "", "0.01") == tuple(rows["salad"][name] for name in ("accrued_usd", "paid_usd", "net_usd", "power_usd"))
    assert ("1.0", "3.5") == (rows["nosana"]["dark_hours"], rows["nosana"]["paid_usd"])


def test_a_span_counts_hours_by_their_start_and_payouts_by_their_end(run: Run) -> None:
    """The hour before midnight is of the day before; its payout, whose work ended at midnight, is of the day after."""
    first = json.loads(run("--until", "2026-01-02T00:00:00Z", "--json").stdout)["networks"]
    second = json.loads(run("--since", "2026-01-02T00:00:00Z", "--json").stdout)["networks"]

    assert [(3.0, 2.0)] == [(each["accrued_usd"], each["paid_usd"]) for each in first if each["network"] == "nosana"]
    assert [(1.0, 1.5)] == [(each["accrued_usd"], each["paid_usd"]) for each in second if each["network"] == "nosana"]


def test_a_payout_that_a_person_saw_is_booked_once(run: Run, store: Store) -> None:
    """Beside a program that holds the file; what it is called tells it apart from another of the same amount."""
    words = ("add", "salad", "12.50", "--at", "2026-01-05T12:00:00Z")
    says = [run(*words).stdout, run(*words).stdout, run(*words, "--ref", "0xabc", "--token", "30 CREDITS").stdout]
    found = next(each for each in accounts(store, Span()) if each.network == "salad")

    assert ["1 booked\n", "0 booked, 1 there already\n", "1 booked\n"] == says
    assert (Usd.of(25), None) == (found.paid, found.reported)
    assert [{"0xabc", "2026-01-05T12:00:00Z 12.5 $"}] == [
        set(each.refs) for each in accounts(store, Span(), daily=True) if each.day == "2026-01-05"
    ]
    assert [("CREDITS", Decimal(30), Usd.of("12.50"))] == [(each.token, each.amount, each.usd_then) for each in found.tokens]


def test_what_a_person_adds_hides_no_payout_of_the_network(run: Run, store: Store) -> None:
    """The network is asked for all since the last one that it told itself; one that it only reported is asked for again."""
    run("add", "nosana", "1", "--at", "2026-02-01T00:00:00Z")
    run("add", "akash", "1", "--at", "2026-02-01T00:00:00Z", "--reported")

    assert START + 24 * HOUR == store.ledger.last_payout("nosana")
    assert None is store.ledger.last_payout("akash")
    assert [Usd.of("2.10")] == [each.reported for each in accounts(store, Span()) if each.network == "akash"]


def test_a_payout_that_is_told_otherwise_later_is_booked_once(store: Store) -> None:
    """A span that was measured anew, or a market that got its name: the id is what counts, within one question too."""
    first = payout("tx9", "nosana", "1", 40)
    moved = replace(first, start=first.start - HOUR, end=first.end - HOUR)
    named = replace(first, venue=Venue(NOSANA.network, "a market"))
    with store.atomic():
        store.ledger.paid([first, moved])
        store.ledger.paid([named])

    assert [Usd.of("4.50")] == [each.paid for each in accounts(store, Span()) if each.network == "nosana"]


def test_what_is_owed_for_a_day_is_of_that_day(run: Run, store: Store) -> None:
    """Beside our estimate of it, and not of the day that begins when it is over."""
    owed = replace(payout("day", "akash", "1.20", 23, settled=False), start=START)
    with store.atomic():
        store.ledger.paid([owed])
    run("export", "tax.csv")
    rows = csv.DictReader(Path("tax.csv").read_text(encoding="utf-8").splitlines())

    assert START + DAY == owed.end
    assert [("2026-01-01", "2.3")] == [(row["day"], row["reported_usd"]) for row in rows if row["network"] == "akash"]


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3), (3, 2)])
def test_a_payout_that_is_shared_among_others_later_is_booked_once(before: int, after: int, store: Store) -> None:
    """A rig that got or lost a GPU is told the last days again; the sum stays what it was. A longer id is another payout."""
    day, devices = replace(payout("day", "nosana", "1", 40, "3"), settled=False), [DeviceId(f"gpu-{number}") for number in range(3)]
    with store.atomic():
        store.ledger.paid(day.among(devices[:before]))
        store.ledger.paid([*day.among(devices[:after]), replace(day, id="day2")])

    assert [Usd.of(2)] == [each.reported for each in accounts(store, Span()) if each.network == "nosana"]


def test_a_file_of_payouts_is_booked_whole_or_not_at_all(run: Run, store: Store) -> None:
    """Twice is once; a line that cannot be read is named, and nothing of the file is booked."""
    good = "network,amount_usd,at,ref\nsalad,1.5,2026-01-05T00:00:00Z,a\nsalad,2.5,2026-01-06T00:00:00Z,b\n"
    Path("good.csv").write_text(good, encoding="utf-8")
    Path("bad.csv").write_text(good.replace("2.5,", "lots,").replace(",a\n", ",c\n"), encoding="utf-8")
    says = [run("import", "good.csv").stdout, run("import", "good.csv").stdout]
    failed = run("import", "bad.csv")

    assert ["2 booked\n", "0 booked, 2 there already\n"] == says
    assert isinstance(failed.exception, ConfigError)
    assert str(failed.exception).startswith("bad.csv, line 3: amount: ")
    assert [Usd.of(4)] == [each.paid for each in accounts(store, Span()) if each.network == "salad"]


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (("add", "salad", "-1", "--at", "2026-01-05T00:00:00Z"), None, ""),
        (("add", "salad", "x", "--at", "2026-01-05T00:00:00Z"), ConfigError, "ledger add: amount: 'x' is not a number"),
        (("add", "salad", "1", "--at", "2026-01-05"), ConfigError, "has no zone"),
        (("add", "salad", "1", "--at", "2026-01-05T00:00:00Z", "--token", "12"), ConfigError, "write '12.5 NOS'"),
        (("add", "salad", "1", "--at", "2026-01-05T00:00:00Z", "--token", "0 NOS"), ConfigError, "must be above zero"),
        (("add", "salad", "1", "--at", "2026-01-05T00:00:00Z", "--state", "typo.db"), StoreError, "typo.db: no such file"),
        (("import", "none.csv"), DataError, "none.csv: cannot be read"),
        (("export", "x.txt"), DataError, "name it .csv"),
        (("export", "x.csv", "--since", "2030-01-01T00:00:00Z"), DataError, "nothing is booked in that time"),
    ],
)
def test_what_cannot_be_booked_or_written_is_one_line(run: Run, words: tuple[str, ...], kind: type[Exception] | None, says: str) -> None:
    """And nothing is: not even an empty file."""
    before = set(Path().iterdir())
    result = run(*words)

    assert result.exit_code != 0
    if kind is not None:
        assert isinstance(result.exception, kind)
        assert says in str(result.exception)
    assert before == set(Path().iterdir())


def test_the_tax_office_gets_a_row_a_day_and_network(run: Run) -> None:
    """All digits, the ids of the payouts, and nothing where nothing was told."""
    said = run("export", "tax.csv").stdout
    rows = list(csv.DictReader(Path("tax.csv").read_text(encoding="utf-8").splitlines()))
    days = {(row["day"], row["network"]): row for row in rows}

    assert f"tax.csv: {len(rows)} rows\n" == said
    assert [("2026-01-01", name) for name in ("akash", "idle", "nosana", "salad")] + [("2026-01-02", "nosana")] == list(days)
    assert ("1.25", "1.1", "", "0.035", "0.02") == tuple(
        days["2026-01-01", "akash"][name] for name in ("accrued_usd", "reported_usd", "paid_usd", "power_usd", "fees_usd")
    )
    last = days["2026-01-02", "nosana"]
    assert ("1", "1.5", "NOS", "3", "1.5", "1", "tx2") == tuple(
        last[name] for name in ("accrued_usd", "paid_usd", "token", "token_amount", "token_usd_then", "payouts", "refs")
    )


def test_a_payout_that_is_only_reported_is_asked_for_again() -> None:
    """A network tells first what it owes and then what it has paid, for the same work and under the same id."""
    fleet, asked = Fleet("akash"), list[datetime]()

    class Source:
        def payouts(self, since: datetime) -> list[Payout]:
            asked.append(since)
            return [payout("r1", "akash", "1.10", 0, settled=len(asked) > 1)]

    fleet.sites["akash"].payouts = Source()
    books = []
    for _ in range(3):
        fleet.decide()
        fleet.later(HOUR)
        books.append([(each.reported, each.paid) for each in accounts(fleet.store, Span()) if each.network == "akash"])

    owed = Usd.of("1.10")
    assert [[(owed, None)], [(owed, owed)], [(owed, owed)]] == books
    assert asked[0] == asked[1] < asked[2] == START + HOUR

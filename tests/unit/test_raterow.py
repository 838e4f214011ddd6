"""What a row of a rate file may say, and what is said of one that cannot be used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autopilot.store.ratefile import read_rates
from autopilot.store.raterow import BadRow, BadRows, RateRow
from autopilot.units import HOUR, Share, UsdPerHour

HEADER = "timestamp,network,gpu,usd_per_hour\n"
GOOD = "2026-01-01T00:00:00Z,akash,H100,2.5\n"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
ROW = RateRow(2, MIDNIGHT, "akash", "H100", UsdPerHour.of("2.5"))


def rows(folder: Path, content: str | bytes) -> list[RateRow | BadRow]:
    """What is read from a file with this content."""
    path = folder / "rates.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rates(path))


def only(folder: Path, cells: str, header: str = HEADER) -> RateRow | BadRow:
    """What is read of a file's one row."""
    (row,) = rows(folder, header + cells)
    return row


def test_optional_columns_become_quantities(tmp_path: Path) -> None:
    """Occupancy is a share, idle pay a rate, a job's length a span; an empty cell is not known."""
    header = "timestamp,network,gpu,usd_per_hour,occupancy,idle_usd_per_hour,job_hours\n"
    full, bare = rows(tmp_path, header + GOOD.strip() + ",0.75,0.1,1.5\n" + GOOD.strip() + ",,,\n")

    assert ROW._replace(occupancy=Share.of("0.75"), idle=UsdPerHour.of("0.1"), job_length=timedelta(minutes=90)) == full
    assert ROW._replace(line=3) == bare


def test_an_empty_rate_is_missing_and_not_zero(tmp_path: Path) -> None:
    """Unknown has a type of its own."""
    row = only(tmp_path, "2026-01-01T00:00:00Z,akash,H100,\n")

    assert isinstance(row, RateRow)
    assert row.rate is None


@pytest.mark.parametrize(
    ("timestamp", "hour"),
    [
        ("2026-01-01T02:00:00+02:00", MIDNIGHT),
        ("2025-12-31T19:00:00-05:00", MIDNIGHT),
        ("2026-01-01T05:30:00+05:30", MIDNIGHT),
        ("2026-01-01 00:00+00:00", MIDNIGHT),
        ("20260101T01Z", MIDNIGHT + HOUR),
    ],
)
def test_zones_are_instants(tmp_path: Path, timestamp: str, hour: datetime) -> None:
    """Every zone comes out as the same instant in UTC, and hours are full in UTC."""
    row = only(tmp_path, f"{timestamp},akash,H100,1\n")

    assert isinstance(row, RateRow)
    assert hour == row.hour
    assert row.hour.tzinfo is UTC


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ("2026-01-01T00:00:00,a,g,1", "has no zone"),
        ("2026-01-01,a,g,1", "has no zone"),
        ("2026-01-01T00:30:00Z,a,g,1", "is not a full hour"),
        ("2026-01-01T00:00:00+05:30,a,g,1", "is not a full hour"),
        ("2026-01-01T00:00:00.5Z,a,g,1", "is not a full hour"),
        ("yesterday,a,g,1", "is not ISO 8601"),
        (",a,g,1", "is not ISO 8601"),
        ("0001-01-01T00:00:00+01:00,a,g,1", "is out of range"),
        ("2026-01-01T00:00:00Z,,g,1", "network is empty"),
        ("2026-01-01T00:00:00Z,idle,g,1", "is the name of doing nothing"),
        ("2026-01-01T00:00:00Z,a,,1", "gpu is empty"),
        ("2026-01-01T00:00:00Z,a,g,lots", "usd_per_hour 'lots' is not a number"),
        ("2026-01-01T00:00:00Z,a,g, ", "usd_per_hour ' ' is not a number"),
        ("2026-01-01T00:00:00Z,a,g,nan", "usd_per_hour 'nan' is not a number"),
        ("2026-01-01T00:00:00Z,a,g,sNaN", "usd_per_hour 'sNaN' is not a number"),
        ("2026-01-01T00:00:00Z,a,g,-inf", "usd_per_hour '-inf' is not a number"),
        ("2026-01-01T00:00:00Z,a,g,Infinity", "usd_per_hour 'Infinity' is not a number"),
        ("2026-01-01T00:00:00Z,a,g,1e999999999999", "is not a number"),
        ("2026-01-01T00:00:00Z,a,g,9223372036.854775808", "is not a number"),
        ("2026-01-01T00:00:00Z,a,g,1_0", "usd_per_hour '1_0' is not a number"),
        ("2026-01-01T00:00:00Z,a,g,-0.1", "usd_per_hour '-0.1' is not a number from 0 up"),
        ("2026-01-01T00:00:00Z,a,g,-1e-30", "is not a number from 0 up"),
        ("2026-01-01T00:00:00Z,a,g", "3 cells where the header has 4"),
        ("2026-01-01T00:00:00Z,a,b,g,1", "5 cells where the header has 4"),
    ],
)
def test_a_bad_row_says_what_is_wrong_with_it(tmp_path: Path, cells: str, why: str) -> None:
    """The row is named by its line and its cell, and the rows around it are read."""
    before, bad, after = rows(tmp_path, HEADER + GOOD + cells + "\n" + GOOD)

    assert isinstance(bad, BadRow)
    assert bad.line == 3
    assert why in bad.why
    assert (ROW, ROW._replace(line=4)) == (before, after)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("occupancy", "1.1"),
        ("occupancy", "-0.1"),
        ("occupancy", "nan"),
        ("occupancy", "half"),
        ("idle_usd_per_hour", "-1"),
        ("idle_usd_per_hour", "inf"),
        ("job_hours", "0"),
        ("job_hours", "-1"),
        ("job_hours", "nan"),
        ("job_hours", "inf"),
        ("job_hours", "long"),
        ("job_hours", "1e9"),
    ],
)
def test_optional_cells_are_judged_too(tmp_path: Path, column: str, cell: str) -> None:
    """A share lies between 0 and 1, a rate is not negative, and a job takes time."""
    bad = only(tmp_path, GOOD.strip() + f",{cell}\n", HEADER.strip() + f",{column}\n")

    assert isinstance(bad, BadRow)
    assert f"{column} {cell!r}" in bad.why


@pytest.mark.parametrize(
    "name", [" akash ", "Idle", "IDLE", "nosana/rtx 4090", "[red]akash[/red]", "日本", "a\u202eb", "\x1b[31m", "e\u0301", "\xe9"]
)
def test_network_names_are_kept_byte_for_byte(tmp_path: Path, name: str) -> None:
    """Nothing is stripped, folded or normalised."""
    row = only(tmp_path, f"2026-01-01T00:00:00Z,{name},H100,1\n")

    assert isinstance(row, RateRow)
    assert name.encode() == row.network.encode()


def test_a_name_may_hold_the_signs_of_csv(tmp_path: Path) -> None:
    """A quoted name may hold commas, quotes and line ends; lines are counted as an editor counts them."""
    row, after = rows(tmp_path, HEADER + '2026-01-01T00:00:00Z,"a,""b""\n\rc",H100,1\n' + GOOD)

    assert isinstance(row, RateRow)
    assert row.network == 'a,"b"\n\rc'
    assert after.line == 5


def test_what_is_not_utf_8_is_a_bad_row(tmp_path: Path) -> None:
    """Bytes of another encoding spoil their row, and the message shows them."""
    before, bad = rows(tmp_path, (HEADER + GOOD).encode() + b"2026-01-01T00:00:00Z,aka\xffsh,H100,1\n")

    assert before == ROW
    assert isinstance(bad, BadRow)
    assert bad.why == "network 'aka\\udcffsh' is not UTF-8"


def test_a_message_shows_cells_safely(tmp_path: Path) -> None:
    """A terminal's control characters come out as escapes, and a long cell is cut."""
    bad = only(tmp_path, f"2026-01-01T00:00:00Z,a,g,\x1b[2J{'9' * 500}x\n")

    assert isinstance(bad, BadRow)
    assert bad.why.isprintable()
    assert len(bad.why) < 150


def test_many_bad_rows_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    """One line names the first five and how many there are."""
    bad = BadRows()
    for line in range(2, 1236):
        bad.add(BadRow(line, "gpu is empty"))
    said = str(bad.refusal(tmp_path, "Correct them"))

    assert said.startswith(f"{tmp_path}: 1,234 bad rows: line 2: gpu is empty; line 3: ")
    assert said.endswith("line 6: gpu is empty; and 1,229 more. Correct them")

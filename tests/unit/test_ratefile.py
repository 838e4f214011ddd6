"""What a rate file may look like, and what is said of one that cannot be used."""

from __future__ import annotations

import gzip
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autopilot.errors import DataError
from autopilot.store import ratefile
from autopilot.store.ratefile import read_rates
from autopilot.store.raterow import BadRow, RateRow
from autopilot.units import UsdPerHour

HEADER = "timestamp,network,gpu,usd_per_hour\n"
GOOD = "2026-01-01T00:00:00Z,akash,H100,2.5\n"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
ROW = RateRow(2, MIDNIGHT, "akash", "H100", UsdPerHour.of("2.5"))


def written(folder: Path, content: str | bytes, name: str = "rates.csv") -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(folder: Path, content: str | bytes, name: str = "rates.csv") -> list[RateRow | BadRow]:
    """What is read from a file with this content."""
    return list(read_rates(written(folder, content, name)))


def refusal(path: Path) -> str:
    """The sentence with which the file is refused."""
    with pytest.raises(DataError) as refused:
        list(read_rates(path))
    return str(refused.value)


def parquet(folder: Path, columns: dict[str, Any]) -> Path:
    """A Parquet file with these columns."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    path = folder / "rates.parquet"
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(HEADER + GOOD, id="plain"),
        pytest.param("\ufeff" + HEADER + GOOD, id="byte order mark"),
        pytest.param('\ufeff"timestamp","network","gpu","usd_per_hour"\n"2026-01-01T00:00:00Z","akash","H100","2.5"', id="quoted"),
        pytest.param((HEADER + GOOD).replace("\n", "\r\n"), id="Windows"),
        pytest.param((HEADER + GOOD).replace("\n", "\r"), id="old Mac"),
        pytest.param(HEADER + GOOD.rstrip(), id="no end of line at the end"),
        pytest.param("gpu,usd_per_hour,timestamp,network\nH100,2.5,2026-01-01T00:00:00Z,akash\n", id="another order"),
        pytest.param(
            "timestamp,note,network,gpu,usd_per_hour\n2026-01-01T00:00:00Z,\xff,akash,H100,2.5\n".encode("latin-1"), id="more columns"
        ),
    ],
)
def test_a_sound_file_is_read_however_it_was_written(tmp_path: Path, content: str | bytes) -> None:
    """Byte order mark, line ends, quotes, order and further columns change nothing."""
    assert [ROW] == rows(tmp_path, content)


@pytest.mark.parametrize("name", ["rates.csv.gz", "rates.gz", "rates"])
def test_gzip_is_told_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    """A compressed file is read, whatever its name."""
    assert [ROW] == rows(tmp_path, gzip.compress((HEADER + GOOD).encode()), name)


def test_lines_stay_right_over_blank_ones_and_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line number is the one that an editor shows, however the file is cut while it is read."""
    monkeypatch.setattr(ratefile, "_BLOCK", 7)
    read = rows(tmp_path, "\n" + HEADER + "\n" + GOOD + "\r\n" + GOOD + "\n\n" + "nonsense\n")

    assert [4, 6, 9] == [row.line for row in read]
    assert isinstance(read[-1], BadRow)


def test_progress_counts_every_byte_once(tmp_path: Path) -> None:
    """What is told adds up to the size of the file, compressed or not."""
    content = (HEADER + GOOD * 50_000).encode()
    for name, packed in (("rates.csv", content), ("rates.csv.gz", gzip.compress(content))):
        steps: list[int] = []
        path = written(tmp_path, packed, name)
        count = sum(1 for _ in read_rates(path, steps.append))

        assert count == 50_000
        assert sum(steps) == len(packed)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        (HEADER, "it has a header and no rows"),
        (HEADER + "\n\n", "it has a header and no rows"),
        ("timestamp,network,gpu,price\n" + GOOD, "no column 'usd_per_hour'; there is gpu, network, price, timestamp"),
        ("Timestamp,network,gpu,usd_per_hour\n" + GOOD, "no column 'timestamp'"),
        ("timestamp,network,gpu,usd_per_hr\n" + GOOD, "did you mean usd_per_hr?"),
        ("timestamp,network,gpu,usd_per_hour,gpu\n", "the column 'gpu' is there 2 times"),
        (GOOD, "no column 'timestamp'"),
        (HEADER + GOOD + '2026-01-01T00:00:00Z,"akash,H100,1\n' + GOOD, "is a quote left open?"),
        (b"\xff\xfet\x00i\x00m\x00e\x00", "no column 'timestamp'"),
        (b"\0" * 5_000_000, "a line is longer than"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, content: str | bytes, why: str) -> None:
    """The sentence names the file and what is wrong with it."""
    path = written(tmp_path, content)
    said = refusal(path)

    assert said.startswith(f"{path}: ")
    assert why in said
    assert said.isprintable()


def test_a_line_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    """A compressed file of one endless line is refused before it is unpacked."""
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(200):
            file.write(b"x" * 1_000_000)
    told: list[int] = []
    with pytest.raises(DataError, match="a line is longer than"):
        list(read_rates(path, told.append))

    assert sum(told) < path.stat().st_size


def test_files_that_are_not_there_or_not_files(tmp_path: Path) -> None:
    """A wrong path is one line."""
    assert refusal(tmp_path / "none.csv") == f"{tmp_path / 'none.csv'}: no such file"
    assert refusal(tmp_path).startswith(f"{tmp_path}: it is a directory")
    inside = written(tmp_path, HEADER) / "rates.csv"
    assert refusal(inside).startswith(f"{inside}: ")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """No permission is one line."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = written(tmp_path, HEADER + GOOD)
    path.chmod(0)

    assert refusal(path) == f"{path}: this user may not read it"


@pytest.mark.parametrize("damage", ["plain", "cut", "flipped", "tail"])
def test_damaged_gzip_is_refused(tmp_path: Path, damage: str) -> None:
    """Plain text under the name, a cut file and a changed byte are found, and the remedy is named."""
    packed = bytearray(gzip.compress((HEADER + GOOD * 10_000).encode()))
    if damage == "plain":
        packed = bytearray((HEADER + GOOD).encode())
    elif damage == "cut":
        packed = packed[:-20]
    elif damage == "flipped":
        packed[-6] ^= 0xFF
    else:
        packed += b"and more"
    said = refusal(written(tmp_path, bytes(packed), "rates.csv.gz"))

    assert "gzip" in said
    assert "fetch the file again" in said


@pytest.mark.parametrize("damage", ["not", "cut"])
def test_damaged_parquet_is_refused(tmp_path: Path, damage: str) -> None:
    """Whatever the library says of it is one line."""
    whole = parquet(tmp_path, {"timestamp": ["2026-01-01T00:00:00Z"], "network": ["a"], "gpu": ["g"], "usd_per_hour": [1.0]})
    path = written(tmp_path, b"no" if damage == "not" else whole.read_bytes()[:-30], "bad.parquet")
    said = refusal(path)

    assert said.startswith(f"{path}: not a Parquet file of rates, or damaged")
    assert said.isprintable()


def test_parquet_reads_like_csv(tmp_path: Path) -> None:
    """Timestamps as texts or as instants with a zone, rates as floats; null is missing and NaN is bad; the header counts as line 1."""
    import pyarrow as pa

    prague = datetime.fromisoformat("2026-01-01T01:00:00+01:00")
    times = pa.array([prague, prague, prague, prague + timedelta(minutes=1)], pa.timestamp("ns", tz="Europe/Prague"))
    rates = pa.array([2.5, None, float("nan"), 1.0])
    read = list(read_rates(parquet(tmp_path, {"network": ["akash"] * 4, "timestamp": times, "usd_per_hour": rates, "gpu": ["H100"] * 4})))

    assert [ROW, ROW._replace(line=3, rate=None)] == read[:2]
    assert [4, 5] == [row.line for row in read[2:] if isinstance(row, BadRow)]


def test_parquet_columns_of_other_kinds(tmp_path: Path) -> None:
    """Categories, decimals and texts say the same; a timestamp without a zone is naive."""
    import pyarrow as pa

    cells: dict[str, Any] = {
        "timestamp": ["2026-01-01T00:00:00Z"],
        "network": pa.array(["akash"]).dictionary_encode(),
        "gpu": pa.array([b"H100"]),
        "usd_per_hour": pa.array(["2.5"]).cast(pa.decimal128(10, 4)),
    }
    assert [ROW] == list(read_rates(parquet(tmp_path, cells)))

    (naive,) = read_rates(parquet(tmp_path, cells | {"timestamp": pa.array([datetime(2026, 1, 1)], pa.timestamp("us"))}))  # noqa: DTZ001
    assert isinstance(naive, BadRow)
    assert "has no zone" in naive.why


def test_parquet_lacks_a_column_or_rows(tmp_path: Path) -> None:
    """The same sentences as for CSV."""
    assert "no column 'usd_per_hour'; there is " in refusal(
        parquet(tmp_path, {"timestamp": ["x"], "network": ["a"], "gpu": ["g"], "usd": [1.0]})
    )
    assert "no column 'timestamp'; there is a" in refusal(parquet(tmp_path, {"a": [1]}))
    import pyarrow as pa

    nothing = pa.array([], pa.string())
    empty = parquet(tmp_path, dict.fromkeys(("timestamp", "network", "gpu", "usd_per_hour"), nothing))
    assert refusal(empty) == f"{empty}: it has a header and no rows"


def test_parquet_tells_its_progress(tmp_path: Path) -> None:
    """Over many batches the bytes add up to about the size of the file."""
    count = 50_000
    path = parquet(
        tmp_path,
        {"timestamp": ["2026-01-01T00:00:00Z"] * count, "network": ["a"] * count, "gpu": ["g"] * count, "usd_per_hour": [1.0] * count},
    )
    steps: list[int] = []
    assert sum(1 for _ in read_rates(path, steps.append)) == count
    assert len(steps) > 1
    assert sum(steps) == pytest.approx(path.stat().st_size, rel=0.01)


def test_rates_come_from_a_pipe_too() -> None:
    """A file that cannot be measured is read without progress."""
    reader, writer = os.pipe()
    with io.FileIO(writer, "w") as end:
        end.write((HEADER + GOOD).encode())
    try:
        assert [ROW] == list(read_rates(Path(f"/dev/fd/{reader}"), lambda _: None))
    finally:
        os.close(reader)

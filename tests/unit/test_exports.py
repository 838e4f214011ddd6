"""Rates come out of the store as they went in, and a file is written whole or not at all."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autopilot.errors import DataError, StoreError
from autopilot.store.exports import Selection, export_rates, write_rates
from autopilot.store.imports import import_rates
from autopilot.store.raterow import RateRow
from autopilot.store.store import Store
from autopilot.units import HOUR, Share, UsdPerHour

HEADER = "timestamp,network,gpu,usd_per_hour\n"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
DATA = os.environ.get("AUTOPILOT_TEST_DATA")
KINDS = (".csv", ".csv.gz", ".parquet")


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    with closing(Store.in_memory()) as empty:
        yield empty


def content(store: Store) -> list[Any]:
    """Every imported row, as it is stored."""
    return store.connection.execute("SELECT * FROM rates ORDER BY network, gpu, hour").fetchall()


def some_rows() -> list[RateRow]:
    """Rows with everything that a row may have."""
    return [
        RateRow(2, MIDNIGHT, "akash", "H100", UsdPerHour.of("2.000000001"), Share.of("0.123456789"), UsdPerHour(1), timedelta(seconds=100)),
        RateRow(3, MIDNIGHT, 'a,"b"\r\n\x00', "RTX 4090", UsdPerHour.of(0)),
        RateRow(4, MIDNIGHT + HOUR, "akash", "H100", None),
        RateRow(5, MIDNIGHT + 2 * HOUR, "akash", "H100", UsdPerHour.of(1000)),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_export_and_import_are_the_identity(store: Store, tmp_path: Path, kind: str) -> None:
    """What is exported and imported elsewhere is the same to the nano-dollar, odd names and optional columns too."""
    write_rates(tmp_path / "first.csv", some_rows(), extras=True)
    import_rates(store, tmp_path / "first.csv")
    assert export_rates(store, tmp_path / f"out{kind}", Selection()) == 4

    with closing(Store.in_memory()) as other:
        import_rates(other, tmp_path / f"out{kind}")
        assert content(store) == content(other)


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        (Selection(network="akash"), 3),
        (Selection(gpu="RTX 4090"), 1),
        (Selection(start=MIDNIGHT + HOUR), 2),
        (Selection(end=MIDNIGHT + HOUR), 2),
        (Selection("akash", "H100", MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR), 1),
    ],
)
def test_an_export_may_be_a_selection(store: Store, tmp_path: Path, selection: Selection, count: int) -> None:
    """By network, GPU model and hours; the end is exclusive. Columns that say nothing are left out."""
    write_rates(tmp_path / "first.csv", some_rows())
    import_rates(store, tmp_path / "first.csv")
    out = tmp_path / "out.csv"

    assert count == export_rates(store, out, selection)
    assert HEADER == out.read_bytes().decode().splitlines(keepends=True)[0]


def test_nothing_to_export_is_said(store: Store, tmp_path: Path) -> None:
    """No empty file is made."""
    with pytest.raises(DataError, match="no imported rates match"):
        export_rates(store, tmp_path / "out.csv", Selection(network="akash"))

    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_cannot_be_finished_is_not_there(tmp_path: Path, kind: str) -> None:
    """When the rows break off, the old file stands and no part is left."""
    out = tmp_path / f"out{kind}"
    write_rates(out, some_rows())
    before = out.read_bytes()

    def broken() -> Iterator[RateRow]:
        yield from some_rows() * 20_000
        raise StoreError("disk I/O error")

    with pytest.raises(StoreError):
        write_rates(out, broken())

    assert before == out.read_bytes()
    assert [out] == list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A folder that is not there, a folder instead of a file, a device, a full disk, an unknown kind."""
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "device.csv").symlink_to("/dev/null")
    (tmp_path / "full.csv.part").symlink_to("/dev/full")
    for name, why in {
        "none/out.csv": "cannot be written: No such file or directory",
        "folder.csv": "it is there and is no file",
        "device.csv": "it is there and is no file",
        "full.csv": "cannot be written: No space left on device",
        "out.xlsx": "name it .csv, .csv.gz or .parquet",
        "out.gz": "name it .csv, .csv.gz or .parquet",
    }.items():
        with pytest.raises(DataError) as refused:
            write_rates(tmp_path / name, some_rows())

        assert str(refused.value).startswith(f"{tmp_path / name}: {why}")
    assert ["device.csv", "folder.csv"] == sorted(path.name for path in tmp_path.iterdir())


def test_compressed_files_are_the_same_bytes(tmp_path: Path) -> None:
    """Neither the name nor the time of writing is in them."""
    write_rates(tmp_path / "one.csv.gz", some_rows())
    write_rates(tmp_path / "two.csv.gz", some_rows())

    assert (tmp_path / "one.csv.gz").read_bytes() == (tmp_path / "two.csv.gz").read_bytes()
    assert (tmp_path / "one.csv.gz").read_bytes()[4:8] == bytes(4)


@pytest.mark.skipif(not DATA, reason="AUTOPILOT_TEST_DATA names no folder of recorded rates")
@pytest.mark.parametrize("name", ["tokens", "subnets", "regions_t4", "regions_v100", "venues_h100_80gb_pcie"])
def test_recorded_rates_survive_the_round_trip(store: Store, tmp_path: Path, name: str) -> None:
    """A real file goes in, comes out with the same lines, and goes in again."""
    path = Path(str(DATA)) / f"{name}.csv.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    report = import_rates(store, path)
    export_rates(store, tmp_path / "out.csv", Selection())

    def cells(line: str) -> tuple[str, str, str, float | None]:
        timestamp, network, gpu, rate = line.split(",")
        return timestamp, network, gpu, float(rate) if rate else None

    assert len(lines) - 1 == report.rows == report.new
    assert sorted(map(str, map(cells, lines[1:]))) == sorted(map(str, map(cells, (tmp_path / "out.csv").read_text().splitlines()[1:])))
    assert import_rates(store, path).same == report.rows


MEASURED = {
    "import": "import_rates(Store.open(Path(sys.argv[2])), Path(sys.argv[1])).new",
    "panel": "int(read_panel(Path(sys.argv[1])).rates.size)",
}
MEASURE = """
import sys, time
from pathlib import Path
{imports}
rows = {call}
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(rows, int(peak.split()[1]) / 1024, time.process_time())
"""
IMPORTS = {
    "import": "from autopilot.store.imports import import_rates\nfrom autopilot.store.store import Store",
    "panel": "from autopilot.sim.panel import read_panel",
}

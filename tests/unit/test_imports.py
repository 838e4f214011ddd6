"""Recorded rates go into the store whole or not at all, and come out as they went in."""

from __future__ import annotations

import gzip
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from autopilot.errors import DataError, StoreError
from autopilot.store import ratefile
from autopilot.store.imports import import_rates, list_rates
from autopilot.store.store import Store
from autopilot.units import HOUR, UsdPerHour

HEADER = "timestamp,network,gpu,usd_per_hour\n"
GOOD = "2026-01-01T00:00:00Z,akash,H100,2.5\n2026-01-01T01:00:00Z,akash,H100,\n2026-01-01T00:00:00Z,nosana,H100,2.25\n"
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
IMPORT = """
from autopilot.store.imports import import_rates
from autopilot.store.store import Store
rows = import_rates(Store.open(Path(sys.argv[2])), Path(sys.argv[1])).new
"""
PANEL = """
from autopilot.sim.panel import read_panel
rows = read_panel(Path(sys.argv[1])).rates.size
"""
MEASURED = """
import sys, time
from pathlib import Path
{work}
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(rows, int(peak.split()[1]) / 1024, time.process_time())
"""


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    with closing(Store.in_memory()) as empty:
        yield empty


def written(folder: Path, rows: str, name: str = "rates.csv") -> Path:
    """A file with these rows."""
    path = folder / name
    path.write_text(HEADER + rows)
    return path


def content(store: Store) -> list[Any]:
    """Every imported row, as it is stored."""
    return store.connection.execute("SELECT * FROM rates ORDER BY network, gpu, hour").fetchall()


def test_an_import_says_what_it_did(store: Store, tmp_path: Path) -> None:
    """Rows are new, changed or there already, and missing rates are counted."""
    first = import_rates(store, written(tmp_path, GOOD))
    second = import_rates(store, written(tmp_path, GOOD.replace("2.25", "2.3") + "2026-01-01T02:00:00Z,akash,H100,2.6\n"))

    assert (3, 3, 0, 0, 1, 0) == (first.rows, first.new, first.changed, first.same, first.missing, first.bad)
    assert (4, 1, 1, 2, 1, 0) == (second.rows, second.new, second.changed, second.same, second.missing, second.bad)
    assert [2.5, None, 2.6, 2.3] == [nanos and nanos / 1e9 for _, _, _, nanos, *_ in content(store)]


def test_twice_is_the_same_as_once(store: Store, tmp_path: Path) -> None:
    """A file that is imported again changes nothing."""
    path = written(tmp_path, GOOD)
    import_rates(store, path)
    before = content(store)
    again = import_rates(store, path)

    assert (0, 0, 3) == (again.new, again.changed, again.same)
    assert before == content(store)


def test_a_rate_may_go_missing_and_come_back(store: Store, tmp_path: Path) -> None:
    """Missing is a value like any other: the newer file's word counts."""
    import_rates(store, written(tmp_path, GOOD))
    gone = import_rates(store, written(tmp_path, "2026-01-01T00:00:00Z,akash,H100,\n"))
    back = import_rates(store, written(tmp_path, "2026-01-01T00:00:00Z,akash,H100,2.5\n"))

    assert (1, 1) == (gone.changed, back.changed)
    assert content(store)[0][3] == 2_500_000_000


def test_bad_rows_refuse_the_whole_file(store: Store, tmp_path: Path) -> None:
    """They are counted and shown with their lines, and nothing is imported."""
    path = written(tmp_path, GOOD + "2026-01-01T05:00:00Z,akash,H100,nan\n2026-01-01T06:00:00Z,akash,H100,-1\n")
    with pytest.raises(DataError) as refused:
        import_rates(store, path)

    assert str(refused.value).startswith(f"{path}: 2 bad rows: line 5: usd_per_hour 'nan' is not a number from 0 up")
    assert "line 6: usd_per_hour '-1'" in str(refused.value)
    assert str(refused.value).endswith("leave them out with --skip-bad")
    assert [] == content(store)


def test_bad_rows_can_be_left_out(store: Store, tmp_path: Path) -> None:
    """Then the good ones are imported, and the bad ones are still told."""
    report = import_rates(store, written(tmp_path, "nonsense,akash,H100,1\n" + GOOD), skip_bad=True)

    assert (3, 3, 1) == (report.rows, report.new, report.bad)
    assert [2] == [row.line for row in report.first_bad]
    assert len(content(store)) == 3


def test_an_hour_that_stands_twice_refuses_the_file(store: Store, tmp_path: Path) -> None:
    """Both lines are named, also where the two write the same instant in other zones; nothing is imported, bad rows or not."""
    path = written(tmp_path, GOOD + "2026-01-01T02:00:00+02:00,akash,H100,9\n2026-01-01T00:00:00Z,akash,H100,9\nbad,a,g,1\n")
    with pytest.raises(DataError) as refused:
        import_rates(store, path, skip_bad=True)

    assert str(refused.value) == f"{path}: line 5: 2026-01-01T00:00:00Z 'akash' 'H100' stands at line 2 already; keep one of them"
    assert [] == content(store)


def test_order_and_zones_do_not_matter(store: Store, tmp_path: Path) -> None:
    """An unsorted file with mixed zones is the same history."""
    import_rates(store, written(tmp_path, GOOD))
    shuffled = "2025-12-31T20:00:00-05:00,akash,H100,\n2026-01-01T00:00:00Z,nosana,H100,2.25\n2026-01-01T05:30:00+05:30,akash,H100,2.50\n"
    report = import_rates(store, written(tmp_path, shuffled))

    assert (3, 0, 0) == (report.same, report.new, report.changed)


def test_a_refused_file_leaves_what_was_there(tmp_path: Path) -> None:
    """After any refusal the store is as before, and the next import works."""
    with closing(Store.open(tmp_path / "state.db")) as store:
        import_rates(store, written(tmp_path, GOOD))
        before = content(store)
        for bad in ("x,akash,H100,1\n", GOOD + GOOD):
            with pytest.raises(DataError):
                import_rates(store, written(tmp_path, bad))
        cut = tmp_path / "cut.csv.gz"
        cut.write_bytes(gzip.compress((HEADER + GOOD * 10_000).encode())[:-8])
        with pytest.raises(DataError, match="ends too early"):
            import_rates(store, cut)

        assert before == content(store)
        assert import_rates(store, written(tmp_path, GOOD)).same == 3


def test_an_interrupted_import_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a file takes back what was read of it."""
    monkeypatch.setattr(ratefile, "_BLOCK", 64)
    calls: list[int] = []

    def interrupt(count: int) -> None:
        calls.append(count)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_rates(store, written(tmp_path, GOOD), progress=interrupt)

    assert [] == content(store)
    assert import_rates(store, written(tmp_path, GOOD)).new == 3


def test_the_daemon_writes_on_while_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a long file holds no lock: another connection writes in the middle of it, and both succeed."""
    monkeypatch.setattr(ratefile, "_BLOCK", 64)
    state = tmp_path / "state.db"
    with closing(Store.open(state)) as importer, closing(Store.open(state)) as daemon:
        report = import_rates(importer, written(tmp_path, GOOD), progress=lambda _: daemon.journal.beat(MIDNIGHT, MIDNIGHT, 1, {}))

        assert report.new == 3
        assert (1,) == importer.connection.execute("SELECT count(*) FROM heartbeat").fetchone()


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    """The one line says what to do, and nothing is half-written."""
    with closing(Store.open(tmp_path / "state.db")) as store:
        import_rates(store, written(tmp_path, GOOD))
        before = content(store)
        (pages,) = store.connection.execute("PRAGMA page_count").fetchone()
        store.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        many = "".join(f"{MIDNIGHT + n * HOUR:%Y-%m-%dT%H:%M:%SZ},render,H100,1\n" for n in range(5000))
        with pytest.raises(StoreError, match="free some space"):
            import_rates(store, written(tmp_path, many))

        assert before == content(store)


def test_the_list_sums_up_what_was_imported(store: Store, tmp_path: Path) -> None:
    """By network and GPU model: the span, the rows, the missing ones and the mean of the others."""
    import_rates(store, written(tmp_path, GOOD + "2026-01-01T03:00:00Z,akash,H100,3.5\n2026-01-01T03:00:00Z,akash,A100,\n"))
    a100, h100, nosana = list_rates(store)

    assert ("akash", "A100", 1, 1, None) == (a100.network, a100.gpu, a100.rows, a100.missing, a100.mean)
    assert (MIDNIGHT, MIDNIGHT + 3 * HOUR, 3, 1, UsdPerHour.of(3)) == (h100.first, h100.last, h100.rows, h100.missing, h100.mean)
    assert nosana.network == "nosana"


@pytest.mark.long
@pytest.mark.parametrize("work", [IMPORT, PANEL], ids=["import", "panel"])
def test_a_long_file_takes_little_memory(tmp_path: Path, work: str) -> None:
    """200 MB of rows, four million, pass through the whole process in less than 300 MB and in minutes."""
    path, draw = tmp_path / "long.csv", random.Random(1)  # noqa: S311
    count, hour = 0, datetime(2020, 1, 1, tzinfo=UTC)
    with path.open("w") as file:
        file.write(HEADER)
        while file.tell() < 200_000_000:
            at = f"{hour:%Y-%m-%dT%H:%M:%SZ}"
            file.writelines(f"{at},network-{n:03},rtx4090,{draw.uniform(0.2, 0.5):.6f}\n" for n in range(80))
            count, hour = count + 80, hour + HOUR
    done = subprocess.run(
        [sys.executable, "-c", MEASURED.format(work=work), str(path), str(tmp_path / "state.db")],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, megabytes, seconds = map(float, done.stdout.split())

    assert count == rows
    assert megabytes < 300
    assert seconds < 300

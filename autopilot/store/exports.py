"""Files of rates and of accounts, written whole or not at all. Rates have the columns that the import reads."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from autopilot.errors import DataError
from autopilot.store.accounts import Account, Span, accounts
from autopilot.store.ledger import Kind
from autopilot.store.raterow import OPTIONAL, REQUIRED, RateRow, zulu
from autopilot.store.rates import VENUE
from autopilot.store.schema import instant, stamp, store_errors
from autopilot.store.store import Store
from autopilot.units import HOUR, Quantity, Share, UsdPerHour

_ROWS = 1 << 15
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the imported rates are meant; None is all of them."""

    network: str | None = None
    gpu: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    """Exclusive."""

    def values(self) -> tuple[str | None, ...]:
        """What stands for the question marks of the condition below."""
        return self.network, self.gpu, stamp(self.start) if self.start else "", stamp(self.end) if self.end else "~"


_CHOSEN = f"FROM rates WHERE {VENUE} = coalesce(?, {VENUE}) AND gpu = coalesce(?, gpu) AND hour >= ? AND hour < ?"
_COUNT = f"SELECT count(*), count(occupancy_ppb) + count(idle_nanos) + count(job_seconds) {_CHOSEN}"
_SELECT = f"SELECT hour, {VENUE}, gpu, usd_per_hour_nanos, occupancy_ppb, idle_nanos, job_seconds {_CHOSEN} ORDER BY hour, {VENUE}, gpu"


def export_rates(store: Store, out: Path, selection: Selection) -> int:
    """Write the imported rates to a file, oldest first, and say how many. Importing that file gives the same rates again.

    Raises DataError where nothing is selected or the file cannot be written; then nothing is.
    """
    with store.atomic():
        rows, extras = store.connection.execute(_COUNT, selection.values()).fetchone()
        if not rows:
            raise DataError("no imported rates match; `autopilot rates list` shows what there is")
        return write_rates(out, _selected(store, selection), extras=extras > 0)


def _selected(store: Store, selection: Selection) -> Iterator[RateRow]:
    rows = store.connection.execute(_SELECT, selection.values())
    with store_errors(store.connection.path):
        for line, (hour, network, gpu, nanos, share, idle, seconds) in enumerate(rows, 2):
            yield RateRow(
                line,
                instant(hour),
                network,
                gpu,
                None if nanos is None else UsdPerHour(nanos),
                None if share is None else Share(share),
                None if idle is None else UsdPerHour(idle),
                None if seconds is None else timedelta(seconds=seconds),
            )


def write_rates(out: Path, rows: Iterable[RateRow], *, extras: bool = False) -> int:
    """Write rows to a file: ``.csv``, ``.csv.gz`` or ``.parquet``, by its name. Returns how many there were.

    The optional columns are there only with ``extras``. The same rows give the same bytes. Raises DataError where the file
    cannot be written; then it is as it was before.
    """
    columns = REQUIRED + OPTIONAL if extras else REQUIRED
    if out.suffix == ".parquet":
        with _whole(out) as file:
            return _write_parquet(file, rows, columns)
    if out.suffix == ".csv":
        with _whole(out) as file:
            return _write_csv(file, rows, columns)
    if out.suffixes[-2:] == [".csv", ".gz"]:
        # Neither name nor time goes into the file: the same rows are the same bytes.
        with _whole(out) as file, gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
            return _write_csv(packed, rows, columns)
    raise DataError(f"{out}: name it .csv, .csv.gz or .parquet: the name says what is written")


LEDGER = (
    *("day", "network", "accrued_usd", "reported_usd", "paid_usd", "power_usd", "fees_usd", "dark_hours"),
    *("token", "token_amount", "token_usd_then", "payouts", "refs"),
)


def export_ledger(store: Store, out: Path, span: Span) -> int:
    """Write one row a day (UTC) and network, oldest first, and say how many. What nobody told is empty, and never zero.

    Amounts have all their digits. Raises DataError where nothing is booked in that time or the file cannot be written.
    """
    rows = accounts(store, span, daily=True)
    if not rows:
        raise DataError("nothing is booked in that time; `autopilot run` books, and `autopilot ledger add` takes what you saw paid")
    if out.suffix != ".csv":
        raise DataError(f"{out}: name it .csv")
    with _whole(out) as file:
        file.write("".join(",".join(map(_name, line)) + "\n" for line in (LEDGER, *map(_account, rows))).encode())
    return len(rows)


def _account(row: Account) -> tuple[str, ...]:
    money = (_number(each) for each in (row.accrued, row.reported, row.paid, row.power, row.fees))
    paid = [each for each in row.tokens if each.kind is Kind.PAID]
    tokens = zip(*((each.token, f"{each.amount:f}", _number(each.usd_then)) for each in paid), strict=True)
    native = tuple("; ".join(texts) for texts in tokens) or ("", "", "")
    return row.day, row.network, *money, f"{row.dark / HOUR:.4f}", *native, str(row.payouts), " ".join(row.refs)


@contextmanager
def _whole(out: Path) -> Iterator[BinaryIO]:
    """A new file that takes its name only when all of it is on the disk."""
    target = Path(os.path.realpath(out))
    part = target.with_name(f"{target.name}.part")
    try:
        if target.exists() and not target.is_file():
            raise DataError(f"{out}: it is there and is no file; choose another name")
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror or error}; nothing was") from None
    finally:
        with suppress(OSError):
            part.unlink()


def _batches(rows: Iterable[RateRow]) -> Iterator[list[RateRow]]:
    left = iter(rows)
    while batch := list(islice(left, _ROWS)):
        yield batch


def _write_csv(file: BinaryIO | gzip.GzipFile, rows: Iterable[RateRow], columns: Sequence[str]) -> int:
    file.write((",".join(columns) + "\n").encode())
    count = 0
    for batch in _batches(rows):
        file.write("".join(",".join(_texts(row)[: len(columns)]) + "\n" for row in batch).encode())
        count += len(batch)
    return count


def _texts(row: RateRow) -> tuple[str, ...]:
    """The row as the import reads it back."""
    hours = "" if row.job_length is None else repr(row.job_length / HOUR)
    return _hour(row.hour), _name(row.network), _name(row.gpu), _number(row.rate), _number(row.occupancy), _number(row.idle), hours


_hour = lru_cache(maxsize=1 << 12)(zulu)


@lru_cache(maxsize=1 << 12)
def _name(name: str) -> str:
    """In quotes where it needs them. Our own, since ``csv.writer`` leaves a lone carriage return bare."""
    return '"' + name.replace('"', '""') + '"' if set(name) & set('\r\n",') else name


def _number(quantity: Quantity | None) -> str:
    """All its digits and no zero too many."""
    if quantity is None:
        return ""
    whole, rest = divmod(abs(quantity.count), quantity.per_unit)
    return f"{'-' if quantity.count < 0 else ''}{whole}.{rest:09}".rstrip("0").rstrip(".")


def _write_parquet(file: BinaryIO, rows: Iterable[RateRow], columns: Sequence[str]) -> int:
    """Rates become float64, as every reader of Parquet expects: exact to the nano-dollar below a million USD an hour."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    kinds = {"timestamp": pa.timestamp("ms", tz="UTC"), "network": pa.string(), "gpu": pa.string()}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in columns])
    count = 0
    with ParquetWriter(file, schema) as writer:
        for batch in _batches(rows):
            values = list(zip(*map(_values, batch), strict=True))[: len(columns)]
            writer.write_batch(pa.record_batch([list(column) for column in values], schema))
            count += len(batch)
    return count


def _values(row: RateRow) -> tuple[datetime | str | float | None, ...]:
    numbers = (None if each is None else float(each) for each in (row.rate, row.occupancy, row.idle))
    return row.hour, row.network, row.gpu, *numbers, None if row.job_length is None else row.job_length / HOUR

"""Rate files: CSV, gzipped CSV and Parquet, read row by row in constant memory.

The columns are ``timestamp,network,gpu,usd_per_hour`` and, where known, ``occupancy,idle_usd_per_hour,job_hours``, in any
order; others are ignored. The kind of file is told by its first bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from autopilot.errors import DataError, did_you_mean
from autopilot.store.raterow import (
    OPTIONAL,
    REQUIRED,
    BadRow,
    RateRow,
    extras_of,
    gpu_of,
    hour_of,
    network_of,
    rate_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[int], None]
"""Told now and then how many more bytes of the file have been read."""

_BLOCK = 1 << 18
_LONGEST_LINE = 1 << 20


def read_rates(path: Path, progress: Progress | None = None) -> Iterator[RateRow | BadRow]:
    """Every row of the file, in its order. Memory does not grow with the file.

    Raises DataError, in one line, where the file as a whole cannot be used: it is not there, empty, damaged, lacks a column.
    """
    rows = 0
    with _file_errors(path), path.open("rb") as raw:
        magic = raw.peek(4)[:4]
        if magic == b"PAR1" or path.suffix == ".parquet":
            cells = _parquet_cells(path, progress)
        elif magic[:2] == b"\x1f\x8b" or path.suffix == ".gz":
            cells = _csv_cells(path, _blocks(path, gzip.GzipFile(fileobj=raw), raw, progress))
        else:
            cells = _csv_cells(path, _blocks(path, raw, raw, progress))
        for row in _rows(path, cells):
            rows += 1
            yield row
    if not rows:
        raise DataError(f"{path}: it has a header and no rows")


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    """Turn what the system says of a file into one line with the remedy."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: it is a directory; name the files in it") from None
    except PermissionError:
        raise DataError(f"{path}: this user may not read it") from None
    except EOFError:
        raise DataError(f"{path}: the gzip data ends too early; fetch the file again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: not gzip, or damaged ({error}); fetch the file again, or name it .csv if it is plain") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _blocks(path: Path, stream: BinaryIO | gzip.GzipFile, raw: BinaryIO, progress: Progress | None) -> Iterator[str]:
    """Whole lines, many at a time. What is not UTF-8 becomes surrogates, which no name may contain."""
    rest, told, start = b"", 0, True
    while block := stream.read(_BLOCK):
        if progress and raw.seekable():
            progress(raw.tell() - told)
            told = raw.tell()
        block = rest + (block.removeprefix(BOM_UTF8) if start else block)
        start = False
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if len(rest) > _LONGEST_LINE:
            raise DataError(f"{path}: a line is longer than {_LONGEST_LINE:,} bytes; this is not a file of rates")
        yield block[:end].decode("utf-8", "surrogateescape")
    yield rest.decode("utf-8", "surrogateescape")


def _csv_cells(path: Path, blocks: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with its line."""
    reader = csv.reader(chain.from_iterable(io.StringIO(block, newline="") for block in blocks), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}; is a quote left open?") from None


def _parquet_cells(path: Path, progress: Progress | None) -> Iterator[tuple[int, list[str]]]:
    """The header and each row as texts, so that one set of rules reads both kinds of file."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path, buffer_size=_BLOCK, pre_buffer=False)
        names = [name for name in file.schema_arrow.names if name in REQUIRED + OPTIONAL]
        yield 1, names or list(file.schema_arrow.names)
        size, rows, line = path.stat().st_size, max(1, file.metadata.num_rows), 1
        for batch in file.iter_batches(batch_size=1 << 14, columns=names):
            columns = [_texts(batch.column(place), batch.schema.names[place]) for place in range(len(names))]
            for number, cells in enumerate(zip(*columns, strict=True), line + 1):
                yield number, list(cells)
            line += batch.num_rows
            if progress:
                progress(size * batch.num_rows // rows)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        first_line, _, _ = str(error).partition("\n")
        raise DataError(f"{path}: not a Parquet file of rates, or damaged: {first_line}") from None


def _texts(column: pa.Array, name: str) -> list[str]:
    """The cells as a CSV file would have them."""
    import pyarrow as pa

    if name == "timestamp" and pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz and "UTC"))
    elif name in ("network", "gpu"):
        column = column.cast(pa.string())
    return ["" if cell is None else str(cell) for cell in column.to_pylist()]


def _rows(path: Path, numbered: Iterator[tuple[int, list[str]]]) -> Iterator[RateRow | BadRow]:
    """Each record as a row. The header is the first."""
    _, header = next(numbered, (0, []))
    hour, network, gpu, rate, *others = _places(path, header)
    width, plain = len(header), others == [-1, -1, -1]
    for line, cells in numbered:
        if len(cells) != width:
            yield BadRow(line, f"{len(cells)} cells where the header has {width}")
            continue
        try:
            row = RateRow(line, hour_of(cells[hour]), network_of(cells[network]), gpu_of(cells[gpu]), rate_of(cells[rate]))
            if not plain:
                row = RateRow(*row[:5], *extras_of(*("" if place < 0 else cells[place] for place in others)))
        except ValueError as error:
            yield BadRow(line, str(error))
        else:
            yield row


def _places(path: Path, header: list[str]) -> list[int]:
    """Where each of our columns stands, -1 for an optional one that is not there."""
    if not header:
        raise DataError(f"{path}: the file is empty")
    for name in REQUIRED:
        if name not in header:
            raise DataError(f"{path}: no column {name!r}; {did_you_mean(name, header)}")
    ours = REQUIRED + OPTIONAL
    for name in ours:
        if header.count(name) > 1:
            raise DataError(f"{path}: the column {name!r} is there {header.count(name)} times")
    return [header.index(name) if name in header else -1 for name in ours]

"""How rows are printed: as a table for a person, or as JSON or CSV, whose columns carry their units in their names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

CsvFlag = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")]
_LEAST = {"network": 9, "venue": 11, "from": 9, "to": 9, "end": 8, "reported": 9, "paid": 10}
"""The least widths of columns whose words may be folded."""
Row = Mapping[str, Any]


def print_json(rows: object) -> None:
    """What is not known is null."""
    typer.echo(json.dumps(rows, indent=2))


def print_csv(columns: Sequence[str], rows: Sequence[Row]) -> None:
    """One line for each row, below the names. What is not known is empty; of a list, its items with a space between."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(row[name]) for name in columns} for row in rows)
    typer.echo(out.getvalue(), nl=False)


def _cell(value: object) -> object:
    return " ".join("" if each is None else str(each) for each in value) if isinstance(value, list) else value


def table(title: str, *names: str, figures: Sequence[str] = ()) -> Table:
    """A table that fits 80 columns by folding names, never figures."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        made.add_column(
            name,
            justify="right" if name in figures else "left",
            no_wrap=name in figures and name not in _LEAST,
            overflow="fold",
            min_width=_LEAST.get(name),
        )
    return made

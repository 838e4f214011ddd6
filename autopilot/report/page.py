"""The page as HTML: one file, all of it inside, and no way out. It runs the two scripts that it was written with, and no other."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from autopilot.dashboard.words import plain
from autopilot.errors import ConfigError
from autopilot.report.shapes import Page, Part, Table

_INSTALL = 'a report needs plotly: pip install "yield-autopilot[report]"'
_FOOT = "Made by Yield Autopilot. Drag over a chart to look closer, click twice to step back, click a name below it to hide that line."
_FIRST = 3
"""So many strategies are shown when the page is opened; the others are one tick away."""


def ready(out: Path) -> None:
    """Raises ConfigError where the page could not be written, before anything that takes long is begun."""
    if find_spec("plotly") is None:
        raise ConfigError(_INSTALL)
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ConfigError(f"{out}: cannot be written: name a file in a folder that is there")


def write(page: Page, out: Path) -> None:
    """Write the page. Raises ConfigError where it cannot be written."""
    from plotly.offline import get_plotlyjs

    try:
        out.write_text(rendered(page, get_plotlyjs()), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror}") from None


def rendered(page: Page, library: str) -> str:
    """The whole text, with the library that draws (plotly.js) in it."""
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    figures = [part.figure for part in page.parts if part.figure is not None]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(library, script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">',
            f"<title>{_text(page.title)}</title><style>{style}</style></head><body>",
            f'<h1>{_text(page.title)}</h1><p class="subtitle">{_text(page.subtitle)}</p>',
            f'<ul class="summary">{"".join(f"<li>{_text(line)}</li>" for line in page.summary)}</ul>',
            *_filter(page),
            *_sections(page.parts),
            f"<footer>{_FOOT}</footer>",
            f'<script type="application/json" id="figures">{_json(figures)}</script>',
            f"<script>{library}</script><script>{script}</script></body></html>",
        ]
    )


def _policy(*scripts: str) -> str:
    """Nothing is loaded, and no script runs but these, named by their digests (W3C, Content Security Policy Level 3, §2.3.1)."""
    digests = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts)
    sources = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {sources}; style-src 'unsafe-inline'; img-src data: blob:"


def _text(words: str) -> str:
    return escape(plain(words))


def _json(value: object) -> str:
    """JSON that ends no script and opens no comment, whatever is in it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _filter(page: Page) -> Iterator[str]:
    """Where there is something to choose from."""
    groups = {"strategy": ("Strategies", page.strategies, _FIRST), "gpu": ("GPUs", page.gpus, len(page.gpus))}
    fields = [_fieldset(key, *group) for key, group in groups.items() if len(group[1]) > 1]
    if fields:
        yield f"<form>{''.join(fields)}</form>"


def _fieldset(key: str, title: str, names: Sequence[str], first: int) -> str:
    boxes = (
        f'<label><input type="checkbox" name="{key}" value="{escape(name)}"{" checked" if index < first else ""}> {_text(name)}</label>'
        for index, name in enumerate(names)
    )
    return f"<fieldset><legend>{title}</legend>{''.join(boxes)}</fieldset>"


def _sections(parts: Sequence[Part]) -> Iterator[str]:
    number = 0
    for part in parts:
        yield f"<section><h2>{_text(part.heading)}</h2>"
        yield from (f'<p class="words">{_text(words)}</p>' for words in part.words)
        if part.venues:
            chips = (f'<li><i style="background:{colour}"></i>{_text(name)}</li>' for name, colour in part.venues)
            yield f'<ul class="venues">{"".join(chips)}</ul>'
        if part.figure is not None:
            yield f'<div class="plot" data-figure="{number}"></div><p class="none">Nothing of what is ticked above is in this chart.</p>'
            number += 1
        yield from map(_table, part.tables)
        yield "</section>"


def _table(table: Table) -> str:
    caption = f"<caption>{_text(table.title)}</caption>" if table.title else ""
    head = "".join(f"<th{_kind(table, index)}>{_text(name)}</th>" for index, name in enumerate(table.columns))
    body = "".join(_row(table, row) for row in table.rows)
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(table: Table, row: Sequence[str]) -> str:
    cells = "".join(f"<td{_kind(table, index)}>{_text(cell)}</td>" for index, cell in enumerate(row))
    own = f' data-strategy="{escape(row[0])}"' if table.filtered else ""
    return f"<tr{own}>{cells}</tr>"


def _kind(table: Table, index: int) -> str:
    return ' class="word"' if index < table.words else ""

"""Progress bars on stderr, where a person is looking; nothing where nobody is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def reading(path: Path) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes of a file; call it with the number of bytes that were read since the last call."""
    size = path.stat().st_size if path.is_file() else 0
    with _bar(f"reading {path.name}", size) as advance:
        yield advance


@contextmanager
def counting(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar over a number of steps; call it after each."""
    with _bar(label, total) as advance:
        yield lambda: advance(1)


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    import sys

    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(label), total=total)
        yield lambda count: progress.advance(task, count)

"""The keys that a person presses, one at a time, without waiting for the end of a line."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import tty
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum, auto

_MOST = 1024
"""Bytes that are taken at once."""
_SEQUENCE = re.compile(rb"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)
"""One key: an arrow has three bytes, and more where a shift goes with it."""


class Key(Enum):
    """What a key means here."""

    UP = auto()
    DOWN = auto()
    ENTER = auto()
    BACK = auto()
    PAUSE = auto()
    HELP = auto()
    QUIT = auto()


_KEYS = {
    b"\x1b[A": Key.UP,
    b"\x1bOA": Key.UP,
    b"k": Key.UP,
    b"\x1b[B": Key.DOWN,
    b"\x1bOB": Key.DOWN,
    b"j": Key.DOWN,
    b"\r": Key.ENTER,
    b"\n": Key.ENTER,
    b"\x1b": Key.BACK,
    b"\x7f": Key.BACK,
    b" ": Key.PAUSE,
    b"?": Key.HELP,
    b"q": Key.QUIT,
    b"Q": Key.QUIT,
}

Pressed = Callable[[timedelta], Key | None]
"""The key that was pressed within a span, which ends with it; None where none was, or one that means nothing."""


@contextmanager
def keys() -> Iterator[Pressed]:
    """Read the keyboard key by key; the terminal is as it was afterwards. Where input is no terminal, no key is ever pressed."""
    source = sys.stdin.fileno()
    if not os.isatty(source):
        yield _waited
        return
    before = termios.tcgetattr(source)
    tty.setcbreak(source)
    try:
        yield _Keyboard(source).pressed
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)


def _waited(patience: timedelta) -> None:
    select.select([], [], [], patience.total_seconds())


class _Keyboard:
    """Keys that come faster than they are taken wait for their turn."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._waiting: deque[Key] = deque()

    def pressed(self, patience: timedelta) -> Key | None:
        if not self._waiting and select.select([self._source], [], [], patience.total_seconds())[0]:
            told = os.read(self._source, _MOST)
            self._waiting += read_keys(told) if told else [Key.QUIT]  # a terminal that was closed under us says nothing for ever
        return self._waiting.popleft() if self._waiting else None


def read_keys(told: bytes) -> list[Key]:
    """The keys that a terminal's bytes stand for; what means nothing here is left out."""
    return [_KEYS[each] for each in _SEQUENCE.findall(told) if each in _KEYS]

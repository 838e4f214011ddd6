"""From JSON that may hold anything to numbers, texts and addresses that make sense. What does not is Nonsense, with the field's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import base58

_NUMBER = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")
_MOST_BITS = 100
"""Of a whole number; the largest that Nosana uses has 64."""
_LONGEST_TEXT = 120
_KEY_BYTES = 32
_LONGEST_KEY = 44
"""Characters of base58 that 32 bytes can take."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What was read, and when and where it was said."""

    value: T
    seen_at: datetime
    source: str


class Nonsense(Exception):
    """An answer that cannot be what it claims to be. The message names the field."""


def member(row: Any, name: str, where: str) -> Any:
    """A field that must be there, though it may be null: fields that changed their names are noticed here."""
    if not isinstance(row, dict) or name not in row:
        raise Nonsense(f"{where} has no {name}")
    return row[name]


def listed(value: Any, where: str) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise Nonsense(f"{where} is {_shown(value)}, no list")
    return value


def number(value: Any, where: str, most: Decimal) -> Decimal:
    """A number from 0 to ``most``, or text that holds one in plain ASCII digits."""
    fits = isinstance(value, str | float) or (type(value) is int and value.bit_length() <= _MOST_BITS)
    text = str(value) if fits else ""
    if not _NUMBER.fullmatch(text) or Decimal(text) > most:
        raise Nonsense(f"{where} is {_shown(value)}, no number from 0 to {most:f}")
    return Decimal(text)


def whole(value: Any, where: str, most: int) -> int:
    """A whole number from 0 to ``most``, or text that holds one."""
    found = number(value, where, Decimal(most))
    if found != found.to_integral_value():
        raise Nonsense(f"{where} is {_shown(value)}, no whole number")
    return int(found)


def text(value: Any, where: str) -> str:
    """A short text that can be printed on one line."""
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise Nonsense(f"{where} is {_shown(value)}, no short text")
    return value


def address(value: Any, where: str) -> str:
    """The address of an account of Solana: 32 bytes in base58."""
    if not isinstance(value, str) or not is_address(value):
        raise Nonsense(f"{where} is {_shown(value)}, no address of Solana")
    return value


def is_address(written: str) -> bool:
    """Whether it is base58 of 32 bytes, written as Solana writes it."""
    if not (written.isascii() and written.isalnum() and len(written) <= _LONGEST_KEY):
        return False
    try:
        return len(base58.b58decode(written)) == _KEY_BYTES
    except ValueError:
        return False


def _shown(value: Any) -> str:
    shown = f"a number of {value.bit_length()} bits" if type(value) is int and value.bit_length() > _MOST_BITS else ascii(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"  # noqa: PLR2004

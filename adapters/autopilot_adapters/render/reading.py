"""Walking through an answer, so that whatever is wrong with it is said in one line that names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from autopilot.errors import Transient

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_MOST_BITS = 100
"""Of a whole number; the largest in these answers has 44."""


@dataclass(frozen=True, slots=True)
class Field:
    """A value, and the path to it: ``liability-epochs-data:data.epochs[3].amountDue``. Every method raises Transient."""

    network: str
    path: str
    value: Any

    def wrong(self, wanted: str) -> Transient:
        """The error that says what was expected here."""
        huge = type(self.value) is int and self.value.bit_length() > _MOST_BITS
        return Transient(self.network, f"{self.path} should be {wanted}, not {'a huge number' if huge else ascii(self.value)[:60]}")

    def member(self, name: str) -> Field:
        """A member of an object, which must be there: fields that changed their names are noticed here."""
        path = f"{self.path}{'' if self.path.endswith(':') else '.'}{name}"
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        if name not in self.value:
            raise Transient(self.network, f"{path} is missing from the answer")
        return Field(self.network, path, self.value[name])

    def items(self) -> Sequence[Field]:
        """The items of an array."""
        if not isinstance(self.value, list):
            raise self.wrong("an array")
        return [Field(self.network, f"{self.path}[{index}]", value) for index, value in enumerate(self.value)]

    def members(self) -> Mapping[str, Field]:
        """Every member of an object, by name."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return {name: self.member(name) for name in self.value}

    def number(self, least: int, most: int) -> Decimal:
        """A number of JSON (text is none, nor is true) within bounds."""
        sound = type(self.value) is float or (type(self.value) is int and self.value.bit_length() <= _MOST_BITS)
        if not sound or not least <= self.value <= most:
            raise self.wrong(f"a number from {least} to {most}")
        return Decimal(str(self.value))

    def count(self, least: int, most: int) -> int:
        """A whole number within bounds."""
        number = self.number(least, most)
        if number != int(number):
            raise self.wrong("a whole number")
        return int(number)

    def instant(self) -> datetime:
        """An instant with its zone, as UTC."""
        text = self.value if isinstance(self.value, str) else ""
        try:
            if _INSTANT.fullmatch(text):
                return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self.wrong("an instant like 2025-10-29T00:00:00.000Z")

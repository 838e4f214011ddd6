"""Walking through an answer, so that whatever is wrong with it is said in one line that names the field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from autopilot.errors import Transient

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]{1,20}Z?)?")
_MOST_BITS = 100
"""Of a whole number: more than any network counts to, and few enough to be printed."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Field:
    """A value within an answer, and the path to it: ``gpu-prices:models[3].price.med``. Every method raises Transient."""

    network: str
    path: str
    value: Any

    @property
    def absent(self) -> bool:
        """Whether the network says that there is none."""
        return self.value is None

    def wrong(self, wanted: str) -> Transient:
        """The error that says what was expected here."""
        huge = type(self.value) is int and self.value.bit_length() > _MOST_BITS
        return Transient(self.network, f"{self.path} should be {wanted}, not {'a huge number' if huge else ascii(self.value)[:60]}")

    def member(self, name: str) -> Field:
        """A member of an object, which must be there, though it may be null: fields that changed their names are noticed here."""
        path = f"{self.path}{'' if self.path.endswith(':') else '.'}{name}"
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        if name not in self.value:
            raise Transient(self.network, f"{path} is missing from the answer")
        return Field(self.network, path, self.value[name])

    def members(self) -> Mapping[str, Field]:
        """Every member of an object, by name."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return {name: self.member(name) for name in self.value}

    def items(self) -> Sequence[Field]:
        """The items of an array."""
        if not isinstance(self.value, list):
            raise self.wrong("an array")
        return [Field(self.network, f"{self.path}[{index}]", value) for index, value in enumerate(self.value)]

    def text(self) -> str:
        """Printable text on one line, of reasonable length."""
        if not isinstance(self.value, str) or not self.value.isprintable() or len(self.value) > _LONGEST:
            raise self.wrong("text")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def number(self, least: Decimal | int, most: Decimal | int) -> Decimal:
        """A number, or text that is one in plain ASCII digits, within bounds. NaN and infinity are none."""
        if not self._may_be_number() or not _NUMBER.fullmatch(str(self.value)) or not least <= Decimal(str(self.value)) <= most:
            raise self.wrong(f"a number from {least} to {most}")
        return Decimal(str(self.value))

    def number_or_none(self, least: Decimal | int, most: Decimal | int) -> Decimal | None:
        """The same, where null says that there is none."""
        return None if self.absent else self.number(least, most)

    def count(self, least: int, most: int) -> int:
        """A whole number within bounds."""
        number = self.number(least, most)
        if number != int(number):
            raise self.wrong("a whole number")
        return int(number)

    def instant(self) -> datetime:
        """An instant with its zone, in UTC, to the microsecond."""
        text = self.value if isinstance(self.value, str) else ""
        match = _INSTANT.fullmatch(text)
        try:
            if match:
                return datetime.fromisoformat(text[:19] + (match[1] or "")[:7] + match[2]).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self.wrong("an instant like 2025-10-29T00:00:00Z")

    def day(self) -> datetime:
        """The start of a day, UTC, from a date or an instant of it."""
        text = self.value if isinstance(self.value, str) else ""
        try:
            if _DAY.fullmatch(text):
                return datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            pass
        raise self.wrong("a date")

    def _may_be_number(self) -> bool:
        if type(self.value) is int:
            return self.value.bit_length() <= _MOST_BITS
        return isinstance(self.value, float | str)

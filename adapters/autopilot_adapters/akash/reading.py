"""Walking through an answer so that whatever is wrong with it is said in one line that names the field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from autopilot.errors import Transient

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]{1,20}Z?)?")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Field:
    """A value within an answer, and the path to it: ``gpu-prices:models[3].price.med``. Everything raises Transient."""

    network: str
    path: str
    value: Any

    @property
    def absent(self) -> bool:
        """Whether the network says that there is none."""
        return self.value is None

    def wrong(self, wanted: str) -> Transient:
        """The error that says what was expected here."""
        return Transient(self.network, f"{self.path} should be {wanted}, not {ascii(self.value)[:60]}")

    def member(self, name: str) -> Field:
        """A member of an object, which must be there."""
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

    def text(self) -> str:
        """Printable text of reasonable length."""
        if not isinstance(self.value, str) or not self.value.isprintable() or len(self.value) > _LONGEST:
            raise self.wrong("text")
        return self.value

    def number(self, least: Decimal | int, most: Decimal | int) -> Decimal:
        """A number, or text that is one in plain digits, within bounds."""
        text = str(self.value) if isinstance(self.value, int | float | str) and not isinstance(self.value, bool) else ""
        if not _NUMBER.fullmatch(text) or not least <= Decimal(text) <= most:
            raise self.wrong(f"a number from {least} to {most}")
        return Decimal(text)

    def count(self, most: int) -> int:
        """A whole number from nought on."""
        number = self.number(0, most)
        if number != int(number):
            raise self.wrong("a whole number")
        return int(number)

    def day(self) -> datetime:
        """The start of a day, UTC, from a date or an instant of it."""
        text = self.value if isinstance(self.value, str) else ""
        try:
            if _DAY.fullmatch(text):
                return datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            pass
        raise self.wrong("a date")

"""The unit of a figure, as people write it: ``$/h``, ``$/month``, ``NOS/h``, ``TAO/block``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from autopilot.errors import did_you_mean
from autopilot.kit.tokens import TOKENS

DOLLAR = "$"
BLOCK = "block"
_HOURS = {"h": Decimal(1), "day": Decimal(24), "week": Decimal(168), "month": Decimal("730.5")}
"""A month is a twelfth of 365.25 days."""
_UNIT = re.compile(r"(\$|[A-Z][A-Z0-9]*)/([a-z]+)")


@dataclass(frozen=True, slots=True)
class Unit:
    """So much of a currency in a time."""

    currency: str
    """``$``, or a token whose price the kit knows."""
    time: str

    def __str__(self) -> str:
        return f"{self.currency}/{self.time}"

    @property
    def hours(self) -> Decimal | None:
        """The length of its time; None for a block, whose length the configuration gives."""
        return _HOURS.get(self.time)


def unit_of(written: object) -> Unit:
    """From what the configuration says. Raises ValueError with the remedy."""
    match = _UNIT.fullmatch(str(written).strip())
    if not match or match[2] not in (*_HOURS, BLOCK):
        msg = f"{written!r} is no unit: write it like '$/h', '$/day', '$/month', 'NOS/h' or 'TAO/block'"
        raise ValueError(msg)
    if match[1] != DOLLAR and match[1] not in TOKENS:
        msg = f"no price of the token {match[1]!r} is known; {did_you_mean(match[1], TOKENS)}"
        raise ValueError(msg)
    return Unit(match[1], match[2])

"""Figures of the chain: whole rao, and how a figure is printed."""

from __future__ import annotations

from decimal import Decimal

from autopilot.kit.reading import Field

RAO = Decimal("1e-9")
"""The smallest part of a TAO and of an alpha."""


def rao(field: Field, most: Decimal | int) -> Decimal:
    """Whole rao as TAO or alpha, ``most`` of them. Raises Transient."""
    return field.count(0, int(most / RAO)) * RAO


def plain(number: Decimal) -> str:
    """A figure as a person can key it in again: nine significant digits, no exponent."""
    if not number:
        return "0"
    digits = f"{number:.{max(0, 8 - number.adjusted())}f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits

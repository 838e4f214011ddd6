"""How spans, amounts and names are written for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import SupportsFloat


def plain(words: str) -> str:
    """The words on one line, without anything that could steer a terminal."""
    return words if words.isprintable() else "".join(letter if letter.isprintable() else " " for letter in words)


def span(time: timedelta) -> str:
    """The two largest units: ``3 h 20 m``."""
    minutes = max(0, time // timedelta(minutes=1))
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60:02} m" if hours else f"{minutes} m"


def money(amount: SupportsFloat, digits: int = 2, *, signed: bool = False) -> str:
    """A number with its thousands, and without its unit."""
    # Adding zero turns a minus that rounding has left without a number into a plus.
    return f"{round(float(amount), digits) + 0.0:{'+' if signed else ''},.{digits}f}".replace("-", "−")


def percent(share: float) -> str:
    """A share with its sign: ``+6.9%``."""
    return f"{money(100 * share, 1, signed=True)}%"


def counted(number: float, one: str, more: str = "") -> str:
    """A number with its noun: ``1 GPU``, ``3 switches``."""
    figure = f"{round(number, 1):,}".removesuffix(".0")
    return f"{figure} {one if figure == '1' else more or one + 's'}"

"""What commands read from their options, each with one clear line when it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from autopilot.errors import ConfigError
from autopilot.units import Quantity, span_of

Q = TypeVar("Q", bound=Quantity)
T = TypeVar("T")

StateOption = Annotated[
    Path | None, typer.Option("--state", help="The state file. Default: the one that the configuration names, else autopilot.db.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration. Default: autopilot.toml in this folder, where there is one.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _read(option: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{option}: {error}") from None


def span(option: str, text: str) -> timedelta:
    """A duration with its unit. Raises ConfigError."""
    return _read(option, text, span_of)


def amount(option: str, text: str, kind: type[Q]) -> Q:
    """A quantity that is not negative, with or without its symbol. Raises ConfigError."""
    quantity = _read(option, text.removesuffix(kind.symbol).strip(), kind.of)
    if quantity.count < 0:
        raise ConfigError(f"{option}: must not be negative, is {text}")
    return quantity


def number(option: str, text: str) -> Decimal:
    """A finite number above zero, exactly as written. Raises ConfigError."""
    exact = _read(option, text, _decimal)
    if exact <= 0:
        raise ConfigError(f"{option}: must be above zero, is {text}")
    return exact


def _decimal(text: str) -> Decimal:
    try:
        exact = Decimal(text)
    except InvalidOperation:
        exact = Decimal("nan")
    if not exact.is_finite():
        msg = f"{text!r} is not a number"
        raise ValueError(msg)
    return exact


def at(option: str, text: str) -> datetime:
    """An instant with its zone, in UTC. Raises ConfigError for a naive one."""
    instant = _read(option, text, datetime.fromisoformat)
    if instant.tzinfo is None:
        raise ConfigError(f"{option}: {text} has no zone; write 2026-01-31T00:00:00Z")
    return _read(option, text, lambda _: instant.astimezone(UTC))


def at_least(option: str, number: float, low: float) -> None:
    """Raises ConfigError for a number that is too small, or none at all."""
    if not number >= low or number == float("inf"):
        raise ConfigError(f"{option}: must be {low:g} or more, is {number}")

"""When a GPU is its owner's, and how it is given back to him."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from autopilot.model.week import Hours


class Policy(StrEnum):
    """What is done when its owner wants a GPU."""

    DRAIN = "drain"
    """Its node takes no new work, and what runs may finish."""
    STOP = "stop"
    """Its node stops at once; only work that may not be broken is waited for."""
    IGNORE = "ignore"
    """Nothing: the owner shares it."""


@dataclass(frozen=True, slots=True)
class OwnerRule:
    """What holds for one GPU."""

    policy: Policy = Policy.DRAIN
    quiet: timedelta = timedelta(minutes=10)
    """How long nothing of its owner's must have been on it before a node comes back."""
    hours: tuple[Hours, ...] = ()
    """When it is its owner's, whatever runs."""

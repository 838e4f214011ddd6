"""The forecasters that the stack mixes: each says the rate of every venue at every anchor (docs/market.md §5)."""

from __future__ import annotations

import numpy as np

from autopilot_strategies.forecasting.features import HALF_LIVES, LEVEL, RHYTHM, Origins
from autopilot_strategies.forecasting.rhythm import Floats

BOOSTING = "boosting"
MEMBERS = (
    "persistence",
    *(f"average of {hours} h" for hours in HALF_LIVES),
    "without outliers",
    "hour of day",
    "hour of week",
    "average and rhythm",
    "ridge",
    BOOSTING,
)
"""Persistence is the first. The seasonal ones are naive: the last rate, moved by what the hour adds there and here."""
_DAY = MEMBERS.index("hour of day")


def guesses(origins: Origins, ridge: Floats, boosting: Floats) -> Floats:
    """(members, hours, anchors, venues), USD/h, in the order of MEMBERS; what the last two say is (hours, anchors, venues)."""
    now, then = origins.common[:, :, RHYTHM : RHYTHM + 2], origins.phase
    moved = np.zeros((len(MEMBERS), *ridge.shape))
    moved[1 : LEVEL + 2] = np.moveaxis(origins.common[:, :, : LEVEL + 1], 2, 0)
    moved[_DAY] = then[:, :, 0] - now[:, :, 0]
    moved[_DAY + 1] = moved[_DAY] + then[:, :, 1] - now[:, :, 1]
    moved[_DAY + 2] = origins.common[:, :, LEVEL + 1] + then.sum(axis=2)
    moved *= origins.scale
    moved += origins.base
    moved[-2], moved[-1] = ridge, boosting
    return moved

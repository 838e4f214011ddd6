"""Other futures for the same past: who decides otherwise because of one has seen what was to come."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Future = Callable[[Floats], Floats]
"""What becomes of the rates after an instant: hours x networks, NaN where a rate is missing."""

FUTURES: Mapping[str, Future] = {
    "gone": lambda rates: np.full_like(rates, np.nan),
    "reversed": lambda rates: rates[::-1],
    "higher": lambda rates: 1 + 10 * np.nan_to_num(rates),
    "exchanged": lambda rates: np.roll(rates, 1, axis=1),
}
"""Four ways in which everything may come otherwise. Exchanged, each network pays what its neighbour would have paid."""


def changed(rates: Floats, cut: int, future: Future) -> Floats:
    """The same rates up to an hour, exclusive, and another future from it on."""
    return np.concatenate([rates[:cut], future(rates[cut:])])

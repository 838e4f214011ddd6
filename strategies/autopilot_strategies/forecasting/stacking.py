"""How much each member counts: simplex weights for every anchor (docs/market.md §5).

A choice between venues needs their *differences*: an error that all venues near the top share costs nothing. So the squared
errors that are minimised are those left after removing the weighted mean over the venues near the top. A member whose own
such errors are not smaller than those of persistence is not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autopilot_strategies.forecasting.features import ANCHORS, Origins
from autopilot_strategies.forecasting.rhythm import DAY, Floats

_KEPT = float(np.exp2(-1.0 / 45.0))
"""Of the evidence, from day to day: a half-life of 45 days."""
_DOUBT = 0.3
"""Days of evidence, and as many for each day ahead, that hold the weights at persistence."""
_SUM = 1e3
"""How hard the weights are held to a sum of one, before they are scaled to it."""
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class Stack:
    """The evidence so far, and the weights solved from it. It learns a day at a time.

    Member 0 is persistence. The last column of the errors is what the weights themselves said at the time.
    """

    cross: Floats
    """(anchors, members + 1, members + 1): decayed sums of products of errors in differences, in the scale near the top."""
    levels: Floats
    """(anchors, members + 1): decayed sums of squared errors, each in the scale of its venue."""
    days: Floats
    """(anchors): of evidence, decayed."""
    weights: Floats
    """(anchors, members): not negative, with a sum of one."""

    @classmethod
    def start(cls, members: int) -> Self:
        """Nothing learned: persistence."""
        many = len(ANCHORS)
        weights = np.zeros((many, members))
        weights[:, 0] = 1.0
        return cls(np.zeros((many, members + 1, members + 1)), np.zeros((many, members + 1)), np.zeros(many), weights)

    @property
    def differences(self) -> Floats:
        """(anchors, members + 1): decayed sums of squared errors in differences."""
        return np.diagonal(self.cross, axis1=1, axis2=2)

    @property
    def skill(self) -> Floats:
        """(anchors, members + 1): 1 - MSE / MSE(persistence) on differences; 0 while nothing is measured."""
        return skill_of(self.differences)

    def learn(self, rates: Floats, origins: Origins, guesses: Floats) -> Stack:
        """Take in a day of rates (24, venues), where they were forecast from, and what was said; and solve again.

        ``guesses`` is (members + 1, hours, anchors, venues), the weights' own last.
        """
        error = np.moveaxis(guesses - rates[:, None], 2, 0)
        known = np.isfinite(error[:, 0])
        error = np.where(known[:, None], error, 0.0)
        near, scale = origins.near.swapaxes(0, 1) * known, origins.scale.swapaxes(0, 1)
        lean = _differences(error, near, scale)
        cross = _KEPT * self.cross + lean @ lean.swapaxes(1, 2)
        levels = _KEPT * self.levels + np.square(error / scale[:, None]).sum(axis=(2, 3))
        days = _KEPT * self.days + known.any(axis=(1, 2))
        return Stack(cross, levels, days, _solve(cross, days, self.weights))


def skill_of(squares: Floats) -> Floats:
    """1 - sum / sum of persistence for sums of squared errors (anchors, members + 1); 0 while persistence made none."""
    first = squares[:, :1]
    return np.where(first > 0.0, 1.0 - squares / np.where(first > 0.0, first, 1.0), 0.0)


def _differences(error: Floats, near: Floats, scale: Floats) -> Floats:
    """(anchors, members, hours x venues): what is left of the errors (anchors, members, hours, venues) near the top."""
    total = np.maximum(near.sum(axis=2), _NOTHING)
    unit = (near * scale).sum(axis=2) / total + _NOTHING
    shared = (near[:, None] * error).sum(axis=3) / total[:, None]
    lean: Floats = (error - shared[..., None]) * (np.sqrt(near) / unit[..., None])[:, None]
    return lean.reshape(*lean.shape[:2], -1)


def _solve(cross: Floats, days: Floats, before: Floats) -> Floats:
    weights = np.zeros_like(before)
    for a, ahead in enumerate(ANCHORS):
        products = cross[a, :-1, :-1]
        square = np.diagonal(products)
        used = np.concatenate(([0], np.flatnonzero(square < square[0])))
        doubt = _DOUBT * (1.0 + ahead / DAY) * square[0] / max(days[a], 1.0) + _NOTHING
        unit = square[0] + doubt
        products = (products[np.ix_(used, used)] + doubt * np.eye(len(used))) / unit
        weights[a, used] = simplex(products, (used == 0) * doubt / unit, before[a, used])
    return weights


def simplex(products: Floats, pull: Floats, weights: Floats) -> Floats:
    """The weights w, not negative and with a sum of one, that minimise w'Pw - 2p'w; P must be positive definite.

    Non-negative least squares by the active set of Lawson and Hanson, on the normal equations (Bro and De Jong, 1997), from
    weights that are near. SciPy has it too, and costs the daemon more memory than all of the forecasts.
    """
    products, pull = products + _SUM, pull + _SUM
    free = weights > 0.0
    weights = _inside(products, pull, weights, free)
    for _ in range(3 * len(pull)):
        slope = np.where(free, -np.inf, pull - products @ weights)
        if slope.max() <= _SUM * _NOTHING:
            break
        free[np.argmax(slope)] = True
        weights = _inside(products, pull, weights, free)
    shares: Floats = weights / weights.sum()
    return shares


def _inside(products: Floats, pull: Floats, weights: Floats, free: NDArray[np.bool_]) -> Floats:
    """The minimum over the free weights; one that would turn negative on the way there is held at zero, and no longer free."""
    while True:
        goal = np.zeros_like(weights)
        goal[free] = np.linalg.solve(products[free][:, free], pull[free])
        over = free & (goal <= 0.0)
        if not over.any():
            return goal
        step = (weights[over] / np.maximum(weights[over] - goal[over], _NOTHING)).min()
        weights = weights + step * (goal - weights)
        free &= weights > _NOTHING

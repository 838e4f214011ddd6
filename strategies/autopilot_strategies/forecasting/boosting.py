"""Quantile gradient boosting (docs/market.md §5): learned in the background, applied from plain arrays.

scikit-learn grows the trees, and only ``Lesson.learn`` imports it. What it leaves is the trees as arrays, read from the public
attributes of its estimators, so that the daemon predicts with numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from autopilot_strategies.forecasting.features import ANCHORS, Facts, Memory
from autopilot_strategies.forecasting.rhythm import DAY, Floats, Rhythm
from autopilot_strategies.forecasting.ridge import FEATURES, OUTLIER

if TYPE_CHECKING:
    from sklearn.ensemble import GradientBoostingRegressor

_QUANTILES = (0.1, 0.5, 0.9)
_PARTS = (0.3, 0.4, 0.3)
"""Of the three quantiles in the mean (Swanson's rule)."""
_TREES, _DEPTH, _RATE = 50, 3, 0.1
_SAMPLES = 8_000
_AHEAD = np.log2(np.array(ANCHORS, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Lesson:
    """The trees, each filled up to its full depth: node k goes on to 2k + 1 or, where the feature is above the threshold, 2k + 2.

    One model serves all anchors and venues: the features are those of the ridge, and the anchor.
    """

    hour: int
    """Hours from 1970-01-01T00Z to the end of the newest row that it has seen."""
    start: float
    """What it says before any tree."""
    feature: NDArray[np.int64]
    """(trees, 2^depth - 1)"""
    threshold: Floats
    """(trees, 2^depth - 1)"""
    value: Floats
    """(trees, 2^depth): what the leaves add, in scales."""

    @classmethod
    def learn(cls, rates: Floats, hour: int) -> Self | None:
        """From rates (hours, venues), USD/h, NaN where missing, of which the first row starts at ``hour``. Takes seconds.

        None where they hold nothing to learn from.
        """
        from sklearn.ensemble import GradientBoostingRegressor

        if len(rates) < DAY or not np.isfinite(rates).any():
            return None
        shown, target = _examples(_walked(rates, hour))
        start, trees = 0.0, []
        for quantile, part in zip(_QUANTILES, _PARTS, strict=True):
            model = GradientBoostingRegressor(
                loss="quantile", alpha=quantile, n_estimators=_TREES, max_depth=_DEPTH, learning_rate=_RATE, subsample=0.5, random_state=0
            ).fit(shown, target)
            start += part * float(model.init_.constant_[0, 0])
            trees += [_filled(tree, part * _RATE) for tree in model.estimators_[:, 0]]
        return cls(hour + len(rates), start, *(np.array(parts) for parts in zip(*trees, strict=True)))

    def predict(self, facts: Facts) -> Floats:
        """(hours, anchors, venues), USD/h."""
        shown = _shown(facts)
        moved = self.apply(shown.reshape(-1, FEATURES + 1)).reshape(shown.shape[:-1])
        rates: Floats = facts.base[:, None] + facts.scale[:, None] * moved
        return rates

    def apply(self, shown: Floats) -> Floats:
        """(examples): the mean, in scales, for features (examples, FEATURES + 1)."""
        seen = shown.astype(np.float32)  # as scikit-learn compares them
        tree, example = np.arange(len(self.feature)), np.arange(len(seen))[:, None]
        node = np.zeros((len(seen), len(tree)), dtype=np.int64)
        for _ in range(_DEPTH):
            node = 2 * node + 1 + (seen[example, self.feature[tree, node]] > self.threshold[tree, node])
        leaves: Floats = self.value[tree, node - self.feature.shape[1]]
        scales: Floats = self.start + leaves.sum(axis=1)
        return scales


def _walked(rates: Floats, hour: int) -> Facts:
    """What was known at the end of every hour, with the profiles learned day by day."""
    memory, rhythm, parts = Memory.start(rates.shape[1]), Rhythm.start(rates.shape[1]), []
    for first in range(0, len(rates), DAY):
        memory, facts = memory.extend(rates[first : first + DAY], hour + first, rhythm)
        parts.append(facts)
        if len(facts.rates) == DAY:
            rhythm = rhythm.learn(hour + first, facts.swing)
    return Facts.joined(parts)


def _shown(facts: Facts) -> Floats:
    """What the trees ask, (hours, anchors, venues, FEATURES + 1)."""
    hours, _, venues = facts.common.shape
    shape = (hours, len(ANCHORS), venues)
    common = np.broadcast_to(facts.common.swapaxes(1, 2)[:, None], (*shape, facts.common.shape[1]))
    ahead = np.broadcast_to(_AHEAD[:, None, None], (*shape, 1))
    return np.concatenate((common, facts.phase.swapaxes(2, 3), ahead), axis=-1)


def _examples(facts: Facts) -> tuple[Floats, Floats]:
    """Features and targets, thinned evenly to what can be learned from in seconds."""
    parts = []
    for a, ahead in enumerate(ANCHORS):
        rows = slice(0, max(len(facts.rates) - ahead, 0))
        target = (facts.rates[ahead:] - facts.base[rows]) / facts.scale[rows]
        hour, venue = np.nonzero(np.isfinite(target))
        thin = slice(None, None, 1 + len(hour) * len(ANCHORS) // _SAMPLES)
        hour, venue = hour[thin], venue[thin]
        ones = np.full((len(hour), 1), _AHEAD[a])
        shown = np.concatenate((facts.common[hour, :, venue], facts.phase[hour, a, :, venue], ones), axis=1)
        parts.append((shown, np.clip(target[hour, venue], -OUTLIER, OUTLIER)))
    return np.concatenate([shown for shown, _ in parts]), np.concatenate([target for _, target in parts])


def _filled(model: GradientBoostingRegressor, part: float) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Feature, threshold and value of one tree; below a leaf that is not at the full depth, all goes left."""
    tree = model.tree_
    nodes = [0]
    feature, threshold = np.zeros(2**_DEPTH - 1, dtype=np.int64), np.full(2**_DEPTH - 1, np.inf)
    for k in range(2**_DEPTH - 1):
        node = nodes[k]
        leaf = tree.children_left[node] < 0
        if not leaf:
            feature[k], threshold[k] = tree.feature[node], tree.threshold[node]
        nodes += [node, node] if leaf else [tree.children_left[node], tree.children_right[node]]
    return feature, threshold, part * tree.value[nodes[2**_DEPTH - 1 :], 0, 0]

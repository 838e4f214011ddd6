"""Direct ridge regression for every anchor, pooled over the venues (docs/market.md §5).

The target is the distance of the rate at the anchor from the last known one, in the recent scale: coefficients of zero are
persistence. Each venue has coefficients of its own, shrunk towards those of the pool as if it had started with so many hours
of the pool's average evidence (Lindley and Smith, 1972). The penalty grows with the anchor: targets that overlap tell less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from autopilot_strategies.forecasting.features import ANCHORS, COMMON, Facts
from autopilot_strategies.forecasting.rhythm import WEEK, Floats

FEATURES = COMMON + 2
"""The common ones, and the two phases of the anchor."""
OUTLIER = 6.0
"""Scales beyond which a feature or a target counts no more."""
_KEPT = float(np.exp2(-1.0 / 16.0))
"""Of the evidence, from week to week: a half-life of 16 weeks."""
_PENALTY = 20.0
"""Hours in which every feature is one scale, and nothing moves: for the pool, and for each hour ahead."""
_POOL = 2000.0
"""Hours of the pool's evidence that a venue starts from."""


@dataclass(frozen=True, slots=True)
class Ridge:
    """The evidence so far, and the coefficients solved from it. It learns a week at a time."""

    gram: Floats
    """(anchors, venues, FEATURES, FEATURES): decayed sums of the products of features."""
    moment: Floats
    """(anchors, venues, FEATURES): of features and target."""
    hours: Floats
    """(anchors, venues): how many rows went in, decayed."""
    common: Floats
    """(COMMON, anchors, venues): coefficients."""
    phase: Floats
    """(anchors, 2, venues): coefficients."""

    @classmethod
    def start(cls, venues: int) -> Self:
        """Nothing learned: persistence."""
        shape = (len(ANCHORS), venues)
        return cls(
            np.zeros((*shape, FEATURES, FEATURES)),
            np.zeros((*shape, FEATURES)),
            np.zeros(shape),
            np.zeros((COMMON, *shape)),
            np.zeros((len(ANCHORS), 2, venues)),
        )

    def predict(self, facts: Facts) -> Floats:
        """(hours, anchors, venues), USD/h."""
        moved = (_bounded(facts.common)[:, :, None] * self.common).sum(axis=1) + (_bounded(facts.phase) * self.phase).sum(axis=2)
        rates: Floats = facts.base[:, None] + facts.scale[:, None] * moved
        return rates

    def widened(self, venues: int) -> Ridge:
        """With so many more venues, never seen: what the pool says is all that is known of them."""
        more = Ridge.start(venues)
        gram, moment, hours = (np.concatenate((getattr(self, n), getattr(more, n)), axis=1) for n in ("gram", "moment", "hours"))
        return Ridge(gram, moment, hours, *_solve(gram, moment, hours))

    def learn(self, facts: Facts) -> Ridge:
        """Take in the rates of the last week as targets of the hours before them, and solve again."""
        gram, moment, hours = _KEPT * self.gram, _KEPT * self.moment, _KEPT * self.hours
        end = len(facts.rates)
        for a, ahead in enumerate(ANCHORS):
            rows = slice(max(end - WEEK - ahead, 0), max(end - ahead, 0))
            target = (facts.rates[rows.start + ahead : rows.stop + ahead] - facts.base[rows]) / facts.scale[rows]
            known = np.isfinite(target)
            target = _bounded(np.where(known, target, 0.0))
            shown = _bounded(np.concatenate((facts.common[rows], facts.phase[rows, a]), axis=1)) * known[:, None]
            shown = np.ascontiguousarray(shown.transpose(2, 1, 0))
            gram[a] += shown @ shown.transpose(0, 2, 1)
            moment[a] += (shown @ target.T[..., None])[..., 0]
            hours[a] += known.sum(axis=0)
        return Ridge(gram, moment, hours, *_solve(gram, moment, hours))


def _bounded(scales: Floats) -> Floats:
    return np.clip(scales, -OUTLIER, OUTLIER)


def _solve(gram: Floats, moment: Floats, hours: Floats) -> tuple[Floats, Floats]:
    """The coefficients: first for the pool, then for each venue with the pool as its prior."""
    penalty = _PENALTY * np.array(ANCHORS)[:, None, None] * np.eye(FEATURES)
    pooled = gram.sum(axis=1)
    common = np.linalg.solve(pooled + penalty, moment.sum(axis=1)[..., None])[..., 0]
    prior = penalty + _POOL * pooled / np.maximum(hours.sum(axis=1), 1.0)[:, None, None]
    drawn = moment + np.einsum("afg,ag->af", prior, common)[:, None]
    own = np.linalg.solve(gram + prior[:, None], drawn[..., None])[..., 0]
    return np.ascontiguousarray(own[..., :COMMON].transpose(2, 0, 1)), np.ascontiguousarray(own[..., COMMON:].swapaxes(1, 2))

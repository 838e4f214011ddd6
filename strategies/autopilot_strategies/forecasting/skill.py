"""How good each forecaster was of late against persistence, and which are used: for a person (docs/market.md §5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from autopilot_strategies.forecasting.features import ANCHORS
from autopilot_strategies.forecasting.members import BOOSTING, MEMBERS
from autopilot_strategies.forecasting.rhythm import Floats
from autopilot_strategies.forecasting.stacking import Stack, skill_of

_USED = 0.005
"""A smaller weight is not worth naming."""
_WIDTH = 20


@dataclass(frozen=True, slots=True)
class MemberSkill:
    """One forecaster, by anchor: 1 - MSE / MSE(persistence), walked forward, decayed with a half-life of 45 days."""

    name: str
    levels: tuple[float, ...]
    """On rates, each in the recent scale of its venue."""
    differences: tuple[float, ...]
    """On differences between the venues near the top, which is what a choice needs."""
    weights: tuple[float, ...]
    """How much it counts."""
    why: str
    """Where it is used, or why it is not."""


@dataclass(frozen=True, slots=True)
class Skill:
    """All of them."""

    members: tuple[MemberSkill, ...]
    mix: MemberSkill
    """What they say together: the forecast."""
    days: float
    """Of evidence for the next hour, decayed."""

    @classmethod
    def measured(cls, stack: Stack, *, taught: bool) -> Self:
        """From the evidence of a stack; and whether boosting has had a lesson."""
        levels, differences, weights = skill_of(stack.levels).T, stack.skill.T, stack.weights.T
        members = []
        for m, name in enumerate(MEMBERS):
            why = "not used: it has had no lesson" if name == BOOSTING and not taught else _why(weights[m], differences[m], stack.days)
            members.append(MemberSkill(name, _floats(levels[m]), _floats(differences[m]), _floats(weights[m]), why))
        mix = MemberSkill("mix", _floats(levels[-1]), _floats(differences[-1]), (1.0,) * len(ANCHORS), "the forecast")
        return cls(tuple(members), mix, float(stack.days[0]))

    def lines(self) -> Iterator[str]:
        """A table for a person."""
        yield f"skill against persistence on differences near the top: 1 - MSE / MSE(persistence), of {self.days:.0f} days of evidence"
        yield f"{'hours ahead':<{_WIDTH}}" + "".join(f"{ahead:>8}" for ahead in ANCHORS)
        for each in (*self.members, self.mix):
            yield f"{each.name:<{_WIDTH}}" + "".join(f"{skill:8.3f}" for skill in each.differences) + f"  {each.why}"


def _why(weights: Floats, differences: Floats, days: Floats) -> str:
    used = [str(ahead) for ahead, weight in zip(ANCHORS, weights, strict=True) if weight > _USED]
    if used:
        return f"in use {', '.join(used)} h ahead"
    if not days.any():
        return "not used: nothing is measured yet"
    if (differences > 0.0).any():
        return "not used: better than persistence, but of no use beside those in use"
    return "not used: does not beat persistence"


def _floats(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)

"""Not too soon, and not too often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import ClassVar

from autopilot.guards.case import Case
from autopilot.model.device import IDLE
from autopilot.model.plan import EntryCost
from autopilot.model.switch import State, Switch
from autopilot.units import span_text

_DAY = timedelta(days=1)
_LONGEST = 16
"""A venue that fails for ever is tried again after so many cooldowns: its program may have been mended."""


def _lately(ago: timedelta, span: timedelta) -> bool:
    """Whether it was within a span. What is dated later than now is of a clock that was put back since, and holds nobody for a day."""
    return timedelta(0) <= ago < span


def _ago(span: timedelta) -> str:
    return span_text(timedelta(seconds=span // timedelta(seconds=1)))


@dataclass(frozen=True, slots=True)
class Dwell:
    """A device stays where it is for a while, and for as long as the venue asks for. Idle is left at any time."""

    absolute: ClassVar[bool] = False

    least: timedelta

    def veto(self, case: Case) -> str | None:
        move, view = case.move, case.view
        stayed = view.now - view.placements[move.device].since
        least = max(self.least, view.entries.get((move.source, move.device), EntryCost()).least_stay)
        if move.source == IDLE or not _lately(stayed, least):
            return None
        return f"it came {_ago(stayed)} ago, and stays for {span_text(least)} at least"


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A venue that a switch turned back from is not tried again at once; one that fails again and again, for longer each time."""

    absolute: ClassVar[bool] = False

    span: timedelta

    def veto(self, case: Case) -> str | None:
        target = case.move.target
        tries = [switch for switch in reversed(case.past) if switch.target == target]
        back = next((each for each in tries if _turned_back(each)), None)
        strikes = sum(each.failed for each in takewhile(lambda each: each.state is not State.SETTLED, tries))
        span = self.span * min(2 ** max(strikes - 1, 0), _LONGEST)
        if back is None or not _lately(case.view.now - back.since, span):
            return None
        after = f" after {strikes} failures" if strikes > 1 else ""
        return f"a switch to {target} turned back {_ago(case.view.now - back.since)} ago, it is left alone for {span_text(span)}{after}"


def _turned_back(switch: Switch) -> bool:
    return switch.state is State.REVERTED or (switch.failed and switch.state is not State.SETTLED)


@dataclass(frozen=True, slots=True)
class DailyBudget:
    """So many switches a device in any 24 hours. Going idle is free."""

    absolute: ClassVar[bool] = False

    changes: int

    def veto(self, case: Case) -> str | None:
        if case.move.target == IDLE:
            return None
        recent = sum(switch.target != IDLE and _lately(case.view.now - switch.opened_at, _DAY) for switch in case.past)
        return f"{recent} switches in 24 h, {self.changes} are allowed" if recent >= self.changes else None

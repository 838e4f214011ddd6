"""What a venue was promised, or holds for us, is not given up for a better rate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from autopilot.economics import net_rate
from autopilot.guards.case import Case
from autopilot.model.device import IDLE
from autopilot.model.node import Lease
from autopilot.model.plan import EntryCost
from autopilot.units import ALL, Share, span_text

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A registration is not lost by leaving."""

    absolute: ClassVar[bool] = False

    def veto(self, case: Case) -> str | None:
        exit_cost = case.view.cost(case.device, case.move.target).exit
        return f"{exit_cost.identity}; guards.lose_registrations would allow it" if exit_cost.identity else None


@dataclass(frozen=True, slots=True)
class BusyLease:
    """Work that may not be broken is finished before the venue is left: a drain that would only turn back is not begun."""

    absolute: ClassVar[bool] = False

    drain: timedelta
    """How long a drain may last."""

    def veto(self, case: Case) -> str | None:
        kept = [lease for lease in case.view.placements[case.move.device].seen.leases if not lease.breakable]
        left = max((self._left(case, lease) for lease in kept), default=timedelta(0))
        if left <= self.drain:
            return None
        return f"its work may not be broken, and is to last {_rough(left)} more, where a drain may last {span_text(self.drain)}"

    def _left(self, case: Case, lease: Lease) -> timedelta:
        """What the network says, else what it expects."""
        return lease.until - case.view.now if lease.until else case.view.cost(case.device, case.move.target).exit.drain


@dataclass(frozen=True, slots=True)
class Uptime:
    """A venue that counts uptime is not left for so long that the promise would break. One that is broken already keeps nobody."""

    absolute: ClassVar[bool] = False

    dwell: timedelta
    """How long a device stays at the least where it goes."""

    def veto(self, case: Case) -> str | None:
        move, entries = case.move, case.view.entries
        here, there = entries.get((move.source, move.device), EntryCost()), entries.get((move.target, move.device), EntryCost())
        if case.facts is None or here.uptime is None:
            return None
        been = case.facts.presence(move.device, move.source)
        away = there.boot + max(self.dwell, there.least_stay) + here.boot
        after, promised = been.there / (been.span + away), _part(here.uptime)
        if been.there < been.span * promised or after >= promised:
            return None
        price = self._price(case, been.span, away)
        return f"{move.source} wants {promised:.1%} uptime, and {_rough(away)} away would make it {after:.1%}{price}"

    def _price(self, case: Case, span: timedelta, away: timedelta) -> str:
        """What keeping the promise costs, by the rates of now."""
        move, view = case.move, case.view
        promised = view.entries[move.source, move.device].uptime
        if promised is None or promised == ALL or move.target == IDLE:
            return ""
        wait = away / (1 - _part(promised)) - span - away
        lead = net_rate(view, case.device, move.target, wait) - net_rate(view, case.device, move.source, wait)
        return f"; it may go in {_rough(wait)}, and waiting costs {lead * wait}" if wait > timedelta(0) else ""


def _part(share: Share) -> float:
    return share.count / ALL.count


def _rough(span: timedelta) -> str:
    return span_text(span - span % _MINUTE)

"""Guards: each may veto a move, with its reason; none may invent one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopilot.guards.case import Case, Facts, Guard, Presence
from autopilot.guards.hardware import Heat, OwnerPresent
from autopilot.guards.money import DailyLoss, PayBack, StaleQuote
from autopilot.guards.places import Closed, RigScope
from autopilot.guards.promises import BusyLease, Identity, Uptime
from autopilot.guards.timing import Cooldown, DailyBudget, Dwell
from autopilot.model.switch import Limits

if TYPE_CHECKING:
    from autopilot.settings import GuardSettings  # a backtest flies without a configuration, and is not to wait for its import

__all__ = [
    "BusyLease",
    "Case",
    "Closed",
    "Cooldown",
    "DailyBudget",
    "DailyLoss",
    "Dwell",
    "Facts",
    "Guard",
    "Heat",
    "Identity",
    "OwnerPresent",
    "PayBack",
    "Presence",
    "RigScope",
    "StaleQuote",
    "Uptime",
    "chosen",
]


def chosen(settings: GuardSettings, limits: Limits = Limits()) -> tuple[Guard, ...]:
    """The guards that a configuration asks for."""
    guards: list[Guard] = [StaleQuote(), Dwell(settings.dwell), Cooldown(settings.cooldown), DailyBudget(settings.changes_per_day)]
    guards += [OwnerPresent(), Heat(settings.heat), BusyLease(limits.drain), Uptime(settings.dwell)]
    if not settings.lose_registrations:
        guards.append(Identity())
    if settings.pay_back is not None:
        guards.append(PayBack(settings.pay_back))
    if settings.daily_loss is not None:
        guards.append(DailyLoss(settings.daily_loss))
    return tuple(guards)

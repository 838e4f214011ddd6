"""Guards: each may veto a move, with its reason; none may invent one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar, Protocol

from autopilot.contracts import Scope
from autopilot.economics import net_rate
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.plan import Move
from autopilot.model.switch import State, Switch
from autopilot.model.view import View
from autopilot.settings import GuardSettings

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Case:
    """What a guard may look at."""

    move: Move
    moves: Sequence[Move]
    """All that would be made together, this one among them."""
    view: View
    device: Device
    past: Sequence[Switch]
    """The device's own switches, oldest first."""


class Guard(Protocol):
    """One rule."""

    @property
    def absolute(self) -> bool:
        """Whether it holds for what a person orders, too."""
        ...

    def veto(self, case: Case) -> str | None:
        """Why the move must not be made; None to let it pass."""
        ...


@dataclass(frozen=True, slots=True)
class StaleQuote:
    """Nobody is sent to a venue whose rate is not known now. Idle needs no rate."""

    absolute: ClassVar[bool] = False

    def veto(self, case: Case) -> str | None:
        target = case.move.target
        if target == IDLE or case.view.quote(target, case.device):
            return None
        return f"no rate of {target} is known now"


@dataclass(frozen=True, slots=True)
class Dwell:
    """A device stays where it is for a while. Idle is left at any time."""

    absolute: ClassVar[bool] = False

    least: timedelta

    def veto(self, case: Case) -> str | None:
        stayed = case.view.now - case.view.placements[case.move.device].since
        if case.move.source == IDLE or stayed >= self.least:
            return None
        return f"it came {stayed} ago, and stays for {self.least} at least"


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A venue that a switch turned back from is not tried again at once."""

    absolute: ClassVar[bool] = False

    span: timedelta

    def veto(self, case: Case) -> str | None:
        for switch in reversed(case.past):
            failed = switch.state is State.REVERTED and switch.target == case.move.target
            if failed and case.view.now - switch.since < self.span:
                return f"a switch to {case.move.target} turned back {case.view.now - switch.since} ago, it is left alone for {self.span}"
        return None


@dataclass(frozen=True, slots=True)
class DailyBudget:
    """So many switches a device in any 24 hours. Going idle is free."""

    absolute: ClassVar[bool] = False

    changes: int

    def veto(self, case: Case) -> str | None:
        if case.move.target == IDLE:
            return None
        recent = sum(switch.target != IDLE and case.view.now - switch.opened_at < _DAY for switch in case.past)
        return f"{recent} switches in 24 h, {self.changes} are allowed" if recent >= self.changes else None


@dataclass(frozen=True, slots=True)
class PayBack:
    """A move must earn its cost back within a time, by the quotes of now and the mean price of power until then."""

    absolute: ClassVar[bool] = False

    within: timedelta

    def veto(self, case: Case) -> str | None:
        move, view = case.move, case.view
        if move.target == IDLE:
            return None
        there = net_rate(view, case.device, move.target, self.within)
        lead = there - net_rate(view, case.device, move.source, self.within)
        back = view.cost(case.device, move.target).pays_back(lead, there)
        if back is None:
            return f"{move.target} has no lead over {move.source} now"
        return f"it pays back in {back}, {self.within} is the limit" if back > self.within else None


@dataclass(frozen=True, slots=True)
class Closed:
    """A venue that is closed to a device is no target, whatever a strategy believes of it."""

    absolute: ClassVar[bool] = True
    reasons: Mapping[tuple[Venue, DeviceId], str]

    def veto(self, case: Case) -> str | None:
        return self.reasons.get((case.move.target, case.move.device))


def chosen(settings: GuardSettings) -> tuple[Guard, ...]:
    """The guards that a configuration asks for."""
    guards: list[Guard] = [StaleQuote(), Dwell(settings.dwell), Cooldown(settings.cooldown), DailyBudget(settings.changes_per_day)]
    if settings.pay_back is not None:
        guards.append(PayBack(settings.pay_back))
    return tuple(guards)


@dataclass(frozen=True, slots=True)
class RigScope:
    """A network that takes whole rigs is entered and left by all devices together."""

    absolute: ClassVar[bool] = True

    scopes: Mapping[NetworkId, Scope] = field(default_factory=dict)

    def veto(self, case: Case) -> str | None:
        move = case.move
        for network in (move.source.network, move.target.network):
            if self.scopes.get(network) is Scope.RIG and not self._together(case, network):
                return f"{network} takes the whole rig, and not all devices move with it"
        return None

    def _together(self, case: Case, network: NetworkId) -> bool:
        after = {placement.device: placement.venue.network for placement in case.view.placements.values()}
        after.update({move.device: move.target.network for move in case.moves})
        return len({each == network for each in after.values()}) == 1

"""Where a device may be sent at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from autopilot.contracts import Scope
from autopilot.guards.case import Case
from autopilot.model.device import DeviceId, NetworkId, Venue


@dataclass(frozen=True, slots=True)
class Closed:
    """A venue that is closed to a device is no target, whatever a strategy believes of it."""

    absolute: ClassVar[bool] = True
    reasons: Mapping[tuple[Venue, DeviceId], str]

    def veto(self, case: Case) -> str | None:
        return self.reasons.get((case.move.target, case.move.device))


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

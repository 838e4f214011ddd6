"""What is ordered goes before what the strategy wants: persons and the GPUs themselves are asked at every tick."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Protocol

from autopilot.guards import Closed, Facts, Guard
from autopilot.model.device import IDLE, DeviceId
from autopilot.model.node import Placement
from autopilot.model.order import FREE, Bounds, Order
from autopilot.model.plan import Move, Plan, PlanId
from autopilot.model.switch import Switch
from autopilot.model.view import View
from autopilot.pilot.deciding import judge
from autopilot.pilot.executing import Executor
from autopilot.store.store import Store
from autopilot.units import Usd

_NO_SUM = Usd(0)
_NO_TIME = timedelta(0)


class Authority(Protocol):
    """Somebody besides the strategy who has a say."""

    def bounds(self, now: datetime, placements: Mapping[DeviceId, Placement]) -> Bounds:
        """What is asked for at this instant. Asked at every tick, so it keeps nothing that must survive."""
        ...


class Orderer:
    """Turns standing orders into moves. The first authority counts where two speak of the same."""

    def __init__(self, authorities: Sequence[Authority], guards: Sequence[Guard], executor: Executor, store: Store, facts: Facts) -> None:
        self._authorities = authorities
        self._guards = [guard for guard in guards if guard.absolute]
        self._executor = executor
        self._store = store
        self._facts = facts
        self.bounds = FREE
        """What all authorities asked for, together, when they were last asked."""
        self.refused: dict[DeviceId, str] = {}
        """Orders that a guard held back."""
        self.released: set[DeviceId] = set()
        """Devices that are the strategy's again since the authorities were last asked."""

    @property
    def bound(self) -> set[DeviceId]:
        """The devices that the strategy may not move."""
        return {*self.bounds.held, *self.bounds.orders}

    @property
    def reasons(self) -> Sequence[Mapping[DeviceId, str]]:
        """What keeps a device from the strategy, in words; the first counts."""
        return self.refused, self.bounds.held, {device: order.why for device, order in self.bounds.orders.items()}

    def listen(self, now: datetime, placements: Mapping[DeviceId, Placement]) -> bool:
        """Ask all authorities anew, and steer the switches that are under way by what they say. True where one is to turn."""
        before = self.bound
        self.bounds = reduce(Bounds.over, (each.bounds(now, placements) for each in self._authorities), FREE)
        self.released = before - self.bound
        self.refused = {}
        steered = self.bounds.orders.keys() & self._executor.open.keys()
        turning = {device: self._steer(device, self.bounds.orders[device]) for device in steered}
        return any(turning.values())

    def _steer(self, device: DeviceId, order: Order) -> bool:
        """True where the device's switch is to turn: back while its source is there, to idle while nothing serves."""
        switch = self._executor.open[device].switch
        if switch.target == order.target:
            self._executor.hurry(device, at_once=order.at_once)
        elif self._executor.free_to_return({device}):
            if switch.state.leaving:
                self._executor.recall(device, order.why)
            elif order.target == IDLE:
                self._executor.call_off(device, order.why)
            return switch.state.leaving or order.target == IDLE
        return False

    def wanted(self, immovable: Container[DeviceId], placements: Mapping[DeviceId, Placement]) -> list[Move]:
        """The moves that the orders still want, of devices that no switch is moving."""
        return [
            Move(device, placements[device].venue, order.target)
            for device, order in self.bounds.orders.items()
            if device not in self._executor.open and device not in immovable and placements[device].venue != order.target
        ]

    def open(self, moves: Sequence[Move], view: View, past: Mapping[DeviceId, Sequence[Switch]]) -> bool:
        """Open their switches, where no guard that holds for orders as well is against it. True where one was opened."""
        why = {device: order.why for device, order in self.bounds.orders.items()}
        plan = Plan(PlanId(f"order@{view.now:%Y-%m-%dT%H:%M:%S.%f}"), view.now, tuple(moves), _NO_SUM, _NO_SUM, _NO_TIME, "ordered", why)
        guards = (Closed(self.bounds.closed), *self._guards)
        verdict = judge(plan, view, guards, past, self._executor.moves(self._executor.open), self._facts)
        self.refused = {device: f"{why[device]}; held back: {veto}" for device, veto in verdict.vetoes.items()}
        with self._store.atomic():
            for move in verdict.allowed:
                self._executor.begin(move, plan.id, why[move.device], view.now)
        return bool(verdict.allowed)

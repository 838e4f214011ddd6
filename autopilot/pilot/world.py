"""The world that a pilot flies in: the only thing that differs between live, dry-run and backtest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autopilot.clock import Clock
from autopilot.contracts import Adapter
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import Limits
from autopilot.store.store import Store

Gather = Callable[[Sequence[Callable[[], Any]]], Sequence[Any]]
"""Asks all the questions and returns, in their order, what each one gave: its answer, or the exception it ended with."""


def in_turn(questions: Sequence[Callable[[], Any]]) -> list[Any]:
    """One question after the other: for worlds in which asking takes no time."""
    outcomes: list[Any] = []
    for question in questions:
        try:
            outcomes.append(question())
        except Exception as error:  # noqa: BLE001  # the asker sorts them
            outcomes.append(error)
    return outcomes


@dataclass(frozen=True, slots=True)
class World:
    """Time, devices, networks and memory."""

    clock: Clock
    devices: Sequence[Device]
    adapters: Mapping[NetworkId, Adapter]
    """By network. Idle is one of them."""
    store: Store
    draws: Mapping[DeviceId, Draw] = field(default_factory=dict)
    power: PowerPrice = PowerPrice()
    limits: Limits = Limits()
    gather: Gather = in_turn

"""The world that a pilot flies in: the only thing that differs between live, dry-run and backtest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from autopilot.clock import Clock
from autopilot.contracts import Adapter, Strategy
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.model.history import History
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import Limits
from autopilot.store.store import Store

Ask = Callable[[Callable[[], Any]], Future[Any]]
"""Puts a question and returns at once; what comes of it, an answer or an exception, will be in the future."""
Teach = Callable[[Strategy, History], Future[Strategy]]
"""Begins to fit a strategy and returns at once; the future gives a wiser one, or the same object where it learned nothing."""


def in_turn(question: Callable[[], Any]) -> Future[Any]:
    """Ask, and have the outcome: for worlds in which asking takes no time."""
    future: Future[Any] = Future()
    try:
        future.set_result(question())
    except Exception as error:  # noqa: BLE001  # the asker sorts them
        future.set_exception(error)
    return future


def at_the_desk(strategy: Strategy, history: History) -> Future[Strategy]:
    """Fit, and have the outcome: for worlds in which learning takes no time."""
    return in_turn(lambda: strategy.fit(history))


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
    ask: Ask = in_turn
    patience: timedelta = timedelta(minutes=2)
    """How long a network that was asked may keep us waiting before it is called silent, by the stopwatch."""
    teach: Teach = at_the_desk

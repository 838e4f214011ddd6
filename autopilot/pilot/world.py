"""The world that a pilot flies in: the only thing that differs between live, dry-run and backtest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from autopilot.clock import Clock
from autopilot.contracts import Adapter, NamedStrategy, Strategy
from autopilot.kit.series import Series
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.model.gpu import GpuState
from autopilot.model.history import History
from autopilot.model.plan import Tips
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import Limits
from autopilot.model.view import View
from autopilot.store.store import Store
from autopilot.units import Watts

Ask = Callable[[Callable[[], Any]], Future[Any]]
"""Puts a question and returns at once; what comes of it, an answer or an exception, will be in the future."""
Teach = Callable[[Strategy, History], Future[Strategy]]
"""Begins to fit a strategy and returns at once; the future gives a wiser one, or the same object where it learned nothing."""
Probe = Callable[[NamedStrategy, View], Future[Tips]]
"""Begins to look for the rates at which a strategy would have decided otherwise, and returns at once."""


class Answered(Future[Any]):
    """A future that was never waited for. It needs no lock, which in a backtest would cost more than most answers."""

    def __init__(self, value: Any, error: BaseException | None = None) -> None:
        self._value = value
        self._error = error

    def done(self) -> bool:
        """Always."""
        return True

    def result(self, timeout: float | None = None) -> Any:  # noqa: ARG002
        """What came of it. Raises what it ended with."""
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:  # noqa: ARG002
        """What it ended with; None where it was answered."""
        return self._error


def in_turn(question: Callable[[], Any]) -> Future[Any]:
    """Ask, and have the outcome: for worlds in which asking takes no time."""
    try:
        return Answered(question())
    except Exception as error:  # noqa: BLE001  # the asker sorts them
        return Answered(None, error)


def at_the_desk(strategy: Strategy, history: History) -> Future[Strategy]:
    """Fit, and have the outcome: for worlds in which learning takes no time."""
    return in_turn(lambda: strategy.fit(history))


def untold(device: DeviceId) -> Watts | None:  # noqa: ARG001
    """Nothing is measured."""
    return None


def nobody(device: Device) -> str:  # noqa: ARG001
    """Nobody can tell who is on a GPU."""
    return ""


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
    series: Series | None = None
    """Asked for the prices of power with every poll; None where nobody tells them."""
    drawn: Callable[[DeviceId], Watts | None] = untold
    """What a device is measured to draw at this moment; None where nobody measures it."""
    gpus: Callable[[], Mapping[DeviceId, GpuState]] = dict
    """What is known of the GPUs themselves, as of the last tick; nothing where they are simulated."""
    holder: Callable[[Device], str] = nobody
    """Whose process is on a GPU that no node of ours should be on, in words; empty where none is, or where nobody can tell."""
    probe: Probe | None = None
    """Asked after decisions, for those who want to know why; None where nobody will."""

"""What an adapter and a strategy are. Read this, and you can write either.

Every call returns soon: long work is started, and then *observed*. Every verb may be repeated and means the same as once.
An adapter raises nothing but ``Transient``, ``Refused`` and ``NodeFault`` (see ``autopilot.errors``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, Self, runtime_checkable

from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.gpu import Needs
from autopilot.model.history import History
from autopilot.model.kernel import Kernel
from autopilot.model.market import Answer, PastRate, Silence
from autopilot.model.node import Observation, Payout, Readiness
from autopilot.model.plan import Decision, EntryCost, ExitCost
from autopilot.model.view import View
from autopilot.units import UsdPerHour

CONTRACT_VERSION = 1
"""Raised when a member changes its meaning. The core supports this version and the one before."""


class Scope(StrEnum):
    """How much of a rig a network takes."""

    DEVICE = "device"
    """GPU by GPU."""
    RIG = "rig"
    """All GPUs of the host, or none."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a network asks of whoever joins it, as it is published. An adapter's factory may tell it as ``conditions``.

    A venue whose needs a GPU or its host does not meet is closed to it, unless ``[rig.needs]`` says otherwise.
    """

    needs: Needs = field(default_factory=Needs)
    markets: Mapping[str, Needs] = field(default_factory=dict)
    """What single markets ask for, by name, in place of ``needs``."""
    systems: tuple[str, ...] = ()
    """What its program runs on: ``Linux``, ``Windows``, ``WSL``; anything where none is named."""
    besides: str = ""
    """What no machine can look up: a stake, a waiting list."""


class RateSource(Protocol):
    """What a network would pay."""

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer | Silence]:
        """One answer for each pair of a venue and a device that this network could serve; one Silence for a venue that failed by itself.

        Raises Transient where there was no answer to be had, Refused where there never will be one.
        """
        ...


class NodeDriver(Protocol):
    """The network's program on this host."""

    def observe(self, device: Device) -> Observation:
        """Look, and change nothing. UNKNOWN rather than a guess."""
        ...

    def start(self, device: Device, venue: Venue) -> None:
        """Make the device serve the venue; this also undoes a drain. Raises NodeFault where it cannot."""
        ...

    def drain(self, device: Device) -> None:
        """Take no new work; what runs may finish. Seen as DRAINING from then on."""
        ...

    def stop(self, device: Device) -> None:
        """Be ABSENT. Leases that still run are broken, so it is only called when that was decided."""
        ...


@runtime_checkable
class Prepares(NodeDriver, Protocol):
    """A driver that can be asked before the node that earns now is touched; one that cannot is started unprepared."""

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        """Whether a start would succeed: the program and its image are there, the credentials are good.

        What takes long (an image to be fetched) is begun, and asked about again; nothing of a device is held for it. Of a
        network that takes whole rigs the least ready answer counts for all its devices.
        """
        ...


class PayoutSource(Protocol):
    """What a network really paid, and what it says it owes."""

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """Every payout for work that ended after the instant. One that was given before may come again, under the same id.

        What is only owed is not settled; it may come again settled. Raises Transient or Refused.
        """
        ...


class RateHistory(Protocol):
    """The past rates that a network publishes."""

    def hours(self, devices: Sequence[Device], since: datetime) -> Sequence[PastRate]:
        """What the network published for these devices' models, hour by hour, from an instant on. Raises Transient or Refused."""
        ...


@runtime_checkable
class Adapter(Protocol):
    """One network. Capabilities that a network lacks are None, so a wrapper cannot hide them."""

    @property
    def network(self) -> NetworkId: ...
    @property
    def scope(self) -> Scope: ...
    @property
    def rates(self) -> RateSource: ...
    @property
    def node(self) -> NodeDriver: ...
    @property
    def payouts(self) -> PayoutSource | None: ...
    @property
    def history(self) -> RateHistory | None: ...

    def exit_cost(self, seen: Observation) -> ExitCost:
        """What leaving would cost, given what was just seen."""
        ...

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:
        """What arriving would cost."""
        ...

    def close(self) -> None:
        """Let go of connections. Nodes run on."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """Where the devices should be. Built-in ones are frozen dataclasses whose fields are their parameters."""

    def decide(self, view: View) -> Decision:
        """Pure: the same view gives the same decision, and nothing outside the view is asked."""
        ...

    def fit(self, history: History) -> Self:
        """A wiser copy, learned from the past; ``self`` where there is nothing to learn.

        Pure, like ``decide``: a replay learns every lesson again. The daemon calls it in a process of its own, so the strategy and its
        copy must be picklable; loading the copy must import nothing heavy. A strategy with a class attribute ``learns = False`` is
        never asked, and costs no process.
        """
        ...


@runtime_checkable
class Sweepable(Strategy, Protocol):
    """A strategy that decides on each device by a kernel: a sweep can fly thousands of its settings at once.

    A strategy without one is complete; it is flown by itself.
    """

    @property
    def kernel(self) -> Kernel:
        """The decision that ``decide`` puts into words. Strategies that differ in parameters alone have the same functions in it."""
        ...


@runtime_checkable
class Explains(Strategy, Protocol):
    """A strategy that can say what its answer to a view rests upon, beside the sentence about each device."""

    def explain(self, view: View) -> Iterator[str]:
        """For a person, line by line."""
        ...

    def foreseen(self, view: View, device: Device) -> Mapping[Venue, UsdPerHour]:
        """What it expects the venues to earn, net of power, over the time that it plans for; none of those that it does not look at."""
        ...


@dataclass(frozen=True, slots=True)
class NamedStrategy:
    """A strategy as the configuration chose it, so that the journal can name it and replay can make it again."""

    name: str
    strategy: Strategy
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Those that were set, as they were written."""

    @property
    def named(self) -> dict[str, Any]:
        """As the journal has it."""
        return {"name": self.name, "parameters": dict(self.parameters)}

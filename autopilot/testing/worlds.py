"""A small world to fly in: networks whose rates, nodes and troubles a test sets by hand, and a pilot among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from autopilot.contracts import Adapter, NamedStrategy, PayoutSource, Scope
from autopilot.guards import Guard
from autopilot.idle import Idle
from autopilot.kit.series import Series
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.history import History
from autopilot.model.market import Answer
from autopilot.model.node import Observation
from autopilot.model.plan import Decision, EntryCost, ExitCost, Hold, Move, Plan, PlanId
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.pilot import Pilot, World
from autopilot.pilot.ordering import Authority
from autopilot.pilot.world import Ask, Teach, at_the_desk, in_turn, nobody, untold
from autopilot.sim.clock import SimClock
from autopilot.sim.node import Manner, Memory, SimNode
from autopilot.store.store import Store
from autopilot.testing.views import START, answer, device
from autopilot.units import HOUR, Usd, Watts


class Site:
    """A network with one market. Every field may be changed at any time; an exception in its place is raised when it is asked for."""

    scope = Scope.DEVICE
    history = None

    def __init__(self, name: str, clock: SimClock, manner: Manner | None = None, fee: Usd = Usd(0)) -> None:
        self.network = NetworkId(name)
        self.venue = Venue(self.network)
        self.rate: str | Exception | None = "0.40"
        """USD an hour for any device; None offers nothing."""
        self.entry: EntryCost | Exception = EntryCost(boot=(manner or Manner()).boot, fee=fee)
        self.exit: ExitCost | Exception = ExitCost()
        self.payouts: PayoutSource | None = None
        self.seen: Callable[[Device], Observation] | Exception | None = None
        """What a look shows, where that is not the truth."""
        self.deaf: Exception | None = None
        """What every verb ends with, where it is not obeyed."""
        self.told: list[str] = []
        """Every verb, obeyed or not."""
        self.memory = Memory()
        self._clock = clock
        self._sim = SimNode(self.network, clock, manner or Manner(), self.memory)

    @property
    def rates(self) -> Self:
        return self

    @property
    def node(self) -> Self:
        return self

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """Quotes that count for an hour."""
        now = self._clock.now()
        if isinstance(self.rate, Exception):
            raise self.rate
        return [answer(self.network, each, self.rate, now, now) for each in devices]

    def observe(self, device: Device) -> Observation:
        """The truth, unless something else was set to be seen."""
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen(device) if self.seen else self._sim.observe(device)

    def start(self, device: Device, venue: Venue) -> None:
        self._hear("start")
        self._sim.start(device, venue)

    def drain(self, device: Device) -> None:
        self._hear("drain")
        self._sim.drain(device)

    def stop(self, device: Device) -> None:
        self._hear("stop")
        self._sim.stop(device)

    def _hear(self, verb: str) -> None:
        self.told.append(verb)
        if self.deaf is not None:
            raise self.deaf

    def exit_cost(self, seen: Observation) -> ExitCost:  # noqa: ARG002
        if isinstance(self.exit, Exception):
            raise self.exit
        return self.exit

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002
        if isinstance(self.entry, Exception):
            raise self.entry
        return self.entry

    def close(self) -> None:
        """Nothing is open."""

    def holds(self, device: Device) -> bool:
        """Whether it really holds the device."""
        return self.memory.last(device.id) is not None


@dataclass
class Wishes:
    """A strategy that wants every device where the test says, and remembers what it was shown."""

    targets: dict[DeviceId, Venue] = field(default_factory=dict)
    views: list[View] = field(default_factory=list)

    def decide(self, view: View) -> Decision:
        """Move the free devices that are not where they are wanted."""
        self.views.append(view)
        wanted = [(each, self.targets.get(each.id)) for each in view.free()]
        moves = tuple(Move(each.id, view.venue(each), target) for each, target in wanted if target and target != view.venue(each))
        if not moves:
            return Hold(view.now, "all is as it should be")
        return Plan(PlanId(f"wish-{len(self.views)}"), view.now, moves, Usd(0), Usd(0), HOUR, "a wish")

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Wishes learn nothing."""
        return self


class Fleet:
    """A pilot with its clock, networks and store."""

    def __init__(
        self,
        *names: str,
        gpus: int = 1,
        manner: Manner | None = None,
        fee: Usd = Usd(0),
        guards: Sequence[Guard] = (),
        draw: Draw = Draw(),
        power: PowerPrice = PowerPrice(),
    ) -> None:
        self.clock = SimClock(START)
        self.devices = tuple(device(number) for number in range(gpus))
        self.sites = {name: Site(name, self.clock, manner, fee) for name in names}
        self.store = Store.in_memory()
        self.wishes = Wishes()
        self.guards = guards
        self.draws: Mapping[DeviceId, Draw] = {each.id: draw for each in self.devices}
        self.power = power
        self.ask: Ask = in_turn
        self.teach: Teach = at_the_desk
        self.patience = timedelta(minutes=2)
        self.authorities: Sequence[Authority] = ()
        self.holder: Callable[[Device], str] = nobody
        self.series: Series | None = None
        self.drawn: Callable[[DeviceId], Watts | None] = untold
        self.pilot = self.restart()

    def restart(self, *, live: bool = True) -> Pilot:
        """A new pilot that knows nothing but what the store and the nodes tell."""
        adapters: dict[NetworkId, Adapter] = {site.network: site for site in self.sites.values()}
        adapters[IDLE.network] = Idle(self.clock)
        world = World(
            *(self.clock, self.devices, adapters, self.store, self.draws, self.power),
            ask=self.ask,
            patience=self.patience,
            teach=self.teach,
            series=self.series,
            drawn=lambda device: self.drawn(device),  # noqa: PLW0108  # a test may set another at any time
            holder=lambda device: self.holder(device),  # noqa: PLW0108
        )
        self.pilot = Pilot(world, NamedStrategy("wishes", self.wishes), self.guards, self.authorities, live=live)
        return self.pilot

    def venue(self, name: str) -> Venue:
        """The venue of a network of this world, or idle."""
        return self.sites[name].venue if name in self.sites else IDLE

    def wish(self, name: str, gpu: int = 0) -> None:
        """Want a device there from the next decision on."""
        self.wishes.targets[self.devices[gpu].id] = self.venue(name)

    def at(self, gpu: int = 0) -> Venue:
        """Where the pilot believes the device to be."""
        return self.pilot.placements[self.devices[gpu].id].venue

    def later(self, span: timedelta) -> datetime:
        """Let time go by, and nothing happen."""
        self.clock.move_to(self.clock.now() + span)
        return self.clock.now()

    def decide(self) -> str:
        """Poll and tick. The sentence about the first device."""
        self.pilot.poll()
        return self.tick()

    def tick(self, span: timedelta = timedelta(0)) -> str:
        """Tick after a while. The sentence about the first device."""
        self.later(span)
        return self.pilot.tick()[self.devices[0].id]

    def fly(self, span: timedelta, pace: timedelta = timedelta(minutes=5)) -> None:
        """Tick at a steady pace for a while."""
        for _ in range(span // pace):
            self.tick(pace)

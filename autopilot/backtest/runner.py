"""Drive a Pilot through a simulated world, event to event. Nothing is decided here."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from autopilot.backtest.oracle import Costs, OracleResult, oracle
from autopilot.clock import stopwatch
from autopilot.contracts import NamedStrategy
from autopilot.guards import Guard
from autopilot.idle import Idle
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Room
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import Limits, State
from autopilot.pilot import Pilot, World
from autopilot.sim.adapter import SimNetwork, next_change
from autopilot.sim.clock import SimClock
from autopilot.sim.market import FluidMarket, Tape
from autopilot.sim.node import Manner
from autopilot.store.ledger import Totals
from autopilot.store.store import Store
from autopilot.units import HOUR, Usd, UsdPerHour

if TYPE_CHECKING:
    import numpy as np

    from autopilot.sim.jobs_network import JobsNetwork
    from autopilot.sim.jobs_node import JobsMarket
    from autopilot.sim.panel import Panel

_COLLECTING = 200_000, 50, 50
"""A flight makes millions of small values and no circles: looking for those after every 700 of them takes a tenth of its time."""


_LEARN_EVERY = timedelta(days=1)
"""As often as the daemon's settings have it."""
_STAYED = (State.PREPARING, State.DRAINING, State.REVERTING, State.REVERTED)
"""A switch that never left its source is no move: its device was draining, and the gain was gone."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a move costs, what is known, and what is flown: the options of the command, with its defaults."""

    downtime: timedelta = timedelta(minutes=30)
    fee: Usd = Usd(0)
    lag: int = 1
    """Hours: a decision at the start of hour t knows the rows up to t - lag."""
    gpus: int = 1
    draw: Draw = Draw()
    power: PowerPrice = PowerPrice()
    guards: Sequence[Guard] = ()
    rooms: Mapping[NetworkId, Room] = field(default_factory=dict)
    """For all GPUs of the rig, where it is limited."""


@dataclass(frozen=True, slots=True)
class Course:
    """The hours to be scored, and what is shown of them."""

    panel: Panel
    shown: np.ndarray
    """USD per hour as strategies see it, hours x networks."""
    start: datetime
    end: datetime
    """Exclusive."""
    jobs: JobsMarket | None = None
    """What hires, where the market is one of jobs; the panel then has what is paid while a job runs, and what is shown is expected."""

    @property
    def hours(self) -> int:
        """How many hours are scored."""
        return (self.end - self.start) // HOUR

    @property
    def scored(self) -> np.ndarray:
        """The rates that are paid in the scored hours, hours x networks."""
        first = (self.start - self.panel.start) // HOUR
        return self.panel.rates[first : first + self.hours]


@dataclass(slots=True)
class Flight:
    """One strategy's run over a course."""

    name: str
    totals: Totals
    moves: int
    seconds: float
    store: Store
    placements: dict[DeviceId, list[Venue]] = field(default_factory=dict)
    """By device, hour by hour: the venue that it is on or on its way to."""


def rig(gpus: int, model: str) -> tuple[Device, ...]:
    """Equal devices, ``gpu-0`` and so on."""
    return tuple(Device(DeviceId(f"gpu-{number}"), model, index=number) for number in range(gpus))


def fly(course: Course, terms: Terms, strategy: NamedStrategy, on_hour: Callable[[], None] | None = None) -> Flight:
    """Fly the course with a strategy; ``on_hour`` is called after every hour."""
    gc.set_threshold(*_COLLECTING)
    began = stopwatch()
    clock = SimClock(course.start)
    devices = rig(terms.gpus, course.panel.gpu)
    networks = simulated(course, terms, devices, clock)
    store = Store.in_memory()
    with store.atomic():
        store.rates.remember(_past(course, terms.lag))
    pilot = Pilot(_world(clock, devices, networks, store, terms), strategy, terms.guards)
    placements: dict[DeviceId, list[Venue]] = {device.id: [] for device in devices}
    for _ in _hours(pilot, clock, networks, course):
        for device in devices:
            placements[device.id].append(pilot.heading(device.id))
        if on_hour:
            on_hour()
    entries = sum(switch.target != IDLE and switch.state not in _STAYED for switch in store.journal.switches())
    return Flight(strategy.name, store.ledger.totals(), entries, stopwatch() - began, store, placements)


def perfect(course: Course, terms: Terms) -> OracleResult:
    """What one device could have netted with perfect foresight; in a market of jobs what all would have by the informed policy."""
    import numpy as np

    tariff = np.array([float(terms.power.at(course.start + hour * HOUR)) for hour in range(course.hours)])
    if course.jobs is not None:
        from autopilot.backtest import informed, jobflight

        power = jobflight.Power(float(terms.draw.lit), float(terms.draw.idle), tariff)
        costs = jobflight.costs(course.hours, terms.downtime / HOUR, float(terms.fee), power)
        return informed.bound(course.jobs.tape, costs, terms.gpus)
    lit = [terms.draw.at(Venue(NetworkId(name))) for name in course.panel.networks]
    return oracle(course.scored, Costs(terms.downtime, terms.fee, lit, terms.draw.idle, tariff))


def simulated(course: Course, terms: Terms, devices: Sequence[Device], clock: SimClock) -> Sequence[SimNetwork | JobsNetwork]:
    """The panel's networks as adapters, each with the same cost of entry."""
    if course.jobs is not None:
        from autopilot.sim.jobs_network import JobsNetwork

        names = [NetworkId(name) for name in course.panel.networks]
        return [JobsNetwork(name, clock, course.jobs, devices, terms.downtime, terms.fee, late=terms.lag) for name in names]
    market = FluidMarket({course.panel.gpu: Tape(course.panel, course.shown)}, terms.lag, terms.rooms)
    manner = Manner(boot=terms.downtime)
    return [SimNetwork(NetworkId(name), clock, market, devices, manner, terms.fee) for name in course.panel.networks]


def _world(clock: SimClock, devices: Sequence[Device], networks: Sequence[SimNetwork | JobsNetwork], store: Store, terms: Terms) -> World:
    adapters = {network.network: network for network in networks}
    draws = {device.id: terms.draw for device in devices}
    return World(clock, devices, {**adapters, IDLE.network: Idle(clock)}, store, draws, terms.power, Limits())


def _past(course: Course, lag: int) -> Iterator[tuple[Venue, str, datetime, UsdPerHour | None]]:
    """The rows before the first poll: what there is to learn from."""
    panel = course.panel
    market = FluidMarket({panel.gpu: Tape(panel, course.shown)}, lag)
    hour = panel.start
    while hour < course.start - lag * HOUR:
        for column, name in enumerate(panel.networks):
            yield Venue(NetworkId(name)), panel.gpu, market.as_of(hour) - HOUR, market.shown(panel.gpu, column, hour)
        hour += HOUR


def _hours(pilot: Pilot, clock: SimClock, networks: Sequence[SimNetwork | JobsNetwork], course: Course) -> Iterator[datetime]:
    """Fly hour by hour: poll, learn once a day, tick; tick at each change in between. Yields before time goes on."""
    nodes = [network.node for network in networks]
    hour = course.start
    while hour < course.end:
        clock.move_to(hour)
        pilot.poll()
        if (hour - course.start) % _LEARN_EVERY == timedelta(0):
            pilot.learn()
        pilot.tick()
        yield hour
        hour += HOUR
        while (change := next_change(nodes, clock.now())) is not None and change < hour:
            clock.move_to(change)
            pilot.tick()
    clock.move_to(course.end)
    pilot.tick()
    pilot.collect()

"""The state file as one frozen value: everything that a screen shows, as of one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autopilot.dashboard.periods import Period
from autopilot.model.device import Device, DeviceId, Venue
from autopilot.model.switch import State, Switch
from autopilot.store.ledger import Totals
from autopilot.units import Share, UsdPerHour, Watts


@dataclass(frozen=True, slots=True)
class Gauge:
    """What the GPU itself showed when it was last looked at. None is what it does not tell."""

    draw: Watts | None
    temperature: int | None
    """Degrees Celsius."""
    owner: str = ""
    """Whose program holds it, where it is not the pilot's."""
    ailment: str = ""
    """Why it cannot be read, and what to do; empty where it can."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The daemon's last sign of life."""

    at: datetime
    started_at: datetime
    pid: int
    strategy: str
    live: bool
    """False: it decides and journals, and moves nothing."""
    tick: timedelta
    speed: float
    """How much faster than life the daemon's time runs."""
    by_hand: bool
    """Its time is moved by hand, as in the demo: how long ago it beat cannot be told."""
    devices: tuple[Device, ...]
    silent: Mapping[str, str]
    """Networks that gave no answer when they were last asked, or not for all of their venues, and why."""
    quarantine: Mapping[str, str]
    """Networks that are not asked any more, and why."""
    ignorance: str = ""
    """Why the strategy could not learn its last lesson; empty where it could."""
    gauges: Mapping[DeviceId, Gauge] = field(default_factory=dict)
    """What the GPUs showed; none of simulated ones."""


@dataclass(frozen=True, slots=True)
class OpenSwitch:
    """A switch under way."""

    switch: Switch
    expected: timedelta | None
    """How long the state that it is in should last; None where nothing is known of that."""


@dataclass(frozen=True, slots=True)
class DeviceNow:
    """One device, and all that is to be said of it."""

    device: Device
    venue: Venue
    since: datetime | None
    """When it came there; None where the journal never saw it arrive."""
    rate: UsdPerHour | None
    """What it earns now, net of power: nothing while dark, None where the venue's rate is not known."""
    totals: Totals
    sentence: str
    """The pilot's last about it."""
    switch: OpenSwitch | None = None
    fence: str = ""
    """Why nothing may be started on it; empty where it is free."""
    lately: UsdPerHour | None = None
    """What it earned an hour over the last day, net; None where that was not asked for."""
    gauge: Gauge | None = None
    """None where the GPU is simulated, or was never read."""


Trend = tuple[UsdPerHour | None, ...]
"""Net rates by the hour, oldest first; the last is the present one. None where no rate was known."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is known of being hired at a venue with a GPU model."""

    public: Share | None
    """The published occupancy; None where the venue pays for every hour, or offers nothing."""
    learned: Share | None
    """By our own hires; None where there is nothing to be hired for."""
    age: timedelta
    """How old the newest figure is."""


@dataclass(frozen=True, slots=True)
class Control:
    """A strategy that flies beside, for comparison."""

    name: str
    totals: Totals


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known at one instant."""

    at: datetime
    state: str
    """The path of the state file."""
    heartbeat: Heartbeat | None
    devices: tuple[DeviceNow, ...]
    market: Mapping[Venue, Mapping[str, Trend]]
    """By venue and GPU model."""
    totals: Totals
    ended: tuple[Switch, ...]
    """The switches that were over last, the newest last."""
    endings: Mapping[State, int]
    """How many switches ever ended so."""
    controls: tuple[Control, ...] = field(default=())
    periods: tuple[Period, ...] = field(default=())
    """The last days, where they were asked for."""
    offers: Mapping[tuple[Venue, str], Offer] = field(default_factory=dict)
    """By venue and GPU model."""

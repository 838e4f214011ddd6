"""The state file as one frozen value: everything that a screen shows, read at one instant."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from autopilot.errors import StoreError
from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.history import Record
from autopilot.model.market import Answer, Quote
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.model.switch import State, Switch
from autopilot.model.view import View
from autopilot.store.context import unpack
from autopilot.store.ledger import Totals
from autopilot.store.schema import instant
from autopilot.store.store import Store
from autopilot.units import HOUR, UsdPerHour

TREND_HOURS = 24
"""How far back a trend looks, and how old an answer may be to be seen at all."""


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


Trend = tuple[UsdPerHour | None, ...]
"""Net rates by the hour, oldest first; the last is the present one. None where no rate was known."""


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
    """Every switch that is over, the newest last."""
    controls: tuple[Control, ...] = field(default=())


def read_heartbeat(store: Store) -> Heartbeat | None:
    """The daemon's last sign of life; None where none ever flew. Raises StoreError, also for a file that is not ours."""
    connection = store.connection
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'heartbeat'").fetchone():
        raise StoreError(f"{connection.path}: it is no state file of the autopilot; name one that `autopilot run` has made")
    row = connection.execute("SELECT at, started_at, pid, body FROM heartbeat").fetchone()
    if row is None:
        return None
    at, started_at, pid, body = row
    told: dict[str, Any] = json.loads(body)
    return Heartbeat(
        instant(at),
        instant(started_at),
        pid,
        told["strategy"],
        told["live"],
        timedelta(seconds=told["tick_seconds"]),
        told["speed"],
        told.get("by_hand", False),
        tuple(Device(DeviceId(ident), model, index=index) for ident, model, index in told["devices"]),
        told["silent"],
        told["quarantine"],
        told.get("ignorance", ""),
    )


def read(store: Store, at: datetime, controls: Sequence[Control] = ()) -> Snapshot:
    """Everything as of the instant, in one transaction. Raises StoreError, also for a file that is not ours."""
    with store.atomic():
        heartbeat = read_heartbeat(store)
        reader = _Reader(store, at, heartbeat)
        ended = tuple(sorted((each for each in store.journal.switches() if each.state.over), key=lambda each: each.since))
        return Snapshot(
            at, store.connection.path, heartbeat, reader.devices(), reader.market(), store.ledger.totals(), ended, tuple(controls)
        )


class _Reader:
    """The last decision's view, brought up to date."""

    def __init__(self, store: Store, at: datetime, heartbeat: Heartbeat | None) -> None:
        self._store = store
        self._at = at
        answers = list(store.rates.answers(at - TREND_HOURS * HOUR, at))
        quotes = {(answer.venue, answer.device): answer for answer, _ in answers}
        # One device stands for all of its model: a market knows no other difference.
        models = {model: answer.device for answer, model in answers}
        self._answers = [(answer, model) for answer, model in answers if models[model] == answer.device]
        self._view = self._last_view(quotes, heartbeat.devices if heartbeat else ())

    def _last_view(self, quotes: Mapping[tuple[Venue, DeviceId], Answer], devices: tuple[Device, ...]) -> View:
        history = Record().until_now()
        row = self._store.connection.execute(
            "SELECT body FROM decisions JOIN contexts ON hash = context ORDER BY decisions.id DESC LIMIT 1"
        ).fetchone()
        body = {"devices": [], "placements": [], "entries": [], "exits": [], "draws": [], "power": [0, []], "fixed": []}
        view = unpack(json.loads(row[0]) if row else body, self._at, quotes, history)
        return view if row else View(view.now, devices, {}, quotes, history, {}, {}, {}, view.power)

    def devices(self) -> tuple[DeviceNow, ...]:
        """Every device of the rig, in the order in which people count them."""
        journal = self._store.journal
        arrivals = {each.device: each for each in journal.arrivals()}
        switches = {each.device: each for each in journal.open_switches()}
        fences = journal.fences()
        sentences = dict(self._store.connection.execute("SELECT device, sentence FROM sentences"))
        rows = []
        for device in sorted(self._view.devices, key=lambda each: (each.index is None, each.index, each.id)):
            arrival, switch = arrivals.get(device.id), switches.get(device.id)
            venue = arrival.venue if arrival else IDLE
            rows.append(
                DeviceNow(
                    device,
                    venue,
                    arrival.at if arrival else None,
                    self._rate(device.id, venue, switch),
                    self._store.ledger.totals(device=device.id),
                    sentences.get(device.id, ""),
                    OpenSwitch(switch, self._expected(switch)) if switch else None,
                    fences.get(device.id, ""),
                )
            )
        return tuple(rows)

    def _rate(self, device: DeviceId, venue: Venue, switch: Switch | None) -> UsdPerHour | None:
        if venue == IDLE or (switch is not None and switch.state is not State.DRAINING):
            return UsdPerHour(0)
        answer = self._view.quotes.get((venue, device))
        return self._net(answer) if answer and answer.usable(self._at) else None

    def _net(self, answer: Answer) -> UsdPerHour | None:
        """The expected rate less the power that serving adds; None where the venue offers nothing."""
        if not isinstance(answer, Quote):
            return None
        draw = self._view.draws.get(answer.device)
        return answer.expected - (draw.lit - draw.idle) * self._view.power.at(self._at) if draw else answer.expected

    def _expected(self, switch: Switch) -> timedelta | None:
        match switch.state:
            case State.DRAINING:
                return self._view.exits.get(switch.device, ExitCost()).drain or None
            case State.STARTING:
                return self._boot(switch.device, switch.target)
            case State.REVERTING:
                return self._boot(switch.device, switch.source)
            case _:
                return None

    def _boot(self, device: DeviceId, venue: Venue) -> timedelta | None:
        return self._view.entries.get((venue, device), EntryCost()).boot or None

    def market(self) -> dict[Venue, dict[str, Trend]]:
        """The net rates of every venue that answered within the trend, by name."""
        trends: dict[Venue, dict[str, list[UsdPerHour | None]]] = {}
        for answer, model in self._answers:
            trend = trends.setdefault(answer.venue, {}).setdefault(model, [None] * TREND_HOURS)
            net = self._net(answer)
            trend[-1 - (self._at - answer.seen_at) // HOUR] = net
            # The newest answer counts for as long as it is good, however late the next poll is.
            trend[-1] = net if answer.usable(self._at) else None
        return {venue: {model: tuple(trend) for model, trend in models.items()} for venue, models in sorted(trends.items())}

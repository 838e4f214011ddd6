"""The switches as a person tells them: how long each state took, why, and what it cost."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from autopilot.model.device import DeviceId, Venue
from autopilot.model.switch import Event, State, Switch
from autopilot.store.store import Store
from autopilot.switch_times import KEPT, passage, percentile
from autopilot.units import Usd


@dataclass(frozen=True, slots=True)
class Sums:
    """What a plan reckoned with, for all of its moves together."""

    gain: Usd
    cost: Usd
    moves: int


@dataclass(frozen=True, slots=True)
class Trip:
    """One switch."""

    switch: Switch
    states: tuple[tuple[State, timedelta], ...]
    """Every state that it went through, and for how long; one that goes on lasts until the instant of the look."""
    why: str
    """What it was opened for."""
    end: str
    """What was last said of it."""
    fee: Usd | None
    """None where none is booked: it has not arrived, or arriving is free."""
    sums: Sums | None
    """None where the strategy did none."""

    def spent(self, *states: State) -> timedelta:
        """How long it was in any of these."""
        return sum((span for state, span in self.states if state in states), timedelta(0))

    @property
    def dark(self) -> timedelta:
        """How long the device earned nothing: all but the drain."""
        return self.spent(State.STOPPING, State.STARTING, State.REVERTING, State.CLEARING)


def trips(store: Store, now: datetime) -> list[Trip]:
    """Every switch, oldest first. Raises StoreError."""
    events = _events(store)
    fees = {ref: Usd(nanos) for ref, nanos in store.connection.execute("SELECT ref, amount_nanos FROM ledger WHERE kind = 'fee'")}
    plans = _plans(store)
    return [_trip(each, events[each.id], fees.get(each.id), plans.get(each.plan), now) for each in store.journal.switches()]


def _trip(switch: Switch, events: list[Event], fee: Usd | None, plan: Mapping[str, Any] | None, now: datetime) -> Trip:
    why, end = (events[0].why, events[-1].why) if events else ("", "")
    told = plan["notes"].get(switch.device) if plan else None
    return Trip(switch, _states(events, now), told or why, end, fee, _sums(plan) if plan else None)


def _events(store: Store) -> Mapping[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in store.journal.events():
        found[event.switch].append(event)
    return found


def _states(events: Iterable[Event], now: datetime) -> tuple[tuple[State, timedelta], ...]:
    """What was resumed after an outage has lasted all the while."""
    found: list[tuple[State, datetime]] = []
    for event in events:
        if not found or found[-1][0] is not event.after:
            found.append((event.after, event.at))
    ends = [at for _, at in found[1:]] + [now]
    return tuple((state, end - at) for (state, at), end in zip(found, ends, strict=True) if not state.over)


def _plans(store: Store) -> dict[str, Mapping[str, Any]]:
    """By its id."""
    rows = store.connection.execute('SELECT decision FROM decisions WHERE decision LIKE \'{"kind": "plan"%\'')
    plans = (json.loads(decision) for (decision,) in rows)
    return {plan["id"]: plan for plan in plans}


def _sums(plan: Mapping[str, Any]) -> Sums | None:
    gain, cost = Usd(plan["gain_nanos"]), Usd(plan["cost_nanos"])
    return Sums(gain, cost, len(plan["moves"])) if gain or cost else None


@dataclass(frozen=True, slots=True)
class Seen:
    """How long coming up at a venue took when it was done."""

    times: int
    median: timedelta


def starts(store: Store, until: datetime, devices: Iterable[DeviceId]) -> dict[tuple[Venue, DeviceId], Seen]:
    """What the journal had seen of it up to an instant, among the last switches of each device: programs change.

    Switches that turned back tell nothing of it, nor do those that nobody looked at meanwhile.
    """
    spans: dict[tuple[Venue, DeviceId], list[timedelta]] = defaultdict(list)
    for device in devices:
        for switch in islice(store.journal.newest_switches(device, until), KEPT):
            boot = passage(switch, store.journal.events_of(switch.id)).boot
            if boot is not None and switch.state is State.SETTLED and switch.since <= until:
                spans[switch.target, device].append(boot)
    return {key: Seen(len(boots), percentile(boots, 50)) for key, boots in spans.items()}

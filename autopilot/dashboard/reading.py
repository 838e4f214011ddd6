"""Reading a state file for the screens. A reader keeps what does not change from one look to the next."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from autopilot import occupancy
from autopilot.dashboard.heard import Ear, Heard
from autopilot.dashboard.means import Means
from autopilot.dashboard.periods import Books, read_books, read_totals
from autopilot.dashboard.snapshot import Control, DeviceNow, Gauge, Heartbeat, Offer, OpenSwitch, Snapshot, Trend
from autopilot.economics import serving_power
from autopilot.errors import StoreError
from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.history import Record
from autopilot.model.market import Quote
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.model.power import PowerPrice
from autopilot.model.switch import State, Switch
from autopilot.model.view import View
from autopilot.store.context import answered, unpack
from autopilot.store.ledger import NOTHING, added
from autopilot.store.schema import instant
from autopilot.store.store import Store
from autopilot.units import HOUR, Share, UsdPerHour, Watts

TREND_HOURS = 24
"""How far back a trend looks, and how old an answer may be to be seen at all."""
_LOG = 100
"""Switches that are over, as many as any screen has lines."""
_BOOKS_KEPT = timedelta(minutes=10)


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
        {DeviceId(ident): _gauge(shown) for ident, shown in told.get("gpus", {}).items()},
    )


def _gauge(shown: Mapping[str, Any]) -> Gauge:
    watts = shown.get("watts")
    return Gauge(None if watts is None else Watts.nearest(watts), shown.get("celsius"), shown.get("owner") or "", shown.get("remedy") or "")


def read(store: Store, at: datetime, controls: Sequence[Control] = ()) -> Snapshot:
    """Everything as of the instant but the last days, in one transaction. Raises StoreError, also for a file that is not ours."""
    return Reader(store).read(at, controls)


class Reader:
    """Looks at one state file again and again.

    With ``days``, the last days' sums are read too, now and then; without ``money``, the ledger is not read at all.
    """

    def __init__(self, store: Store, *, days: bool = False, money: bool = True) -> None:
        self._store = store
        self._days = days
        self._money = money
        self._ear = Ear(store)
        self._means = Means(store)
        self._books: tuple[datetime, Books] | None = None
        self._version = 0

    def changed(self) -> bool:
        """Whether somebody has written since this was asked last. Raises StoreError."""
        before, (self._version,) = self._version, self._store.connection.execute("PRAGMA data_version").fetchone()
        return before != self._version

    def read(self, at: datetime, controls: Sequence[Control] = ()) -> Snapshot:
        """Everything as of the instant, in one transaction. Raises StoreError, also for a file that is not ours."""
        with self._store.atomic():
            heartbeat = read_heartbeat(self._store)
            hours = self._ear.hours(at)
            look = _Look(at, self._view(at, heartbeat), hours)
            books = self._read_books(at, look.view)
            return Snapshot(
                at,
                self._store.connection.path,
                heartbeat,
                tuple(self._devices(look, books, heartbeat)),
                look.market(),
                added(books.devices.values()),
                tuple(self._store.journal.ended(_LOG)),
                self._store.journal.endings(),
                tuple(controls),
                books.periods,
                look.offers() if self._days else {},
            )

    def _view(self, at: datetime, heartbeat: Heartbeat | None) -> View:
        """The last decision's view, brought up to date; before the first one, what is known without it."""
        ruling, history = next(self._store.journal.newest_rulings(), None), Record().until_now()
        if ruling:
            return unpack(ruling.context, at, self._ear.newest(answered(ruling.context), at), history)
        return View(at, heartbeat.devices if heartbeat else (), {}, self._ear.recent(at), history, {}, {}, {}, PowerPrice())

    def _read_books(self, at: datetime, view: View) -> Books:
        if not self._money:
            return Books({})
        if not self._days:
            return read_totals(self._store)
        if self._books is None or not self._books[0] <= at < self._books[0] + _BOOKS_KEPT:
            self._books = at, read_books(self._store, self._means, at, view)
        return self._books[1]

    def _devices(self, look: _Look, books: Books, heartbeat: Heartbeat | None) -> Iterator[DeviceNow]:
        """Every device of the rig, in the order in which people count them."""
        journal = self._store.journal
        arrivals = journal.newest_arrivals()
        switches = {each.device: each for each in journal.open_switches()}
        fences, sentences = journal.fences(), journal.sentences()
        gauges = heartbeat.gauges if heartbeat else {}
        for device in sorted(look.view.devices, key=lambda each: (each.index is None, each.index, each.id)):
            arrival, switch = arrivals.get(device.id), switches.get(device.id)
            venue = arrival.venue if arrival else IDLE
            yield DeviceNow(
                device,
                venue,
                arrival.at if arrival else None,
                look.rate(device, venue, switch),
                books.devices.get(device.id, NOTHING),
                sentences.get(device.id, ""),
                OpenSwitch(switch, look.expected(switch)) if switch else None,
                fences.get(device.id, ""),
                books.lately.get(device.id),
                gauges.get(device.id),
            )


class _Look:
    """One view of the present, and the answers that led to it."""

    def __init__(self, at: datetime, view: View, hours: Sequence[Heard]) -> None:
        self.view = view
        self._at = at
        self._hours = hours
        self._devices = {device.id: device for device in view.devices}

    def rate(self, device: Device, venue: Venue, switch: Switch | None) -> UsdPerHour | None:
        """What the device earns now, net of power."""
        if venue == IDLE or (switch is not None and not switch.state.leaving):
            return UsdPerHour(0)
        answer = self.view.quotes.get((venue, device.id))
        return self._net(venue, device.id, answer.expected) if isinstance(answer, Quote) and answer.usable(self._at) else None

    def _net(self, venue: Venue, ident: DeviceId, expected: UsdPerHour) -> UsdPerHour:
        """The expected rate less the power that serving adds."""
        device = self._devices.get(ident)
        return expected - serving_power(self.view, device, venue) if device else expected

    def expected(self, switch: Switch) -> timedelta | None:
        match switch.state:
            case State.DRAINING:
                return self.view.exits.get(switch.device, ExitCost()).drain or None
            case State.STARTING:
                return self._boot(switch.device, switch.target)
            case State.REVERTING:
                return self._boot(switch.device, switch.source)
            case _:
                return None

    def _boot(self, device: DeviceId, venue: Venue) -> timedelta | None:
        return self.view.entries.get((venue, device), EntryCost()).boot or None

    def market(self) -> dict[Venue, dict[str, Trend]]:
        """The net rates of every venue that answered within the trend, by name."""
        trends: dict[Venue, dict[str, list[UsdPerHour | None]]] = {}
        for heard in self._hours:
            trend = trends.setdefault(heard.venue, {}).setdefault(heard.model, [None] * TREND_HOURS)
            net = None if heard.expected is None else self._net(heard.venue, heard.device, heard.expected)
            trend[-1 - (self._at - heard.seen_at) // HOUR] = net
            # The newest answer counts for as long as it is good, however late the next poll is.
            trend[-1] = net if self._at < heard.expires else None
        return {venue: {model: tuple(trend) for model, trend in models.items()} for venue, models in sorted(trends.items())}

    def offers(self) -> dict[tuple[Venue, str], Offer]:
        """How likely a GPU of a model is to be hired at a venue, by the newest answer that counts."""
        models = {device.id: device.model for device in self.view.devices}
        answers = {(venue, models[ident]): answer for (venue, ident), answer in self.view.quotes.items() if ident in models}
        return {key: self._offer(answer) for key, answer in answers.items() if isinstance(answer, Quote) and answer.usable(self._at)}

    def _offer(self, quote: Quote) -> Offer:
        device, age = self._devices.get(quote.device), quote.age(self._at)
        if device is None or not occupancy.for_jobs(quote):
            return Offer(None, None, age)
        load = occupancy.believed(quote, self.view.experience, device).load
        return Offer(quote.occupancy, Share.nearest(load / (1.0 + load)), age)

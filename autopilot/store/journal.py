"""The journal: what was decided and done, written before the act."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.history import Key
from autopilot.model.plan import EntryCost, PlanId
from autopilot.model.switch import Event, State, Switch, SwitchId
from autopilot.store.context import pack_entries, unpack_entries
from autopilot.store.schema import Connection, instant, stamp

_SWITCH = "id, plan, device, source_network, source_market, target_network, target_market, state, since, opened_at, failed, told_seconds"
_SWITCHES = f"SELECT {_SWITCH} FROM switches"  # noqa: S608
_RULINGS = "SELECT at, known, lesson, experience, strategy, body, decision, vetoes FROM decisions JOIN contexts ON hash = context"
_EVENTS = "SELECT at, switch, before, after, why FROM events"
_ARRIVALS = "SELECT at, device, network, market, why FROM placements"
_EXPERIENCE = "experience"
"""The part of a context that is another one at every decision."""
_OPEN = "state NOT IN ('settled', 'reverted', 'cleared', 'stranded')"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A device came to be at a venue, by a switch or found there."""

    at: datetime
    device: DeviceId
    venue: Venue
    why: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision as it was recorded: with all that was known besides the rates, and what the guards said of it."""

    at: datetime
    strategy: Mapping[str, Any]
    """Its name and parameters."""
    context: Mapping[str, Any]
    decision: Mapping[str, Any]
    vetoes: Mapping[str, str]
    """By device."""
    known: int = 0
    """The number of the last answer that was known."""
    lesson: int | None = None
    """The last lesson that the strategy had learned; None where it was as configured."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """All that a strategy was fitted to, so that the same can be learned again."""

    cut_at: datetime
    """When the history was cut for it."""
    strategy: Mapping[str, Any]
    """Its name and parameters."""
    base: int | None
    """The lesson that it had learned before; None where it was as configured."""
    known: int
    """The number of the last answer in the history."""
    entries: Mapping[Key, EntryCost]
    """What arriving cost."""


class Journal:
    """Append-only, but for the state of a switch, whose every change is an event."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rule(self, ruling: Ruling) -> None:
        """Record a decision. What it was based on is kept once, however often it recurs; experience, which never does, is kept with it."""
        calm = {key: value for key, value in ruling.context.items() if key != _EXPERIENCE}
        experience = json.dumps(ruling.context[_EXPERIENCE]) if _EXPERIENCE in ruling.context else None
        body = json.dumps(calm, sort_keys=True)
        digest = hashlib.sha256(body.encode()).hexdigest()[:16]
        self._connection.execute("INSERT OR IGNORE INTO contexts VALUES (?, ?)", (digest, body))
        self._connection.execute(
            "INSERT INTO decisions (at, strategy, context, decision, vetoes, known, lesson, experience) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(stamp(ruling.at), json.dumps(ruling.strategy), digest, json.dumps(ruling.decision), json.dumps(ruling.vetoes)),
                *(ruling.known, ruling.lesson, experience),
            ),
        )

    def rulings(self) -> Iterator[Ruling]:
        """Every decision, oldest first."""
        return map(_ruling, self._connection.execute(f"{_RULINGS} ORDER BY decisions.id"))

    def newest_rulings(self, until: datetime | None = None) -> Iterator[Ruling]:
        """Every decision up to an instant, newest first. What is not asked for is not read."""
        last = stamp(until) if until else "~"
        return map(_ruling, self._connection.execute(f"{_RULINGS} WHERE at <= ? ORDER BY decisions.id DESC", (last,)))

    def newest_context(self) -> dict[str, Any]:
        """What the newest decision was based on, without the experience; nothing where nothing was decided yet."""
        row = self._connection.execute(
            "SELECT body FROM decisions JOIN contexts ON hash = context ORDER BY decisions.id DESC LIMIT 1"
        ).fetchone()
        return dict(json.loads(row[0])) if row else {}

    def learn(self, lesson: Lesson, at: datetime) -> int:
        """Record that from this instant on a lesson is in force. Its number; they are counted from 1."""
        told = (json.dumps(lesson.strategy), lesson.base, lesson.known, json.dumps(pack_entries(lesson.entries)))
        cursor = self._connection.execute(
            "INSERT INTO lessons (cut_at, at, strategy, base, known, entries) VALUES (?, ?, ?, ?, ?, ?)",
            (stamp(lesson.cut_at), stamp(at), *told),
        )
        return int(cursor.lastrowid or 0)

    def lessons(self) -> dict[int, Lesson]:
        """Every lesson by its number, in the order in which they were learned."""
        rows = self._connection.execute("SELECT id, cut_at, strategy, base, known, entries FROM lessons ORDER BY id")
        return {
            number: Lesson(instant(cut_at), json.loads(strategy), base, known, unpack_entries(json.loads(entries)))
            for number, cut_at, strategy, base, known, entries in rows
        }

    def open(self, switch: Switch, why: str) -> None:
        """Begin a switch. Raises StoreError where the device has an open one: the database itself forbids two."""
        with self._connection.atomic():
            self._connection.execute(f"INSERT INTO switches ({_SWITCH}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", _row(switch))  # noqa: S608
            self._note(Event(switch.opened_at, switch.id, switch.state, switch.state, why))

    def change(self, switch: Switch, before: State, why: str) -> None:
        """Record a new state, and the arrival or the fence that comes with an end. On disk when this returns."""
        with self._connection.atomic():
            self._connection.execute(
                "UPDATE switches SET state = ?, since = ?, failed = ?, told_seconds = ? WHERE id = ?",
                (switch.state.value, stamp(switch.since), switch.failed, _told(switch), switch.id),
            )
            self._note(Event(switch.since, switch.id, before, switch.state, why))
            if switch.state is State.SETTLED:
                self.arrive(Arrival(switch.since, switch.device, switch.target, "switched"))
            if switch.state is State.CLEARED:
                self.arrive(Arrival(switch.since, switch.device, IDLE, "nothing holds it"))
            if switch.state is State.STRANDED:
                self.fence(switch.device, switch.since, why)

    def resume(self, switch: Switch) -> None:
        """Record that an open switch goes on after an outage."""
        with self._connection.atomic():
            self._connection.execute("UPDATE switches SET since = ? WHERE id = ?", (stamp(switch.since), switch.id))
            self._note(Event(switch.since, switch.id, switch.state, switch.state, "resumed after an outage"))

    def open_switches(self) -> list[Switch]:
        """Every switch that is not over, oldest first."""
        return list(map(_switch, self._connection.execute(f"{_SWITCHES} WHERE {_OPEN} ORDER BY opened_at, id")))

    def switches(self) -> list[Switch]:
        """Every switch, oldest first."""
        return list(map(_switch, self._connection.execute(f"{_SWITCHES} ORDER BY opened_at, id")))

    def latest(self, device: DeviceId) -> Switch | None:
        """The device's last switch, over or not; None where it never had one."""
        return next(self.newest_switches(device), None)

    def newest_switches(self, device: DeviceId, until: datetime | None = None) -> Iterator[Switch]:
        """The device's switches that were opened up to an instant, newest first. What is not asked for is not read."""
        last = stamp(until) if until else "~"
        order = "ORDER BY opened_at DESC, id DESC"
        return map(_switch, self._connection.execute(f"{_SWITCHES} WHERE device = ? AND opened_at <= ? {order}", (device, last)))

    def setback(self, switch: SwitchId) -> str:
        """Why a switch did not settle: what was said when it first turned back; empty where it did not."""
        row = self._connection.execute(
            "SELECT why FROM events WHERE switch = ? AND after IN ('reverting', 'clearing', 'stranded') ORDER BY id LIMIT 1", (switch,)
        ).fetchone()
        return str(row[0]) if row else ""

    def ended(self, most: int) -> list[Switch]:
        """The switches that were over last, oldest first, so many of them at most."""
        rows = self._connection.execute(f"{_SWITCHES} WHERE NOT ({_OPEN}) ORDER BY since DESC, id DESC LIMIT ?", (most,))
        return [_switch(row) for row in rows][::-1]

    def endings(self) -> dict[State, int]:
        """How many switches ended so."""
        rows = self._connection.execute(f"SELECT state, count(*) FROM switches WHERE NOT ({_OPEN}) GROUP BY state")  # noqa: S608
        return {State(state): count for state, count in rows}

    def sentences(self) -> dict[DeviceId, str]:
        """The last that was said about each device."""
        return {DeviceId(device): sentence for device, sentence in self._connection.execute("SELECT device, sentence FROM sentences")}

    def events(self) -> list[Event]:
        """Every event, oldest first."""
        return list(map(_event, self._connection.execute(f"{_EVENTS} ORDER BY id")))

    def events_of(self, switch: SwitchId) -> list[Event]:
        """Those of one switch, oldest first."""
        return list(map(_event, self._connection.execute(f"{_EVENTS} WHERE switch = ? ORDER BY id", (switch,))))

    def arrive(self, arrival: Arrival) -> None:
        """Record where a device now is."""
        self._connection.execute(
            "INSERT INTO placements (at, device, network, market, why) VALUES (?, ?, ?, ?, ?)",
            (stamp(arrival.at), arrival.device, arrival.venue.network, arrival.venue.market, arrival.why),
        )

    def arrivals(self, device: DeviceId | None = None) -> list[Arrival]:
        """Every arrival, of one device or of all, oldest first."""
        return list(map(_arrival, self._connection.execute(f"{_ARRIVALS} WHERE ? IS NULL OR device = ? ORDER BY id", (device, device))))

    def newest_arrivals(self) -> dict[DeviceId, Arrival]:
        """The last arrival of each device: where it is."""
        rows = self._connection.execute(f"{_ARRIVALS} WHERE id IN (SELECT max(id) FROM placements GROUP BY device)")  # noqa: S608
        return {each.device: each for each in map(_arrival, rows)}

    def fence(self, device: DeviceId, at: datetime, why: str) -> None:
        """Let nothing be started on the device until a human lifts the fence."""
        self._connection.execute("INSERT INTO fences (at, device, why) VALUES (?, ?, ?)", (stamp(at), device, why))

    def fences(self) -> dict[DeviceId, str]:
        """The devices that are fenced, and why."""
        rows = self._connection.execute("SELECT device, why FROM fences WHERE lifted_at IS NULL ORDER BY id")
        return {DeviceId(device): why for device, why in rows}

    def lift(self, device: DeviceId, at: datetime) -> None:
        """A human has looked: the device may be used again."""
        with self._connection.atomic():
            self._connection.execute("UPDATE fences SET lifted_at = ? WHERE device = ? AND lifted_at IS NULL", (stamp(at), device))

    def labels(self) -> dict[DeviceId, str]:
        """What a person calls each device that the daemon flies, as its last heartbeat has it."""
        row = self._connection.execute("SELECT body FROM heartbeat").fetchone()
        devices = json.loads(row[0]).get("devices", ()) if row else ()
        return {DeviceId(ident): Device(DeviceId(ident), model, index=index).label for ident, model, index in devices}

    def say(self, at: datetime, sentences: Mapping[DeviceId, str]) -> None:
        """Keep the last sentence about each device, for those who watch."""
        self._connection.executemany(
            "INSERT INTO sentences VALUES (?, ?, ?) ON CONFLICT (device) DO UPDATE SET at = excluded.at, sentence = excluded.sentence",
            ((device, stamp(at), sentence) for device, sentence in sentences.items()),
        )

    def beat(self, at: datetime, started_at: datetime, pid: int, body: Mapping[str, Any]) -> None:
        """Show that the daemon lives, and what it is."""
        self._connection.execute(
            "INSERT INTO heartbeat VALUES (1, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET at = excluded.at, started_at = excluded.started_at, pid = excluded.pid, body = excluded.body",
            (stamp(at), stamp(started_at), pid, json.dumps(body)),
        )

    def _note(self, event: Event) -> None:
        self._connection.execute(
            "INSERT INTO events (at, switch, before, after, why) VALUES (?, ?, ?, ?, ?)",
            (stamp(event.at), event.switch, event.before.value, event.after.value, event.why),
        )


def _ruling(row: tuple[Any, ...]) -> Ruling:
    at, known, lesson, experience, *bodies = row
    strategy, calm, decision, vetoes = map(json.loads, bodies)
    context = calm if experience is None else {**calm, _EXPERIENCE: json.loads(experience)}
    return Ruling(instant(at), strategy, context, decision, vetoes, known, lesson)


def _row(switch: Switch) -> tuple[Any, ...]:
    source, target = switch.source, switch.target
    ends = (source.network, source.market, target.network, target.market)
    state = (switch.state.value, stamp(switch.since), stamp(switch.opened_at), switch.failed, _told(switch))
    return (switch.id, switch.plan, switch.device, *ends, *state)


def _told(switch: Switch) -> float | None:
    return None if switch.told is None else switch.told.total_seconds()


def _switch(row: tuple[Any, ...]) -> Switch:
    ident, plan, device, source, source_market, target, target_market, state, since, opened_at, failed, told = row
    return Switch(
        SwitchId(ident),
        PlanId(plan),
        DeviceId(device),
        Venue(NetworkId(source), source_market),
        Venue(NetworkId(target), target_market),
        State(state),
        instant(since),
        instant(opened_at),
        bool(failed),
        None if told is None else timedelta(seconds=told),
    )


def _event(row: tuple[Any, ...]) -> Event:
    at, switch, before, after, why = row
    return Event(instant(at), SwitchId(switch), State(before), State(after), why)


def _arrival(row: tuple[Any, ...]) -> Arrival:
    at, device, network, market, why = row
    return Arrival(instant(at), DeviceId(device), Venue(NetworkId(network), market), why)

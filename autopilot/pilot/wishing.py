"""What persons ask for, as bounds: the rows of the wishes are read anew at every tick, whoever wrote them, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autopilot.model.device import IDLE, DeviceId, NetworkId, Venue
from autopilot.model.node import Placement
from autopilot.model.order import FREE, Bounds, Order
from autopilot.model.switch import State, Switch
from autopilot.store.journal import Journal
from autopilot.store.store import Store
from autopilot.store.wishes import Want, Wish
from autopilot.units import span_text

_PATIENCE = timedelta(hours=6)
"""How long a move that cannot be begun is tried for: as long as a drain may last."""
_RETRY = timedelta(hours=1)
"""How long a GPU stays where it is when the venue that it is pinned to could not be started."""

Placements = Mapping[DeviceId, Placement]
Closings = Mapping[tuple[Venue, DeviceId], str]


@dataclass(frozen=True, slots=True)
class _Over:
    """A move that has ended."""

    outcome: str


class Pausing:
    """A pause goes before all else: what is under way is finished, and nobody else may order anything, the GPUs neither."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def bounds(self, now: datetime, placements: Placements) -> Bounds:
        """Asked at every tick."""
        pause = next((wish for wish in self._store.wishes.standing(now) if wish.want is Want.PAUSE), None)
        return Bounds(held=dict.fromkeys(placements, f"paused by a person{_until(pause)}"), alone=True) if pause else FREE


class Wishing:
    """Moves, pins, holds and bans. A ban counts before the others: a GPU that is pinned to a banned venue waits for it elsewhere."""

    def __init__(self, store: Store, networks: Collection[NetworkId]) -> None:
        self._store = store
        self._networks = networks
        self._seen: dict[int, datetime] = {}
        """When this pilot first could make each move: its row may have waited for a daemon, or for the end of a pause."""

    def bounds(self, now: datetime, placements: Placements) -> Bounds:
        """Asked at every tick. A move that is done, or cannot be done, is marked as ended with it."""
        bounds, over = self.look(now, placements)
        for number, outcome in over.items():
            self._store.wishes.end(number, now, outcome)
        return bounds

    def look(self, now: datetime, placements: Placements) -> tuple[Bounds, Mapping[int, str]]:
        """What is asked for, and the numbers of the wishes that are over by now, each with its outcome. Nothing is changed."""
        wishes = self._store.wishes.standing(now)
        closed = dict(_closed(wishes, placements))
        held: dict[DeviceId, str] = {}
        orders: dict[DeviceId, Order] = {}
        over: dict[int, str] = {}
        for wish in wishes:
            placement = placements.get(wish.device) if wish.device else None
            if placement is None:
                continue
            found = self._asked(wish, placement, closed, now)
            if isinstance(found, Order):
                orders[placement.device] = found
            elif isinstance(found, _Over):
                over[wish.number] = found.outcome
            elif found:
                held[placement.device] = found
        if any(wish.want is Want.PAUSE for wish in wishes):
            self._seen.clear()
        return Bounds({**orders, **(self._departures(closed, placements) if closed else {})}, held, closed), over

    def _asked(self, wish: Wish, placement: Placement, closed: Closings, now: datetime) -> Order | _Over | str:
        """Where a device is to go, or why it is to stay; nothing where nothing of that kind is asked."""
        if wish.want is Want.HOLD:
            return f"held by a person{_until(wish)}"
        if wish.want is Want.PIN and wish.venue:
            return self._pin(wish, wish.venue, placement, closed, now)
        return self._move(wish, wish.venue, placement, closed, now) if wish.want is Want.MOVE and wish.venue else ""

    def _pin(self, wish: Wish, venue: Venue, placement: Placement, closed: Closings, now: datetime) -> Order | str:
        """The order, or why it has to wait where it is."""
        why = f"pinned to {venue} by a person{_until(wish)}"
        banned = closed.get((venue, placement.device))
        if banned or venue.network not in self._networks:
            return f"{why}; {banned or f'{venue.network} is not configured'}"
        switch = self._store.journal.latest(placement.device)
        if switch is None or switch.target != venue or not _in_vain(switch) or now - switch.since >= _RETRY:
            return Order(venue, why)
        return f"{why}; tried again at {switch.since + _RETRY:%H:%M} UTC: it ended {_end(self._store.journal, switch)}"

    def _move(self, wish: Wish, venue: Venue, placement: Placement, closed: Closings, now: datetime) -> Order | _Over:
        """The order, or how it ended."""
        outcome = self._outcome(wish, venue, placement, closed, now)
        return _Over(outcome) if outcome else Order(venue, f"moved to {venue} by a person")

    def _outcome(self, wish: Wish, venue: Venue, placement: Placement, closed: Closings, now: datetime) -> str:
        """How a move ended; empty while it is still to be made."""
        if placement.venue == venue:
            return "done"
        if venue.network not in self._networks:
            return f"refused: {venue.network} is not configured"
        journal = self._store.journal
        switch = journal.latest(placement.device)
        if switch is not None and switch.target == venue and switch.opened_at >= wish.made_at:
            return f"failed: it ended {_end(journal, switch)}" if _in_vain(switch) else ""
        if now - self._seen.setdefault(wish.number, now) < _PATIENCE:
            return ""
        why = closed.get((venue, placement.device)) or journal.sentences().get(placement.device, "nothing was said of it")
        return f"given up after {span_text(_PATIENCE)}: {why}"

    def _departures(self, closed: Closings, placements: Placements) -> dict[DeviceId, Order]:
        """Away from what is banned, and back from the way there. A GPU that is leaving it for another venue is let go."""
        orders = {}
        for device, place in placements.items():
            switch = self._store.journal.latest(device)
            heading = switch.target if switch and not switch.state.over else place.venue
            if (heading, device) in closed:
                target = IDLE if (place.venue, device) in closed else place.venue
                orders[device] = Order(target, closed[heading, device])
        return orders


def _closed(wishes: Sequence[Wish], placements: Placements) -> Iterator[tuple[tuple[Venue, DeviceId], str]]:
    for wish in wishes:
        if wish.want is Want.BAN and wish.venue is not None:
            why = f"{wish.venue} is banned by a person{_until(wish)}"
            yield from (((wish.venue, device), why) for device in placements if wish.device in (None, device))


def _in_vain(switch: Switch) -> bool:
    return switch.state.over and switch.state is not State.SETTLED


def _end(journal: Journal, switch: Switch) -> str:
    return f"{switch.state}, {journal.setback(switch.id)}"


def _until(wish: Wish) -> str:
    return f" until {wish.until:%Y-%m-%d %H:%M} UTC" if wish.until else " until `autopilot resume`"

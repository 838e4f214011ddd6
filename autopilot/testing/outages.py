"""A small world whose power can be cut at every write and every verb, and what survives it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from autopilot.model.device import Device, Venue
from autopilot.model.switch import Switch
from autopilot.sim.node import Manner
from autopilot.store.schema import Connection
from autopilot.store.store import Store
from autopilot.testing.worlds import Fleet, Site
from autopilot.units import HOUR, Usd

_BOOKS = ("quotes", "decisions", "switches", "events", "placements", "fences", "ledger")
_LONGEST = 12 * HOUR
"""All limits of a switch together, for nodes that boot within the hour, and room to spare."""


class PowerCut(BaseException):
    """The power is gone. Nothing that flies may catch it."""


@dataclass
class Plug:
    """Counts what is done, and is pulled at some of it."""

    cuts: list[int]
    """How many things are done before each cut, the first cut last."""

    def pull(self) -> None:
        """Something is about to be done, or was done. Raises PowerCut where the plug is pulled at it."""
        if not self.cuts:
            return
        self.cuts[-1] -= 1
        if self.cuts[-1] < 0:
            self.cuts.pop()
            raise PowerCut


class FusedConnection(Connection):
    """A connection whose power may be gone just before and just after every commit."""

    def __init__(self, inner: Connection, plug: Plug) -> None:
        self.__dict__.update(vars(inner))
        self._plug = plug
        self._acknowledged = self._counts()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        with super().atomic():
            yield
            self._plug.pull()
        self._acknowledge()
        self._plug.pull()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        if self._raw.in_transaction or sql.startswith("SELECT"):
            return super().execute(sql, values)
        self._plug.pull()
        cursor = super().execute(sql, values)
        self._acknowledge()
        self._plug.pull()
        return cursor

    def lost(self) -> list[str]:
        """What a new process would find: the books from which a row is missing that was once committed."""
        self._raw.rollback()
        return [book for book, rows in self._counts().items() if rows < self._acknowledged[book]]

    def _counts(self) -> dict[str, int]:
        return {book: self._raw.execute(f"SELECT count(*) FROM {book}").fetchone()[0] for book in _BOOKS}  # noqa: S608

    def _acknowledge(self) -> None:
        if not self._raw.in_transaction:
            self._acknowledged = self._counts()


class FusedSite(Site):
    """A network whose host may lose its pilot just before and just after every verb; an observer looks when one was obeyed."""

    plug: Plug
    observer: Callable[[], None]

    def start(self, device: Device, venue: Venue) -> None:
        self._fused(lambda: super(FusedSite, self).start(device, venue))

    def drain(self, device: Device) -> None:
        self._fused(lambda: super(FusedSite, self).drain(device))

    def stop(self, device: Device) -> None:
        self._fused(lambda: super(FusedSite, self).stop(device))

    def _fused(self, verb: Callable[[], None]) -> None:
        self.plug.pull()
        verb()
        self.observer()
        self.plug.pull()


@dataclass(frozen=True)
class Case:
    """How the nodes behave, when the plug is pulled, and how often a pilot looks."""

    manners: tuple[Manner, ...]
    cuts: tuple[tuple[int, timedelta], ...]
    """The last one first: how many things are done before it, and how long the power is gone."""
    pace: timedelta


class Lab:
    """One device among networks that outlive its pilots."""

    def __init__(self, case: Case, rates: Mapping[str, str]) -> None:
        self.plug = Plug([things for things, _ in case.cuts])
        self.fleet = Fleet()
        self.away = timedelta(0)
        self.held_twice: list[str] = []
        self._pace = case.pace
        self._outages = [outage for _, outage in case.cuts]
        self._connection = FusedConnection(self.fleet.store.connection, self.plug)
        self.fleet.store = Store(self._connection)
        for (name, rate), manner in zip(rates.items(), case.manners, strict=True):
            site = FusedSite(name, self.fleet.clock, manner, Usd.of("0.01"))
            site.rate, site.plug, site.observer = rate, self.plug, self._observe
            self.fleet.sites[name] = site

    @property
    def holding(self) -> list[str]:
        """The networks whose nodes really hold the device."""
        return [name for name, site in self.fleet.sites.items() if site.holds(self.fleet.devices[0])]

    @property
    def switches(self) -> list[Switch]:
        """Every switch, oldest first."""
        return self.fleet.store.journal.switches()

    def fly(self, name: str) -> None:
        """Fly the device there, which is wished for until it has left, through every cut, until that switch is over.

        Raises AssertionError where it never is, where two nodes held the device, and where something written was lost.
        """
        fleet, before = self.fleet, len(self.switches)
        end = fleet.clock.now() + _LONGEST - self.away
        fleet.wish(name)
        pilot, polled = None, None
        while not self._over(before) and fleet.clock.now() < end + self.away:
            if len(self.switches) > before and not self.switches[-1].state.leaving:
                fleet.wishes.targets.clear()
            try:
                pilot = pilot or fleet.restart()
                if polled is None or fleet.clock.now() - polled >= HOUR:
                    pilot.poll()
                    polled = fleet.clock.now()
                pilot.tick()
                fleet.later(self._pace)
            except PowerCut:
                pilot = polled = None
                self._cut()

        assert not self.held_twice
        assert self._over(before), f"it never ends: {[(switch.state, switch.since) for switch in self.switches]}"

    def _observe(self) -> None:
        """Keep what is seen: a pilot would take an error for the node's own."""
        if len(self.holding) > 1:
            self.held_twice.append(f"{' and '.join(self.holding)} hold the device at {self.fleet.clock.now()}")

    def _cut(self) -> None:
        """What was not committed is gone, and time goes by."""
        outage = self._outages.pop()
        self.away += outage
        self.fleet.later(outage)
        self.fleet.store = Store(self._connection)

        assert not self._connection.lost(), "what was committed is missing"

    def _over(self, before: int) -> bool:
        """Whether there is one more switch than before, and nothing under way."""
        switches = self.switches
        return len(switches) > before and all(switch.state.over for switch in switches)

"""Where all devices of a rig should be at once, where venues have few places or pay each further GPU less (docs/market.md §4).

A device by itself goes to its best venue, and so does each of its like, until the fourth there earns less than it left behind.
``assign`` places them together instead: ``autopilot_strategies.fleet`` says what that is worth, and how it is solved.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from autopilot.model.device import Device, DeviceId, Venue
from autopilot.model.market import ROOMY, Room
from autopilot.model.view import View
from autopilot.units import Usd
from autopilot_strategies.blocks import bound, search
from autopilot_strategies.choice import Choice
from autopilot_strategies.fleet import Fleet, Ints, exact

_MOST_CELLS = 200_000
"""GPUs times places up to which the exact way is taken: a rig's 8 x 96 take a millisecond, and so many some tens."""


class Worth(NamedTuple):
    """What being at a venue is worth to a device over the horizon, in USD."""

    pay: float
    """Alone there: this falls from one GPU of the rig to the next. Not negative."""
    cost: float = 0.0
    """What does not: power, and the cost of going there. None for staying but power."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where all free devices should be. Money is USD over the horizon."""

    choices: Mapping[DeviceId, Choice]
    """For every free device, by id."""
    marginal: Mapping[Venue, float]
    """The pay that one more GPU would add at each venue, of the kind that gains most there; nothing where no place is left."""
    total: float
    """What it is worth, over all that were assigned."""
    bound: float
    """What no assignment exceeds: the total itself, where it was solved exactly."""


def assign(view: View, values: Mapping[tuple[DeviceId, Venue], Worth]) -> Assignment:
    """The targets of all free devices at once, by what they are worth to each; a device may go only where it has a value.

    A device without a value where it is stays there, as fixed ones do, and these hold the first places. Where the quotes of one venue
    name different rooms, the tightest counts. Of equal devices those with the first ids stay, and of equal assignments the one with the
    fewest moves is taken. Raises ValueError for a pay that is negative, and for a value that is no number.
    """
    task = _Task.of(view, values)
    choices = {device.id: _unvalued(view.venue(device)) for device in sorted(view.free(), key=lambda each: each.id)}
    if not task.devices:
        return Assignment(choices, {}, 0.0, 0.0)
    fleet = task.fleet()
    small = len(task.devices) * int(np.minimum(fleet.places, len(task.devices)).sum()) <= _MOST_CELLS
    where = exact(fleet) if small else search(fleet)
    total = fleet.total(where)
    choices.update(_Seating(view, values, task, where).choices())
    marginal = dict(zip(task.venues, fleet.marginal(where).tolist(), strict=True))
    return Assignment(choices, marginal, total, total if small else bound(fleet, where))


def _unvalued(here: Venue) -> Choice:
    return Choice(here, f"stay at {here}: nothing is known of what it is worth")


class _Group(NamedTuple):
    """What makes devices equal: where they are, and what each venue pays and costs them."""

    home: int
    pay: tuple[float, ...]
    cost: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """The devices that may move, in groups, and the venues that they may go to."""

    devices: Sequence[Device]
    venues: Sequence[Venue]
    rooms: Sequence[Room]
    """For each venue, with its places counted beside all that are there now."""
    before: Sequence[int]
    """For each venue, the devices there that do not move."""
    groups: Mapping[_Group, Sequence[Device]]

    @classmethod
    def of(cls, view: View, values: Mapping[tuple[DeviceId, Venue], Worth]) -> _Task:
        """By id and by name, so that no other order matters."""
        devices = sorted((each for each in view.free() if (each.id, view.venue(each)) in values), key=lambda each: each.id)
        ids = {device.id for device in devices}
        venues = sorted({venue for device, venue in values if device in ids})
        still = Counter(place.venue for device, place in view.placements.items() if device not in ids)
        before = [still[venue] for venue in venues]
        rooms = [_tightest(view, venue, devices) for venue in venues]
        falls = [1 - float(room.fall) for room in rooms]
        groups = defaultdict(list)
        for device in devices:
            worths = [values.get((device.id, venue)) for venue in venues]
            pay = tuple(each.pay * fall**count if each else 0.0 for each, fall, count in zip(worths, falls, before, strict=True))
            cost = tuple(each.cost if each else np.inf for each in worths)
            groups[_Group(venues.index(view.venue(device)), pay, cost)].append(device)
        return cls(devices, venues, rooms, before, groups)

    def fleet(self) -> Fleet:
        """As arrays."""
        kinds = {pay: row for row, pay in enumerate(dict.fromkeys(group.pay for group in self.groups))}
        here = Counter(group.home for group, devices in self.groups.items() for _ in devices)
        all_ = len(self.devices)
        return Fleet(
            counts=np.array([len(devices) for devices in self.groups.values()]),
            kind=np.array([kinds[group.pay] for group in self.groups]),
            home=np.array([group.home for group in self.groups]),
            pay=np.array(list(kinds)),
            cost=np.array([group.cost for group in self.groups]),
            fall=np.array([float(room.fall) for room in self.rooms]),
            places=np.array([all_ if room.places is None else here[k] + room.places for k, room in enumerate(self.rooms)]),
        )


def _tightest(view: View, venue: Venue, devices: Sequence[Device]) -> Room:
    rooms = [quote.room for device in devices if (quote := view.quote(venue, device))] or [ROOMY]
    return Room(min((room.places for room in rooms if room.places is not None), default=None), max(room.fall for room in rooms))


@dataclass(frozen=True, slots=True)
class _Seating:
    """Who has which place, and the sentence about it."""

    view: View
    values: Mapping[tuple[DeviceId, Venue], Worth]
    task: _Task
    where: Ints

    def choices(self) -> Iterator[tuple[DeviceId, Choice]]:
        """What to do with each device of the task."""
        targets = dict(self._targets())
        now = self._places({device.id: self.view.venue(device) for device in self.task.devices})
        then = self._places(targets)
        load = Counter(targets.values())
        for device in self.task.devices:
            yield device.id, self._choice(device, targets[device.id], (now[device.id], then[device.id]), load)

    def _targets(self) -> Iterator[tuple[DeviceId, Venue]]:
        """Of each group as many stay as the solution says, the first by id; the others go by the names of the venues."""
        for (group, devices), row in zip(self.task.groups.items(), self.where.tolist(), strict=True):
            order = sorted(range(len(row)), key=lambda venue: venue != group.home)
            venues = [self.task.venues[venue] for venue in order for _ in range(row[venue])]
            yield from zip((device.id for device in devices), venues, strict=True)

    def _places(self, targets: Mapping[DeviceId, Venue]) -> dict[DeviceId, int]:
        """The place of each device at its venue, from 0: the best paid first."""
        places = {}
        taken = Counter(dict(zip(self.task.venues, self.task.before, strict=True)))
        for device, venue in sorted(targets.items(), key=lambda each: (-self.values[each].pay, each[0])):
            places[device] = taken[venue]
            taken[venue] += 1
        return places

    def _choice(self, device: Device, target: Venue, places: tuple[int, int], load: Mapping[Venue, int]) -> Choice:
        here = self.view.venue(device)
        why = f"stay at {self._told(device, here, places[1])}"
        if target != here:
            why = f"leave {self._told(device, here, places[0])} for {self._told(device, target, places[1])}"
        there, left = self.values[device.id, target], self.values[device.id, here]
        gain = there.pay * self._share(target, places[1]) - left.pay * self._share(here, places[0])
        return Choice(target, why + self._rival(device, target, load), Usd.nearest(gain), Usd.nearest(there.cost - left.cost))

    def _rival(self, device: Device, target: Venue, load: Mapping[Venue, int]) -> str:
        """Why it does not go where it would go alone; empty where it does."""
        own = {venue: worth for venue in self.task.venues if (worth := self.values.get((device.id, venue)))}
        alone = max(own, key=lambda venue: (own[venue].pay - own[venue].cost, venue == target))
        if alone == target:
            return ""
        index = self.task.venues.index(alone)
        room, taken = self.task.rooms[index], load[alone] + self.task.before[index]
        here = sum(self.view.venue(each) == alone for each in self.task.devices)
        if room.places is not None and load[alone] >= here + room.places:
            return f"; {alone} has no place left"
        return f"; {self._told(device, alone, taken)} would be worth less"

    def _told(self, device: Device, venue: Venue, place: int) -> str:
        """The venue, with what the device earns in its place there."""
        quote = self.view.quote(venue, device)
        rate = float(quote.expected) * self._share(venue, place) if quote else 0.0
        return f"{venue} ({rate:.4g} $/h" + (f" as GPU {place + 1} of yours)" if place else ")")

    def _share(self, venue: Venue, place: int) -> float:
        return float((1 - float(self.task.rooms[self.task.venues.index(venue)].fall)) ** place)

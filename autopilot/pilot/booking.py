"""Money and dark time, from what each device was doing since the last look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.market import Answer, Basis, Quote
from autopilot.model.node import Observation, Phase
from autopilot.model.power import Draw
from autopilot.model.switch import Switch
from autopilot.pilot.supplying import Supply
from autopilot.pilot.world import World
from autopilot.store.ledger import Entry, Kind, Meter
from autopilot.units import ALL, Usd, UsdPerHour, Watts


@dataclass(frozen=True, slots=True)
class Mode:
    """What a device is doing, as far as money goes."""

    venue: Venue
    lit: bool
    dark: bool
    works: bool = False
    """Whether it was seen at work."""
    pays: UsdPerHour | None = None
    """What that work pays, where the node says it."""
    told: bool = True
    """Whether the node says when it works."""

    def rate(self, answer: Answer | None) -> UsdPerHour | None:
        """What it earns an hour: what its leases pay, else the quote's rate at work, or while waiting; None where nobody knows.

        Where a quote expects every hour to be paid there is no waiting; a node that does not say when it works earns what is expected.
        """
        if self.pays is not None or not isinstance(answer, Quote):
            return self.pays
        if not self.told:
            return answer.expected
        return answer.busy if self.works or answer.occupancy == ALL else answer.idle


def mode_of(placement: Venue, seen: Observation | None, switch: Switch | None) -> Mode:
    """The mode of a device that was seen at its venue, or that a switch is moving."""
    if seen is not None and placement != IDLE and seen.phase.lit:
        pays = [lease.pays for lease in seen.leases if lease.pays is not None]
        told = sum(pays, UsdPerHour(0)) if pays and len(pays) == len(seen.leases) else None
        return Mode(placement, lit=True, dark=False, works=seen.phase is Phase.BUSY or bool(seen.leases), pays=told, told=seen.tells_work)
    if switch is not None and not switch.state.leaving:
        return Mode(switch.target, lit=False, dark=True)
    return Mode(placement, lit=False, dark=False)


class Booker:
    """Books the span from one tick to the next by the mode that was seen at its start."""

    def __init__(self, world: World, supply: Supply) -> None:
        self._world = world
        self._supply = supply
        self._meter = Meter()
        self._drawn: dict[DeviceId, Watts | None] = {}
        self._modes: dict[DeviceId, Mode] = {}
        self._since: datetime | None = None

    def set(self, modes: Mapping[DeviceId, Mode], now: datetime) -> None:
        """From now on the devices are doing this."""
        self._modes = dict(modes)
        self._drawn = {device: self._reading(device, mode) for device, mode in modes.items()}
        self._since = now

    def _reading(self, device: DeviceId, mode: Mode) -> Watts | None:
        """What it draws for us: what a stranger's process draws on an idle GPU is his affair."""
        owned = self._supply.devices.get(device)
        if owned is None or (not mode.lit and self._world.holder(owned)):
            return None
        return self._world.drawn(device)

    def book(self, now: datetime, answers: Mapping[tuple[Venue, DeviceId], Answer]) -> list[Entry]:
        """The entries of the span since the last look; none on the first one, and none where no time has passed.

        ``answers`` are those in force during the span. A clock that went back books nothing twice.
        """
        if self._since is None or self._since >= now:
            return []
        since, self._since = self._since, now
        entries: list[Entry] = []
        for device, mode in self._modes.items():
            entries += self._entries(device, mode, since, now, answers.get((mode.venue, device)))
        return entries

    def _entries(self, device: DeviceId, mode: Mode, start: datetime, end: datetime, answer: Answer | None) -> list[Entry]:
        entries = []
        rate = mode.rate(answer)
        if mode.lit and rate is not None:
            earned = self._meter.run((Kind.EARNED, device, mode.venue), rate, end - start)
            basis = answer.basis if isinstance(answer, Quote) else Basis.ESTIMATE
            entries.append(Entry(start, end, device, mode.venue, Kind.EARNED, earned, basis))
        if mode.dark:
            entries.append(Entry(start, end, device, mode.venue, Kind.DARK, Usd(0), Basis.REALISED))
        return [*entries, *self._power(device, mode, start, end)]

    def _power(self, device: DeviceId, mode: Mode, start: datetime, end: datetime) -> Iterator[Entry]:
        """What was drawn: as it was measured at the start of the span, else as it is known of the venue."""
        at, measured, basis = mode.venue if mode.lit else IDLE, self._drawn.get(device), Basis.REALISED
        if measured is None:
            draw, basis = self._supply.draws.get(device, Draw()), Basis.ESTIMATE
            watts = draw.at(at)
        else:
            watts = measured
            if not mode.dark:
                self._supply.note(device, at, measured, end - start)
        if watts:
            key = (Kind.POWER, device, mode.venue)
            pieces = (self._meter.run(key, watts * price, span) for price, span in self._supply.power.spans(start, end))
            yield Entry(start, end, device, mode.venue, Kind.POWER, sum(pieces, Usd(0)), basis)

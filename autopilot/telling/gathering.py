"""From the state file to what may be news."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from autopilot.dashboard.reading import read_heartbeat
from autopilot.dashboard.snapshot import Heartbeat
from autopilot.dashboard.words import counted, money, plain, span
from autopilot.model.device import IDLE, DeviceId
from autopilot.model.switch import State
from autopilot.notices import NotifySettings, Topic
from autopilot.store.ledger import Kind
from autopilot.store.store import Store
from autopilot.store.told import Ended, ToldBook
from autopilot.telling.news import Look, Memory, News, Trouble
from autopilot.units import HOUR, Usd, hour_start

_GLIMPSE = timedelta(minutes=1)
"""A GPU that was not seen for less is not worth a message."""
_NEWS = timedelta(days=1)
"""What is older is none, where nobody was told for longer."""
_Troubles = Iterator[tuple[str, Trouble]]
"""Each with its own key."""


class Gatherer:
    """Reads one state file, by the daemon's own clock. Everything raises StoreError."""

    def __init__(self, store: Store, told: ToldBook, settings: NotifySettings) -> None:
        self._store = store
        self._told = told
        self._settings = settings

    def look(self, memory: Memory | None) -> tuple[Memory, Look] | None:
        """What it says now, and the memory that this is held against. None before the first heartbeat.

        Without a memory, all that has happened until now is old.
        """
        beat = read_heartbeat(self._store)
        if beat is None:
            return None
        day = due(beat.at, self._settings.digest)
        before = memory or Memory(self._told.last_event(), day)
        labels, ended = self._store.journal.labels(), self._told.ended(before.event, beat.at - _NEWS)
        happened = tuple(each for ending in ended if (each := self._ending(labels, ending)) is not None)
        return before, Look(beat.at, ended[-1].event if ended else before.event, day, happened, dict(self._troubles(beat, before)))

    def _ending(self, labels: dict[DeviceId, str], ended: Ended) -> News | None:
        """A stranded one is told by its fence."""
        label, why = labels.get(ended.device, ended.device), self._store.journal.setback(ended.switch)
        match ended.state:
            case State.SETTLED:
                return News(Topic.SWITCH, plain(f"{label} moved from {ended.source} to {ended.target}: {ended.why}"))
            case State.REVERTED:
                return News(Topic.SWITCH, plain(f"{label} is back at {ended.source}, not at {ended.target}: {why}"))
            case State.CLEARED:
                return News(Topic.SWITCH, plain(f"{label} is idle, between {ended.source} and {ended.target}: {why}"))
            case _:
                return None

    def _troubles(self, beat: Heartbeat, memory: Memory) -> _Troubles:
        labels = {device.id: device.label for device in beat.devices}
        for device, why in self._store.journal.fences().items():
            label = labels.get(device, device)
            yield f"fence {device}", _trouble(Topic.STRANDED, f"{label} is fenced: {why}; look at it, then `autopilot lift {label}`")
        yield from _of_gpus(beat, labels)
        yield from _of_networks(beat, self._settings.silent)
        without = span(self._settings.no_income)
        for device in self._poor(beat, memory):
            sentence = f"{labels[device]} has earned nothing for {without}; `autopilot explain {labels[device]}` says why"
            yield f"income {device}", _trouble(Topic.INCOME, sentence, over=f"{labels[device]} earns again")

    def _poor(self, beat: Heartbeat, memory: Memory) -> list[DeviceId]:
        """GPUs without income for so long. One that its owner holds is no trouble; a daemon that has just come knows only the old ones."""
        since = beat.at - self._settings.no_income
        earned = self._told.earned(hour_start(since), since)
        held = {device for device, gauge in beat.gauges.items() if gauge.owner}
        poor = [device.id for device in beat.devices if device.id not in earned and device.id not in held]
        return [device for device in poor if beat.started_at <= since or f"income {device}" in memory.standing]

    def digest(self, memory: Memory, at: datetime) -> News:
        """The 24 hours before an instant, in a few lines."""
        sums = self._store.ledger.sums(at - 24 * HOUR)

        def of(kind: Kind) -> Usd:
            return sum((amount for (_, each), (amount, _) in sums.items() if each is kind), Usd(0))

        paid = f"{money(of(Kind.PAID))} $" if any(kind is Kind.PAID for _, kind in sums) else "not known"
        dark = sum((length for (_, kind), (_, length) in sums.items() if kind is Kind.DARK), timedelta(0))
        net, power, fees = of(Kind.EARNED) - of(Kind.POWER) - of(Kind.FEE), of(Kind.POWER), of(Kind.FEE)
        costs = f"power {money(power)}, fees {money(fees)}"
        standing = [f"{counted(len(memory.standing), 'trouble')} not over: `autopilot watch` shows them"] if memory.standing else []
        first = f"24 hours: net {money(net)} $ by our estimate ({costs}); paid: {paid}; dark for {span(dark)}"
        return News(Topic.DIGEST, "\n".join([first, *self._places(), *standing]))

    def _places(self) -> Iterator[str]:
        arrivals = self._store.journal.newest_arrivals()
        for device, label in self._store.journal.labels().items():
            where = arrivals[device].venue if device in arrivals else IDLE
            yield plain(f"{label}: {where}")


def due(at: datetime, clock: str) -> date:
    """The day whose digest is due, by this host's time: before its hour, yesterday's still is."""
    hour = time.fromisoformat(clock)
    return (at.astimezone() - timedelta(hours=hour.hour, minutes=hour.minute)).date()


def _of_gpus(beat: Heartbeat, labels: dict[DeviceId, str]) -> _Troubles:
    for device, gauge in beat.gauges.items():
        if gauge.ailment:
            label = labels.get(device, device)
            yield f"gpu {device}", _trouble(Topic.GPU, f"{label} cannot be seen: {gauge.ailment}", _GLIMPSE, f"{label} is seen again")


def _of_networks(beat: Heartbeat, patience: timedelta) -> _Troubles:
    for network, why in beat.silent.items():
        if network not in beat.quarantine:
            sentence = f"{network} has given no answer for {span(patience)}: {why}"
            yield f"silent {network}", _trouble(Topic.SILENT, sentence, patience, f"{network} answers again")
    for network, why in beat.quarantine.items():
        yield f"left {network}", _trouble(Topic.SILENT, f"{network} is not asked any more: {why}; correct it, then start the daemon again")


def _trouble(topic: Topic, sentence: str, patience: timedelta = timedelta(0), over: str = "") -> Trouble:
    return Trouble(News(topic, plain(sentence)), patience, over)

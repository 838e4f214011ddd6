"""One sentence for each device, and the memory of what was said."""

from __future__ import annotations

import logging
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from autopilot.model.device import Device, DeviceId
from autopilot.model.node import Placement
from autopilot.model.plan import Hold
from autopilot.pilot.deciding import Verdict
from autopilot.pilot.executing import Progress
from autopilot.store.store import Store

log = logging.getLogger(__name__)


class Speaker:
    """Says what is new, and journals it."""

    def __init__(self, devices: tuple[Device, ...], store: Store, *, live: bool) -> None:
        self._devices = devices
        self._store = store
        self._live = live
        self.notes: dict[DeviceId, str] = {}
        """What was last decided on a device, or how its last switch ended."""
        self.asides: dict[DeviceId, str] = {}
        """What the strategy says now of devices that are under way already."""
        self._said: dict[DeviceId, str] = {}

    def take(self, verdict: Verdict, devices: Iterable[DeviceId]) -> None:
        """Note what was decided on some devices."""
        asked = set(devices)
        self.notes |= {device.id: self._note(device, verdict) for device in self._devices if device.id in asked}

    def _note(self, device: Device, verdict: Verdict) -> str:
        decision = verdict.decision
        note = decision.notes.get(device.id) or f"{device.label}: {decision.reason if isinstance(decision, Hold) else 'not asked about'}"
        if device.id in verdict.vetoes:
            return f"{note}; held back: {verdict.vetoes[device.id]}"
        if not self._live and any(move.device == device.id for move in verdict.allowed):
            return f"{note}; dry run: nothing was moved"
        return note

    def alarm(self, now: datetime, why: str) -> dict[DeviceId, str]:
        """The same word for every device."""
        return self._say(now, {device.id: f"{device.label}: {why}" for device in self._devices})

    def say(
        self, now: datetime, reasons: Sequence[Mapping[DeviceId, str]], placements: Mapping[DeviceId, Placement], rider: str = ""
    ) -> dict[DeviceId, str]:
        """What every device is doing: the first reason that is given for it, else what was decided; and what holds for all of them."""
        given = ChainMap(*map(dict, reasons))
        sentences = {}
        for device in self._devices:
            nothing = f"{device.label}: at {placements[device.id].venue}, nothing decided yet"
            note = self.notes.get(device.id) or nothing
            sentences[device.id] = (f"{device.label}: {given[device.id]}" if device.id in given else note) + f"; {rider}" * bool(rider)
        return self._say(now, sentences)

    def under_way(self, switches: Mapping[DeviceId, Progress]) -> dict[DeviceId, str]:
        """How far the open switches are."""
        return {
            device: f"{each.switch.source} -> {each.switch.target}: {each.why}{self._aside(device)}" for device, each in switches.items()
        }

    def _aside(self, device: DeviceId) -> str:
        return f"; {self.asides[device]}" if device in self.asides else ""

    def _say(self, now: datetime, sentences: dict[DeviceId, str]) -> dict[DeviceId, str]:
        news = {device: sentence for device, sentence in sentences.items() if self._said.get(device) != sentence}
        if news:
            with self._store.atomic():
                self._store.journal.say(now, news)
            for sentence in news.values():
                log.info("%s", sentence)
            self._said.update(news)
        return sentences

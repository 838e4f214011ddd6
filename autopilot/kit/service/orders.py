"""What a program was last told, remembered across the driver's own death: which market to serve, and since when it is to go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from autopilot.clock import Clock
from autopilot.kit.service.shape import ABSENT, Look
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import Phase


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of one network's programs, a small file for each, written whole or not at all."""

    network: NetworkId
    clock: Clock
    folder: Path

    def serve(self, device: Device, venue: Venue) -> None:
        """It is about to be started for this venue."""
        self._write(device, "market", venue.market)
        self._file(device, "asked").unlink(missing_ok=True)

    def go(self, device: Device) -> None:
        """It was asked to go. Written after it was told: a crash in between costs a second signal, not a node that nobody ever asked."""
        if self.asked(device) is None:
            self._write(device, "asked", self.clock.now().isoformat())

    def asked(self, device: Device) -> datetime | None:
        """When it was asked to go; None where it was not."""
        try:
            return datetime.fromisoformat(self._file(device, "asked").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def late(self, device: Device, grace: timedelta) -> bool:
        """Whether it was asked to go so long ago that it must be made to. Where the clock was put back since, the grace begins again."""
        asked, now = self.asked(device), self.clock.now()
        if asked is not None and asked > now:
            self._write(device, "asked", now.isoformat())
        return asked is not None and now - asked >= grace

    def venue(self, device: Device) -> Venue | None:
        """The venue that it was last started for."""
        try:
            return Venue(self.network, self._file(device, "market").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def seen(self, device: Device, look: Look) -> Look:
        """What an engine shows, in the light of the orders: what was asked to go is on its way, and its end is no fault."""
        if self.asked(device) is not None:
            if look.lives or look.phase in (Phase.READY, Phase.STARTING):
                venue, note = look.venue or self.venue(device), look.note or "asked to go"
                return replace(look, phase=Phase.DRAINING, venue=venue, note=note, lives=False)
            if look.phase is Phase.FAULT:
                return ABSENT
        return look if look.phase is Phase.ABSENT else replace(look, venue=look.venue or self.venue(device))

    def _write(self, device: Device, kind: str, text: str) -> None:
        file = self._file(device, kind)
        draft = file.with_name(f"{file.name}.new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)

    def _file(self, device: Device, kind: str) -> Path:
        return self.folder / f"{self.network}-{device.id}.{kind}"

"""The GPUs that are flown: those of this host, as its driver tells them, or simulated ones."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import disk_usage
from typing import Any

from autopilot.daemon.gauge import Gauge
from autopilot.daemon.kinship import kinship
from autopilot.errors import ConfigError
from autopilot.gpu import Nvml
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.gpu import Census, GpuState, Needs, Reading
from autopilot.model.owner import OwnerRule
from autopilot.pilot.eligibility import Eligibility, Host
from autopilot.pilot.limiting import Limiter
from autopilot.pilot.tending import Household, Tending
from autopilot.settings import OwnerSettings, Settings
from autopilot.store.context import unpack_devices
from autopilot.store.store import Store
from autopilot.tariff import venue_of
from autopilot.units import Watts

_SIMULATED = re.compile(r"(?:(\d{1,3})\s*x\s*)?(\S.*)")
_MADE_UP = "SIM-"
_GIB = 2**30


def simulated_devices(written: tuple[str, ...], where: str = "rig.simulated") -> tuple[Device, ...]:
    """GPUs that do not exist, from ``"4 x RTX 4090"``. Raises ConfigError, which says where it was written."""
    models: list[str] = []
    for text in written:
        match = _SIMULATED.fullmatch(text.strip())
        if not match or match[1] == "0":
            raise ConfigError(f"{where}: {text!r} is not like '4 x RTX 4090'")
        models += [match[2]] * int(match[1] or 1)
    return tuple(Device(DeviceId(f"{_MADE_UP}{index}-{model.replace(' ', '-')}"), model, index=index) for index, model in enumerate(models))


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs that are flown, and who looks at them."""

    devices: tuple[Device, ...]
    driver: str = ""
    """The version of the driver; empty where it is not known."""
    gauge: Gauge | None = None
    """None where they are simulated."""

    def tending(self, settings: Settings, store: Store, whole: Container[NetworkId], *, live: bool) -> Tending | None:
        """Who speaks for them at every tick; None where they are simulated. Power limits are only set in a live flight.

        ``whole`` are the networks that take all GPUs or none.
        """
        if self.gauge is None:
            return None
        kin = kinship(settings.networks, self.devices).of
        house = Household(kin, owner_rules(settings.owner, self.devices), settings.owner.ignore, store.wishes.lent)
        wanted = {venue_of(name): power for name, power in settings.power.limits.items()}
        limiter = Limiter(wanted, self.gauge.limit, store.power_limits) if live else None
        moving = store.journal.open_switches
        devices = self.devices
        return Tending(
            devices, self.gauge.look, house, store.owners, lambda: {each.device for each in moving()}, limiter=limiter, whole=whole
        )

    def eligibility(self, needs: Mapping[Venue, Needs], store: Store) -> Eligibility:
        """Who closes the venues that ask for more than there is."""
        return Eligibility(self.devices, Host(self.driver, free_disk), needs, store.rates)


def find(settings: Settings, store: Store | None, closing: ExitStack) -> Gpus:
    """The GPUs that the settings name, with those that were flown before and are not there now.

    Raises ConfigError where there is none, with what is in the way.
    """
    if settings.rig.simulated:
        return Gpus(simulated_devices(settings.rig.simulated))
    probe = Nvml()
    closing.callback(probe.close)
    gauge = Gauge(probe)
    census = gauge.census()
    known = unpack_devices(store.journal.newest_context()) if store else ()
    return Gpus(flown(settings.rig.gpus, census, known), census.driver, gauge)


def flown(chosen: Collection[str], census: Census, known: Iterable[Device] = ()) -> tuple[Device, ...]:
    """The GPUs of a census, and those that were known before, of which those that are chosen. Raises ConfigError where none is left."""
    there, taken = {device.id for device in census.devices}, {device.index for device in census.devices}
    missing = [each for each in known if each.id not in there and not each.id.startswith(_MADE_UP)]
    devices = (*census.devices, *(replace(each, index=None) if each.index in taken else each for each in missing))
    for name in chosen:
        if not any(_is_called(device, name) for device in devices):
            raise ConfigError(f"rig.gpus: {name!r} is no GPU of this host; {_told(devices, census)}")
    found = tuple(device for device in devices if not chosen or any(_is_called(device, name) for name in chosen))
    if not found:
        raise ConfigError(f"no GPU to fly: {_told((), census)}; or name simulated ones in [rig], e.g. simulated = ['4 x RTX 4090']")
    return found


def _is_called(device: Device, name: str) -> bool:
    """By its number, or by its UUID."""
    return name in (device.id, str(device.index))


def _told(devices: Iterable[Device], census: Census) -> str:
    there = ", ".join(f"{device.index}: {device.model}, {device.id}" for device in devices)
    troubles = "; ".join(ailment.remedy for ailment in census.ailments)
    return "; ".join(filter(None, (there and f"there are {there}", troubles))) or "the driver knows of none"


def owner_rules(settings: OwnerSettings, devices: Iterable[Device]) -> dict[DeviceId, OwnerRule]:
    """What holds for the owner of each GPU. Raises ConfigError for a table of a GPU that there is not."""
    rules = {device.id: settings.over(OwnerRule()) for device in devices}
    for name, table in settings.gpus.items():
        called = [device.id for device in devices if _is_called(device, name)]
        if not called:
            raise ConfigError(f"[owner.gpus.{name}]: no GPU of this rig is called so; name it by its number or its UUID")
        rules |= {device: table.over(rules[device]) for device in called}
    return rules


def told(states: Mapping[DeviceId, GpuState]) -> dict[str, dict[str, Any]]:
    """What is known of each GPU, as the heartbeat has it; a key is left out where nobody knows."""
    return {device: {key: value for key, value in _facts(state).items() if value not in (None, "")} for device, state in states.items()}


def _facts(state: GpuState) -> dict[str, Any]:
    seen = state.seen
    if not isinstance(seen, Reading):
        return {"ailment": seen.condition.value, "remedy": seen.remedy}
    return {
        "watts": None if seen.draw is None else float(seen.draw),
        "limit_watts": None if seen.limit is None else float(seen.limit),
        "celsius": seen.temperature,
        "busy": None if seen.utilisation is None else float(seen.utilisation),
        "memory_used_bytes": seen.memory_used,
        "owner": state.owner,
        "doubt": state.doubt,
    }


def drawn(states: Mapping[DeviceId, GpuState], device: DeviceId) -> Watts | None:
    """What a GPU is measured to draw; None where that cannot be told."""
    seen = states[device].seen if device in states else None
    return seen.draw if isinstance(seen, Reading) else None


def free_disk() -> int:
    """GiB that are free where containers usually keep their images."""
    images = Path("/var/lib/docker")
    return disk_usage(images if images.exists() else "/").free // _GIB

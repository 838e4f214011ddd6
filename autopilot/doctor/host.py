"""The machine: its version of us, who may write where, its disk, its clock and its GPUs."""

from __future__ import annotations

import ctypes
import os
import platform
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from shutil import disk_usage
from statistics import median

from autopilot.daemon.gauge import Gauge
from autopilot.doctor.finding import Finding, bad, ok, warn
from autopilot.gpu import Nvml
from autopilot.model.device import Device
from autopilot.model.gpu import Ailment, Census, Condition, Reading
from autopilot.plugins import listing
from autopilot.settings import Settings

_GIB = 2**30
_FULL, _SCARCE = 0.25, 2.0
"""GiB that must, and that should, be free beside the state file: a rig of 8 GPUs writes less than 1 GiB in a year."""
_LATE, _WRONG = timedelta(seconds=30), timedelta(minutes=5)
"""Quotes and hours are reckoned by the minute; keys and certificates stop working some minutes away from the truth."""
_TIME_ERROR = 5
"""What adjtimex(2) returns while nobody keeps the clock."""
_TIMEX = 1024
"""Bytes; more than ``struct timex`` has anywhere."""


def release() -> Iterator[Finding]:
    """What runs here, and which plugins do not load."""
    yield ok(
        "version", f"autopilot {version('yield-autopilot')}, Python {platform.python_version()}, {platform.system()} {platform.release()}"
    )
    for plugin in listing():
        if plugin.problem:
            yield warn("version", f"the {plugin.kind} {plugin.name} of {plugin.distribution}: {plugin.problem}", "update or uninstall it")


def permissions(state: Path, config: Path | None, *, secret: bool) -> Iterator[Finding]:
    """Whether the state file may be written, and nobody else may read a configuration that holds keys."""
    folder = state.resolve().parent
    remedy = "give the folder to this user (chown), or name another one with --state"
    if not folder.is_dir():
        yield bad("permissions", f"{folder} is not there", f"make it: mkdir -p {folder}")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield bad("permissions", f"{folder} may not be written by this user", remedy)
    elif state.exists() and not os.access(state, os.R_OK | os.W_OK):
        yield bad("permissions", f"{state} may not be written by this user", remedy)
    else:
        yield ok("permissions", f"{folder} may be written")
    if config and config.exists() and secret and config.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warn("permissions", f"{config} holds keys, and others may read it", f"chmod 600 {config}")


def disk(state: Path, *, images: bool) -> Iterator[Finding]:
    """What is free beside the state file, and for images where containers are run."""
    folder = state.resolve().parent
    free = disk_usage(folder if folder.is_dir() else "/").free / _GIB
    words = f"{free:.1f} GiB are free beside the state file"
    if free < _SCARCE:
        yield (bad if free < _FULL else warn)("disk", words, "free some space: a flight ends where it cannot write its journal")
    else:
        yield ok("disk", words)
    kept = Path("/var/lib/docker")
    if images and kept.exists():
        room = disk_usage(kept).free // _GIB
        words = f"{room} GiB are free for images, in {kept}"
        yield ok("disk", words) if room >= 30 else warn("disk", words, "an image of a node may need 20 GiB: docker system prune")  # noqa: PLR2004


def time(drifts: Mapping[str, timedelta]) -> Iterator[Finding]:
    """How far off the clock is by the answers that we got, and whether somebody keeps it."""
    remedy = "have the clock kept: timedatectl set-ntp true"
    if drifts:
        off = timedelta(seconds=median(drift.total_seconds() for drift in drifts.values()))
        behind = f"{abs(off.total_seconds()):.0f} s {'behind' if off > timedelta(0) else 'ahead of'}"
        words = f"the clock is {behind} {'the host' if len(drifts) == 1 else f'the {len(drifts)} hosts'} that answered"
        verdict = bad if abs(off) > _WRONG else warn
        yield verdict("clock", words, remedy) if abs(off) > _LATE else ok("clock", words)
    kept = synchronised()
    if kept is False:
        yield warn("clock", "the kernel says that nobody keeps the clock", remedy)
    elif not drifts:
        told = "the kernel says that somebody keeps it" if kept else "the kernel does not tell whether somebody keeps it"
        yield ok("clock", f"nobody answered to compare it with; {told}")


def synchronised() -> bool | None:
    """Whether the kernel's clock is kept by somebody; None where it does not tell. Nothing is set (adjtimex(2), with no modes)."""
    try:
        told = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):
        return None
    return None if told < 0 else bool(told != _TIME_ERROR)


def gpus(settings: Settings) -> Iterator[Finding]:
    """Each GPU of the host, as its driver tells it."""
    if settings.rig.simulated:
        yield ok("gpus", f"simulated: {', '.join(settings.rig.simulated)}; the driver is not asked")
        return
    with closing(Nvml()) as probe:
        gauge = Gauge(probe)
        census = gauge.census()
        yield from ailing(census)
        readings = gauge.look(census.devices)
        for device in census.devices:
            yield _gpu(device, readings[device.id], census.driver)
    if settings.power.limits and os.geteuid() != 0:
        yield warn("gpus", "power limits are configured, and this user may not set them", "run as root, or take [power.limits] out")


def ailing(census: Census) -> Iterator[Finding]:
    """What stands in the way of a GPU, or of all."""
    for ailment in census.ailments:
        words, _, remedy = ailment.remedy.partition(": ") if ailment.condition is not Condition.SLICED else ailment.remedy.partition("; ")
        verdict = bad if not census.devices else warn
        yield verdict("gpus", words, remedy or "a reset or a reboot brings it back")
    if not census.devices and not census.ailments:
        yield bad("gpus", "the driver knows of no GPU", "put one in, or name simulated ones in [rig]")


def _gpu(device: Device, seen: Reading | Ailment, driver: str) -> Finding:
    name = f"{device.label} {device.model}"
    if isinstance(seen, Ailment):
        return bad("gpus", f"{name}: {seen.condition}", seen.remedy)
    if seen.processes is None:
        return warn("gpus", f"{name}: its programs cannot be told", "run as root: else nobody knows whether its owner uses it")
    heat = "" if seen.temperature is None else f", {seen.temperature} °C"
    return ok("gpus", f"{name}: {device.memory_gib} GiB{heat}, driver {driver}")

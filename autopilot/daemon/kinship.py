"""Whose a program is that holds a GPU: told by what Linux shows of it, of those who started it, and of where it runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from autopilot.kit.service.shape import MARK
from autopilot.kit.service.words import filled
from autopilot.model.device import Device
from autopilot.model.gpu import Kin

_BOX = re.compile(r"[0-9a-f]{64}|/kubepods")
"""Docker, Podman, containerd and CRI-O name a container's control group by its id; a kubelet gathers its pods in one of this name."""
_PARENT = 1
"""Where the parent stands in /proc/PID/stat after the name, counted from 0 (proc(5): field 4)."""
_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Kinship:
    """Tells programs apart.

    A process that we start carries a mark in its environment, and so do its children; one that cleared its environment is known by
    its parents. A unit of systemd is known by its control group, an app of pm2 by the name that pm2 gives to it.
    """

    units: Collection[str] = ()
    apps: Collection[str] = ()
    root: Path = Path("/proc")

    def of(self, pid: int) -> Kin:
        """Who started a program."""
        if not (self.root / str(pid) / "stat").exists():
            return Kin.UNTOLD
        if any(map(self._marked, islice(self._line(pid), _DEPTH))):
            return Kin.OURS
        group = self._read(pid, "cgroup")
        if not set(group.replace("\n", "/").split("/")).isdisjoint(self.units):
            return Kin.OURS
        boxes = set(_BOX.findall(group)) - set(_BOX.findall(self._read("self", "cgroup")))  # what we are in ourselves is no box to us
        return Kin.BOXED if boxes else Kin.FOREIGN

    def _line(self, pid: int) -> Iterator[int]:
        """It, its parent, and so on."""
        while pid > 1:
            yield pid
            after_name = self._read(pid, "stat").rpartition(")")[2].split()
            pid = int(after_name[_PARENT]) if len(after_name) > _PARENT else 0

    def _marked(self, pid: int) -> bool:
        """By the environment that it was started with. Another user's cannot be read, and what we start is our user's."""
        words = dict(word.partition("=")[::2] for word in self._read(pid, "environ").split("\0"))
        return MARK in words or ("pm_id" in words and words.get("name", "") in self.apps)

    def _read(self, pid: int | str, file: str) -> str:
        with suppress(OSError):
            return (self.root / str(pid) / file).read_text(encoding="utf-8", errors="replace")
        return ""


def kinship(networks: Mapping[str, Mapping[str, Any]], devices: Collection[Device]) -> Kinship:
    """For the nodes that a configuration speaks of."""
    units = _named(networks, "unit", devices)
    return Kinship(units | {f"{unit}.service" for unit in units}, _named(networks, "pm2", devices))


def _named(table: Mapping[str, Any], key: str, devices: Collection[Device]) -> frozenset[str]:
    """What stands under a key anywhere in a table, filled in for each device."""
    found: set[str] = set()
    for name, value in table.items():
        if isinstance(value, Mapping):
            found |= _named(value, key, devices)
        elif name == key and isinstance(value, str):
            found |= {filled(value, device) for device in devices}
    return frozenset(found)

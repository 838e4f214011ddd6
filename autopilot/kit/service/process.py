"""A program as a process of its own, in its own process group, that outlives whoever started it.

A file lock says whether it runs: the program inherits it with its standard streams, and the kernel lets go of it when the last
process that holds it is gone, however that ended. So there is no moment, not even a crash between the start of the program and the
writing of a file, at which a program of ours runs and is not seen. The process id is written by the program's own shell before it
becomes the program, together with the time at which the kernel says that it began: an id that was given to another process since
is not ours, and is never signalled.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from autopilot.clock import Clock
from autopilot.errors import NodeFault
from autopilot.kit.service.command import found
from autopilot.kit.service.shape import ABSENT, MARK, Look
from autopilot.kit.service.words import filled, filled_all
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Phase, Readiness

_BECOME = 'read -r born </proc/$$/stat; printf "%s" "$born" >"$0"; exec "$@"'
"""What the shell does: say who it is, then become the program. The program's words come in as arguments, and are never read as shell."""
_BORN = 21
"""Where the time of birth stands in /proc/PID/stat, counted from 0 (proc(5): field 22, in clock ticks since boot)."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class _Child(subprocess.Popen[bytes]):
    """A process that is meant to outlive whoever started it."""

    def __del__(self) -> None:
        """Nothing is cleared away, and nobody is warned that it still runs."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run for a device.

    ``{device}``, ``{index}`` and ``{market}`` in a word stand for the GPU's UUID, its number and the venue's market.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """Beside our own environment. The GPU is always pinned by its UUID."""
    folder: Path | None = None
    """Where it runs."""
    settles: timedelta = timedelta(seconds=2)
    """How long it must have been up to count as serving: a wrong configuration ends sooner."""


@dataclass(frozen=True, slots=True)
class _Record:
    """What is remembered of a start."""

    network: str
    market: str
    boot: str
    started: str
    asked: str = ""
    """When it was asked to go."""

    @property
    def venue(self) -> Venue:
        return Venue(NetworkId(self.network), self.market)


class ProcessShape:
    """Runs a program for each device."""

    def __init__(self, network: NetworkId, clock: Clock, program: Program, folder: Path) -> None:
        self._network = network
        self._clock = clock
        self._program = program
        self._folder = folder
        self._children: dict[DeviceId, _Child] = {}

    def look(self, device: Device) -> Look:
        """Up for long enough is READY; gone without having been asked is FAULT, with its exit code where we are its parent."""
        record = self._record(device)
        code = self._reap(device)
        if self._runs(device):
            if record is None:
                return Look(Phase.STARTING, note="its record is lost, and its lock is held")
            return self._up(record)
        if record is None or record.asked or not self._file(device, "pid").exists():
            return ABSENT
        why = "ended by itself" + ("" if code is None else f", exit code {code}")
        return Look(Phase.FAULT, record.venue, f"{why}; its last words are in {self._file(device, 'log')}")

    def _up(self, record: _Record) -> Look:
        if record.asked:
            return Look(Phase.DRAINING, record.venue, f"asked to go at {record.asked}")
        age = self._clock.now() - datetime.fromisoformat(record.started)
        young = timedelta(0) <= age < self._program.settles  # one that began later than now has seen the clock put back
        return Look(Phase.STARTING if young else Phase.READY, record.venue)

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        """Whether the program is on this host."""
        argv = filled_all(self._program.argv, device, venue)
        return found(argv[0], self._program.env.get("PATH"), self._program.folder)

    def launch(self, device: Device, venue: Venue) -> None:
        """Remember, lock, start. Raises NodeFault where the program cannot be started."""
        with self._file(device, "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._file(device, "pid").unlink(missing_ok=True)
            self._write(device, _Record(venue.network, venue.market, _boot(), self._clock.now().isoformat()))
            self._children[device.id] = self._spawn(device, venue, lock.fileno())

    def _spawn(self, device: Device, venue: Venue, lock: int) -> _Child:
        argv = filled_all(self._program.argv, device, venue)
        pins = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": device.id, "NVIDIA_VISIBLE_DEVICES": device.id}
        own = {name: filled(value, device, venue) for name, value in self._program.env.items()}
        env = {**os.environ, MARK: self._network, **pins, **own}
        try:
            with self._file(device, "log").open("ab") as log:
                return _Child(
                    ["/bin/sh", "-c", _BECOME, str(self._file(device, "pid")), *argv],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=env,
                    cwd=self._program.folder,
                    pass_fds=(lock,),
                    start_new_session=True,
                )
        except OSError as error:
            raise NodeFault(self._network, f"{device.label}: {argv[0]} cannot be started: {error.strerror}") from None

    def end(self, device: Device, grace: timedelta) -> None:
        """SIGTERM to the whole group, once; SIGKILL when that was ``grace`` ago. Every process that holds the lock is meant."""
        record = self._record(device) or _Record(self._network, "", _boot(), self._clock.now().isoformat())
        now = self._clock.now()
        if not record.asked or datetime.fromisoformat(record.asked) > now:  # the clock was put back: its grace begins again
            # Written only after the signal: a crash in between costs a second signal, not a node that nobody ever asked.
            self._signal(device, signal.SIGTERM)
            self._write(device, replace(record, asked=now.isoformat()))
        elif now - datetime.fromisoformat(record.asked) >= grace:
            self._signal(device, signal.SIGKILL)
        self._reap(device)

    def _signal(self, device: Device, number: signal.Signals) -> None:
        groups = {group for pid in self._pids(device) if (group := _group(pid)) is not None}
        for group in groups - {os.getpgrp()}:
            with suppress(ProcessLookupError):
                os.killpg(group, number)

    def _pids(self, device: Device) -> set[int]:
        """Every process of ours for the device: the leader, if it is still the one that we started, and whoever holds the lock."""
        leader = self._leader(device)
        return _holders(self._file(device, "lock")) | ({leader} if leader is not None else set())

    def _runs(self, device: Device) -> bool:
        return self._locked(device) or self._leader(device) is not None

    def _locked(self, device: Device) -> bool:
        try:
            with self._file(device, "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _leader(self, device: Device) -> int | None:
        """The process that we started, where it lives: same id, same birth, same boot. It counts although it let go of the lock."""
        record = self._record(device)
        try:
            pid, born = _birth(self._file(device, "pid").read_text(encoding="utf-8"))
            alive = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except (OSError, ValueError, IndexError):
            return None
        same = record is not None and record.boot == _boot() and _birth(alive) == (pid, born)
        return pid if same and alive.rpartition(")")[2].split()[0] not in "ZX" else None

    def _reap(self, device: Device) -> int | None:
        """The exit code of our own child, where it has ended; a child that nobody asks about stays in the kernel's table."""
        child = self._children.get(device.id)
        return child.poll() if child is not None else None

    def _record(self, device: Device) -> _Record | None:
        try:
            return _Record(**json.loads(self._file(device, "json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, device: Device, record: _Record) -> None:
        draft = self._file(device, "new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file(device, "json"))

    def _file(self, device: Device, kind: str) -> Path:
        return self._folder / f"{self._network}-{device.id}.{kind}"


def _boot() -> str:
    return _BOOT.read_text(encoding="ascii").strip()


def _birth(stat: str) -> tuple[int, int]:
    """The id and the time of birth in a line of /proc/PID/stat, whose name may hold blanks and brackets."""
    head, _, tail = stat.rpartition(")")
    return int(head.split(" ", 1)[0]), int(tail.split()[_BORN - 2])


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _holders(lock: Path) -> set[int]:
    """The processes that have the lock open, other than this one."""
    try:
        wanted = lock.stat()
    except FileNotFoundError:
        return set()
    found = set()
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            if any(_same(entry, wanted) for entry in folder.iterdir()):
                found.add(int(folder.parent.name))
    return found - {os.getpid()}


def _same(entry: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(entry.stat(), wanted)
    except OSError:
        return False

"""Commands that a driver runs: lists of words, never a line for a shell, and each with a limit of time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from autopilot.errors import NodeFault, Transient
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.shape import MARK, Look
from autopilot.kit.service.words import filled_all
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import PREPARED, Phase, Readiness, Stage

_LIMIT = timedelta(seconds=20)
_WORDS = 300
"""How much of what a command said is worth repeating."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last of it, in one line."""
        text = " ".join((self.err or self.out).split())
        return text[-_WORDS:] or f"exit code {self.code}"


def run(network: NetworkId, argv: Sequence[str], limit: timedelta = _LIMIT, env: Mapping[str, str] | None = None) -> Said:
    """Run a command to its end, in our own environment unless told. Raises Transient where it cannot be run, or exceeds the limit."""
    try:
        done = subprocess.run(  # noqa: S603  # the owner's own command, as a list of words
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit.total_seconds(),
            stdin=subprocess.DEVNULL,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Transient(network, f"{argv[0]} did not end within {limit.total_seconds():g} s") from None
    except OSError as error:
        raise Transient(network, f"{argv[0]} cannot be run: {error.strerror}") from None
    return Said(done.returncode, done.stdout, done.stderr)


def found(program: str, path: str | None = None, folder: Path | None = None) -> Readiness:
    """Whether a program can be run: by its name in a search path, ours where none is given, or by its place, seen from a folder."""
    place = str((folder or Path()) / program) if "/" in program else program
    if shutil.which(place, path=path):
        return PREPARED
    return Readiness(Stage.REFUSED, f"there is no program {place} on this host that this user may run: install it, or correct its name")


@dataclass(frozen=True, slots=True)
class Commands:
    """The owner's own commands. ``{device}``, ``{index}`` and ``{market}`` are filled in."""

    look: Sequence[str]
    """Exit code 0: it serves. 3: nothing runs. 4: it boots. 5: it is broken. Any other: it cannot be told."""
    launch: Sequence[str]
    end: Sequence[str]
    kill: Sequence[str] = ()
    """Instead of ``end``, when that was the grace ago."""
    limit: timedelta = _LIMIT


_MEANS = {0: Phase.READY, 3: Phase.ABSENT, 4: Phase.STARTING, 5: Phase.FAULT}


class CommandShape:
    """Runs the owner's commands for each device."""

    def __init__(self, network: NetworkId, commands: Commands, orders: Orders) -> None:
        self._network = network
        self._commands = commands
        self._orders = orders

    def look(self, device: Device) -> Look:
        """By the exit code. Its first words are the note."""
        said = run(self._network, filled_all(self._commands.look, device), self._commands.limit)
        phase = _MEANS.get(said.code)
        if phase is None:
            raise Transient(self._network, f"{self._commands.look[0]} cannot tell: {said.complaint}")
        return self._orders.seen(device, Look(phase, note=said.out.strip()[:_WORDS], lives=phase is Phase.FAULT))

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        """Whether the command that launches is on this host."""
        return found(filled_all(self._commands.launch, device, venue)[0])

    def launch(self, device: Device, venue: Venue) -> None:
        """Raises NodeFault where the command ends with anything but 0."""
        self._orders.serve(device, venue)
        self._do(self._commands.launch, device, venue)

    def end(self, device: Device, grace: timedelta) -> None:
        """The command that ends it; after the grace the one that kills it."""
        late = self._orders.late(device, grace)
        self._do(self._commands.kill if late and self._commands.kill else self._commands.end, device)
        self._orders.go(device)

    def _do(self, argv: Sequence[str], device: Device, venue: Venue | None = None) -> None:
        said = run(self._network, filled_all(argv, device, venue), self._commands.limit, {**os.environ, MARK: self._network})
        if said.code:
            raise NodeFault(self._network, f"{device.label}: {argv[0]} failed: {said.complaint}")

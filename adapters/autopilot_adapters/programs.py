"""A network's program on this host as the configuration describes it: ``[networks.NAME.node]``. Without such a table, rates only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from pydantic import Field, JsonValue, model_validator

from autopilot.clock import Clock
from autopilot.contracts import NodeDriver
from autopilot.errors import ConfigError, Transient
from autopilot.kit import Kit
from autopilot.kit.fields import SpanField, Table
from autopilot.kit.service import ServiceNode, Shape, UnheardWork, Work
from autopilot.kit.service.command import Commands, CommandShape, run
from autopilot.kit.service.container import ContainerShape, Image
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.pm2 import Pm2Shape
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.kit.service.unit import Unit, UnitShape
from autopilot.kit.service.words import filled_all
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import Lease, Observation, Readiness

Argv = tuple[str, ...]
"""A command as a list of words, never a line for a shell."""
_WAYS = ("process", "image", "unit", "pm2", "look")
_GOES_WITH: Mapping[str, tuple[str, ...]] = {
    "folder": ("process",),
    "env": ("process", "image"),
    "command": ("image",),
    "mounts": ("image",),
    "options": ("image",),
    "user": ("unit",),
    "start": ("look",),
    "stop": ("look",),
    "kill": ("look",),
}
_PINS = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


class ProgramSettings(Table):
    """One way to run it: ``process``, ``image``, ``unit``, ``pm2``, or commands of your own: ``look``, ``start`` and ``stop``.

    ``{device}``, ``{index}`` and ``{market}`` in a word stand for the GPU's UUID, its number on this host and the venue's market.
    """

    process: Argv = ()
    """The words of a command that stays up."""
    folder: Path | None = None
    """Where the process runs."""
    image: str = ""
    """Of a container, with its tag or digest."""
    command: Argv = ()
    mounts: tuple[str, ...] = ()
    """``HOST:CONTAINER`` or ``HOST:CONTAINER:ro``."""
    gpu: bool = True
    """Whether the container is given the GPU."""
    options: Mapping[str, JsonValue] = Field(default_factory=dict)
    """Anything else that the docker SDK takes to create a container: ``network_mode``, ``privileged``, ``runtime``."""
    env: Mapping[str, str] = Field(default_factory=dict)
    unit: str = ""
    """Of systemd, as you wrote it: ``miner.service``."""
    user: bool = False
    """Whether the unit is of this user's own manager."""
    pm2: str = ""
    """The name of an app that pm2 knows already."""
    look: Argv = ()
    """Exit code 0: it serves. 3: nothing runs. 4: it boots. 5: it is broken. Any other: it cannot be told."""
    start: Argv = ()
    stop: Argv = ()
    kill: Argv = ()
    """Instead of ``stop``, when that was the grace ago."""
    jobs: Argv = ()
    """Prints a line for each job that runs, the same while it runs. Exit code 0, or it cannot be told."""
    drain: Argv = ()
    """Has it take no new jobs. Without it, the drain waits until no job runs."""
    resume: Argv = ()
    """Undoes a drain; without it, ``start`` does."""
    grace: SpanField = timedelta(seconds=30)
    """From being asked to go until being made to."""
    limit: SpanField = timedelta(seconds=20)
    """For each of your commands."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [way for way in _WAYS if getattr(self, way)]
        if len(ways) != 1:
            msg = f"give one way to run the program, not {len(ways)}: {', '.join(_WAYS[:-1])}, or look with start and stop"
            raise ValueError(msg)
        for key, needed in _GOES_WITH.items():
            if getattr(self, key) and ways[0] not in needed:
                msg = f"{key} goes with {' or '.join(needed)}, not with {ways[0]}"
                raise ValueError(msg)
        if self.look and not (self.start and self.stop):
            msg = "look, start and stop go together"
            raise ValueError(msg)
        if self.drain and not (self.resume or self.start):
            msg = "a drain that cannot be undone is none: give resume as well"
            raise ValueError(msg)
        if self.grace < timedelta(0) or self.limit <= timedelta(0):
            msg = "limit must be longer than nothing, and grace not shorter"
            raise ValueError(msg)
        return self


class DrainCommands:
    """The owner's commands that let no new work come, and let it come again."""

    def __init__(self, network: NetworkId, settings: ProgramSettings) -> None:
        self._network = network
        self._settings = settings

    def refuse(self, device: Device) -> None:
        """Run ``drain``. Raises Transient where it fails."""
        if self._settings.drain:
            self._run(self._settings.drain, device)

    def accept(self, device: Device) -> None:
        """Run ``resume``, or ``start``. Raises Transient where it fails."""
        if self._settings.drain:
            self._run(self._settings.resume or self._settings.start, device)

    def _run(self, argv: Sequence[str], device: Device) -> str:
        said = run(self._network, filled_all(argv, device), self._settings.limit)
        if said.code:
            raise Transient(self._network, f"{device.label}: {argv[0]} failed: {said.complaint}")
        return said.out


class CommandWork(DrainCommands):
    """Work that the owner's command names, a line for each. It may not be broken."""

    def __init__(self, network: NetworkId, clock: Clock, settings: ProgramSettings) -> None:
        super().__init__(network, settings)
        self._clock = clock
        self._since: dict[tuple[str, str], datetime] = {}

    def leases(self, device: Device) -> tuple[Lease, ...]:
        """A lease for each line, since it was first seen. Raises Transient where the command fails."""
        lines = dict.fromkeys(line.strip() for line in self._run(self._settings.jobs, device).splitlines() if line.strip())
        keys = [(device.id, line) for line in lines]
        for key in [key for key in self._since if key[0] == device.id and key not in keys]:
            del self._since[key]
        return tuple(Lease(key[1], self._since.setdefault(key, self._clock.now())) for key in keys)


class UnheardCommandWork(DrainCommands, UnheardWork):
    """A program that is told to drain, and does not say what it works on."""


def work_of(kit: Kit, settings: ProgramSettings) -> Work:
    """The work that the settings tell of; where they tell of none, the program serves as long as it is up."""
    return CommandWork(kit.network, kit.clock, settings) if settings.jobs else UnheardCommandWork(kit.network, settings)


class WholeRig:
    """A node that serves all GPUs of the host together: whichever is asked about, the one program is meant."""

    def __init__(self, node: ServiceNode, lead: Device) -> None:
        self._node = node
        self._lead = lead

    def observe(self, device: Device) -> Observation:
        """What the program does, said of this device."""
        return replace(self._node.observe(self._lead), device=device.id)

    def prepare(self, device: Device, venue: Venue) -> Readiness:  # noqa: ARG002
        """Once for all."""
        return self._node.prepare(self._lead, venue)

    def start(self, device: Device, venue: Venue) -> None:  # noqa: ARG002
        """Once for all."""
        self._node.start(self._lead, venue)

    def drain(self, device: Device) -> None:  # noqa: ARG002
        """Once for all."""
        self._node.drain(self._lead)

    def stop(self, device: Device) -> None:  # noqa: ARG002
        """Once for all."""
        self._node.stop(self._lead)


def node_of(kit: Kit, settings: ProgramSettings, market: str, work: Work | None = None, *, whole: bool = False) -> NodeDriver:
    """The driver of a market's program; ``whole`` where one program serves all GPUs of the rig. Raises ConfigError on a rig without any."""
    folder = home(kit, market)
    gpus = by_number(kit)
    shape = _shape(kit, settings, folder, gpus if whole else ())
    node = ServiceNode(kit.network, kit.clock, shape, folder, work or work_of(kit, settings), grace=settings.grace)
    return WholeRig(node, gpus[0]) if whole else node


def home(kit: Kit, market: str) -> Path:
    """The folder of a market's node: two markets of one network remember their orders apart."""
    folder = kit.folder / "-".join(filter(None, ("node", quote(market, safe=""))))
    folder.mkdir(exist_ok=True)
    return folder


def by_number(kit: Kit) -> Sequence[Device]:
    """The rig's devices, the first of which stands for all."""
    if not kit.devices:
        raise ConfigError(f"networks.{kit.network}: a node needs a GPU, and this rig has none")
    return sorted(kit.devices, key=lambda device: (device.index is None, device.index or 0, device.id))


def _shape(kit: Kit, settings: ProgramSettings, folder: Path, together: Sequence[Device]) -> Shape:
    """``together`` are the devices that one program serves; empty where each has a program of its own."""
    orders = Orders(kit.network, kit.clock, folder)
    if settings.process:
        pins = dict.fromkeys(_PINS, _listed(together)) if together else {}
        return ProcessShape(kit.network, kit.clock, Program(settings.process, {**pins, **settings.env}, settings.folder), folder)
    if settings.image:
        return ContainerShape(kit.network, kit.clock, _image(settings, together), orders)
    if settings.unit:
        return UnitShape(kit.network, Unit(settings.unit, settings.user), orders)
    if settings.pm2:
        return Pm2Shape(kit.network, settings.pm2, orders)
    return CommandShape(kit.network, Commands(settings.look, settings.start, settings.stop, settings.kill, settings.limit), orders)


def _image(settings: ProgramSettings, together: Sequence[Device]) -> Image:
    options: dict[str, Any] = dict(settings.options)
    if together and settings.gpu:
        # The shape would ask for the leading GPU alone.
        options["device_requests"] = [{"DeviceIDs": [device.id for device in together], "Capabilities": [["gpu"]]}]
    alone = settings.gpu and not together
    return Image(settings.image, settings.command, settings.env, settings.mounts, gpu=alone, options=options)


def _listed(devices: Sequence[Device]) -> str:
    return ",".join(device.id for device in devices)

"""A driver whose word a test sets by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import Event

from autopilot.model.device import Device, DeviceId
from autopilot.model.gpu import Ailment, Census, Condition, GpuProcess, Kin, Reading
from autopilot.units import Share, Watts

CALM = Reading(DeviceId(""), Watts.of(22), Watts.of(450), (Watts.of(150), Watts.of(600)), 35, Share(0), 0, ())
LOST = Ailment(Condition.LOST, "the GPU fell off the bus")


@dataclass
class Driver:
    """It stands at the door of ``autopilot.gpu.GpuProbe``, and says who started a program as well."""

    devices: tuple[Device, ...]
    ailments: dict[DeviceId, Ailment] = field(default_factory=dict)
    programs: dict[DeviceId, list[GpuProcess] | None] = field(default_factory=dict)
    """None where the driver does not tell."""
    kin: dict[int, Kin] = field(default_factory=dict)
    """Programs that are not named are nobody's whom we know."""
    limits: dict[DeviceId, Watts] = field(default_factory=dict)
    forbids: bool = False
    broken: Exception | None = None
    answers: Event = field(default_factory=Event)
    """While it is not set, every question hangs."""
    asked: int = 0

    def __post_init__(self) -> None:
        self.answers.set()

    def census(self) -> Census:
        """Every GPU."""
        self._hear()
        return Census(self.devices, (), "575.57.08")

    def read(self, device: DeviceId) -> Reading | Ailment:
        """One of them."""
        self._hear()
        if device in self.ailments:
            return self.ailments[device]
        programs = self.programs.get(device, [])
        limit = self.limits.get(device, CALM.limit)
        return replace(CALM, device=device, limit=limit, processes=None if programs is None else tuple(programs))

    def limit(self, device: DeviceId, power: Watts) -> Ailment | None:
        """It does not look at bounds: whoever asks must."""
        self._hear()
        if self.forbids:
            return Ailment(Condition.FORBIDDEN, "this user may not")
        self.limits[device] = power
        return None

    def who(self, pid: int) -> Kin:
        """Who started a program."""
        return self.kin.get(pid, Kin.FOREIGN)

    def runs(self, device: Device, name: str, pid: int = 4242, *, kin: Kin = Kin.FOREIGN) -> None:
        """A program is on a GPU now, and no other."""
        self.programs[device.id] = [GpuProcess(pid, name, 2**30)]
        self.kin[pid] = kin

    def ends(self, device: Device) -> None:
        """Nothing is on it any more."""
        self.programs[device.id] = []

    def _hear(self) -> None:
        self.asked += 1
        self.answers.wait(60)
        if self.broken is not None:
            raise self.broken

"""Which GPUs are flown, and what holds for each of them."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autopilot.daemon import gpus
from autopilot.daemon.gpus import find, flown, owner_rules, told
from autopilot.errors import ConfigError
from autopilot.model.device import Device, DeviceId
from autopilot.model.gpu import Ailment, Census, Condition, GpuState
from autopilot.model.owner import OwnerRule, Policy
from autopilot.settings import OwnerSettings, RigSettings, Settings
from autopilot.units import Share, Watts
from shared.probes import CALM, LOST, Driver

ZERO = Device(DeviceId("GPU-a"), "RTX 4090", 24, Watts.of(450), "2684", 0)
ONE = Device(DeviceId("GPU-b"), "H100", 80, Watts.of(700), "2330", 1)
GONE = Device(DeviceId("GPU-c"), "RTX 3060", 12, Watts.of(170), "2503", 1)
BOTH = Census((ZERO, ONE), (), "575.57.08")


@pytest.mark.parametrize(("chosen", "found"), [((), (ZERO, ONE)), (("1",), (ONE,)), (("GPU-a", "0"), (ZERO,)), (("1", "0"), (ZERO, ONE))])
def test_the_settings_choose_among_the_gpus_of_the_host(chosen: tuple[str, ...], found: tuple[Device, ...]) -> None:
    """By number or by UUID; all of them where nothing is chosen."""
    assert found == flown(chosen, BOTH)


def test_a_gpu_that_was_flown_before_and_is_gone_is_flown_on() -> None:
    """So that its node is left alone until it is back. Its number is no one's but the present GPU's; a simulated one is forgotten."""
    simulated = Device(DeviceId("SIM-0-H100"), "H100", index=0)
    missing = Device(GONE.id, GONE.model, GONE.memory_gib, GONE.power_limit, GONE.pci_id)

    assert (ZERO, ONE, missing) == flown((), BOTH, (ZERO, GONE, simulated))
    assert (GONE,) == flown((), Census((), (LOST,)), (GONE,))
    assert (ZERO,) == flown(("0",), BOTH, (GONE,))


@pytest.mark.parametrize(
    ("chosen", "census", "said"),
    [
        (
            (),
            Census((), (Ailment(Condition.NO_LIBRARY, "install NVIDIA's driver"),)),
            "no GPU to fly: install NVIDIA's driver; or name sim",
        ),
        ((), Census(()), "no GPU to fly: the driver knows of none; or name simulated ones in [rig], e.g. simulated = ['4 x RTX 4090']"),
        (("7",), BOTH, "rig.gpus: '7' is no GPU of this host; there are 0: RTX 4090, GPU-a, 1: H100, GPU-b"),
        (("GPU-c",), Census((ZERO,), (LOST,)), "rig.gpus: 'GPU-c' is no GPU of this host; there are 0: RTX 4090, GPU-a; the GPU fell off"),
    ],
)
def test_no_gpu_is_one_line_with_the_remedy(chosen: tuple[str, ...], census: Census, said: str) -> None:
    """Of the driver, where something is wrong with it; else what there is to choose from."""
    with pytest.raises(ConfigError) as refused:
        flown(chosen, census)

    assert str(refused.value).startswith(said)


def test_the_census_is_asked_where_nothing_is_simulated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And the driver is let go of when the flight ends."""
    ended = []
    monkeypatch.setattr(Driver, "close", lambda _: ended.append("closed"), raising=False)
    monkeypatch.setattr(gpus, "Nvml", lambda: Driver((ZERO, ONE)))
    with ExitStack() as held:
        found = find(Settings(state=tmp_path / "autopilot.db"), None, held)

        assert ((ZERO, ONE), "575.57.08", []) == (found.devices, found.driver, ended)
    assert ["closed"] == ended


@pytest.mark.parametrize(
    ("rig", "said"),
    [
        ({"gpus": ("0",), "simulated": ("RTX 4090",)}, "gpus selects among this host's, and simulated names others"),
        ({"speed": 60}, "speed is for simulated GPUs"),
        ({"needs": {"akash": {"driver": "new"}}}, "driver"),
    ],
)
def test_what_contradicts_itself_is_refused(rig: dict[str, Any], said: str) -> None:
    """Real and simulated GPUs at once, real ones whose time flies, and a version that is none."""
    with pytest.raises(ValidationError, match=said):
        RigSettings(**rig)


def test_each_gpu_may_have_its_own_rule() -> None:
    """What a GPU's table leaves out is as for all; a table of nobody is refused."""
    written = {"quiet": "5m", "hours": [{"days": "sat, sun"}], "gpus": {"1": {"policy": "stop"}, "GPU-a": {"hours": ()}}}
    rules = owner_rules(OwnerSettings(**written), (ZERO, ONE))

    assert OwnerRule(Policy.DRAIN, timedelta(minutes=5), ()) == rules[ZERO.id]
    assert (Policy.STOP, frozenset({5, 6})) == (rules[ONE.id].policy, rules[ONE.id].hours[0].days)
    with pytest.raises(ConfigError, match=r"^\[owner.gpus.2\]: no GPU of this rig is called so"):
        owner_rules(OwnerSettings(gpus={"2": {}}), (ZERO, ONE))


def test_the_heartbeat_tells_what_is_known_and_leaves_out_the_rest() -> None:
    """What is not known has no key, and zero is a figure."""
    states = {ZERO.id: GpuState(CALM, owner="a game"), ONE.id: GpuState(LOST)}
    figures = {"watts": 22.0, "limit_watts": 450.0, "celsius": 35, "busy": 0.0, "memory_used_bytes": 0}

    assert {**figures, "owner": "a game"} == told(states)[ZERO.id]
    assert {"ailment": "lost", "remedy": "the GPU fell off the bus"} == told(states)[ONE.id]
    assert Share(0) == CALM.utilisation

"""Whose a program is: ours, the owner's, or one in a container."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from autopilot.clock import SystemClock
from autopilot.daemon.kinship import Kinship, kinship
from autopilot.kit.service.command import Commands, CommandShape
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.kit.service.shape import MARK
from autopilot.model.device import NetworkId, Venue
from autopilot.model.gpu import Kin
from autopilot.testing.views import device
from shared.nodes import end_all, until

GPU = device(3)
AKASH = NetworkId("akash")
ID = "4f" * 32


class Proc:
    """A folder like /proc, with the programs that a test puts there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def runs(self, pid: int, parent: int = 1, group: str = "0::/user.slice", **environment: str) -> None:
        """A program, whose name is made to be misread."""
        folder = self.root / str(pid)
        folder.mkdir()
        (folder / "stat").write_text(f"{pid} (a) 7 (b) S {parent} {pid} 0", encoding="utf-8")
        (folder / "cgroup").write_text(f"{group}\n", encoding="utf-8")
        (folder / "environ").write_text("".join(f"{name}={value}\0" for name, value in environment.items()), encoding="utf-8")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """Nothing runs yet."""
    return Proc(tmp_path)


def test_what_we_start_is_ours_and_so_are_its_children(proc: Proc) -> None:
    """By the mark in the environment; whoever cleared that is known by its parents, and whoever has neither is a stranger."""
    proc.runs(10, **{MARK: "akash"})
    proc.runs(11, parent=10)
    proc.runs(12, parent=11)
    proc.runs(13, PATH="/bin")
    kin = Kinship(root=proc.root)

    assert [Kin.OURS, Kin.OURS, Kin.OURS, Kin.FOREIGN] == [kin.of(pid) for pid in (10, 11, 12, 13)]


def test_a_program_that_cannot_be_looked_at_is_nobodys(proc: Proc) -> None:
    """It has ended since, or it is hidden from us."""
    assert Kin.UNTOLD == Kinship(root=proc.root).of(99)


@pytest.mark.parametrize(
    "group",
    [
        f"0::/system.slice/docker-{ID}.scope",
        f"0::/docker/{ID}/docker/nested",
        f"4:memory:/machine.slice/libpod-{ID}.scope\n0::/",
        f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-pod9d.slice/cri-containerd-{ID}.scope",
        "0::/kubepods/besteffort/pod9d",
    ],
)
def test_a_container_is_known_by_its_control_group(proc: Proc, group: str) -> None:
    """As Docker, Podman and the kubelet name theirs, in both versions of control groups."""
    proc.runs(10, group=group)

    assert Kin.BOXED == Kinship(root=proc.root).of(10)


def test_a_container_that_we_are_in_ourselves_is_no_other(proc: Proc) -> None:
    """Whoever is beside us in it is as strange as on a bare host; a container within it is one."""
    proc.runs(10, group=f"0::/docker/{ID}")
    proc.runs(11, group=f"0::/docker/{ID}/docker/{ID[::-1]}")
    (proc.root / "self").symlink_to("10")

    assert [Kin.FOREIGN, Kin.BOXED] == [Kinship(root=proc.root).of(pid) for pid in (10, 11)]


def test_units_and_apps_are_those_of_the_configuration(proc: Proc) -> None:
    """Wherever a table names them, with the device filled in; a unit's suffix may be left out. The owner's own are his."""
    networks = {"nosana": {"node": {"unit": "nosana@{index}"}}, "bittensor": {"miners": 2, "node": {"pm2": "miner-{index}"}}}
    kin = kinship(networks, (GPU,))
    assert ({"nosana@3", "nosana@3.service"}, {"miner-3"}) == (kin.units, kin.apps)
    proc.runs(10, group="0::/system.slice/system-nosana.slice/nosana@3.service")
    proc.runs(11, group="0::/system.slice/jupyter.service")
    proc.runs(12, pm_id="0", name="miner-3")
    proc.runs(13, pm_id="1", name="his-own")
    here = Kinship(kin.units, kin.apps, proc.root)

    assert [Kin.OURS, Kin.FOREIGN, Kin.OURS, Kin.FOREIGN] == [here.of(pid) for pid in (10, 11, 12, 13)]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[int]:
    """The process id of a real node whose child cleared its environment and left its session."""
    words = ("/bin/sh", "-c", f"env -i setsid sleep 60 & echo $! >{tmp_path}/child; wait")
    ProcessShape(AKASH, SystemClock(), Program(words, settles=timedelta(0)), tmp_path).launch(GPU, Venue(AKASH))
    pid = tmp_path / f"akash-{GPU.id}.pid"
    until(lambda: (tmp_path / "child").exists() and pid.exists())
    yield int(pid.read_text(encoding="utf-8").split(" ", 1)[0])
    end_all([pid])


def test_what_a_command_of_the_owners_starts_for_us_is_ours(tmp_path: Path) -> None:
    """It carries the mark as well; a command that only looks does not, so that what it may leave running is not taken for a node."""
    tell = ("/bin/sh", "-c", f'echo "$0 ${{{MARK}:-nobody}}" >>{tmp_path}/told; exit 3')
    commands = Commands((*tell, "look"), ("/bin/sh", "-c", f'echo "launch ${MARK}" >>{tmp_path}/told'), ("/bin/true",))
    shape = CommandShape(AKASH, commands, Orders(AKASH, SystemClock(), tmp_path))
    shape.look(GPU)
    shape.launch(GPU, Venue(AKASH))

    assert "look nobody\nlaunch akash\n" == (tmp_path / "told").read_text(encoding="utf-8")


def test_a_real_node_is_ours_and_a_real_game_is_not(node: int, tmp_path: Path) -> None:
    """By this host's own /proc."""
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    game = subprocess.Popen(["/bin/sleep", "60"])
    try:
        kin = Kinship()

        assert [Kin.OURS, Kin.OURS] == [kin.of(node), kin.of(child)]
        assert kin.of(game.pid) is Kin.FOREIGN
    finally:
        game.kill()
        game.wait()
        os.kill(child, 9)
    assert Kin.UNTOLD == kin.of(game.pid)

"""A network without code: the example of its node's commands passes the suite of node drivers, and what it names is never cut."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autopilot.clock import SystemClock
from autopilot.contracts import NodeDriver
from autopilot.errors import Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Phase
from autopilot_adapters.http.adapter import http_network
from autopilot_adapters.http.settings import HttpSettings
from autopilot_adapters.unmanaged import Unmanaged
from shared.nodes import PATIENT, Post, RealNodeContract

NETWORK = NetworkId("mine")
RIG = tuple(Device(DeviceId(f"GPU-{number}f"), "RTX 4090", index=number) for number in range(2))
EXAMPLE = Path(__file__).parents[2] / "examples/networks/commands.toml"
SCRIPT = """#!/bin/sh
pid="{folder}/own-$2.pid"
echo "$1 $2" >>"{folder}/told"
case $1 in
look) kill -0 "$(cat "$pid" 2>/dev/null)" 2>/dev/null || exit 3 ;;
start) kill -0 "$(cat "$pid" 2>/dev/null)" 2>/dev/null && exit 0
    setsid /bin/sh -c '{patient}' >/dev/null 2>&1 & echo $! >"$pid" ;;
drain) test ! -e "{folder}/broken" ;;
stop) kill "$(cat "$pid")" 2>/dev/null; rm -f "$pid" ;;
jobs) cat "{folder}/jobs" ;;
*) exit 9 ;;
esac
"""


def settings(folder: Path, **changes: Any) -> HttpSettings:
    """The example as it is written, with a script of ours in place of the owner's."""
    written = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))["networks"]["mine"]
    del written["type"]
    node = {key: [str(folder / "my-node"), *words[1:]] if isinstance(words, list) else words for key, words in written["node"].items()}
    return HttpSettings(**{**written, "node": node, **changes})


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """The network, anew over the same folder. What runs at the end is ended by its own command."""
    script = tmp_path / "my-node"
    script.write_text(SCRIPT.replace("{folder}", str(tmp_path)).replace("{patient}", PATIENT), encoding="utf-8")
    script.chmod(0o755)
    (tmp_path / "jobs").touch()

    def made(devices: Sequence[Device] = RIG, **changes: Any) -> Any:
        clock = SystemClock()
        http = Http(clock, network=NETWORK)
        return http_network(settings(tmp_path, **changes), Kit(NETWORK, clock, devices, tmp_path, http, Tokens(http, clock)))

    yield made
    for index in ("0", "1"):
        subprocess.run([script, "stop", index], capture_output=True, check=False)


class TestExample(RealNodeContract):
    """The commands of the example."""

    post = Post(gpu=RIG[0], market=Venue(NETWORK))

    @pytest.fixture
    def node(self, make: Callable[..., Any]) -> NodeDriver:
        made: NodeDriver = make().node
        return made

    @pytest.fixture
    def reopened(self, make: Callable[..., Any]) -> Callable[[], NodeDriver]:
        return lambda: make().node


def test_the_jobs_are_waited_for(make: Callable[..., Any], tmp_path: Path) -> None:
    """Each line is a lease that may not be broken, since it was first seen; the exit costs what the settings say."""
    network = make()
    network.node.start(RIG[0], Venue(NETWORK))
    (tmp_path / "jobs").write_text("a\n\nb\na\n", encoding="utf-8")
    seen, again = network.node.observe(RIG[0]), network.node.observe(RIG[0])

    assert (Phase.BUSY, [("a", False), ("b", False)]) == (seen.phase, [(lease.id, lease.breakable) for lease in seen.leases])
    assert seen.leases == again.leases
    assert 20 * 60 == network.exit_cost(seen).drain.total_seconds()


def test_a_drain_and_its_undoing_are_told_to_the_owners_commands(make: Callable[..., Any], tmp_path: Path) -> None:
    """By number; where no 'resume' is given, 'start' takes it back."""
    node = make().node
    node.start(RIG[1], Venue(NETWORK))
    node.drain(RIG[1])
    assert Phase.DRAINING is node.observe(RIG[1]).phase
    node.start(RIG[1], Venue(NETWORK))
    told = (tmp_path / "told").read_text(encoding="utf-8").splitlines()

    assert ["start 1", "drain 1", "start 1"] == [line for line in told if line.split()[0] in ("start", "drain")]
    assert Phase.READY is node.observe(RIG[1]).phase


def test_commands_that_fail_are_no_answer(make: Callable[..., Any], tmp_path: Path) -> None:
    """Neither that nothing runs, nor that it drains."""
    node = make().node
    node.start(RIG[0], Venue(NETWORK))
    (tmp_path / "broken").touch()
    with pytest.raises(Transient, match="my-node failed"):
        node.drain(RIG[0])
    (tmp_path / "jobs").unlink()

    assert Phase.UNKNOWN is node.observe(RIG[0]).phase


def test_a_network_of_the_whole_rig_has_one_program(make: Callable[..., Any]) -> None:
    """Whichever GPU is asked about, the first one's command is run."""
    node = make(scope="rig").node
    node.start(RIG[1], Venue(NETWORK))

    assert [(device.id, Phase.READY) for device in RIG] == [(node.observe(device).device, node.observe(device).phase) for device in RIG]


def test_without_a_table_it_is_known_by_its_rates_only(make: Callable[..., Any]) -> None:
    """As before."""
    assert isinstance(make(node=None).node, Unmanaged)


def test_a_line_for_a_shell_is_refused(tmp_path: Path) -> None:
    """A command is a list of words."""
    with pytest.raises(ValidationError, match="valid tuple"):
        settings(tmp_path, node={"look": "my-node look", "start": ["a"], "stop": ["b"]})

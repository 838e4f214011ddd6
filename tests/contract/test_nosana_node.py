"""Nosana's node in its two containers: a real engine outside, a stub of Podman inside, and the chain of the small Nosana."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import base58
import httpx
import pytest

from autopilot.clock import SystemClock
from autopilot.contracts import NodeDriver
from autopilot.errors import NodeFault, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.service import ServiceNode
from autopilot.kit.service.container import Image
from autopilot.kit.tokens import Tokens
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.node import Phase
from autopilot_adapters.nosana.chain import Chain
from autopilot_adapters.nosana.directory import Directory
from autopilot_adapters.nosana.node import NodeSettings, managed
from autopilot_adapters.nosana.standing import Standings
from autopilot_adapters.nosana.wire import Api
from autopilot_adapters.nosana.work import NosanaWork
from shared.needs import needed
from shared.nodes import PATIENT, Post, RealNodeContract, until

docker = needed("docker")

pytestmark = pytest.mark.long  # clusters, chains and containers take real time

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "data/nosana/world.py")))
NETWORK = NetworkId("nosana")
MARKET = Venue(NETWORK, "nvidia-4090-community")
GPU = W.gpu(0)
NODES = {DeviceId("GPU-0"): W.OURS}
JOB = W.key(50)
POST = Post(gpu=GPU, market=MARKET)
NODE = """n=0
trap 'n=$((n + 1)); [ $n -gt {swallows} ] && exit 0' TERM
: >up
while :; do sleep 0.05; done
"""
PODMAN = """#!/bin/sh
cd /state
case $1 in
rm) kill -0 "$(cat pid)" 2>/dev/null && exit 2; rm -f pid code up ;;
run) test -e pid && exit 125
    echo "$@" >run
    (sh ./node.sh & echo $! >pid; wait $!; echo $? >code) >/dev/null 2>&1 &
    while ! test -e up; do sleep 0.01; done ;;
inspect) test -e pid || { echo 'Error: no such object: "nosana-node"'; exit 125; }
    if test -e code; then echo "exited $(cat code) false"; else echo "running 0 false"; fi ;;
kill) echo "$3" >>signals; kill -s "${3#SIG}" "$(cat pid)" ;;
esac
"""


class Ahead(SystemClock):
    """The machine's clock, and a while more."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        """Later."""
        return super().now() + self.by


class World:
    """One GPU with its node: the engine, what Podman does, and what the chain says of the key."""

    def __init__(self, host: str, folder: Path) -> None:
        self.host = host
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        self.clock = Ahead()
        self.nosana = W.Nosana()
        self.nosana.runs = {W.key(60): W.run_bytes(W.key(61), W.key(62))}
        self.queued: bool | None = None
        """Whether the key waits; None follows the program."""
        (self.state / "podman").write_text(PODMAN, encoding="utf-8")
        (self.state / "podman").chmod(0o755)
        self.check: dict[str, Any] = {}
        """The health check of the outer container."""
        self.behave()
        (folder / "keys").mkdir()
        self.keep_key(W.OURS)

    def behave(self, swallows: int = 0) -> None:
        """How many signals the node does not hear."""
        (self.state / "node.sh").write_text(NODE.replace("{swallows}", str(swallows)), encoding="utf-8")

    def keep_key(self, node: str) -> None:
        """Whose key the folder holds."""
        (self.folder / "keys/nosana_key.json").write_text(json.dumps([7] * 32 + list(base58.b58decode(node))), encoding="utf-8")

    @property
    def up(self) -> bool:
        """Whether the program runs."""
        return (self.state / "pid").exists() and not (self.state / "code").exists()

    @property
    def signals(self) -> list[str]:
        """What it was sent."""
        file = self.state / "signals"
        return file.read_text(encoding="utf-8").split() if file.exists() else []

    def job(self) -> None:
        """Our node is given a job."""
        self.nosana.runs[W.key(70)] = W.run_bytes(JOB)
        self.nosana.accounts[JOB] = W.job_bytes(W.COMMUNITY)

    def done(self) -> None:
        """Our node has finished its job."""
        del self.nosana.runs[W.key(70)]

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The chain as it is now."""
        working = W.key(70) in self.nosana.runs
        waits = (self.up if self.queued is None else self.queued) and not working
        self.nosana.accounts[W.COMMUNITY] = W.market_bytes(196, [W.key(1), *([W.OURS] if waits else [])])
        return self.nosana.handle(request)  # type: ignore[no-any-return]

    def node(self, **settings: Any) -> ServiceNode:
        """The driver, as a new process would make it."""
        http = Http(self.clock, transport=httpx.MockTransport(self.handle), budget=10**6).as_(NETWORK)
        kit = Kit(NETWORK, self.clock, [GPU], self.folder, http, Tokens(http, self.clock))
        directory = Directory(self.folder / "markets.json")
        directory.keep(Api(http).markets(lambda _: True).value)
        standings = Standings(NETWORK, self.clock, Chain(http), directory, kit.devices, NODES, timedelta(0))
        work = NosanaWork(NODES, standings, lambda: None)
        told = NodeSettings(keys=str(self.folder / "keys"), **settings)
        return managed(kit, told, self.image(), standings, work, lambda: docker.DockerClient(self.host, timeout=60))

    def image(self) -> Image:
        """The outer container, with a stub of Podman and no GPU."""
        mounts = ("podman-cache:/var/lib/containers", f"{self.state}:/state", f"{self.state}/podman:/bin/podman:ro")
        outer = NodeSettings().container()
        options = {"network_mode": "none", **({"healthcheck": self.check} if self.check else {})}
        return replace(outer, name="fakenode:1", command=("/bin/sh", "-c", PATIENT), mounts=mounts, gpu=False, options=options)


@pytest.fixture
def world(docker_host: str, client: Any, tmp_path: Path) -> World:  # noqa: ARG001  # it clears away
    """A rig with one GPU."""
    return World(docker_host, tmp_path)


def serving(world: World) -> ServiceNode:
    """A node that waits in the queue."""
    node = world.node()
    POST.serving(node)
    return node


class TestNosanaNode(RealNodeContract):
    """Both containers, without a job."""

    post = POST

    @pytest.fixture
    def node(self, world: World) -> NodeDriver:
        return world.node()

    @pytest.fixture
    def reopened(self, world: World) -> Callable[[], NodeDriver]:
        return world.node


def test_the_node_is_started_inside_without_a_terminal(world: World, client: Any) -> None:
    """With its image pulled, under its name, on its gateway; the cache is a volume with a name of its own."""
    serving(world)
    told = (world.state / "run").read_text(encoding="utf-8").split()
    (outer,) = client.containers.list()

    assert "run -d --pull=always --name nosana-node --network NOSANA_GATEWAY" in " ".join(told)
    assert ["docker.io/nosana/nosana-node:latest", "start", "--network", "mainnet"] == told[-4:]
    assert "podman-cache" in {mount.get("Name") for mount in outer.attrs["Mounts"]}


def test_a_node_that_stands_in_no_queue_yet_is_starting(world: World) -> None:
    """It measures its line and runs a benchmark first, and earns nothing: a program that runs is not one that waits for work."""
    world.queued = False
    node = world.node()
    node.start(GPU, MARKET)
    until(lambda: world.up)
    assert Phase.STARTING is POST.phase(node)
    world.queued = True

    assert Phase.READY is POST.phase(node)


def test_a_job_is_a_lease_with_its_end(world: World) -> None:
    """From the account that ties it to the node: since when, and its time limit."""
    node = serving(world)
    world.job()
    seen = node.observe(GPU)
    (lease,) = seen.leases

    assert (Phase.BUSY, JOB, False) == (seen.phase, lease.id, lease.breakable)
    assert lease.until is not None
    assert timedelta(seconds=3660) == lease.until - lease.since


def test_a_drain_waits_for_the_job_and_then_leaves_the_queue(world: World) -> None:
    """It is told nothing while it works; SIGTERM once it waits; ABSENT when its key has left the queue."""
    node = serving(world)
    world.job()
    node.drain(GPU)
    assert (Phase.DRAINING, 1) == (POST.phase(node), len(node.observe(GPU).leases))
    assert [] == world.signals
    world.done()
    assert () == node.observe(GPU).leases
    node.stop(GPU)
    until(lambda: POST.phase(node) is Phase.ABSENT)

    assert ["SIGTERM"] == world.signals


def test_a_job_that_slips_in_is_honoured(world: World) -> None:
    """It came between the look and the stop: nothing is sent, and the next look shows it."""
    node = serving(world)
    node.drain(GPU)
    assert () == node.observe(GPU).leases
    world.job()
    node.stop(GPU)

    assert [] == world.signals
    assert world.up
    assert 1 == len(node.observe(GPU).leases)


def test_a_job_that_slips_in_after_a_signal_that_was_not_heard_is_honoured(world: World) -> None:
    """The order to go is withdrawn, however late it is: a SIGKILL would cut the job."""
    world.behave(swallows=9)
    node = serving(world)
    node.stop(GPU)
    assert Phase.DRAINING is POST.phase(node)
    world.job()
    world.clock.by += timedelta(minutes=5)
    node.stop(GPU)
    seen = node.observe(GPU)

    assert ["SIGTERM"] == world.signals
    assert (Phase.BUSY, 1) == (seen.phase, len(seen.leases))


def test_a_job_in_an_outer_container_that_is_unwell_is_kept(world: World, client: Any) -> None:
    """It runs on: it is told of, and not cut where it slips in. Then the node leaves in good order, and the container goes after it."""
    world.check = {"test": ["CMD-SHELL", "! test -e /state/sick"], "interval": 200_000_000, "retries": 1, "start_period": 0}
    node = serving(world)
    (world.state / "sick").touch()
    until(lambda: POST.phase(node) is Phase.FAULT)
    world.job()
    node.stop(GPU)
    seen = node.observe(GPU)

    assert ([], True) == (world.signals, world.up)
    assert (Phase.FAULT, [(JOB, False)]) == (seen.phase, [(lease.id, lease.breakable) for lease in seen.leases])
    world.done()
    assert () == node.observe(GPU).leases
    until(lambda: POST.gone(node))
    assert ["SIGTERM"] == world.signals
    assert [] == client.containers.list()


def test_a_job_that_was_known_is_ended_when_that_was_decided(world: World) -> None:
    """A stop is a stop, by SIGTERM: the host is paid for the time that it ran."""
    node = serving(world)
    world.job()
    assert 1 == len(node.observe(GPU).leases)
    node.stop(GPU)

    assert ["SIGTERM"] == world.signals


def test_a_signal_that_was_swallowed_is_sent_again(world: World) -> None:
    """For as long as the key stands in the queue; it is never killed there, for it would be given a job that nobody runs."""
    world.behave(swallows=2)
    node = serving(world)
    node.stop(GPU)
    node.stop(GPU)
    assert ["SIGTERM"] == world.signals
    world.clock.by += timedelta(minutes=10)
    until(lambda: POST.gone(node))

    assert {"SIGTERM"} == set(world.signals)
    assert 3 <= len(world.signals)


def test_what_left_the_queue_and_does_not_end_is_killed(world: World) -> None:
    """After 120 seconds, not after ten."""
    world.behave(swallows=99)
    node = serving(world)
    node.stop(GPU)
    world.queued = False
    world.clock.by += timedelta(seconds=110)
    node.stop(GPU)
    assert ["SIGTERM"] == world.signals
    world.clock.by += timedelta(seconds=20)
    until(lambda: POST.gone(node))

    assert "SIGKILL" == world.signals[-1]


def test_between_two_jobs_nothing_is_sent(world: World) -> None:
    """There it would not be heard. The node serves, though it stands in no queue for a moment."""
    node = serving(world)
    world.queued = False
    assert Phase.READY is POST.phase(node)
    node.stop(GPU)
    assert [] == world.signals
    world.queued = True
    node.stop(GPU)

    assert ["SIGTERM"] == world.signals


def test_a_key_that_stays_in_the_queue_is_not_gone(world: World) -> None:
    """The program has ended, and the market would still give it a job."""
    node = serving(world)
    world.queued = True
    node.stop(GPU)
    until(lambda: not world.up)
    seen = node.observe(GPU)
    assert Phase.DRAINING is seen.phase
    assert "still stands in the queue of nvidia-4090-community" in seen.note
    world.queued = False

    assert Phase.ABSENT is POST.phase(node)


def test_a_node_that_left_its_key_in_the_queue_can_be_started_again(world: World) -> None:
    """Killed by whoever it was after it was told to go: a fault, and once up again it leaves in good order."""
    node = serving(world)
    world.queued = True
    node.stop(GPU)
    until(lambda: not world.up)
    world.clock.by += timedelta(minutes=3)
    assert Phase.FAULT is POST.phase(node)
    node.start(GPU, MARKET)
    until(lambda: POST.phase(node).serves)
    world.queued = None

    until(lambda: POST.gone(node))


def test_a_key_that_left_is_not_looked_for_again(world: World) -> None:
    """It may serve on another host since then, or the chain be silent: on this one it is ABSENT, to every process."""
    node = serving(world)
    node.stop(GPU)
    until(lambda: POST.phase(node) is Phase.ABSENT)
    world.queued = True
    assert Phase.ABSENT is POST.phase(world.node())
    again = world.node()
    world.nosana.down = lambda _: httpx.Response(404)

    assert Phase.ABSENT is POST.phase(again)


def test_a_silent_chain_tells_nothing_and_stops_nothing(world: World) -> None:
    """UNKNOWN, never READY and never ABSENT; a stop is tried again."""
    node = serving(world)
    node.drain(GPU)
    world.nosana.down = lambda request: httpx.Response(429) if "solana" in request.url.host else None
    assert Phase.UNKNOWN is POST.phase(node)
    with pytest.raises(Transient, match="429"):
        node.stop(GPU)

    assert [] == world.signals


def test_a_chain_on_which_nothing_runs_is_not_believed(world: World) -> None:
    """An endpoint that has lost sight of the accounts says the same as one whose node is idle."""
    node = serving(world)
    world.nosana.runs = {}

    assert Phase.UNKNOWN is POST.phase(node)


def test_the_cache_outlives_the_node(world: World, client: Any) -> None:
    """Tens of gigabytes, which the next start would fetch again."""
    node = serving(world)
    node.stop(GPU)
    until(lambda: POST.phase(node) is Phase.ABSENT)

    assert "podman-cache" in {volume.name for volume in client.volumes.list()}
    assert 1 == len(client.containers.list())


def test_a_node_that_ends_by_itself_is_a_fault_and_comes_up_again(world: World, client: Any) -> None:
    """With its exit code; its key may stand in the queue still, and that is no reason to refuse it."""
    node = serving(world)
    world.queued = True
    client.containers.list()[0].exec_run(["podman", "kill", "--signal", "SIGKILL", "nosana-node"])
    until(lambda: POST.phase(node) is Phase.FAULT)
    assert "exit code 137" in node.observe(GPU).note
    node.start(GPU, MARKET)
    until(lambda: POST.phase(node).serves)

    assert world.up


def test_a_key_that_works_elsewhere_is_not_started_twice(world: World, client: Any) -> None:
    """The network refuses the second, and nobody may decide which of the two is the right one."""
    world.queued = True
    with pytest.raises(NodeFault, match="works somewhere else"):
        world.node().start(GPU, MARKET)

    assert [] == client.containers.list(all=True)


def test_without_its_key_nothing_is_started(world: World, client: Any) -> None:
    """A node without a key makes itself a new one, and earns for it. What the file holds is never told."""
    world.keep_key(W.key(8))
    with pytest.raises(NodeFault, match="the key of another node") as caught:
        world.node().start(GPU, MARKET)
    (world.folder / "keys/nosana_key.json").unlink()
    with pytest.raises(NodeFault, match="holds no key"):
        world.node().start(GPU, MARKET)

    assert "7, 7" not in str(caught.value)
    assert [] == client.containers.list(all=True)


def test_the_container_of_the_official_script_is_fenced(world: World, client: Any) -> None:
    """Nothing is started beside it, and it is never stopped: a job may run in it."""
    client.containers.run("fakenode:1", ["/bin/sh", "-c", PATIENT], name="podman", detach=True, network_mode="none")
    world.queued = True
    node = world.node()
    seen = node.observe(GPU)
    assert seen.phase.serves
    assert "start.sh" in seen.note
    node.start(GPU, MARKET)
    with pytest.raises(NodeFault, match="did not start"):
        node.stop(GPU)

    assert ["podman"] == [container.name for container in client.containers.list()]

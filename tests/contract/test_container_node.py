"""Containers as nodes, on a real engine: the suite of node drivers, and what only an engine can do to us."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autopilot.clock import SystemClock
from autopilot.contracts import NodeDriver
from autopilot.errors import NodeFault, Transient
from autopilot.kit.service import ServiceNode
from autopilot.kit.service.container import ContainerShape, Image
from autopilot.kit.service.orders import Orders
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Observation, Phase
from shared.needs import needed
from shared.nodes import PATIENT, STUBBORN, Post, RealNodeContract, until
from shared.servers import Desk, served

docker = needed("docker")

NETWORK = NetworkId("birch")
GPU = Device(DeviceId("GPU-2e"), "RTX 4090", index=1)
MARKET = Venue(NETWORK, "rtx-4090")
POST = Post(gpu=GPU, market=MARKET)
ALONE: Mapping[str, Any] = {"network_mode": "none"}


def orders(folder: Path) -> Orders:
    """What the containers were told."""
    return Orders(NETWORK, SystemClock(), folder)


def node_of(host: str, folder: Path, script: str = PATIENT, **changes: Any) -> ServiceNode:
    """A node that runs a script in a container."""
    grace = changes.pop("grace", timedelta(seconds=10))
    options = {**ALONE, **changes.pop("options", {})}
    image = Image("fakenode:1", ("/bin/sh", "-c", script), gpu=False, settles=timedelta(seconds=0.05), options=options, **changes)
    shape = ContainerShape(NETWORK, SystemClock(), image, orders(folder), lambda: docker.DockerClient(host, timeout=60))
    return ServiceNode(NETWORK, SystemClock(), shape, folder, grace=grace)


@pytest.fixture
def run(docker_host: str, client: Any, tmp_path: Path) -> Callable[..., ServiceNode]:  # noqa: ARG001  # it clears away
    """Makes a node on the engine."""
    return lambda script=PATIENT, **changes: node_of(docker_host, tmp_path, script, **changes)


class TestContainer(RealNodeContract):
    """A container that is asked for nothing but to be up."""

    post = POST

    @pytest.fixture
    def node(self, run: Callable[..., ServiceNode]) -> NodeDriver:
        return run()

    @pytest.fixture
    def reopened(self, run: Callable[..., ServiceNode]) -> Callable[[], NodeDriver]:
        return run


def test_the_container_says_whose_it_is(run: Callable[..., ServiceNode], client: Any) -> None:
    """By its name and by labels: network, device and market; another autopilot process reads them."""
    POST.serving(run())
    labels = client.containers.get(f"autopilot-{NETWORK}-{GPU.id}").labels

    assert {"yield-autopilot": "birch", "yield-autopilot.device": "GPU-2e", "yield-autopilot.market": "rtx-4090"} == labels
    assert MARKET == run().observe(GPU).venue


def test_a_container_that_ends_by_itself_is_a_fault(run: Callable[..., ServiceNode]) -> None:
    """With its exit code; a start brings it up again, a stop leaves nothing of it."""
    node = run("exit 7")
    node.start(GPU, MARKET)
    until(lambda: POST.phase(node) is Phase.FAULT)
    assert "exit code 7" in node.observe(GPU).note
    until(lambda: (node.stop(GPU), POST.phase(node) is Phase.ABSENT)[1])

    assert Phase.ABSENT is POST.phase(run())


def test_what_does_not_go_is_made_to_go(run: Callable[..., ServiceNode], client: Any) -> None:
    """Its stop signal once; SIGKILL after the grace. What is left of it is cleared away by the next start."""
    node = run(STUBBORN, grace=timedelta(seconds=0.5))
    POST.serving(node)
    until(lambda: b"deaf" in client.containers.list()[0].logs())
    node.stop(GPU)
    assert Phase.DRAINING is POST.phase(node)
    until(lambda: (node.stop(GPU), POST.phase(node) is Phase.ABSENT)[1])

    assert [] == client.containers.list()
    run().start(GPU, MARKET)
    assert 1 == len(client.containers.list(all=True))


def test_a_container_that_ends_again_and_again_never_serves(run: Callable[..., ServiceNode], client: Any) -> None:
    """Its engine restarts it, and between two ends it is up: that is no service. How often it was restarted is told."""
    ends_twice = "echo >> /lives; [ $(busybox wc -l < /lives) -gt 2 ] || exit 1; "
    node = run(ends_twice + PATIENT, options={"restart_policy": {"Name": "always"}})
    node.start(GPU, MARKET)
    until(lambda: client.api.inspect_container(f"autopilot-{NETWORK}-{GPU.id}")["RestartCount"])
    seen: list[Observation] = []
    until(lambda: seen.append(node.observe(GPU)) or seen[-1].note.startswith("restarted 2 times, and up for"))

    assert {Phase.STARTING} == {each.phase for each in seen}
    until(lambda: POST.gone(node))


def test_want_of_memory_is_named(run: Callable[..., ServiceNode]) -> None:
    """Exit code 137 alone could be anybody's kill."""
    node = run("x=abcdefgh; while :; do x=$x$x; done", options={"mem_limit": "8m", "memswap_limit": "8m"})
    node.start(GPU, MARKET)
    until(lambda: POST.phase(node) is Phase.FAULT)

    assert "want of memory" in node.observe(GPU).note


def test_a_health_check_decides_when_it_serves(run: Callable[..., ServiceNode], client: Any, tmp_path: Path) -> None:
    """STARTING until the check passes; FAULT with the check's words once it fails."""
    second = 1_000_000_000
    check = {
        "test": ["CMD-SHELL", "test -e /state/well || { echo the queue is unreachable; exit 1; }"],
        "interval": second // 5,
        "retries": 1,
    }
    (tmp_path / "state").mkdir()
    (tmp_path / "state/well").touch()
    node = run(mounts=(f"{tmp_path}/state:/state",), options={"healthcheck": {**check, "start_period": 0, "timeout": second}})
    node.start(GPU, MARKET)
    assert Phase.STARTING is POST.phase(node)
    until(lambda: POST.phase(node).serves)
    (tmp_path / "state/well").unlink()
    until(lambda: POST.phase(node) is Phase.FAULT)

    assert "the queue is unreachable" in node.observe(GPU).note
    assert client.containers.list()[0].status == "running"


def test_a_check_that_fails_on_the_way_out_does_not_make_it_gone(run: Callable[..., ServiceNode], client: Any, tmp_path: Path) -> None:
    """It runs, and holds its GPU: what was asked to go and answers nobody any more is still there."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/well").touch()
    check = {"test": ["CMD-SHELL", "test -e /state/well"], "interval": 200_000_000, "retries": 1, "start_period": 0}
    node = run(STUBBORN, mounts=(f"{tmp_path}/state:/state",), options={"healthcheck": check})
    POST.serving(node)
    until(lambda: b"deaf" in client.containers.list()[0].logs())
    node.stop(GPU)
    (tmp_path / "state/well").unlink()
    until(lambda: client.containers.list()[0].attrs["State"]["Health"]["Status"] == "unhealthy")

    assert Phase.DRAINING is POST.phase(node)


def test_what_an_engine_refuses_is_said(run: Callable[..., ServiceNode]) -> None:
    """Also where the engine calls it not found: it is the owner's network that is missing, not a container that somebody removed."""
    with pytest.raises(NodeFault, match="nowhere"):
        run(options={"network_mode": "nowhere"}).start(GPU, MARKET)


def test_an_image_that_is_not_here_is_a_fault_of_the_node(docker_host: str, tmp_path: Path) -> None:
    """Nothing is pulled behind the switch's back: it must be there before the old node is touched."""
    shape = ContainerShape(NETWORK, SystemClock(), Image("nobody:1", gpu=False), orders(tmp_path), lambda: docker.DockerClient(docker_host))
    assert not shape.present()
    with pytest.raises(NodeFault, match="pull it first"):
        shape.launch(GPU, MARKET)


def test_an_image_that_is_here_is_seen(docker_host: str, tmp_path: Path) -> None:
    """Before a switch is opened."""
    shape = ContainerShape(NETWORK, SystemClock(), Image("fakenode:1"), orders(tmp_path), lambda: docker.DockerClient(docker_host))

    assert shape.present()


def test_somebody_elses_container_is_never_ended(run: Callable[..., ServiceNode], client: Any) -> None:
    """It has our name and not our labels: seen as serving, so that nothing is started beside it, and left alone."""
    client.containers.run("fakenode:1", ["/bin/sh", "-c", PATIENT], name=f"autopilot-{NETWORK}-{GPU.id}", detach=True, **ALONE)
    node = run()
    assert POST.phase(node).serves
    with pytest.raises(NodeFault, match="did not start"):
        node.stop(GPU)

    assert "running" == client.containers.list()[0].status


def test_a_container_removed_by_hand_is_absent(run: Callable[..., ServiceNode], client: Any) -> None:
    """And is started anew when it is asked for."""
    node = run()
    POST.serving(node)
    client.containers.list()[0].remove(force=True)
    assert Phase.ABSENT is POST.phase(node)
    POST.serving(node)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_does_not_answer_tells_nothing(tmp_path: Path) -> None:
    """UNKNOWN, never ABSENT; and a verb raises Transient, so that it is repeated."""
    node = node_of(f"unix://{tmp_path}/none.sock", tmp_path)
    seen = node.observe(GPU)

    assert Phase.UNKNOWN is seen.phase
    assert "does not answer" in seen.note
    with pytest.raises(Transient, match="does not answer"):
        node.start(GPU, MARKET)
    gc.collect()  # the SDK forgets the socket of a connection that failed


def test_the_gpu_is_asked_for_by_uuid(tmp_path: Path) -> None:
    """In the very words that go to the engine."""
    with heard() as (host, bodies):
        image = Image("worker:1", ("--gpu", "{index}"), env={"MARKET": "{market}"}, mounts=("/data:/data:ro",), options=ALONE)
        shape = ContainerShape(NETWORK, SystemClock(), image, orders(tmp_path), lambda: docker.DockerClient(host, version="1.41"))
        shape.launch(GPU, MARKET)
    (body,) = bodies

    assert [{"Driver": "", "Count": 0, "DeviceIDs": ["GPU-2e"], "Capabilities": [["gpu"]], "Options": {}}] == body["HostConfig"][
        "DeviceRequests"
    ]
    assert ["--gpu", "1"] == body["Cmd"]
    assert ["MARKET=rtx-4090"] == body["Env"]
    assert ["/data:/data:ro"] == body["HostConfig"]["Binds"]


@contextmanager
def heard() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An engine that writes down what it is asked to create, and says that all is done."""
    bodies: list[dict[str, Any]] = []

    class Engine(Desk):
        def answer(self) -> None:
            content = self.heard()
            if self.command == "GET":
                found = "Id" in self.path or "abc" in self.path
                self.say_json(_CREATED if found else {"message": "no such container"}, 200 if found else 404)
            elif "/create" in self.path:
                bodies.append(json.loads(content))
                self.say_json({"Id": "abc", "Warnings": []}, 201)
            else:
                self.say(b"", 204)

    with served(Engine) as url:
        yield url.replace("http", "tcp"), bodies


_CREATED = {"Id": "abc", "Name": "/autopilot", "Config": {"Labels": {}}, "State": {"Status": "created"}}

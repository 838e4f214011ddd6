"""Containers as nodes, on a real engine: the suite of node drivers, and what only an engine can do to us."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
from autopilot.model.node import Phase
from autopilot.testing.adapters import NodeDriverContract

docker = pytest.importorskip("docker")

NETWORK = NetworkId("birch")
GPU = Device(DeviceId("GPU-2e"), "RTX 4090", index=1)
MARKET = Venue(NETWORK, "rtx-4090")
PATIENT = 'trap "exit 0" TERM; while :; do sleep 0.05; done'
STUBBORN = 'trap "" TERM; while :; do sleep 0.05; done'
ALONE: Mapping[str, Any] = {"network_mode": "none"}


def orders(folder: Path) -> Orders:
    """What the containers were told."""
    return Orders(NETWORK, SystemClock(), folder)


def node_of(host: str, folder: Path, script: str = PATIENT, **changes: Any) -> ServiceNode:
    """A node that runs a script in a container."""
    grace = changes.pop("grace", timedelta(seconds=10))
    options = {**ALONE, **changes.pop("options", {})}
    image = Image("fakenode:1", ("/bin/sh", "-c", script), gpu=False, settles=timedelta(seconds=0.05), options=options, **changes)
    shape = ContainerShape(NETWORK, SystemClock(), image, orders(folder), lambda: docker.DockerClient(host, timeout=20))
    return ServiceNode(NETWORK, SystemClock(), shape, folder, grace=grace)


@pytest.fixture
def client(docker_host: str) -> Iterator[Any]:
    """The engine, past our driver. What a test left behind is removed."""
    found = docker.DockerClient(docker_host, timeout=20)
    yield found
    for container in found.containers.list(all=True):
        container.remove(force=True)
    found.close()


@pytest.fixture
def run(docker_host: str, client: Any, tmp_path: Path) -> Callable[..., ServiceNode]:  # noqa: ARG001  # it clears away
    """Makes a node on the engine."""
    return lambda script=PATIENT, **changes: node_of(docker_host, tmp_path, script, **changes)


def until(reached: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for it, and no longer."""
    for _ in range(int(seconds / 0.05)):
        if reached():
            return
        time.sleep(0.05)  # noqa: TID251  # a real engine takes real time
    pytest.fail(f"not within {seconds} s")


def phase(node: NodeDriver) -> Phase:
    """What it is seen to do."""
    return node.observe(GPU).phase


def serving(node: NodeDriver) -> None:
    """Start it and wait until it serves."""
    node.start(GPU, MARKET)
    until(lambda: phase(node).serves)


class TestContainer(NodeDriverContract):
    """A container that is asked for nothing but to be up."""

    @pytest.fixture
    def node(self, run: Callable[..., ServiceNode]) -> NodeDriver:
        return run()

    @pytest.fixture
    def device(self) -> Device:
        return GPU

    @pytest.fixture
    def venue(self) -> Venue:
        return MARKET

    @pytest.fixture
    def patience(self) -> Callable[[], object]:
        return lambda: time.sleep(0.02)  # noqa: TID251

    @pytest.fixture
    def reopened(self, run: Callable[..., ServiceNode]) -> Callable[[], NodeDriver]:
        return run


def test_the_container_says_whose_it_is(run: Callable[..., ServiceNode], client: Any) -> None:
    """By its name and by labels: network, device and market; another autopilot process reads them."""
    serving(run())
    labels = client.containers.get(f"autopilot-{NETWORK}-{GPU.id}").labels

    assert {"yield-autopilot": "birch", "yield-autopilot.device": "GPU-2e", "yield-autopilot.market": "rtx-4090"} == labels
    assert MARKET == run().observe(GPU).venue


def test_a_container_that_ends_by_itself_is_a_fault(run: Callable[..., ServiceNode]) -> None:
    """With its exit code; a start brings it up again, a stop leaves nothing of it."""
    node = run("exit 7")
    node.start(GPU, MARKET)
    until(lambda: phase(node) is Phase.FAULT)
    assert "exit code 7" in node.observe(GPU).note
    until(lambda: (node.stop(GPU), phase(node) is Phase.ABSENT)[1])

    assert Phase.ABSENT is phase(run())


def test_what_does_not_go_is_made_to_go(run: Callable[..., ServiceNode], client: Any) -> None:
    """Its stop signal once; SIGKILL after the grace. What is left of it is cleared away by the next start."""
    node = run(STUBBORN, grace=timedelta(seconds=0.5))
    serving(node)
    node.stop(GPU)
    assert Phase.DRAINING is phase(node)
    until(lambda: (node.stop(GPU), phase(node) is Phase.ABSENT)[1])

    assert [] == client.containers.list()
    run().start(GPU, MARKET)
    assert 1 == len(client.containers.list(all=True))


def test_want_of_memory_is_named(run: Callable[..., ServiceNode]) -> None:
    """Exit code 137 alone could be anybody's kill."""
    node = run("x=abcdefgh; while :; do x=$x$x; done", options={"mem_limit": "8m", "memswap_limit": "8m"})
    node.start(GPU, MARKET)
    until(lambda: phase(node) is Phase.FAULT)

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
    assert Phase.STARTING is phase(node)
    until(lambda: phase(node).serves)
    (tmp_path / "state/well").unlink()
    until(lambda: phase(node) is Phase.FAULT)

    assert "the queue is unreachable" in node.observe(GPU).note
    assert client.containers.list()[0].status == "running"


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
    assert phase(node).serves
    with pytest.raises(NodeFault, match="did not start"):
        node.stop(GPU)

    assert "running" == client.containers.list()[0].status


def test_a_container_removed_by_hand_is_absent(run: Callable[..., ServiceNode], client: Any) -> None:
    """And is started anew when it is asked for."""
    node = run()
    serving(node)
    client.containers.list()[0].remove(force=True)
    assert Phase.ABSENT is phase(node)
    serving(node)


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


class heard:  # noqa: N801  # used as a context
    """An engine that writes down what it is asked to create, and says that all is done."""

    def __enter__(self) -> tuple[str, list[dict[str, Any]]]:
        bodies: list[dict[str, Any]] = []

        class Engine(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = "Id" in self.path or "abc" in self.path
                self._say(200 if found else 404, _CREATED if found else {"message": "no such container"})

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "/create" in self.path:
                    bodies.append(json.loads(content))
                self._say(201 if "/create" in self.path else 204, {"Id": "abc", "Warnings": []})

            def _say(self, status: int, body: object) -> None:
                content = b"" if status == 204 else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"tcp://127.0.0.1:{self._server.server_address[1]}", bodies

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


_CREATED = {"Id": "abc", "Name": "/autopilot", "Config": {"Labels": {}}, "State": {"Status": "created"}}

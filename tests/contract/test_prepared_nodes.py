"""What a driver says of a start to come: the program, the unit, the image are looked for before the old node is touched."""

from __future__ import annotations

import gc
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from autopilot.clock import Clock, SystemClock
from autopilot.contracts import Prepares
from autopilot.errors import Transient
from autopilot.kit.service import ServiceNode, Shape
from autopilot.kit.service.command import Commands, CommandShape
from autopilot.kit.service.container import ContainerShape, Image
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.kit.service.unit import Unit, UnitShape
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import PREPARED, Readiness, Stage
from autopilot.sim.clock import SimClock
from autopilot.testing.views import START
from shared.needs import needed
from shared.nodes import STUBS, until
from shared.servers import Desk, running

docker = needed("docker")

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK forgets its sockets

NETWORK = NetworkId("alder")
GPU = Device(DeviceId("GPU-4c"), "RTX 4090", index=0)
MARKET = Venue(NETWORK, "rtx-4090")
NOWHERE = "127.0.0.1:9/nobody/worker:1"
"""An image in a registry that does not answer."""
BROAD = 10**15
"""Bytes: no disk has them free."""


def node_of(shape: Shape, folder: Path) -> ServiceNode:
    """A node in this shape."""
    return ServiceNode(NETWORK, SystemClock(), shape, folder)


def ask(node: ServiceNode) -> Readiness:
    """What it says."""
    return node.prepare(GPU, MARKET)


def outcome(node: ServiceNode) -> Readiness:
    """What it says in the end."""
    told: list[Readiness] = []
    until(lambda: told.append(ask(node)) or told[-1].stage is not Stage.WORKING)
    return told[-1]


def test_a_program_is_looked_for_where_it_would_be_run(tmp_path: Path) -> None:
    """By its name in the program's own search path, or by its place, seen from the folder in which it runs."""
    (tmp_path / "worker").write_text("#!/bin/sh\n", encoding="utf-8")

    def said(*argv: str, **changes: Any) -> Stage:
        return ask(node_of(ProcessShape(NETWORK, SystemClock(), Program(argv, **changes), tmp_path), tmp_path)).stage

    assert Stage.READY is said("sh")
    assert Stage.REFUSED is said("worker", env={"PATH": str(tmp_path)}), "it is not executable"
    (tmp_path / "worker").chmod(0o755)
    assert Stage.READY is said("worker", env={"PATH": str(tmp_path)})
    assert Stage.READY is said("./worker", folder=tmp_path)
    assert Stage.READY is said(f"{tmp_path}/worker")
    assert Stage.REFUSED is said("worker")
    assert Stage.REFUSED is said("./worker", folder=tmp_path / "elsewhere")


def test_a_command_is_looked_for(tmp_path: Path) -> None:
    """With its name in the reason."""
    orders = Orders(NETWORK, SystemClock(), tmp_path)
    missing = Commands(("true",), ("no-such-launcher", "{device}"), ("true",))

    assert "no-such-launcher" in ask(node_of(CommandShape(NETWORK, missing, orders), tmp_path)).note
    assert PREPARED == ask(node_of(CommandShape(NETWORK, Commands(("true",), ("true",), ("true",)), orders), tmp_path))


def test_a_unit_is_asked_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody installed is refused by its name."""
    monkeypatch.setenv("PATH", str(STUBS), prepend=":")
    monkeypatch.setenv("UNITS", str(tmp_path))
    (tmp_path / "worker@0.service").write_text("/bin/true", encoding="utf-8")
    orders = Orders(NETWORK, SystemClock(), tmp_path)
    known, unknown = (node_of(UnitShape(NETWORK, Unit(name), orders), tmp_path) for name in ("worker@{index}.service", "nobody.service"))

    assert PREPARED == ask(known)
    assert (Stage.REFUSED, True) == (ask(unknown).stage, "not-found' of nobody.service" in ask(unknown).note)


def shape_of(host: str, folder: Path, image: str, clock: Clock | None = None) -> ContainerShape:
    """A container of this image on an engine."""
    connect = lambda: docker.DockerClient(host, timeout=20, version="1.41")  # noqa: E731
    return ContainerShape(NETWORK, clock or SystemClock(), Image(image, gpu=False), Orders(NETWORK, SystemClock(), folder), connect)


def test_an_image_that_a_real_engine_has_is_ready(docker_host: str, tmp_path: Path) -> None:
    """At once."""
    node = node_of(shape_of(docker_host, tmp_path, "fakenode:1"), tmp_path)

    assert isinstance(node, Prepares)
    assert PREPARED == ask(node)


def test_an_image_that_a_real_engine_cannot_have_is_refused_soon(docker_host: str, tmp_path: Path) -> None:
    """In one line that names it, to all who ask; and whoever asks later has it tried again."""
    clock = SimClock(START)
    node = node_of(shape_of(docker_host, tmp_path, NOWHERE, clock), tmp_path)
    refused = outcome(node)

    assert Stage.REFUSED is refused.stage
    assert f"{NOWHERE} cannot be pulled: " in refused.note
    assert "\n" not in refused.note
    assert refused == ask(node)
    clock.move_to(START + timedelta(minutes=1))
    assert Stage.WORKING is ask(node).stage
    assert refused == outcome(node)


def test_an_engine_that_does_not_answer_is_no_refusal(tmp_path: Path) -> None:
    """It is asked again: the switch waits, and its source earns."""
    with pytest.raises(Transient, match="does not answer"):
        ask(node_of(shape_of(f"unix://{tmp_path}/none.sock", tmp_path, "worker:1"), tmp_path))


class Registry:
    """What an engine says of one image, line by line, as it is let to."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.go_on = threading.Semaphore(0)
        self.asked: list[str] = []
        self.here = False


class Local(ThreadingHTTPServer):
    """A server on a socket of this host, as an engine's is."""

    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)  # type: ignore[arg-type]  # a path, for this family


@pytest.fixture
def registry() -> Registry:
    """To be filled in by the test."""
    return Registry()


@pytest.fixture
def engine(registry: Registry, tmp_path: Path) -> Iterator[str]:
    """An engine that pulls from the registry."""

    class Engine(Desk):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.heard()
            if "/info" in self.path:
                self.say_json({"DockerRootDir": str(tmp_path)})
            elif "/images/create" in self.path:
                registry.asked.append(self.path)
                self.stream()
            elif registry.here:
                self.say_json({"Id": "sha256:abc"})
            else:
                self.say_json({"message": "no such image"}, 404)

        def stream(self) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in registry.lines:
                self.chunk(json.dumps(line).encode() + b"\r\n")
                registry.go_on.acquire()
            self.chunk(b"")
            registry.here = registry.lines[-1].get("status") == "Download complete"

        def chunk(self, piece: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    with _listening(tmp_path / "engine.sock", Engine, registry) as host:
        yield host
    gc.collect()


@contextmanager
def _listening(path: Path, desk: type[Desk], registry: Registry) -> Iterator[str]:
    with running(Local(str(path), desk), lambda: registry.go_on.release(100)):  # type: ignore[arg-type]  # a path, for this family
        yield f"unix://{path}"


def downloading(layer: str, current: int, total: int) -> dict[str, Any]:
    """A line of an engine about a layer."""
    return {"id": layer, "status": "Downloading", "progressDetail": {"current": current, "total": total}}


def says(node: ServiceNode, note: str) -> Callable[[], bool]:
    """Whether it works, and says this of it."""
    return lambda: ask(node) == Readiness(Stage.WORKING, note)


def test_a_pull_goes_on_in_the_background_and_says_how_far_it_is(registry: Registry, engine: str, tmp_path: Path) -> None:
    """Once, however often it is asked about; when it is over, the image is there."""
    registry.lines = [
        {"status": "Pulling from worker"},
        downloading("a", 500_000_000, 2_000_000_000),
        downloading("b", 700_000_000, 1_000_000_000),
        {"id": "b", "status": "Download complete"},
    ]
    node = node_of(shape_of(engine, tmp_path, "worker"), tmp_path)
    for done, total in ((0.0, 0.0), (0.5, 2.0), (1.2, 3.0), (1.5, 3.0)):
        until(says(node, f"worker is pulled, {done} of {total} GB so far"))
        registry.go_on.release()

    assert PREPARED == outcome(node)
    assert 1 == len(registry.asked)
    assert "fromImage=worker" in registry.asked[0]
    assert "tag=latest" in registry.asked[0]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (downloading("a", 0, BROAD), "worker:1 does not fit: 1000000.0 GB are still to come"),
        ({"error": "write /layer.tar: no space left on device"}, "the disk is full: make room in"),
        (
            {"error": "toomanyrequests: You have\nreached your limit"},
            "worker:1 cannot be pulled: toomanyrequests: You have reached your limit",
        ),
    ],
)
def test_what_stands_in_the_way_of_a_pull_is_told(line: dict[str, Any], word: str, registry: Registry, engine: str, tmp_path: Path) -> None:
    """An image that is larger than the disk is given up before it fills it."""
    registry.lines = [line]
    registry.go_on.release()
    refused = outcome(node_of(shape_of(engine, tmp_path, "worker:1"), tmp_path))

    assert Stage.REFUSED is refused.stage
    assert word in refused.note

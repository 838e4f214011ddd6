"""Where nodes are kept: an engine, a folder of units, a cluster at the wire, and the one that KUBECONFIG names."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from autopilot.clock import SystemClock
from autopilot.kit.service import ServiceNode
from autopilot.kit.service.cluster import server
from autopilot.kit.service.replica_set import Replicas, ReplicaSetShape
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from shared.nodes import STUBS, Post, end_all

WIRE = Path(__file__).parents[1] / "wire"
GPU = Device(DeviceId("GPU-2e"), "RTX 4090", index=1)
MARKET = Venue(NetworkId("birch"), "rtx 4090/day")
PLURALS = {"StatefulSet": "statefulsets", "Deployment": "deployments"}


@pytest.fixture
def client(docker_host: str) -> Iterator[Any]:
    """The engine, past our driver. What a test left behind is removed."""
    import docker

    found = docker.DockerClient(docker_host, timeout=60)
    yield found
    for container in found.containers.list(all=True):
        container.remove(force=True)
    found.close()


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for units, and a systemctl that manages them. What runs at the end of a test is ended."""
    folder = tmp_path / "units"
    folder.mkdir()
    monkeypatch.setenv("UNITS", str(folder))
    monkeypatch.setenv("PATH", f"{STUBS}:{os.environ['PATH']}")
    yield folder
    end_all(folder.glob("*.pid"))


@dataclass
class Site(Post):
    """A cluster, what its owner installed there, and nodes that scale it."""

    gpu: Device = field(default=GPU, kw_only=True)
    market: Venue = field(default=MARKET, kw_only=True)
    config: Path
    door: Any = None
    """To the cluster at the wire."""
    place: dict[str, Any] = field(default_factory=lambda: {"namespace": "services"})

    @property
    def cluster(self) -> Any:
        """What is at the wire."""
        return self.door.cluster

    def install(
        self, image: str = "patient", *, kind: str = "StatefulSet", name: str = "worker-1", replicas: int = 0, gpus: int = 0
    ) -> None:
        """What the owner does, before any autopilot."""
        asks = {"resources": {"requests": {"nvidia.com/gpu": str(gpus)}}} if gpus else {}
        template = {"metadata": {}, "spec": {"containers": [{"name": "provider", "image": image, **asks}]}}
        self.cluster.put(PLURALS[kind], "services", name, {"replicas": replicas, "template": template})

    def edit(self, changes: dict[str, Any], *, kind: str = "StatefulSet") -> None:
        """What the owner does by kubectl."""
        self.cluster.edit(PLURALS[kind], "services", "worker-1", changes)

    def shape(self, **changes: Any) -> ReplicaSetShape:
        """What looks at the cluster."""
        replicas = Replicas(**{"name": "worker-{index}", "node": "rig1", **self.place, **changes})
        return ReplicaSetShape(self.market.network, SystemClock(), replicas, lambda: server(self.config))

    def node(self, *, grace: timedelta = timedelta(seconds=10), **changes: Any) -> ServiceNode:
        """What drives it."""
        return ServiceNode(self.market.network, SystemClock(), self.shape(**changes), self.config.parent, grace=grace)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A cluster at the wire, with one node that has one GPU."""
    cluster = run_path(str(WIRE / "kubernetes_cluster.py"))["Cluster"]()
    with run_path(str(WIRE / "kubernetes_wire.py"))["served"](cluster, tmp_path) as door:
        yield Site(door.config, door)


@pytest.fixture
def real_site(tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    """Makes a place of its own in the cluster that KUBECONFIG names, with what the owner installs; all of it is deleted afterwards."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("KUBECONFIG names no cluster")
    with ExitStack() as stack:
        yield lambda kind: stack.enter_context(_installed(Path(os.environ["KUBECONFIG"]), tmp_path, kind))


@contextmanager
def _installed(config: Path, folder: Path, kind: str) -> Iterator[Site]:
    from kubernetes import client

    space, api = f"yield-autopilot-test-{uuid.uuid4().hex[:8]}", server(config)
    client.CoreV1Api(api).create_namespace({"metadata": {"name": space}}, _preload_content=False)
    labels = {"app": "worker"}
    container = {"name": "provider", "image": os.environ.get("AUTOPILOT_TEST_IMAGE", "registry.k8s.io/pause:3.10")}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "worker-1"}, "spec": spec}
    create = {"StatefulSet": "create_namespaced_stateful_set", "Deployment": "create_namespaced_deployment"}[kind]
    getattr(client.AppsV1Api(api), create)(space, body, _preload_content=False)
    (folder / "kubeconfig").write_text(config.read_text(encoding="utf-8"), encoding="utf-8")
    try:
        yield Site(folder / "kubeconfig", place={"namespace": space, "kind": kind})
    finally:
        client.CoreV1Api(api).delete_namespace(space, _preload_content=False)

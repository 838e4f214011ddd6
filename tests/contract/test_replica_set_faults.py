"""Pods that do not come up, an API server that refuses or makes no sense, and GPUs that are held by somebody else's pods."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from autopilot.clock import stopwatch
from autopilot.errors import ConfigError, NodeFault, Transient
from autopilot.kit.service import cluster
from autopilot.model.node import Phase
from shared.nodes import until


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("crash", "services/worker-1-0: provider: CrashLoopBackOff: exit code 7, restarted 3 times"),
        ("hungry", "CrashLoopBackOff: exit code 137 (OOMKilled), restarted"),
        ("missing", "ImagePullBackOff: Back-off pulling image"),
    ],
)
def test_a_pod_that_does_not_come_up_is_a_fault(site: Any, image: str, words: str) -> None:
    """With the kubelet's reason. A start makes the pod anew, so that what was put right counts at once; a stop leaves nothing of it."""
    site.install(image)
    node = site.node()
    node.start(site.gpu, site.market)
    until(lambda: site.phase(node) is Phase.FAULT)
    assert words in node.observe(site.gpu).note
    site.edit({"spec": {"template": {"spec": {"containers": [{"name": "provider", "image": "patient"}]}}}})
    site.serving(node)

    until(lambda: site.gone(node))


def test_what_waits_for_a_gpu_says_who_holds_it(site: Any) -> None:
    """A tenant's pod in another namespace has it: the scheduler's words, and the tenant's name."""
    site.cluster.pod("lease-7f", "web-0", gpus=1)
    site.install(gpus=1)
    node = site.node()
    node.start(site.gpu, site.market)
    seen = node.observe(site.gpu)

    assert Phase.STARTING is seen.phase
    assert "Insufficient nvidia.com/gpu" in seen.note
    assert "held by lease-7f/web-0 (1 GPU)" in seen.note


def test_a_pod_that_may_not_be_made_says_why(site: Any) -> None:
    """The controller's own last warning: there is no pod that could say it."""
    site.install()
    site.cluster.quota = "pods is forbidden: exceeded quota"
    node = site.node()
    node.start(site.gpu, site.market)
    until(lambda: "exceeded quota" in node.observe(site.gpu).note)

    assert Phase.STARTING is site.phase(node)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"code": 500}, "etcdserver: request timed out"),
        ({"code": 503, "body": b"upstream connect error"}, "503 Service Unavailable"),
        ({"code": 429}, "refuses"),
        ({"code": 401, "body": b'{"kind":"Status","reason":"Unauthorized","message":"Unauthorized"}'}, "Unauthorized"),
        ({"code": 403, "body": b'{"kind":"Status","reason":"Forbidden","message":"pods is forbidden"}'}, "pods is forbidden"),
        ({"code": 404, "body": b"<html>404 page not found</html>"}, "404 Not Found"),
        (
            {"code": 404, "body": b'{"kind":"Status","reason":"","message":"the server could not find the requested resource"}'},
            "could not find",
        ),
        ({"code": 200, "body": b"\x00\xff garbage"}, "makes no sense"),
        ({"code": 200, "body": b"{}"}, "makes no sense"),
        ({"code": 200, "body": b"[]"}, "makes no sense"),
        ({"code": 200, "body": b'{"kind":"Status","status":"Success"}'}, "makes no sense"),
        ({"code": 302, "body": b""}, "302 Found"),
    ],
)
@pytest.mark.parametrize("path", ["/statefulsets/", "/pods"])
def test_an_api_server_that_cannot_be_heard_tells_nothing(site: Any, fault: dict[str, Any], words: str, path: str) -> None:
    """UNKNOWN, never ABSENT, in one line without our token; and no verb ends anything on it."""
    site.install()
    node = site.node()
    site.serving(node)
    site.door.asked.clear()
    site.door.fail(path=path, **fault)
    seen = node.observe(site.gpu)

    assert (Phase.UNKNOWN, None) == (seen.phase, seen.venue)
    assert words in seen.note
    assert [] == [part for part in ("\n", "a-secret-token") if part in seen.note]
    for verb in (lambda: node.start(site.gpu, site.market), lambda: node.stop(site.gpu), lambda: node.drain(site.gpu)):
        with pytest.raises(Transient):
            verb()
    assert [] == site.door.asked


def test_an_api_server_that_is_away_tells_nothing(site: Any) -> None:
    """Nobody listens there."""
    site.install()
    here = site.config.read_text(encoding="utf-8")
    site.config.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", here), encoding="utf-8")
    seen = site.node().observe(site.gpu)

    assert Phase.UNKNOWN is seen.phase
    assert "birch: the API server does not answer: NewConnectionError" == seen.note


def test_an_api_server_that_is_slow_is_given_up(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick has other devices to look at; and one that answers again is heard again."""
    monkeypatch.setattr(cluster, "_LIMIT", (0.2, 0.2))
    site.install()
    node = site.node()
    site.door.fail(silent=(wait := threading.Event()))
    began = stopwatch()
    assert Phase.UNKNOWN is site.phase(node)
    assert stopwatch() - began < 30
    wait.set()
    site.door.faults.clear()
    monkeypatch.undo()

    assert Phase.ABSENT is site.phase(node)


@pytest.mark.parametrize(
    ("code", "reason"), [(422, "Invalid"), (403, "Forbidden"), (400, "BadRequest"), (401, "Unauthorized"), (405, "MethodNotAllowed")]
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_refusal_is_a_fault_of_the_node(site: Any, code: int, reason: str, method: str) -> None:
    """Asking again would not help: the switch turns back, with the API server's words."""
    site.install()
    body = f'{{"kind":"Status","reason":"{reason}","message":"no,\\nnot so"}}'.encode()
    site.door.fail(method, "/worker-1", code, body)
    with pytest.raises(NodeFault, match=r"birch: the API server refuses: no, not so$"):
        site.node().start(site.gpu, site.market)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_verb_that_was_not_heard_is_repeated(site: Any, method: str, code: int) -> None:
    """Whether it was done or not: the next one leads there."""
    site.install()
    node = site.node()
    for verb in (lambda: node.start(site.gpu, site.market), lambda: node.stop(site.gpu)):
        site.door.fail(method, "/worker-1", code)
        with pytest.raises(Transient):
            verb()
        site.door.faults.clear()
        verb()
    until(lambda: site.phase(node) is Phase.ABSENT)


def test_a_change_by_somebody_else_is_not_overruled(site: Any) -> None:
    """Conflict upon conflict: nothing is started and nothing raised, and when it is over the next start succeeds."""
    site.install()
    node = site.node()
    site.door.fail("PUT", "/scale", 409, b'{"kind":"Status","reason":"Conflict","message":"modified"}')
    node.start(site.gpu, site.market)
    assert Phase.ABSENT is site.phase(node)
    site.door.faults.clear()

    site.serving(node)


def test_a_container_that_is_not_there_is_a_fault_of_the_node(site: Any) -> None:
    """Its variables cannot be set, and nothing is scaled up without them."""
    site.install()
    node = site.node(env={"MARKET": "{market}"}, container="miner")
    with pytest.raises(NodeFault, match="Required value"):
        node.start(site.gpu, site.market)

    assert Phase.ABSENT is site.phase(node)


def test_every_pod_that_holds_a_gpu_here_is_seen(site: Any) -> None:
    """In every namespace, those that boot or go among them; not what is over, and not what holds none."""
    site.cluster.gpus = 8
    site.cluster.pod("lease-7f", "web-0", gpus=1, labels={"akash.network": "true"})
    site.cluster.pod("lease-8a", "train-0", gpus=4, image="immortal", labels={"akash.network": "true"})
    site.cluster.pod("games", "stream-0", gpus=1)
    site.cluster.pod("lease-9b", "site-0")
    site.cluster.pods("lease-8a")
    site.cluster.delete("pods", "lease-8a", "train-0")
    shape = site.shape()

    assert ["lease-7f/web-0 (1 GPU)", "lease-8a/train-0 (4 GPUs)", "games/stream-0 (1 GPU)"] == [str(pod) for pod in shape.gpu_pods()]
    assert ["lease-7f", "lease-8a"] == [pod.namespace for pod in shape.gpu_pods("akash.network=true")]


def test_a_pod_that_is_over_holds_nothing(site: Any) -> None:
    """The record of an evicted one may lie about for days: neither the program nor a GPU is held by it."""
    site.install()
    maker = {"kind": "StatefulSet", "name": "worker-1", "controller": True}
    site.cluster.pod("services", "worker-1-0", gpus=1, image="evicted", ownerReferences=[maker])

    assert Phase.ABSENT is site.phase(site.node())
    assert () == site.shape().gpu_pods()


def test_the_gpus_of_a_node_that_the_cluster_does_not_know_are_unknown(site: Any) -> None:
    """No pods are listed for it either: that is no reason to take its GPUs for free."""
    site.cluster.pod("lease-7f", "web-0", gpus=1)
    with pytest.raises(Transient, match="no node rig2"):
        site.shape(node="rig2").gpu_pods()


def test_a_provider_is_not_gone_before_its_tenants(site: Any) -> None:
    """Scaled to 0, its tenants run on and hold their GPUs: it can be started again for them, and is ABSENT when they are gone."""
    site.install(name="akash-provider")
    site.cluster.pod("lease-7f", "web-0", gpus=1, labels={"akash.network": "true"})
    node = site.node(name="akash-provider", tenants="akash.network=true")
    site.serving(node)
    node.stop(site.gpu)
    until(lambda: site.phase(node) is Phase.FAULT)
    assert "lease-7f/web-0 (1 GPU)" in node.observe(site.gpu).note
    site.serving(node)
    node.stop(site.gpu)
    site.cluster.delete("pods", "lease-7f", "web-0")

    until(lambda: site.phase(node) is Phase.ABSENT)


def test_without_the_client_there_is_an_install_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not a traceback."""
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with pytest.raises(ConfigError, match=re.escape('pip install "yield-autopilot[kubernetes]"')):
        cluster.server(tmp_path / "kubeconfig")


@pytest.mark.parametrize("text", [None, "", "a: [", "clusters: []"])
def test_without_a_cluster_there_is_a_remedy(text: str | None, tmp_path: Path) -> None:
    """In one line that says where to name one."""
    config = tmp_path / "kubeconfig"
    if text is not None:
        config.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^no cluster can be found: .* Name its file in KUBECONFIG.$"):
        cluster.server(config)

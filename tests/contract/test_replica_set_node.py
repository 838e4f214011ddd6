"""StatefulSets and Deployments as nodes: the suite of node drivers at the wire and on a real cluster, and what a cluster can do to us."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from autopilot.contracts import NodeDriver
from autopilot.errors import NodeFault
from autopilot.model.device import Device, DeviceId, Venue
from autopilot.model.node import Phase
from shared.nodes import RealNodeContract, until

OTHER = Device(DeviceId("GPU-3F"), "RTX 4090", index=2)
SPACE = "services"
PLURALS = {"StatefulSet": "statefulsets", "Deployment": "deployments"}


class _Suite(RealNodeContract):
    @pytest.fixture
    def place(self, site: Any) -> Any:
        """Where what is scaled is kept."""
        site.install()
        return site

    @pytest.fixture
    def node(self, place: Any) -> NodeDriver:
        made: NodeDriver = place.node()
        return made

    @pytest.fixture
    def device(self, place: Any) -> Device:
        gpu: Device = place.gpu
        return gpu

    @pytest.fixture
    def venue(self, place: Any) -> Venue:
        market: Venue = place.market
        return market

    @pytest.fixture
    def reopened(self, place: Any) -> Callable[[], NodeDriver] | None:
        again: Callable[[], NodeDriver] = place.node
        return again


class TestStatefulSet(_Suite):
    """A StatefulSet, whose pod has the same name every time."""


class TestDeployment(_Suite):
    """A Deployment, whose pods are made by a ReplicaSet."""

    @pytest.fixture
    def place(self, site: Any) -> Any:
        site.install(kind="Deployment")
        site.place["kind"] = "Deployment"
        return site


class TestRealStatefulSet(_Suite):
    """On a real cluster."""

    @pytest.fixture
    def place(self, real_site: Callable[[str], Any]) -> Any:
        return real_site("StatefulSet")

    @pytest.fixture
    def patience(self) -> Callable[[], object]:
        return lambda: time.sleep(0.2)  # noqa: TID251


class TestRealDeployment(TestRealStatefulSet):
    """On a real cluster."""

    @pytest.fixture
    def place(self, real_site: Callable[[str], Any]) -> Any:
        return real_site("Deployment")


def test_the_object_says_whose_it_is(site: Any) -> None:
    """By annotations that another process, or a person with kubectl, can read; a market may be called anything."""
    site.install()
    site.serving(site.node())
    found = site.cluster.objects["statefulsets", SPACE, "worker-1"]["metadata"]["annotations"]

    assert {"yield-autopilot": "birch", "yield-autopilot.market": "rtx 4090/day"} == found
    assert site.market == site.node().observe(site.gpu).venue


@pytest.mark.parametrize("kind", PLURALS)
def test_it_is_scaled_in_the_words_of_the_api(site: Any, kind: str) -> None:
    """An autoscaling/v1 Scale of the version that was seen, put to the object's own scale."""
    site.install(kind=kind)
    node = site.node(kind=kind)
    site.serving(node)
    until(lambda: site.gone(node))
    scales = [(method, path, body) for method, path, body in site.door.asked if path.endswith("/scale")]

    assert [1, 0] == [body["spec"]["replicas"] for _, _, body in scales]
    assert {("PUT", f"/apis/apps/v1/namespaces/{SPACE}/{PLURALS[kind]}/worker-1/scale")} == {scale[:2] for scale in scales}
    assert {("autoscaling/v1", "Scale", "worker-1")} == {
        (body["apiVersion"], body["kind"], body["metadata"]["name"]) for *_, body in scales
    }
    assert all(body["metadata"]["resourceVersion"] for *_, body in scales)


def test_one_object_may_serve_the_whole_rig(site: Any) -> None:
    """Started for one GPU and stopped for another: there is one truth, in the cluster."""
    site.install(name="akash-provider")
    node = site.node(name="akash-provider")
    for _ in range(2):
        site.serving(node)
        assert node.observe(OTHER).phase.serves
        node.stop(OTHER)
        until(lambda: site.phase(node) is Phase.ABSENT)

        assert Phase.ABSENT is node.observe(OTHER).phase


def test_a_device_has_an_object_of_its_own(site: Any) -> None:
    """Named after its UUID, in the lower case that names in a cluster have."""
    site.install(name="worker-gpu-2e")
    site.install(name="worker-gpu-3f")
    node = site.node(name="worker-{device}")
    site.serving(node)

    assert Phase.ABSENT is node.observe(OTHER).phase


def test_variables_are_set_before_it_is_scaled_up(site: Any) -> None:
    """In the pod's template; what the owner set beside them stays."""
    site.install()
    site.edit({"spec": {"template": {"spec": {"containers": [env(KEEP="1")]}}}})
    site.serving(site.node(env={"MARKET": "{market}", "CUDA_VISIBLE_DEVICES": "{device}"}))
    (pod,) = site.cluster.pods(SPACE)

    assert env(KEEP="1", MARKET="rtx 4090/day", CUDA_VISIBLE_DEVICES="GPU-2e")["env"] == pod["spec"]["containers"][0]["env"]


def env(**variables: str) -> dict[str, Any]:
    """Variables of the container, as a patch."""
    return {"name": "provider", "env": [{"name": name, "value": value} for name, value in variables.items()]}


def test_what_does_not_go_is_made_to_go(site: Any) -> None:
    """SIGKILL after the grace, with the word of its node that it is gone: it is never just forgotten."""
    site.install("stubborn")
    node = site.node(grace=timedelta(seconds=0.5))
    site.serving(node)
    (uid,) = (pod["metadata"]["uid"] for pod in site.cluster.pods(SPACE))
    node.stop(site.gpu)
    assert Phase.DRAINING is site.phase(node)
    until(lambda: site.gone(node))
    bodies = [body for method, _, body in site.door.asked if method == "DELETE"]

    assert {(1, uid)} == {(body["gracePeriodSeconds"], body["preconditions"]["uid"]) for body in bodies}


def test_a_pod_that_never_goes_is_never_absent(site: Any) -> None:
    """Its node does not say that it is gone: whatever it held, it may hold still."""
    site.install("immortal")
    node = site.node(grace=timedelta(seconds=0.1))
    site.serving(node)
    for _ in range(20):
        node.stop(site.gpu)
        seen = node.observe(site.gpu)
        time.sleep(0.1)  # noqa: TID251

        assert (Phase.DRAINING, True) == (seen.phase, "services/worker-1-0" in seen.note)


def test_a_pod_of_the_same_name_is_not_killed_for_the_old_one(site: Any) -> None:
    """The pods of a StatefulSet inherit their names: the one that was looked at is meant, and no other."""
    site.install()
    site.serving(site.node())
    shape = site.shape()
    (old,) = shape._pods(site.gpu)
    site.cluster.delete("pods", SPACE, "worker-1-0", 0)
    until(lambda: site.phase(site.node()).serves)
    shape._cluster.kill(old)

    assert site.phase(site.node()).serves
    assert "deletionTimestamp" not in site.cluster.pods(SPACE)[0]["metadata"]


@pytest.mark.parametrize("kind", PLURALS)
def test_somebody_elses_is_never_ended(site: Any, kind: str) -> None:
    """It was scaled up without us: seen as serving, so that nothing is started beside it, and left alone until its owner hands it over."""
    site.install(kind=kind, replicas=1)
    node = site.node(kind=kind)
    until(lambda: site.phase(node).serves)
    with pytest.raises(NodeFault, match=f"kubectl annotate --overwrite -n services {kind.lower()} worker-1 yield-autopilot=birch"):
        node.stop(site.gpu)
    site.shape(kind=kind).end(site.gpu, timedelta(0))
    assert [] == site.door.asked
    site.edit({"metadata": {"annotations": {"yield-autopilot": "birch"}}}, kind=kind)

    until(lambda: site.gone(node))


def test_what_somebody_scaled_up_after_us_is_theirs(site: Any) -> None:
    """We had scaled it down: what came after that was not our doing."""
    site.install()
    node = site.node()
    site.serving(node)
    until(lambda: site.gone(node))
    site.edit({"spec": {"replicas": 1}})
    until(lambda: site.phase(node).serves)

    with pytest.raises(NodeFault, match="did not start"):
        node.stop(site.gpu)


def test_somebody_elses_broken_one_is_not_restarted(site: Any) -> None:
    """Its pods may be what they are looking into."""
    site.install("crash", replicas=1)
    node = site.node()
    until(lambda: site.phase(node) is Phase.FAULT)
    with pytest.raises(NodeFault, match="scaled up by somebody else"):
        node.start(site.gpu, site.market)

    assert [] == site.door.asked


def test_somebody_elses_broken_one_may_still_have_work(site: Any) -> None:
    """A provider that was installed and scaled up by hand has tenants as well, and they outlive its pod: it is asked about them."""
    site.install("crash", replicas=1)
    until(lambda: site.phase(site.node()) is Phase.FAULT)
    look = site.shape().look(site.gpu)

    assert (False, True) == (look.ours, look.lives)


def test_what_does_not_exist_is_absent_and_cannot_be_started(site: Any) -> None:
    """The API server's own word that there is none."""
    node = site.node()
    assert Phase.ABSENT is site.phase(node)
    with pytest.raises(NodeFault, match="no StatefulSet services/worker-1"):
        node.start(site.gpu, site.market)


@pytest.mark.parametrize("kind", PLURALS)
def test_a_deleted_object_is_absent_when_its_pods_are(site: Any, kind: str) -> None:
    """A deletion by kubectl takes the object at once, and its pods when they are done."""
    site.install("stubborn", kind=kind)
    node = site.node(kind=kind)
    site.serving(node)
    site.cluster.delete(PLURALS[kind], SPACE, "worker-1")
    assert Phase.DRAINING is site.phase(node)
    for pod in site.cluster.pods(SPACE):
        site.cluster.delete("pods", SPACE, pod["metadata"]["name"], 0)

    assert Phase.ABSENT is site.phase(node)


@pytest.mark.parametrize("kind", PLURALS)
def test_it_is_absent_only_when_its_controllers_know(site: Any, kind: str) -> None:
    """A controller that has not seen yet that nothing is wanted may still be making a pod."""
    site.install(kind=kind)
    node = site.node(kind=kind)
    assert Phase.ABSENT is site.phase(node)
    site.cluster.asleep = True
    node.start(site.gpu, site.market)
    assert Phase.STARTING is site.phase(node)
    node.stop(site.gpu)
    assert Phase.DRAINING is site.phase(node)
    site.cluster.asleep = False

    assert Phase.ABSENT is site.phase(node)


def test_a_replica_set_that_lags_is_not_absent(site: Any) -> None:
    """A Deployment that was seen to rest has its pods made by a ReplicaSet, which may not have seen it."""
    site.install(kind="Deployment")
    node = site.node(kind="Deployment")
    assert Phase.ABSENT is site.phase(node)
    site.cluster.asleep = True
    (name,) = (key[2] for key in site.cluster.objects if key[0] == "replicasets")
    site.cluster.edit("replicasets", SPACE, name, {"spec": {"replicas": 1}})

    assert Phase.DRAINING is site.phase(node)

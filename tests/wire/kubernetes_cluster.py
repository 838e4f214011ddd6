"""A cluster without an API server: its objects, what its controllers do, and what the kubelet of one node tells of its pods.

Nothing runs in it. A container's image says how it behaves: ``patient`` goes when it is asked, ``stubborn`` only when it is made to,
``immortal`` never; ``crash``, ``hungry`` and ``missing`` do not come up, ``evicted`` is over. Time is the machine's; whatever is due is
done when somebody asks.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

NODE = "rig1"
KINDS = {"statefulsets": "StatefulSet", "deployments": "Deployment", "replicasets": "ReplicaSet", "pods": "Pod", "events": "Event"}
PLURALS = {kind: plural for plural, kind in KINDS.items()}
BOOT, DRAIN, GRACE = 0.1, 0.05, 30
Key = tuple[str, str, str]


@dataclass
class Cluster:
    """The objects of a cluster, and what can go wrong with it."""

    gpus: int = 1
    """How many the node has."""
    asleep: bool = False
    """The controllers do nothing."""
    quota: str = ""
    """Why no pod may be made."""
    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _since: dict[str, float] = field(default_factory=dict)
    _count: int = 0

    def put(self, kind: str, space: str, name: str, spec: Mapping[str, Any], **meta: Any) -> dict[str, Any]:
        """A new object."""
        with self.lock:
            self._count += 1
            said = {"name": name, "namespace": space, "uid": f"uid-{self._count}", "generation": 1, **meta}
            made = {"kind": KINDS[kind], "metadata": said, "spec": dict(spec), "status": {}}
            self.objects[kind, space, name] = made
            self._since[said["uid"]] = time.monotonic()  # noqa: TID251
            self._touch(made)
            return made

    def pod(self, space: str, name: str, gpus: int = 0, image: str = "patient", **meta: Any) -> dict[str, Any]:
        """A pod by itself: a tenant's."""
        return self.put("pods", space, name, pod_spec(image, gpus), **meta)

    def edit(self, kind: str, space: str, name: str, changes: Mapping[str, Any]) -> None:
        """What somebody with kubectl does."""
        with self.lock:
            found = self.objects[kind, space, name]
            before = json.dumps(found["spec"])
            merge(found, changes)
            found["metadata"]["generation"] += before != json.dumps(found["spec"])
            self._touch(found)

    def delete(self, kind: str, space: str, name: str, grace: int | None = None) -> None:
        """A pod is asked to go; anything else is gone, and what it owned is asked to go."""
        with self.lock:
            found = self.objects[kind, space, name]
            if kind == "pods":
                self._end(found, grace)
                return
            del self.objects[kind, space, name]
            for each in self._owned(found["metadata"]["uid"]):
                self.delete(PLURALS[each["kind"]], space, each["metadata"]["name"])

    def pods(self, space: str) -> list[dict[str, Any]]:
        """The pods of a namespace, now."""
        with self.lock:
            self.advance()
            return [each for (kind, at, _), each in self.objects.items() if (kind, at) == ("pods", space)]

    def advance(self) -> None:
        """Do what is due: controllers, scheduler, kubelet."""
        if not self.asleep:
            for kind in ("statefulsets", "deployments", "replicasets"):
                for each in [found for key, found in self.objects.items() if key[0] == kind]:
                    self._control(each)
        for pod in [found for key, found in self.objects.items() if key[0] == "pods"]:
            self._tell(pod)

    def _control(self, keeper: dict[str, Any]) -> None:
        kind, meta, wanted = keeper["kind"], keeper["metadata"], keeper["spec"].get("replicas", 1)
        if kind == "Deployment":
            self._keep_set(keeper)
        owned = [each for each in self._owned(meta["uid"]) if each["kind"] == "Pod"]
        stays = [each for each in owned if "deletionTimestamp" not in each["metadata"]]
        for pod in stays[wanted:]:
            self._end(pod, None)
        if kind != "Deployment":
            for number in range(len(owned if kind == "StatefulSet" else stays), wanted):
                self._make(keeper, f"-{number}" if kind == "StatefulSet" else f"-{self._count}")
        ready = sum(is_ready(each) for each in self._below(keeper))
        status = {"observedGeneration": meta["generation"], "replicas": len(stays), "readyReplicas": ready}
        if status != keeper["status"]:
            keeper["status"] = status
            self._touch(keeper)

    def _below(self, keeper: dict[str, Any]) -> list[dict[str, Any]]:
        owned = self._owned(keeper["metadata"]["uid"])
        return [pod for each in owned for pod in ([each] if each["kind"] == "Pod" else self._below(each))]

    def _keep_set(self, deployment: dict[str, Any]) -> None:
        meta, spec = deployment["metadata"], deployment["spec"]
        template = f"{sum(json.dumps(spec['template'], sort_keys=True).encode()):x}"
        key = ("replicasets", meta["namespace"], f"{meta['name']}-{template}")
        if key not in self.objects:
            self.put(*key, {**spec, "replicas": 0}, ownerReferences=[owner(deployment)], labels={"pod-template-hash": template})
        for each in self._owned(meta["uid"]):
            replicas = spec["replicas"] if each is self.objects[key] else 0
            if each["spec"]["replicas"] != replicas:
                each["spec"]["replicas"] = replicas
                each["metadata"]["generation"] += 1
                self._touch(each)

    def _make(self, keeper: dict[str, Any], suffix: str) -> None:
        meta = keeper["metadata"]
        if self.quota:
            about = {"kind": keeper["kind"], "name": meta["name"]}
            event = self.put("events", meta["namespace"], f"{meta['name']}.{self._count}", {})
            event |= {"type": "Warning", "involvedObject": about, "message": self.quota, "lastTimestamp": stamp()}
            return
        spec = json.loads(json.dumps(keeper["spec"]["template"]["spec"]))
        more = {"ownerReferences": [owner(keeper)], "labels": meta.get("labels", {})}
        self.put("pods", meta["namespace"], meta["name"] + suffix, spec, **more)

    def _tell(self, pod: dict[str, Any]) -> None:
        meta, spec = pod["metadata"], pod["spec"]
        image, age = spec["containers"][0]["image"], time.monotonic() - self._since[meta["uid"]]  # noqa: TID251
        if "deletionTimestamp" in meta:
            needs = {"patient": DRAIN, "immortal": float("inf"), "stubborn": float("inf")}.get(image, 0.0)
            allowed = float("inf") if image == "immortal" else meta["deletionGracePeriodSeconds"]
            if age >= min(needs, allowed):
                del self.objects["pods", meta["namespace"], meta["name"]]
        elif "nodeName" not in spec and gpus_of(pod) > self.gpus - sum(map(gpus_of, self._bound())):
            no = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}
            pod["status"] = {"phase": "Pending", "conditions": [{**no, "reason": "Unschedulable"}]}
        else:
            spec["nodeName"] = NODE
            pod["status"] = status_of(image, up=age >= BOOT)

    def _bound(self) -> list[dict[str, Any]]:
        return [each for key, each in self.objects.items() if key[0] == "pods" and "nodeName" in each["spec"]]

    def _end(self, pod: dict[str, Any], grace: int | None) -> None:
        meta = pod["metadata"]
        if grace == 0:
            del self.objects["pods", meta["namespace"], meta["name"]]
            return
        given = min(GRACE if grace is None else grace, meta.get("deletionGracePeriodSeconds", GRACE))
        if meta.get("deletionGracePeriodSeconds") != given:
            meta |= {"deletionTimestamp": stamp(given), "deletionGracePeriodSeconds": given}
            self._since[meta["uid"]] = time.monotonic()  # noqa: TID251
            self._touch(pod)

    def _owned(self, uid: str) -> list[dict[str, Any]]:
        mine = {"uid": uid}
        return [
            each for each in self.objects.values() if any(mine.items() <= o.items() for o in each["metadata"].get("ownerReferences", ()))
        ]

    def _touch(self, found: dict[str, Any]) -> None:
        self._count += 1
        found["metadata"]["resourceVersion"] = str(self._count)


def pod_spec(image: str, gpus: int = 0) -> dict[str, Any]:
    """A pod of one container, whose image says how it behaves."""
    asks = {"resources": {"requests": {"nvidia.com/gpu": str(gpus)}, "limits": {"nvidia.com/gpu": str(gpus)}}} if gpus else {}
    return {"containers": [{"name": "provider", "image": image, **asks}]}


def gpus_of(pod: Mapping[str, Any]) -> int:
    """What it asks for."""
    return sum(int(each.get("resources", {}).get("requests", {}).get("nvidia.com/gpu", 0)) for each in pod["spec"]["containers"])


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether its node says so."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))


def status_of(image: str, *, up: bool) -> dict[str, Any]:
    """What the kubelet says of a pod of one container: booting, then up, or as its image behaves."""
    if image == "evicted":
        return {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    ended = {"terminated": {"exitCode": 137 if image == "hungry" else 7, "reason": "OOMKilled" if image == "hungry" else "Error"}}
    states: dict[str, dict[str, Any]] = {
        "crash": {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended, "restartCount": 3},
        "missing": {"state": {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "missing"'}}},
    }
    states["hungry"] = states["crash"]
    ready = up and image not in states
    state = (
        states.get(image, {"state": {"running": {"startedAt": stamp()}}}) if up else {"state": {"waiting": {"reason": "ContainerCreating"}}}
    )
    container = {"name": "provider", "image": image, "imageID": "", "ready": ready, "restartCount": 0, **state}
    conditions = [{"type": kind, "status": str(ready)} for kind in ("Ready", "ContainersReady")]
    return {"phase": "Running" if ready else "Pending", "conditions": conditions, "containerStatuses": [container]}


def owner(keeper: Mapping[str, Any]) -> dict[str, Any]:
    """What an object says of who made it."""
    return {"kind": keeper["kind"], "name": keeper["metadata"]["name"], "uid": keeper["metadata"]["uid"], "controller": True}


def stamp(seconds: float = 0.0) -> str:
    """A time, as the API writes it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251


def merge(into: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """A strategic merge patch: null takes away, and lists of named things are merged by name."""
    for key, value in changes.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        elif key in ("containers", "env"):
            named = {each["name"]: each for each in into.setdefault(key, [])}
            for each in value:
                if each["name"] not in named:
                    into[key].append(named.setdefault(each["name"], {"name": each["name"]}))
                merge(named[each["name"]], each)
        else:
            into[key] = value

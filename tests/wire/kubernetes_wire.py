"""An API server of Kubernetes over loopback: paths, patches, scales, selectors and refusals, and faults where a test wants them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from shared.servers import HERE, Desk, running

PATH = re.compile(r"/api(?:s/apps)?/v1(?:/namespaces/(?P<space>[^/]+))?/(?P<kind>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<part>scale))?$")
PATCHES = ("application/strategic-merge-patch+json", "application/merge-patch+json")
LISTS = {"pods": "PodList", "events": "EventList", "replicasets": "ReplicaSetList"}
BUSY = b'{"kind":"Status","reason":"InternalError","message":"etcdserver: request timed out"}'
NODE = {"kind": "Node", "metadata": {"name": "rig1"}}
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    "users": [{"name": "me", "user": {"token": "a-secret-token"}}],
}


class Refusal(Exception):
    """What an API server says instead of doing it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}


@dataclass
class Fault:
    """What happens instead to the requests of a method whose path matches."""

    method: str
    path: str
    code: int
    body: bytes
    silent: threading.Event | None
    """No answer before it is set."""


@dataclass
class Wire:
    """A door to a cluster."""

    cluster: Any
    config: Path
    """What KUBECONFIG must be."""
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    """Method, path and body of every request that would change something."""

    def fail(
        self, method: str = ".*", path: str = ".*", code: int = 500, body: bytes = BUSY, silent: threading.Event | None = None
    ) -> None:
        """From now on."""
        self.faults.append(Fault(method, path, code, body, silent))

    def speak(self) -> None:
        """To whoever still waits."""
        for fault in self.faults:
            if fault.silent is not None:
                fault.silent.set()

    def answer(self, method: str, target: str, kind: str, content: bytes) -> tuple[int, bytes]:
        """What a request leads to: a status and a body."""
        place = urlsplit(target)
        body = json.loads(content) if content else {}
        if method != "GET":
            self.asked.append((method, place.path, body))
        for fault in self.faults:
            if re.fullmatch(fault.method, method) and re.search(fault.path, place.path):
                if fault.silent is not None:
                    fault.silent.wait()
                return fault.code, fault.body
        try:
            with self.cluster.lock:
                self.cluster.advance()
                said = self._do(method, place.path, dict(parse_qsl(place.query)), kind, body)
                return 200, json.dumps(said).encode()
        except Refusal as no:
            return no.body["code"], json.dumps(no.body).encode()

    def _do(self, method: str, path: str, query: Mapping[str, str], content_type: str, body: Any) -> Any:
        found = PATH.match(path)
        if path == "/api/v1/nodes/rig1":
            return NODE
        if path == "/api/v1/namespaces":
            return body
        if found is None or found["kind"] == "nodes":
            raise Refusal(404, "NotFound", f'"{path}" not found')
        space, plural, name, part = found.group("space", "kind", "name", "part")
        if name is None:
            return self._list(plural, space, query) if method == "GET" else self._create(plural, space, body)
        seen = self.cluster.objects.get((plural, space, name))
        if seen is None:
            raise Refusal(404, "NotFound", f'{plural}.apps "{name}" not found')
        if method == "GET":
            return _scale(seen) if part else seen
        if method == "DELETE":
            return self._delete(plural, seen, body)
        _same_version(seen, body)
        if method == "PATCH" and content_type not in PATCHES:
            raise Refusal(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}")
        change = _checked_scale(body) if part else _checked_patch(body)
        self.cluster.edit(plural, space, name, change)
        return _scale(seen) if part else seen

    def _create(self, plural: str, space: str, body: Mapping[str, Any]) -> Any:
        meta = {key: value for key, value in body["metadata"].items() if key not in ("name", "namespace")}
        if (plural, space, body["metadata"]["name"]) in self.cluster.objects:
            raise Refusal(409, "AlreadyExists", f'{plural} "{body["metadata"]["name"]}" already exists')
        return self.cluster.put(plural, space, body["metadata"]["name"], body["spec"], **meta)

    def _delete(self, plural: str, seen: Mapping[str, Any], body: Mapping[str, Any]) -> Any:
        meta = seen["metadata"]
        if body.get("preconditions", {}).get("uid", meta["uid"]) != meta["uid"]:
            raise Refusal(409, "Conflict", "the UID in the precondition does not match the UID in record")
        self.cluster.delete(plural, meta["namespace"], meta["name"], body.get("gracePeriodSeconds"))
        return seen

    def _list(self, plural: str, space: str | None, query: Mapping[str, str]) -> Any:
        items = [each for (kind, at, _), each in self.cluster.objects.items() if kind == plural and space in (None, at)]
        fields = _pairs(query.get("fieldSelector"))
        labels = _pairs(query.get("labelSelector"))
        node, kind = fields.get("spec.nodeName"), fields.get("type")
        items = [each for each in items if node in (None, each["spec"].get("nodeName")) and kind in (None, each.get("type"))]
        return {
            "kind": LISTS[plural],
            "items": [
                {key: value for key, value in each.items() if key != "kind"}
                for each in items
                if labels.items() <= each["metadata"].get("labels", {}).items()
            ],
        }


def _pairs(selector: str | None) -> dict[str, str]:
    return dict(each.split("=", 1) for each in selector.split(",")) if selector else {}


def _scale(seen: Mapping[str, Any]) -> dict[str, Any]:
    meta = {key: seen["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": {"replicas": seen["spec"]["replicas"]}}


def _checked_scale(body: Any) -> Mapping[str, Any]:
    replicas = body.get("spec", {}).get("replicas", 0)
    if (body.get("apiVersion"), body.get("kind")) != ("autoscaling/v1", "Scale"):
        raise Refusal(400, "BadRequest", f"{body.get('apiVersion')} {body.get('kind')} cannot be handled as a Scale")
    if not isinstance(replicas, int) or replicas < 0:
        raise Refusal(422, "Invalid", f"spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0")
    return {"spec": {"replicas": replicas}}


def _checked_patch(body: Any) -> Mapping[str, Any]:
    containers = body.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    unknown = [each["name"] for each in containers if each["name"] != "provider" and "image" not in each]
    if unknown:
        raise Refusal(422, "Invalid", f"spec.template.spec.containers[{unknown[0]}].image: Required value")
    meta = {key: value for key, value in body.get("metadata", {}).items() if key != "resourceVersion"}
    return {**body, "metadata": meta}


def _same_version(seen: Mapping[str, Any], body: Any) -> None:
    version = seen["metadata"]["resourceVersion"]
    if body.get("metadata", {}).get("resourceVersion", version) != version:
        raise Refusal(409, "Conflict", f"Operation cannot be fulfilled on {seen['metadata']['name']}: the object has been modified")


@contextmanager
def served(cluster: Any, folder: Path) -> Iterator[Wire]:
    """Open a door to a cluster, and write the file that leads there."""
    wire = Wire(cluster, folder / "kubeconfig")

    class Door(Desk):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one segment: the second of two would wait for the first to be acknowledged

        def answer(self) -> None:
            status, body = wire.answer(self.command, self.path, self.headers.get("Content-Type", ""), self.heard())
            self.say(body, status, Content_Type="application/json")

    with running(ThreadingHTTPServer(HERE, Door), at_end=wire.speak) as server:
        leads = {"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        wire.config.write_text(json.dumps({**KUBECONFIG, "clusters": [leads]}), encoding="utf-8")
        yield wire

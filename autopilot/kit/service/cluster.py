"""What is asked of a cluster of Kubernetes, by the official client, which knows how to find it and how to be let in.

Every request has a limit of time and is made once: what fails is asked again at the next look. The answers are read by ``pods``, so
that a field which we do not need can never be a reason for not seeing the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from autopilot.errors import AdapterError, ConfigError, NodeFault, Transient
from autopilot.kit.service.pods import Anything, EventList, Kept, Node, Pod, PodList, ReplicaSetList, Status

_LIMIT = (5.0, 10.0)
"""Seconds until a connection, and an answer, is given up. The client before version 36 takes no notice of a single number with a point."""
_NOT_DONE = {(404, "NotFound"), (409, "Conflict")}
_REFUSALS = frozenset({400, 401, 403, 405, 422})
"""What will be refused again, unless somebody changes something."""
_WORDS = 300
"""How much of a message is worth repeating."""

Kind = Literal["StatefulSet", "Deployment"]
_NOUNS: Mapping[str, str] = {"StatefulSet": "stateful_set", "Deployment": "deployment"}

Connect = Callable[[], Any]
"""Makes a ``kubernetes.client.ApiClient``."""
_Answer = TypeVar("_Answer", bound=BaseModel)


def server(config: Path | None = None) -> Any:
    """A client of the cluster that the file, KUBECONFIG, ``~/.kube/config`` or the pod that we run in names.

    Raises ConfigError without the extra ``kubernetes``, and where no cluster is named.
    """
    try:
        from kubernetes import client
        from kubernetes import config as found
        from yaml import YAMLError
    except ImportError:
        raise ConfigError('replica sets need the Kubernetes client: pip install "yield-autopilot[kubernetes]"') from None
    settings = client.Configuration()
    settings.retries = False
    try:
        if config is None and "KUBECONFIG" not in os.environ and "KUBERNETES_SERVICE_HOST" in os.environ:
            found.load_incluster_config(client_configuration=settings)
        else:
            found.load_kube_config(str(config) if config else None, client_configuration=settings, persist_config=False)
    except (found.ConfigException, OSError, YAMLError) as error:
        raise ConfigError(f"no cluster can be found: {' '.join(str(error).split())} Name its file in KUBECONFIG.") from None
    return client.ApiClient(settings)


class _NotDone(Exception):
    """The object is not there, or somebody else changed it first: the API server's own word, and nothing that went wrong."""


class Cluster:
    """A cluster, as one network's driver sees it. Every call raises Transient where the API server cannot be heard."""

    def __init__(self, network: str, connect: Connect) -> None:
        self._network = network
        self._connect = connect
        self._client: Any = None

    def read(self, kind: Kind, namespace: str, name: str) -> Kept | None:
        """A StatefulSet or Deployment; None where the API server says that there is none."""
        return self._done(Kept, f"read_namespaced_{_NOUNS[kind]}", name, namespace)

    def pods(self, namespace: str) -> tuple[Pod, ...]:
        """Every pod of a namespace."""
        return self._ask(PodList, "list_namespaced_pod", namespace).items or ()

    def rests(self, kept: Kept) -> bool:
        """Whether nothing is wanted of it, and whoever makes pods for it has seen that; a Deployment has them made by ReplicaSets."""
        if not kept.rests or kept.kind == "StatefulSet":
            return kept.rests
        makers = self._ask(ReplicaSetList, "list_namespaced_replica_set", kept.metadata.namespace).items or ()
        return all(maker.rests for maker in makers if maker.metadata.owned_by("Deployment", kept.metadata.name))

    def pods_on(self, node: str, selector: str) -> tuple[Pod, ...]:
        """The pods of a node in every namespace. Raises Transient where the cluster has no such node: then nothing is known of its pods."""
        if self._done(Node, "read_node", node) is None:
            raise Transient(self._network, f"the cluster has no node {node}: set the name that `kubectl get nodes` shows for this host")
        return (
            self._ask(PodList, "list_pod_for_all_namespaces", field_selector=f"spec.nodeName={node}", label_selector=selector).items or ()
        )

    def complaint(self, kept: Kept) -> str:
        """The last warning about an object, or about what it made; empty where there is none, or we may not read it."""
        try:
            events = self._ask(EventList, "list_namespaced_event", kept.metadata.namespace, field_selector="type=Warning").items or ()
        except AdapterError:
            return ""
        name = kept.metadata.name
        about = [each for each in events if each.involved_object.name == name or each.involved_object.name.startswith(f"{name}-")]
        dated = [each for each in about if each.last_timestamp]
        return max(dated, key=lambda each: str(each.last_timestamp)).message[:_WORDS] if dated else ""

    def mark(self, kept: Kept, marks: Mapping[str, str | None], env: Mapping[str, str], container: str = "") -> Kept | None:
        """Write annotations, take away those that are None, and set variables of a container, the first where none is named.

        None where the object is gone, or changed meanwhile. Raises NodeFault where it is refused.
        """
        body: dict[str, Any] = {"metadata": {"annotations": marks, "resourceVersion": kept.metadata.resource_version}}
        if env:
            named = container or kept.spec.template.spec.containers[0].name
            variables = [{"name": name, "value": value} for name, value in env.items()]
            body["spec"] = {"template": {"spec": {"containers": [{"name": named, "env": variables}]}}}
        return self._change(Kept, f"patch_namespaced_{_NOUNS[kept.kind]}", kept, body)

    def scale(self, kept: Kept, replicas: int) -> bool:
        """By an autoscaling/v1 Scale of the version that was seen. False where the object is gone, or changed meanwhile."""
        place = {key: getattr(kept.metadata, key) for key in ("name", "namespace")}
        meta = {**place, "resourceVersion": kept.metadata.resource_version}
        body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": {"replicas": replicas}}
        return self._change(Anything, f"replace_namespaced_{_NOUNS[kept.kind]}_scale", kept, body) is not None

    def kill(self, pod: Pod) -> None:
        """SIGKILL within a second, to this pod and not to another one that has its name by now.

        A pod deleted with a grace of 0 would be forgotten at once, whether or not its node has ended it.
        """
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 1, "preconditions": {"uid": pod.metadata.uid}}
        self._done(Anything, "delete_namespaced_pod", pod.metadata.name, pod.metadata.namespace, body=body, blame=True)

    def _change(self, answer: type[_Answer], verb: str, kept: Kept, body: Mapping[str, Any]) -> _Answer | None:
        return self._done(answer, verb, kept.metadata.name, kept.metadata.namespace, body, blame=True)

    def _done(self, answer: type[_Answer], verb: str, *args: Any, blame: bool = False, **more: Any) -> _Answer | None:
        try:
            return self._ask(answer, verb, *args, blame=blame, **more)
        except _NotDone:
            return None

    def _ask(self, answer: type[_Answer], verb: str, *args: Any, blame: bool = False, **more: Any) -> _Answer:
        call = getattr(self._api(verb), verb)
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            said = call(*args, **more, _preload_content=False, _request_timeout=_LIMIT)
            return answer.model_validate_json(said.data)
        except ApiException as error:
            raise self._refusal(error, blame=blame) from None
        except ValidationError:
            raise Transient(self._network, f"the API server's answer makes no sense ({verb})") from None
        except (HTTPError, OSError) as error:
            raise Transient(self._network, f"the API server does not answer: {type(error).__name__}") from None

    def _refusal(self, error: Any, *, blame: bool) -> Exception:
        said = Status.of(error.body)
        if said is not None and (error.status, said.reason) in _NOT_DONE:
            return _NotDone()
        words = " ".join((said.message if said else f"{error.status} {error.reason}").split())[:_WORDS]
        kind = NodeFault if blame and said is not None and error.status in _REFUSALS else Transient
        return kind(self._network, f"the API server refuses: {words}")

    def _api(self, verb: str) -> Any:
        if self._client is None:
            self._client = self._connect()
        from kubernetes import client

        apps = any(noun in verb for noun in ("stateful_set", "deployment", "replica_set"))
        return client.AppsV1Api(self._client) if apps else client.CoreV1Api(self._client)

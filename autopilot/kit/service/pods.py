"""What the API of Kubernetes says of pods and of what keeps them: the fields that are read, and no others (core/v1, apps/v1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

_GPU = ("nvidia.com/gpu", "nvidia.com/mig-")
"""What the device plugin of NVIDIA offers, also shared (``nvidia.com/gpu.shared``) or in slices. Resource claims are not read."""
_BROKEN = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Why a container waits that does not come up by itself (kubelet, pkg/kubelet/container and pkg/kubelet/images)."""
_ALWAYS = "Always"


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Owner(_Part):
    """Who keeps an object, or what an event is about."""

    kind: str = ""
    name: str = ""
    controller: bool = False


class Meta(_Part):
    """What every object says of itself."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    deletion_timestamp: AwareDatetime | None = None
    annotations: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None
    owner_references: tuple[Owner, ...] | None = None

    def owned_by(self, kind: str, name: str) -> bool:
        """Whether this one made it, and keeps it."""
        return any(owner.controller and (owner.kind, owner.name) == (kind, name) for owner in self.owner_references or ())


class Ended(_Part):
    """How a container ended."""

    exit_code: int
    reason: str = ""


class Waiting(_Part):
    """Why a container does not run yet."""

    reason: str = ""
    message: str = ""


class State(_Part):
    """What a container does."""

    waiting: Waiting | None = None
    terminated: Ended | None = None


class ContainerStatus(_Part):
    """One container of a pod, as it is."""

    name: str
    restart_count: int = 0
    state: State = State()
    last_state: State = State()

    @property
    def trouble(self) -> str:
        """Why it does not come up; empty where it may."""
        waiting, ended = self.state.waiting, self.last_state.terminated
        if waiting is None or waiting.reason not in _BROKEN:
            return ""
        if ended is None:
            return f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
        why = f" ({ended.reason})" if ended.reason not in ("", "Error") else ""
        return f"{waiting.reason}: exit code {ended.exit_code}{why}, restarted {self.restart_count} times"


class Condition(_Part):
    """One thing that is true of an object, or not."""

    type: str
    status: str
    message: str = ""


class PodStatus(_Part):
    """A pod, as it is."""

    phase: str = "Pending"
    conditions: tuple[Condition, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None


class Resources(_Part):
    """What a container asks for."""

    requests: Mapping[str, str | int] | None = None

    @property
    def gpus(self) -> int:
        """How many GPUs, or slices of one."""
        return sum(int(count) for name, count in (self.requests or {}).items() if name.startswith(_GPU))


class Container(_Part):
    """One container of a pod, as it was asked for."""

    name: str
    resources: Resources = Resources()
    restart_policy: str = ""


class PodSpec(_Part):
    """A pod, as it was asked for."""

    node_name: str = ""
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] | None = None


class Pod(_Part):
    """One pod."""

    metadata: Meta
    spec: PodSpec
    status: PodStatus = PodStatus()

    @property
    def path(self) -> str:
        """Where it is found."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def lives(self) -> bool:
        """Whether anything of it may still run. One that was asked to go lives until its node says that it is gone."""
        return self.status.phase not in ("Succeeded", "Failed")

    @property
    def ready(self) -> bool:
        """Whether it serves, and was not asked to go."""
        return self.metadata.deletion_timestamp is None and self._condition("Ready", "True") is not None

    @property
    def trouble(self) -> str:
        """Why it does not come up; empty where it may."""
        containers = (*(self.status.init_container_statuses or ()), *(self.status.container_statuses or ()))
        return next((f"{each.name}: {each.trouble}" for each in containers if each.trouble), "")

    @property
    def waits_for(self) -> str:
        """What the scheduler waits for; empty where it has a node."""
        unscheduled = self._condition("PodScheduled", "False")
        return unscheduled.message if unscheduled else ""

    @property
    def gpus(self) -> int:
        """How many it holds: containers run together, and those that prepare run before them, unless they are kept beside them."""
        first = self.spec.init_containers or ()
        beside = sum(each.resources.gpus for each in first if each.restart_policy == _ALWAYS)
        together = beside + sum(each.resources.gpus for each in self.spec.containers)
        return max(together, *(each.resources.gpus for each in first), 0)

    def kept_by(self, kind: str, name: str) -> bool:
        """Whether this StatefulSet or Deployment made it; a Deployment does so by a ReplicaSet that is named after the pod's template."""
        template = (self.metadata.labels or {}).get("pod-template-hash", "")
        return self.metadata.owned_by(*((kind, name) if kind == "StatefulSet" else ("ReplicaSet", f"{name}-{template}")))

    def _condition(self, kind: str, status: str) -> Condition | None:
        found = (each for each in self.status.conditions or () if (each.type, each.status) == (kind, status))
        return next(found, None)


class PodList(_Part):
    """Pods, as they are listed."""

    kind: Literal["PodList"]
    items: tuple[Pod, ...] | None = None


class Template(_Part):
    """What a pod is made after."""

    spec: PodSpec


class KeeperSpec(_Part):
    """How many pods of which kind there should be."""

    replicas: int = 1
    template: Template


class KeeperStatus(_Part):
    """What the controller has seen so far."""

    observed_generation: int = 0


class Keeper(_Part):
    """What keeps so many pods running."""

    metadata: Meta
    spec: KeeperSpec
    status: KeeperStatus = KeeperStatus()

    @property
    def rests(self) -> bool:
        """Whether nothing is wanted, and the controller has seen that: it makes no pod any more."""
        return not self.spec.replicas and self.status.observed_generation >= self.metadata.generation


class Kept(Keeper):
    """A StatefulSet or a Deployment, by itself."""

    kind: Literal["StatefulSet", "Deployment"]

    @property
    def path(self) -> str:
        """Where it is found, in the words of kubectl."""
        return f"-n {self.metadata.namespace} {self.kind.lower()} {self.metadata.name}"

    @property
    def marks(self) -> Mapping[str, str]:
        """Its annotations."""
        return self.metadata.annotations or {}


class ReplicaSetList(_Part):
    """What Deployments keep their pods with, as they are listed."""

    kind: Literal["ReplicaSetList"]
    items: tuple[Keeper, ...] | None = None


class Node(_Part):
    """One host of the cluster."""

    kind: Literal["Node"]
    metadata: Meta


class Event(_Part):
    """What happened to an object."""

    involved_object: Owner
    message: str = ""
    last_timestamp: AwareDatetime | None = None


class EventList(_Part):
    """Events, as they are listed."""

    kind: Literal["EventList"]
    items: tuple[Event, ...] | None = None


class Anything(_Part):
    """An answer of which nothing is read."""


class Status(_Part):
    """Why the API server did not do it."""

    kind: Literal["Status"]
    reason: str = ""
    message: str = ""

    @classmethod
    def of(cls, body: str | bytes | None) -> Status | None:
        """From the body of an answer; None where it is not the API server that speaks."""
        try:
            return cls.model_validate_json(body or b"")
        except ValidationError:
            return None

"""A program as a container of Docker or Podman, on any ``DOCKER_HOST`` that the docker SDK reaches.

The engine itself keeps two apart: a container's name is made of network and device, and the engine refuses a second one. Labels say
that it is ours, and which market it serves; one of that name without our labels was made by somebody else, and is never ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from autopilot.clock import Clock
from autopilot.errors import ConfigError, NodeFault, Transient
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.pulling import Fetch, pulled
from autopilot.kit.service.shape import ABSENT, Look
from autopilot.kit.service.words import filled, filled_all
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import PREPARED, Phase, Readiness

_LABEL = "yield-autopilot"
_GONE, _CONFLICT = 404, 409
_HEALTH_WAIT = timedelta(minutes=10)
"""Podman outside of systemd never runs a health check, and says "starting" for ever."""
_STEADY = timedelta(minutes=1)
"""A container that its engine restarted counts as serving only then: one that ends again and again never does."""

Connect = Callable[[], Any]
"""Makes a ``docker.DockerClient``."""


def engine(timeout: timedelta = timedelta(seconds=20)) -> Any:
    """A client of the engine that the environment names. Raises ConfigError without the extra ``containers``."""
    try:
        import docker
    except ImportError:
        raise ConfigError('containers need the docker SDK: pip install "yield-autopilot[containers]"') from None
    return docker.DockerClient.from_env(timeout=timeout.total_seconds())


@dataclass(frozen=True, slots=True)
class Image:
    """What to run for a device. ``{device}``, ``{index}`` and ``{market}`` are filled in as for a process."""

    name: str
    """With its tag; better with its digest, so that nobody can put another one in its place."""
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[str] = ()
    """``HOST:CONTAINER`` or ``HOST:CONTAINER:ro``."""
    gpu: bool = True
    """Whether it is given the GPU, by UUID."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Anything else that the SDK's ``create`` takes: ``network_mode``, ``privileged``, ``mem_limit``, ``runtime``."""
    settles: timedelta = timedelta(seconds=2)
    """How long one without a health check must have been up to count as serving."""


class ContainerShape:
    """Runs an image for each device."""

    def __init__(self, network: NetworkId, clock: Clock, image: Image, orders: Orders, connect: Connect = engine) -> None:
        self._network = network
        self._clock = clock
        self._image = image
        self._orders = orders
        self._connect = connect
        self._client: Any = None
        self._fetch = Fetch(clock, self.pull)

    def look(self, device: Device) -> Look:
        """By the engine's word: health where there is a check, exit code, out-of-memory and restarts where it ended."""
        container = self._find(device)
        if container is None:
            return ABSENT
        labels, state = container.labels, container.attrs["State"]
        if labels.get(f"{_LABEL}.device") != device.id:
            return Look(Phase.READY, note=f"the container {container.name} is somebody else's", ours=False)
        venue = Venue(self._network, labels.get(f"{_LABEL}.market", ""))
        look = self._ended(venue, state, container) if _over(state) else self._running(venue, state, container)
        return self._orders.seen(device, look)

    def _running(self, venue: Venue, state: Mapping[str, Any], container: Any) -> Look:
        if state["Status"] == "removing":
            return Look(Phase.DRAINING, venue, "it is being removed")
        age = self._clock.now() - datetime.fromisoformat(state["StartedAt"])
        health = state.get("Health", {}).get("Status", "none")
        if health == "unhealthy":
            return Look(Phase.FAULT, venue, f"its health check fails: {_last_words(state)}", lives=True)
        if state.get("Paused") or state.get("Restarting"):
            return Look(Phase.STARTING, venue, "paused" if state.get("Paused") else "restarting")
        if (restarts := container.attrs.get("RestartCount", 0)) and timedelta(0) <= age < _STEADY:
            return Look(Phase.STARTING, venue, f"restarted {restarts} times, and up for {age.total_seconds():.0f} s")
        if health == "starting" and age < _HEALTH_WAIT:
            return Look(Phase.STARTING, venue, "its health check has not passed yet")
        young = timedelta(0) <= age < self._image.settles  # one that began later than now has seen the clock put back
        return Look(Phase.STARTING if young and health == "none" else Phase.READY, venue)

    def _ended(self, venue: Venue, state: Mapping[str, Any], container: Any) -> Look:
        if state["Status"] == "created":
            return ABSENT
        memory = ", killed for want of memory" if state.get("OOMKilled") else ""
        restarts = container.attrs.get("RestartCount", 0)
        again = f", restarted {restarts} times" if restarts else ""
        error = f": {state['Error']}" if state.get("Error") else ""
        return Look(Phase.FAULT, venue, f"ended by itself, exit code {state['ExitCode']}{memory}{again}{error}")

    def launch(self, device: Device, venue: Venue) -> None:
        """Clear away what ended, create, start. Raises NodeFault where the image is not here, or the engine refuses."""
        left = self._find(device)
        if left is not None:
            if not _over(left.attrs["State"]):
                return
            with self._heard():
                left.remove()
        self._orders.serve(device, venue)
        with self._heard(device):
            self._engine().containers.create(**self._request(device, venue)).start()

    def _request(self, device: Device, venue: Venue) -> dict[str, Any]:
        image = self._image
        request: dict[str, Any] = {
            **image.options,
            "image": image.name,
            "name": self._name(device),
            "environment": {name: filled(value, device, venue) for name, value in image.env.items()},
            "volumes": filled_all(image.mounts, device, venue),
            "labels": {_LABEL: self._network, f"{_LABEL}.device": device.id, f"{_LABEL}.market": venue.market},
            "detach": True,
        }
        if image.command:
            request["command"] = filled_all(image.command, device, venue)
        if image.gpu:
            from docker.types import DeviceRequest

            request["device_requests"] = [DeviceRequest(device_ids=[device.id], capabilities=[["gpu"]])]
        return request

    def end(self, device: Device, grace: timedelta) -> None:
        """Its stop signal, once; SIGKILL when that was ``grace`` ago; removed when it is over."""
        container = self._find(device)
        if container is None:
            return
        late = self._orders.late(device, grace)
        with self._heard():
            if _over(container.attrs["State"]):
                container.remove()
            elif late or self._orders.asked(device) is None:
                container.kill(signal="SIGKILL" if late else container.attrs["Config"].get("StopSignal") or "SIGTERM")
                self._orders.go(device)

    def present(self) -> bool:
        """Whether the image is here. Raises Transient where the engine does not answer."""
        from docker.errors import ImageNotFound

        with self._heard():
            try:
                self._engine().images.get(self._image.name)
            except ImageNotFound:
                return False
        return True

    def prepare(self, device: Device, venue: Venue) -> Readiness:  # noqa: ARG002  # one image serves all
        """Whether the image is here; where it is not, it is pulled in the background, once for all who ask."""
        if not self._fetch.goes_on and self.present():
            return PREPARED
        return self._fetch.look()

    def pull(self) -> Iterator[str]:
        """Fetch the image, saying how far it is. Raises NodeFault where it cannot be had, Transient where the engine is silent."""
        with self._heard():
            yield from pulled(self._network, self._image.name, self._connect())

    def _find(self, device: Device) -> Any:
        from docker.errors import NotFound

        with self._heard():
            try:
                return self._engine().containers.get(self._name(device))
            except NotFound:
                return None

    @contextmanager
    def _heard(self, device: Device | None = None) -> Iterator[None]:
        """What an engine says that does not answer, or that refuses a device's container, in our own words."""
        from docker.errors import APIError, DockerException, ImageNotFound
        from requests.exceptions import RequestException

        try:
            yield
        except ImageNotFound:
            raise NodeFault(self._network, f"the image {self._image.name} is not on this host: pull it first") from None
        except APIError as error:
            if error.status_code == _CONFLICT or (error.status_code == _GONE and device is None):
                return  # somebody, or an earlier call of ours, was quicker: the next look shows what there is
            kind = Transient if device is None else NodeFault
            raise kind(self._network, f"the container engine refused: {error.explanation or error}") from None
        except (DockerException, RequestException, OSError) as error:
            self._client = None
            raise Transient(self._network, f"the container engine does not answer: {type(error).__name__}") from None

    def _engine(self) -> Any:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _name(self, device: Device) -> str:
        return f"autopilot-{self._network}-{device.id}"


def _over(state: Mapping[str, Any]) -> bool:
    return state["Status"] in {"created", "exited", "dead", "stopped", "configured"}


def _last_words(state: Mapping[str, Any]) -> str:
    log = state.get("Health", {}).get("Log") or [{}]
    return str(log[-1].get("Output", "")).strip()[-200:] or "it says nothing"

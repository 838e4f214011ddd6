"""The two containers of a Nosana node: an outer one with an engine of its own, Podman, and in it the node, which starts the jobs.

What is done here is what ``start.sh`` of nosana.com does, with three differences: nothing that runs is ever removed by force, nothing
needs a terminal, and the outer container stays when the node goes, so that the images in ``podman-cache`` are there at the next start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autopilot.errors import Transient
from autopilot.kit.service.container import ContainerShape
from autopilot.model.device import Device

NAME = "nosana-node"
_OTHERS = "podman"
"""The name that ``start.sh`` gives the outer container."""
_RAISE = """
until podman info >/dev/null 2>&1; do sleep 1; done
podman network exists NOSANA_GATEWAY ||
    podman network create --driver bridge --subnet 192.168.101.0/24 --gateway 192.168.101.1 NOSANA_GATEWAY
podman rm "$0"
exec podman run -d --pull=always --name "$0" --network NOSANA_GATEWAY --volume /root/.nosana/:/root/.nosana/ \\
    --mount type=bind,source=/podman.sock,target=/root/.nosana/podman/podman.sock "$@"
"""
"""Without force: where the node runs, it is neither removed nor started twice. The image and its words come in as arguments."""
_LOOK = ("podman", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}", NAME)


@dataclass(frozen=True, slots=True)
class Inner:
    """The node inside, as its engine shows it."""

    status: str
    """``missing`` where there is none."""
    note: str = ""

    @property
    def runs(self) -> bool:
        """Whether it does anything: one that was asked to go runs until it has gone."""
        return self.status in {"running", "stopping", "paused", "removing"}

    @property
    def over(self) -> bool:
        """Whether it ran, and ended."""
        return self.status in {"exited", "stopped", "dead"}


class Outer(ContainerShape):
    """The outer container of each device, and what is said to the engine in it."""

    def inner(self, device: Device) -> Inner:
        """Look at the node. Raises Transient where the engine inside does not answer, as in its first seconds."""
        code, said = self._inside(device, _LOOK)
        if code == 0:
            status, ended, memory = (*said.split(), "", "", "")[:3]
            killed = ", killed for want of memory" if memory == "true" else ""
            return Inner(status, f"ended by itself, exit code {ended}{killed}")
        if "no such" in said.lower():
            return Inner("missing")
        raise Transient(self._network, f"Podman in the outer container does not answer: {said[-200:]}")

    def kindle(self, device: Device, words: Sequence[str]) -> None:
        """Have the node created and started, which takes as long as its image takes to come."""
        with self._heard(device):
            container = self._find(device)
            if container is not None:
                container.exec_run(["sh", "-c", _RAISE, NAME, *words], detach=True)

    def tell(self, device: Device, signal: str) -> None:
        """Send the node a signal. It ends in its own time, or not at all."""
        self._inside(device, ("podman", "kill", "--signal", signal, NAME))

    def theirs(self) -> bool:
        """Whether the container of ``start.sh`` runs on this host."""
        from docker.errors import NotFound

        found = False
        with self._heard():
            try:
                found = self._engine().containers.get(_OTHERS).status == "running"
            except NotFound:
                found = False
        return found

    def _inside(self, device: Device, argv: Sequence[str]) -> tuple[int, str]:
        said: Any = None
        container = self._find(device)
        with self._heard():
            said = container.exec_run(list(argv)) if container is not None else None
        if said is None:
            raise Transient(self._network, "the outer container is gone, or does not run")
        return said.exit_code, said.output.decode("utf-8", "replace").strip()

"""What runs the nodes of this configuration: Docker or Podman, systemd, pm2, Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from autopilot.doctor.finding import Check, Finding, bad, ok
from autopilot.errors import AutopilotError, Transient
from autopilot.kit.service.cluster import server
from autopilot.kit.service.command import run
from autopilot.kit.service.container import engine
from autopilot.model.device import NetworkId

_US = NetworkId("doctor")
_LIMIT = (5.0, 10.0)
"""Seconds until a connection, and an answer, is given up."""


def checks(networks: Mapping[str, Any]) -> Iterator[Check]:
    """One for each engine that a table of a node names."""
    nodes = list(_nodes(networks))
    if any(node.get("image") for node in nodes):
        yield Check("docker", _docker)
    for user in sorted({bool(node.get("user")) for node in nodes if node.get("unit")}):
        yield Check("systemd", partial(_systemd, user=user))
    if any(node.get("pm2") for node in nodes):
        yield Check("pm2", _pm2)
    for config in {str(node.get("kubeconfig", "")) for node in nodes if "kubeconfig" in node or "namespace" in node}:
        yield Check("kubernetes", partial(_kubernetes, Path(config) if config else None))


def _nodes(table: Any) -> Iterator[Mapping[str, Any]]:
    """Every table named ``node``, however deep."""
    if isinstance(table, list | tuple):
        for inner in table:
            yield from _nodes(inner)
    if not isinstance(table, Mapping):
        return
    for name, inner in table.items():
        if name == "node" and isinstance(inner, Mapping):
            yield inner
        yield from _nodes(inner)


def _docker() -> Iterator[Finding]:
    try:
        with closing(engine()) as client:
            yield ok("docker", f"version {client.version()['Version']}")
    except AutopilotError:
        raise
    except Exception as error:  # noqa: BLE001  # the SDK raises its own, and those of what it is made of
        yield bad("docker", f"does not answer: {error}", "start it, or let this user reach its socket: usermod -aG docker $USER")


def _systemd(*, user: bool) -> Iterator[Finding]:
    said = _said(["systemctl", *(["--user"] if user else []), "is-system-running"])
    if said in ("running", "degraded", "starting", "initializing", "maintenance"):
        yield ok("systemd", said)
    else:
        yield bad("systemd", f"is not reached: {said}", "run on a host with systemd; for units of a user: loginctl enable-linger")


def _pm2() -> Iterator[Finding]:
    said = _said(["pm2", "jlist"])
    if said.endswith("]"):
        yield ok("pm2", "answers")
    else:
        yield bad("pm2", f"does not answer: {said}", "install it for this user, and look at what `pm2 list` says")


def _kubernetes(config: Path | None) -> Iterator[Finding]:
    client = server(config)
    from kubernetes.client import VersionApi

    try:
        yield ok("kubernetes", f"version {VersionApi(client).get_code(_request_timeout=_LIMIT).git_version}")
    except Exception as error:  # noqa: BLE001  # the client raises those of urllib3 and its own
        yield bad("kubernetes", f"does not answer: {type(error).__name__}", "see what `kubectl version` says, or name its kubeconfig")


def _said(argv: list[str]) -> str:
    """What a command says, or why it cannot be run."""
    try:
        said = run(_US, argv)
    except Transient as error:
        return str(error).removeprefix(f"{_US}: ")
    return said.out.strip() or said.complaint

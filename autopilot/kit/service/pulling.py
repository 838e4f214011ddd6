"""Fetching an image while the old node earns: in the background, saying how far it is."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from autopilot.clock import Clock
from autopilot.errors import AdapterError, NodeFault
from autopilot.model.device import NetworkId
from autopilot.model.node import PREPARED, Readiness, Stage

_GB = 1e9
_AGAIN = timedelta(minutes=1)
"""The GPUs of a rig ask one after the other, and are told the same."""
_PATIENCE = timedelta(minutes=10)
"""A registry may be silent for so long between two lines."""
_LOCAL = "http+docker://"
"""How the SDK writes an engine that it reaches by a socket of this host: its folder is on a disk that we can look at."""


class Fetch:
    """One image, fetched once at a time however many ask for it."""

    def __init__(self, clock: Clock, lines: Callable[[], Iterator[str]]) -> None:
        self._clock = clock
        self._lines = lines
        self._failed_at: datetime | None = None
        self._thread: threading.Thread | None = None
        self._said = ""
        self._failure = ""

    @property
    def goes_on(self) -> bool:
        """Whether it is being fetched."""
        return self._thread is not None and self._thread.is_alive()

    def look(self) -> Readiness:
        """Begin, or say how far it is. A failure is told to all who ask within a while, and then it is begun anew."""
        if self._thread is None or (self._failed_at is not None and self._clock.now() - self._failed_at >= _AGAIN):
            self._said, self._failure, self._failed_at = "its image is asked for", "", None
            self._thread = threading.Thread(target=self._fetch, daemon=True)
            self._thread.start()
        if self.goes_on:
            return Readiness(Stage.WORKING, self._said)
        if not self._failure:
            self._thread = None
            return PREPARED
        self._failed_at = self._failed_at or self._clock.now()
        return Readiness(Stage.REFUSED, self._failure)

    def _fetch(self) -> None:
        try:
            for line in self._lines():
                self._said = line
        except AdapterError as error:
            self._failure = str(error)


def pulled(network: NetworkId, image: str, client: Any) -> Iterator[str]:
    """Have an engine fetch an image, saying how far it is; the client is closed at the end. Raises NodeFault where that fails."""
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    name, tag = parse_repository_tag(image)
    layers: dict[str, tuple[int, int]] = {}
    with closing(client):
        client.api.timeout = _PATIENCE.total_seconds()
        root = Path(client.info().get("DockerRootDir", "/")) if client.api.base_url.startswith(_LOCAL) else None
        try:
            for line in client.api.pull(name, tag=tag or "latest", stream=True, decode=True):
                if "error" in line:
                    raise NodeFault(network, f"{image} cannot be pulled: {_plain(line['error'], root)}")
                _take(layers, line)
                _check_room(network, image, layers, root)
                done, total = (sum(each) / _GB for each in zip((0, 0), *layers.values(), strict=True))
                yield f"{image} is pulled, {done:.1f} of {total:.1f} GB so far"
        except APIError as error:
            raise NodeFault(network, f"{image} cannot be pulled: {_plain(str(error.explanation or error), root)}") from None


def _take(layers: dict[str, tuple[int, int]], line: Mapping[str, Any]) -> None:
    """How much of a layer is here, in bytes as they come over the line, and how large it is."""
    layer, detail = line.get("id", ""), line.get("progressDetail") or {}
    if line.get("status") == "Downloading" and detail.get("total"):
        layers[layer] = detail.get("current", 0), detail["total"]
    elif layer in layers:
        layers[layer] = layers[layer][1], layers[layer][1]


def _check_room(network: NetworkId, image: str, layers: Mapping[str, tuple[int, int]], root: Path | None) -> None:
    """An image that cannot fit is not fetched until the disk is full, for the old node needs the disk as well."""
    missing = sum(total - done for done, total in layers.values())
    if root is None or not root.exists() or missing <= (free := shutil.disk_usage(root).free):
        return
    raise NodeFault(
        network,
        f"{image} does not fit: {missing / _GB:.1f} GB are still to come, and unpacked it is larger;"
        f" {free / _GB:.1f} GB are free in {root}: make room there, or move the engine's folder to a larger disk",
    )


def _plain(complaint: str, root: Path | None) -> str:
    """What an engine complains of, in one line, with the remedy where it is known."""
    text = " ".join(complaint.split())
    return f"the disk is full: make room in {root or 'the folder of the engine'}" if "no space left" in text else text

"""A container engine of the tests' own: no bridge, no firewall, no registry, gone when the tests are over."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

IMAGE = "fakenode:1"
_UP_WITHIN = 60.0


def missing() -> str:
    """Why there can be no engine here; empty where there can."""
    if os.geteuid() != 0:
        return "a container engine of the tests' own needs root"
    absent = [name for name in ("dockerd", "busybox") if shutil.which(name) is None]
    return f"not on this host: {' and '.join(absent)}; apt install docker.io busybox-static" if absent else ""


@contextmanager
def engine(folder: Path) -> Iterator[str]:
    """A running dockerd with one image, ``fakenode:1``, made of busybox alone. Gives what DOCKER_HOST must be."""
    host = f"unix://{folder}/docker.sock"
    daemon = start(folder)
    try:
        client = client_of(host)
        client.api.import_image_from_data(busybox(), repository="fakenode", tag="1")
        yield host
        for container in client.containers.list(all=True):
            container.remove(force=True)
        client.close()
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=60)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the engine and wait until it answers."""
    data, run = folder / "data", folder / "exec"
    flags = ["--iptables=false", "--ip6tables=false", "--bridge=none"]
    places = ["-H", f"unix://{folder}/docker.sock", "--data-root", data, "--exec-root", run, "--pidfile", folder / "docker.pid"]
    with (folder / "dockerd.log").open("ab") as log:
        daemon = subprocess.Popen(["dockerd", *places, *flags], stdout=log, stderr=log)  # noqa: S607
    client_of(f"unix://{folder}/docker.sock").close()
    return daemon


def client_of(host: str) -> docker.DockerClient:
    """A client, as soon as the engine has a door. It answers when it is ready."""
    deadline = time.monotonic() + _UP_WITHIN  # noqa: TID251  # a real engine takes real time
    while not Path(host.removeprefix("unix://")).exists() and time.monotonic() < deadline:  # noqa: TID251
        time.sleep(0.1)  # noqa: TID251
    return docker.DockerClient(host, timeout=60)


def busybox() -> bytes:
    """A root file system with busybox in it, as a tar archive."""
    archive = io.BytesIO()
    program = shutil.which("busybox")
    assert program is not None

    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder in ("bin", "tmp", "proc", "dev", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(entry)
        tar.add(program, "bin/busybox")
        for name in ("sh", "sleep", "cat", "rm", "touch", "test", "date", "true", "false"):
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    return archive.getvalue()

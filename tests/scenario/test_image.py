"""The image builds on a bare Debian, and what is in it flies without being root."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from shared.needs import unable

HOUSE = Path(__file__).parents[2]
OF_THIS_HOST = ("etc/ssl/certs/ca-certificates.crt", "etc/pip.conf")
"""How this machine reaches a package index."""


@pytest.fixture
def base(tmp_path: Path, docker_host: str) -> str:
    """An image of a bare Debian, made on this machine."""
    if shutil.which("debootstrap") is None or shutil.which("docker") is None:
        unable("debootstrap or docker is not on this host; apt install debootstrap docker.io")
    root = tmp_path / "root"
    packages = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(["debootstrap", "--variant=minbase", packages, "bookworm", root], check=True, stdout=subprocess.DEVNULL)  # noqa: S607
    for name in OF_THIS_HOST:
        if Path("/", name).exists():
            shutil.copy(Path("/", name), root / name)
    archive = tmp_path / "root.tar"
    subprocess.run(["tar", "--directory", root, "--create", "--file", archive, "."], check=True)  # noqa: S607
    shutil.rmtree(root)
    docker(docker_host, "import", str(archive), "bare-debian:1")
    return "bare-debian:1"


def docker(host: str, *words: str) -> str:
    """What the engine answers."""
    variables = {**os.environ, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "0"}
    told = subprocess.run(["docker", *words], cwd=HOUSE, env=variables, capture_output=True, text=True, check=False)  # noqa: S607

    assert 0 == told.returncode, f"{told.stdout[-2000:]}{told.stderr[-2000:]}"
    return told.stdout


@pytest.mark.long
def test_the_image_flies_a_simulated_rig_without_being_root(docker_host: str, base: str) -> None:
    """Built on the locked releases, with what messages and metrics need; the program is there, and a demo flies, offline."""
    index = [f"--build-arg=PIP_INDEX_URL={os.environ['PIP_INDEX_URL']}"] if "PIP_INDEX_URL" in os.environ else []
    extras = "--build-arg=EXTRAS=metrics,notify"
    docker(docker_host, "build", "--network=host", f"--build-arg=BASE={base}", extras, *index, "--tag=yield-autopilot:test", ".")
    once = ("run", "--rm", "--network=none")
    user = docker(docker_host, *once, "--entrypoint=id", "yield-autopilot:test", "--user")
    demo = docker(docker_host, *once, "yield-autopilot:test", "demo", "--headless", "--days=2")

    assert "10001" == user.strip()
    assert "this autopilot" in demo

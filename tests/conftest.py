"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path

import pytest
from hypothesis import settings

settings.register_profile("house", settings.default, deadline=None)  # a busy machine is no defect
settings.load_profile("house")


def pytest_configure() -> None:
    """The settings of whoever runs the tests do not reach them."""
    for name in list(os.environ):
        if name.startswith("AUTOPILOT_") and not name.startswith("AUTOPILOT_TEST_"):
            del os.environ[name]


def unable(reason: str) -> None:
    """What a test needs is not here: skip it on a user's machine, fail where CI promises to have everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What DOCKER_HOST must be to reach a real engine of the tests' own, with the image ``fakenode:1`` in it."""
    pytest.importorskip("docker")
    wire = run_path(str(Path(__file__).parent / "wire/engine.py"))
    if reason := wire["missing"]():
        unable(reason)
    with wire["engine"](tmp_path_factory.mktemp("engine")) as host:
        yield host

"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path

import pytest
from hypothesis import HealthCheck, settings

from shared.needs import needed, unable

# A busy machine is no defect, and what held yesterday holds today; --hypothesis-profile=default looks further.
settings.register_profile("house", settings.default, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_configure() -> None:
    """The settings of whoever runs the tests do not reach them, nor that a shell lets what it runs in the background ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in list(os.environ):
        if name.startswith("AUTOPILOT_") and not name.startswith("AUTOPILOT_TEST_"):
            del os.environ[name]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """All tests are shared out among our cores, four at most; those of a file that was named start sooner in this process."""
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return min(4, len(os.sched_getaffinity(0))) if everything else 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what tests have counted, whichever process they ran in."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {name}: {value}")


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What DOCKER_HOST must be to reach a real engine of the tests' own, with the image ``fakenode:1`` in it."""
    needed("docker")
    wire = run_path(str(Path(__file__).parent / "wire/engine.py"))
    if reason := wire["missing"]():
        unable(reason)
    with wire["engine"](tmp_path_factory.mktemp("engine")) as host:
        yield host

"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("house", settings.default, deadline=None)  # a busy machine is no defect
settings.load_profile("house")


def pytest_configure() -> None:
    """The settings of whoever runs the tests do not reach them."""
    for name in list(os.environ):
        if name.startswith("AUTOPILOT_") and not name.startswith("AUTOPILOT_TEST_"):
            del os.environ[name]

"""What a host may not have."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, NoReturn

import pytest


def unable(reason: str) -> NoReturn:
    """What a test needs is not here: skip it on a user's machine, fail where CI promises to have everything."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def needed(module: str) -> Any:
    """A module that an extra brings: where it is missing, what needs it is skipped on a user's machine, and fails in CI."""
    return import_module(module) if os.environ.get("CI") == "true" else pytest.importorskip(module)

"""A pytest plugin: without it a stranger who runs our suites sees a bare AssertionError, with it the values compared."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("autopilot.testing.adapters", "autopilot.testing.bench", "autopilot.testing.strategies")

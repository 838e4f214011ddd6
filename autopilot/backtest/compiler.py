"""Plain functions of numbers, compiled: the one door to numba."""

from __future__ import annotations

from functools import cache
from types import CellType, FunctionType
from typing import Any

from autopilot.errors import ConfigError


@cache
def compiled(function: Any) -> Any:
    """The function as machine code, and with it every plain function that it calls. It computes what the plain one computes.

    Raises ConfigError where numba is not installed.
    """
    try:
        from numba import njit
    except ImportError:
        raise ConfigError('a sweep compiles its strategies, which needs numba: pip install "yield-autopilot[sweep]"') from None
    code = function.__code__
    scope = {name: _callee(value) for name, value in function.__globals__.items() if name in code.co_names or name.startswith("__")}
    cells = tuple(CellType(_callee(cell.cell_contents)) for cell in function.__closure__ or ())
    return njit(FunctionType(code, scope, function.__name__, function.__defaults__, cells))


def _callee(value: Any) -> Any:
    return compiled(value) if isinstance(value, FunctionType) else value

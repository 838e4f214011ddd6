"""What the scenarios share: the recorded rates at hand, and the independent accounts of a backtest."""

from __future__ import annotations

import gzip
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

UNSET = pytest.mark.skip(reason="AUTOPILOT_TEST_DATA names no folder of recorded rates")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``rates_file`` runs on every file of recorded rates."""
    if "rates_file" in metafunc.fixturenames:
        files = _recorded()
        metafunc.parametrize("rates_file", files or [pytest.param(None, marks=UNSET)], ids=[_name(file) for file in files] or ["none"])


def _recorded() -> list[Path]:
    folder = os.environ.get("AUTOPILOT_TEST_DATA")
    files = sorted(Path(folder).glob("*.csv.gz")) if folder else []
    return [file for file in files if "usd_per_hour" in _head(file)]


def _head(file: Path) -> str:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return next(lines)


def _name(file: Path) -> str:
    return file.name.removesuffix(".csv.gz")


@pytest.fixture(scope="session")
def recount() -> ModuleType:
    """The module beside this file that shares nothing with the package."""
    spec = spec_from_file_location("recount", Path(__file__).with_name("recount.py"))
    if spec is None or spec.loader is None:
        pytest.fail("recount.py cannot be loaded")
    module = module_from_spec(spec)
    sys.modules["recount"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tariff_file() -> Path:
    """Recorded prices of electricity by the hour."""
    file = Path(os.environ.get("AUTOPILOT_TEST_DATA", "")) / "electricity_cz.csv.gz"
    if not file.is_file():
        pytest.skip(f"{file} is not there: AUTOPILOT_TEST_DATA names no folder with recorded tariffs")
    return file

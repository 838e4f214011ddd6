"""Every import contract is seen to fail on an offence of its own, and on nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ROOTS = ("autopilot", "adapters/autopilot_adapters", "strategies/autopilot_strategies")

OFFENCES = {
    "the floors of the core": [
        {"autopilot/guards/timing.py": "import autopilot.idle"},
        {"autopilot/a_module_without_a_floor.py": ""},
    ],
    "the core knows no adapter and no strategy by name": [
        {"autopilot/idle.py": "import autopilot_adapters"},
        {"autopilot/idle.py": "import autopilot_strategies"},
    ],
    "an adapter takes from the core only what a stranger's adapter could take": [
        {"adapters/autopilot_adapters/planted.py": "import autopilot.guards"},
        {"adapters/autopilot_adapters/planted.py": "import autopilot_strategies"},
    ],
    "adapters know nothing of each other": [
        {"adapters/autopilot_adapters/akash/planted.py": "import autopilot_adapters.nosana"},
    ],
    "a strategy can reach no network, no disk and no clock": [
        {"strategies/autopilot_strategies/planted.py": "import httpx"},
        {"strategies/autopilot_strategies/planted.py": "import autopilot.store"},
        {"strategies/autopilot_strategies/planted.py": "import autopilot.clock"},
    ],
    "no circles": [
        {
            "strategies/autopilot_strategies/one.py": "import autopilot_strategies.other",
            "strategies/autopilot_strategies/other.py": "import autopilot_strategies.one",
        },
    ],
}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the sources and of the contracts, to be spoiled."""
    shutil.copy(HOUSE / "pyproject.toml", tmp_path)
    for root in ROOTS:
        shutil.copytree(HOUSE / root, tmp_path / root, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def lint(house: Path) -> dict[str, str]:
    """KEPT or BROKEN, for each contract by its name."""
    path = os.pathsep.join(str((house / root).parent) for root in ROOTS)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    run = subprocess.run(command, cwd=house, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    verdicts = dict(re.findall(r"^(\S.*?) +(KEPT|BROKEN)\b", run.stdout, re.MULTILINE))

    assert verdicts, run.stdout + run.stderr
    return verdicts


def test_the_house_keeps_its_contracts(house: Path) -> None:
    """As it stands, every contract holds, and each one has an offence below."""
    assert dict.fromkeys(OFFENCES, "KEPT") == lint(house)


@pytest.mark.parametrize(("contract", "offence"), [(name, offence) for name, group in OFFENCES.items() for offence in group])
def test_an_offence_breaks_its_contract_alone(house: Path, contract: str, offence: dict[str, str]) -> None:
    """A planted import is found by the contract that forbids it; the other contracts still hold."""
    for name, line in offence.items():
        with (house / name).open("a") as file:
            file.write(f"\n{line}\n")

    assert dict.fromkeys(OFFENCES, "KEPT") | {contract: "BROKEN"} == lint(house)

"""The example of a network of one's own, installed from its folder as a distribution of its own, is found, tested and asked."""

from __future__ import annotations

import ast
import csv
import importlib
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from autopilot.kit.http import Reply

FOLDER = Path(__file__).parents[2] / "examples/autopilot-vast"
OPEN = {f"autopilot.{room}" for room in ("clock", "contracts", "errors", "kit", "model", "testing", "units")}
"""What of the autopilot a stranger builds on."""
SAMPLES = Path(os.environ.get("AUTOPILOT_TEST_SAMPLES", "")) / "vast"
recorded = pytest.mark.skipif(not SAMPLES.is_dir(), reason="AUTOPILOT_TEST_SAMPLES names no folder of recorded answers")


@pytest.fixture
def owner(reader: Any) -> Any:
    """A reader who has installed it."""
    run = reader.run("pip install ./examples/autopilot-vast")
    assert 0 == run.returncode, run.stderr
    return reader


def test_it_is_found_by_its_entry_point(reader: Any) -> None:
    """Once installed, and not before."""
    command = "autopilot plugins --json"
    before = json.loads(reader.run(command).stdout)
    reader.run("pip install ./examples/autopilot-vast")
    found = [plugin for plugin in json.loads(reader.run(command).stdout) if plugin not in before]

    assert [("adapter", "vast", "autopilot-vast", "0.1.0", "autopilot_vast.adapter:vast", "")] == [
        tuple(plugin[key] for key in ("kind", "name", "distribution", "version", "value", "problem")) for plugin in found
    ]


def test_its_own_tests_pass(owner: Any) -> None:
    """The suite that it inherits among them, run on what is installed, in a folder that knows nothing of ours."""
    move = "mkdir elsewhere && mv examples/autopilot-vast/tests examples/autopilot-vast/pyproject.toml elsewhere"
    run = owner.run(f"{move} && cd elsewhere && python -m pytest -q -p no:cacheprovider")

    assert 0 == run.returncode, run.stdout[-4000:]
    assert "test_contract.py::TestVast::test_no_secret_is_told[realised]" in owner.run("cd elsewhere && python -m pytest --co -q").stdout


def test_its_settings_are_its_own(owner: Any) -> None:
    """The core hands it its table, and says what is missing or wrong in it."""
    config = '[rig]\nsimulated = ["RTX 4090"]\n[networks.vast]\n'
    told = [
        owner.run(f"cat > vast.toml <<'END'\n{config}{line}\nEND\nautopilot rates --config vast.toml").stderr
        for line in ("", "fee = 0.25\nkye = 'x'", "fee = '25 %'")
    ]

    assert [
        "autopilot: [networks.vast]: fee: Field required\n",
        "autopilot: [networks.vast]: unknown key 'kye'; did you mean key?\n",
        "autopilot: [networks.vast]: fee: '25 %' is not a number of Share\n",
    ] == told


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("*.py")), ids=lambda file: file.name)
def test_it_builds_on_what_is_public(file: Path) -> None:
    """A stranger's adapter has no other door into the core than this one."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]

    assert set() == {".".join(name.split(".")[:2]) for name in names if name.split(".")[0] == "autopilot"} - OPEN


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its wire and its rates, from the folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("autopilot_vast.wire"), importlib.import_module("autopilot_vast.rates")


@recorded
def test_recorded_offers_are_divided_by_their_gpus(parts: Any) -> None:
    """Real offers: every price for a GPU is the one that was published beside it, and the two memories of one name are two markets."""
    wire, rates = parts
    rows = list(csv.DictReader((SAMPLES / "ccir_a100_us_2026-02-27.csv").read_text(encoding="utf-8").splitlines()))
    offers = [
        wire.Offer.model_validate(
            {
                "machine_id": row["listing_id"],
                "gpu_name": row["gpu_name"],
                "gpu_ram": row["gpu_ram_gb"],  # which are megabytes, whatever the column is called
                "num_gpus": row["num_gpus"],
                "gpu_frac": 1,
                "dph_base": row["dph_total"],
                "verification": "verified",
                "rentable": True,
            }
        )
        for row in rows
    ]
    reply = Reply(None, datetime(2026, 2, 27, tzinfo=UTC), "https://console.vast.ai/api/v0/bundles/", 200)
    asks = [rates.asked("A100 PCIE", wire.Offers(offers, True, reply), memory).gross for memory in (40, 80)]  # noqa: FBT003

    assert 7 == len(rows)
    assert [row["dph_per_gpu"] for row in rows] == [str(float(round(machine.ask, 6))) for machine in rates.machines(offers)]
    assert ["0.508148148 $/h", "0.673333333 $/h"] == [str(ask) for ask in asks]


@recorded
def test_the_vendors_sample_is_understood(parts: Any) -> None:
    """Of its trends: what is paid lies below what is asked, and it is the newest point that counts."""
    wire, rates = parts
    text = (SAMPLES / "openapi/metrics_gpu_trends.yaml").read_text(encoding="utf-8")
    series = {
        name: json.loads(re.search(rf"pricing:.*?{name}:.*?example: (\[.*?\])", text, re.DOTALL)[1])  # type: ignore[index]
        for name in ("timestamps", "rented_median", "avail_median")
    }
    pricing = wire.Pricing.model_validate(series)
    reply = Reply(None, datetime.fromtimestamp(1779736632, UTC), "https://console.vast.ai/", 200)
    hired = wire.Hired(gpu_name="RTX 4090", usage=90)
    rate = rates.realised("vast", "RTX 4090", wire.Metrics({"RTX 4090": hired}, {"RTX 4090": pricing}, reply))

    assert (["0.39", "0.38"], ["0.5", "0.5"]) == tuple([str(each) for each in series[name]] for name in ("rented_median", "avail_median"))
    assert ("0.38 $/h", "0.9", "realised") == (str(rate.gross), str(rate.hired), rate.basis.value)

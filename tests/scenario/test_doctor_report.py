"""The doctor as a person meets it: a real process, its words, its exit code, and a report without a secret in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from autopilot.clock import SystemClock
from autopilot.model.device import DeviceId
from autopilot.store.store import Store
from autopilot.store.wishes import Want, Wish

GPU = DeviceId("GPU-8f0e1234-0000-0000-0000-000000000000")
WALLET = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
NOWHERE = "http://127.0.0.1:9"
SIMULATED = '[rig]\nsimulated = ["2 x RTX 4090"]\n[networks.akash]\nadapter = "simulator"\n'
CONFIG = f"""
[rig]
simulated = ["2 x RTX 4090"]
[tokens]
coingecko_demo = "canary-coingecko"
[notify]
urls = ["json://canary-user:canary-password@127.0.0.1:9/canary-chat"]
[networks.akash]
console = "{NOWHERE}/canary0console0path0of0a0provider"
[networks.nosana]
base_urls = ["{NOWHERE}"]
rpc_url = "http://user:canary-userinfo@127.0.0.1:9/canary0path0of0a0rpc0provider0key?api-key=canary-query"
nodes = {{ SIM-0-RTX-4090 = "{WALLET}" }}
[networks.bittensor]
endpoints = ["http://127.0.0.1:9/canary0endpoint0key0of0a0provider"]
taostats_key = "canary-taostats"
[networks.bittensor.lium]
url = "{NOWHERE}"
[networks.bittensor.lium.node]
executor = "canary-executor"
token = "canary-portal"
portal = "{NOWHERE}"
process = ["miner", "--password", "canary-option", "--key=canary-word"]
env = {{ PLAIN = "canary-environment-of-a-node" }}
[networks.render]
wallet = "{WALLET}"
wallet_score = 500
stats_url = "{NOWHERE}/?token=canary-statistics"
[networks.mine]
type = "http"
url = "{NOWHERE}/x?key=canary-url"
models = {{ "RTX 4090" = "x" }}
price = "p"
unit = "$/h"
occupancy = 1
params = {{ account = "canary-parameter" }}
headers = {{ Authorization = {{ env = "MINE", prefix = "Bearer " }}, X = {{ file = "canary.key" }} }}
"""


def doctor(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, at 80 columns."""
    where = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "COLUMNS": "80"}
    # What lies beyond this machine is not asked: a proxy that is not there answers at once.
    proxy = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://me:canary-proxy@127.0.0.1:9") | {"NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "autopilot", "doctor", *words]
    return subprocess.run(command, cwd=folder, env=os.environ | where | proxy | variables, capture_output=True, text=True, check=False)


def test_all_is_well_with_a_simulated_rig(tmp_path: Path) -> None:
    """A line for each look, a sum, and exit code 0."""
    (tmp_path / "autopilot.toml").write_text(SIMULATED)
    done = doctor(tmp_path)
    lines = [line.rstrip() for line in done.stdout.splitlines()]

    assert (0, "") == (done.returncode, done.stderr)
    assert "ok   configuration   autopilot.toml: strategy forecast, 1 networks, 2 GPUs" in lines
    assert "ok   state file      autopilot.db is not there yet: `autopilot run` makes it" in lines
    assert any(line.startswith("ok   akash           RTX 4090 ") for line in lines)
    assert lines[-1].endswith(" 0 bad")
    assert ["autopilot.toml"] == [each.name for each in tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("content", "words", "remedy"),
    [
        (None, "there is no autopilot.toml here", "autopilot init writes one; or name it with --config"),
        ("x = [", "autopilot.toml: not valid TOML: Invalid value (at end of document)", "mend that, then run doctor again"),
        (SIMULATED.replace("adapter", "adaptor"), None, None),
        ('strategy = "forecasts"\n' + SIMULATED, "no strategy is called 'forecasts'", "did you mean forecast?"),
    ],
)
def test_a_bad_configuration_stops_no_other_look(tmp_path: Path, content: str | None, words: str | None, remedy: str | None) -> None:
    """It is one bad finding among the others, and exit code 1."""
    if content is not None:
        (tmp_path / "autopilot.toml").write_text(content)
    done = doctor(tmp_path, "--json")
    found = json.loads(done.stdout)
    trouble = [each for each in found if each["about"] == "configuration"]

    assert 1 == done.returncode
    assert ["bad"] == [each["verdict"] for each in trouble]
    if words is not None:
        assert (words, remedy) == (trouble[0]["words"], trouble[0]["remedy"])
    assert {"version", "permissions", "disk", "state file", "clock"} <= {each["about"] for each in found}


def remember(state: Path) -> None:
    """Secrets in everything that a flight writes down."""
    now = SystemClock().now()
    with closing(Store.open(state)) as store:
        body = {"strategy": "stay", "live": False, "tick_seconds": 15, "speed": 1, "devices": [[GPU, "RTX 4090", 0]]}
        silent = {"mine": f"{NOWHERE}/x?key=canary-url answered 500: canary-header"}
        store.journal.beat(now, now, 7, {**body, "silent": silent, "quarantine": {}, "api_token": "canary-beat"})
        store.journal.fence(GPU, now, f"paid to {WALLET}; started with --token canary-fence")
        store.journal.say(now, {GPU: "asked https://me:canary-sentence@host.example/ for its rate"})
        number = store.wishes.add(Wish(Want.HOLD, now, device=GPU, until=now + timedelta(hours=1)))
        store.wishes.end(number, now, "secret=canary-outcome")


@pytest.mark.long
def test_a_report_holds_no_secret(tmp_path: Path) -> None:
    """Canaries in every table, variable, file, address and text: neither the words nor the report repeat one; wallets are masked."""
    (tmp_path / "autopilot.toml").write_text(CONFIG)
    (tmp_path / "canary.key").write_text("canary-file\n")
    told = "to json://canary-user:canary-password@127.0.0.1:9/canary-chat and canary-chat"
    log = [f"2026-09-01 sent {WALLET} with password: canary-log and canary-header", told, "Bearer canary-bearer"]
    (tmp_path / "daemon.log").write_text("\n".join(log))
    remember(tmp_path / "autopilot.db")
    variables = {"MINE": "canary-header", "AUTOPILOT_TOKENS__PYTH": "canary-pyth", "HF_TOKEN": "canary-variable"}
    done = doctor(tmp_path, "--bundle", "report.zip", "--log", "daemon.log", **variables)
    with ZipFile(tmp_path / "report.zip") as archive:
        report = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join([done.stdout, done.stderr, *report.values()])
    journal, configuration = json.loads(report["journal.json"]), json.loads(report["configuration.json"])

    assert ["configuration.json", "doctor.json", "journal.json", "log.txt", "versions.json"] == sorted(report)
    assert "" == done.stderr
    assert [] == [line for line in everything.splitlines() if "canary" in line.replace("canary.key", "")]
    assert WALLET not in everything
    assert f"paid to {WALLET[:4]}***; started with --token ***" == journal["fences"][0]["why"]
    assert "GPU-0" == journal["fences"][0]["device"]
    assert "asked https://host.example/ for its rate" == journal["sentences"][0]["sentence"]
    assert ["AUTOPILOT_TOKENS__PYTH"] == [name for name in configuration["variables"] if "TEST" not in name]
    assert "2 x RTX 4090" == configuration["in force"]["rig"]["simulated"][0]
    assert report["log.txt"].startswith(f"2026-09-01 sent {WALLET[:4]}*** with password: ***")
    assert "autopilot" in report["doctor.json"]


def test_a_report_is_written_once(tmp_path: Path) -> None:
    """One that is there is left as it is."""
    (tmp_path / "autopilot.toml").write_text(SIMULATED)
    (tmp_path / "report.zip").write_text("mine")
    done = doctor(tmp_path, "--bundle", "report.zip")

    assert (2, "mine") == (done.returncode, (tmp_path / "report.zip").read_text())
    assert "autopilot: report.zip exists already, and is left as it is; name another file\n" == done.stderr

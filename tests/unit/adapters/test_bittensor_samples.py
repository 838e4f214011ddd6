"""Recorded answers about Bittensor, where they are at hand: the numbers that follow from them, and no surprise from any of them."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.errors import Transient
from autopilot.kit.reading import Field
from autopilot.model.market import Answer, NoQuote, Quote
from autopilot.sim.clock import SimClock
from autopilot_adapters.bittensor import codec
from autopilot_adapters.bittensor.chain import _number
from autopilot_adapters.bittensor.codec import State
from autopilot_adapters.bittensor.taostats import Taostats
from autopilot_adapters.bittensor.wire import Wanted

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/bittensor/world.py")))
FOLDER = Path(os.environ.get("AUTOPILOT_TEST_SAMPLES", "")) / "bittensor"
FILES = sorted(FOLDER.rglob("*.json")) if "AUTOPILOT_TEST_SAMPLES" in os.environ else []
pytestmark = pytest.mark.skipif(not FILES, reason="AUTOPILOT_TEST_SAMPLES names no folder with recorded answers of Bittensor")
OWNER_UID, VALIDATOR_UID = 395, 630


def sample(name: str) -> Any:
    """A recorded answer."""
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def lium() -> Any:
    """The world with lium as it was recorded."""
    world = W.World()
    world.machines, world.capacity = sample("lium/machines.json"), sample("lium/capacity.json")
    return world


def calls(method: str) -> Sequence[Any]:
    """The recorded calls of a node by method."""
    return [call for call in sample("jsonrpc_recorded_small_calls.json") if call["method"] == method]


@pytest.mark.parametrize(
    ("model", "reference", "rented", "idle", "emission"),
    [
        ("RTX 3090", "0.16", "0.487", "0.16", "0.021"),
        ("RTX 4090", "0.30", "0.987", "0.30", "0.082"),
        ("RTX 5090", "0.65", "0.373", "0.65", "0.031"),
        ("L40S", "0.35", "0.681", "0.35", "0.093"),
        ("A100-SXM4-80GB", "0.69", "1.000", "0.69", "0.142"),
        ("H100 80GB HBM3", "1.494", "0.211", "1.494", "0.101"),
        ("H200", "3.10", "0.989", "2.85", "0.931"),
        ("B200", "4.25", "0.750", "4.25", "1.049"),
    ],
)
def test_lium_paid_so_much_on_25_august_2026(model: str, reference: str, rented: str, idle: str, emission: str, tmp_path: Path) -> None:
    """Reference price, rental rate, idle pay and emission while rented, in dollars an hour for a GPU."""
    (found,) = W.adapter(lium(), tmp_path).rates.quotes([W.gpu(0, model)])

    assert isinstance(found, Quote)
    assert pytest.approx(float(idle), abs=0.005) == float(found.idle)
    assert pytest.approx(float(reference) + float(emission), abs=0.005) == float(found.gross)
    assert pytest.approx(float(rented), abs=0.0006) == float(found.occupancy)
    expected = float(rented) * (0.95 * float(reference) + float(emission)) + (1 - float(rented)) * float(idle)
    assert pytest.approx(expected, rel=0.005) == float(found.expected)


def test_every_model_of_lium_is_found_by_its_own_name(tmp_path: Path) -> None:
    """And quoted, but for the two that nobody serves."""
    names = [row["name"] for row in sample("lium/machines.json")]
    found = W.adapter(lium(), tmp_path).rates.quotes([W.gpu(number, name) for number, name in enumerate(names)])
    silent = [name for name, answer in zip(names, found, strict=True) if isinstance(answer, NoQuote)]

    assert ["NVIDIA A30", "NVIDIA A40"] == silent


def test_what_the_chain_stores_is_read() -> None:
    """Tempo 1000, immunity 5000, a burn of one rao, and the UIDs of two hotkeys."""
    stored = {call["params"][0]: call["response"]["result"] for call in calls("state_getStorageAt")}
    state = State("bittensor", {key: codec.unhexed(Field("bittensor", key, value)) for key, value in stored.items()})

    assert state.flag(codec.of_subnet("NetworksAdded", 23), absent=False)
    assert (1000, 5000) == (state.number(codec.of_subnet("Tempo", 23), 2), state.number(codec.of_subnet("ImmunityPeriod", 23), 2))
    assert Decimal("1E-9") == state.amount(codec.of_subnet("Burn", 23), 1)
    uids = [key for key in stored if key.startswith(codec.of_subnet("Uids", 0).key[:66])]
    for key in uids:
        netuid = int.from_bytes(bytes.fromhex(key[66:70]), "little")
        hotkey = codec.address(bytes.fromhex(key[-64:]))

        assert codec.uid_of(netuid, hotkey).key == key
    assert [5, 29] == [state.number(codec.Item(key, key), 2) for key in uids]


def test_answers_of_a_node_are_read() -> None:
    """The numbers of blocks, and the state of many items at once."""
    numbers = {_number(Field("bittensor", "header", call["response"]["result"]["number"])) for call in calls("chain_getHeader")}

    assert 0x31CE96 in numbers
    for call in calls("state_queryStorageAt"):
        keys, block = call["params"]
        state = State.of(Field("bittensor", "state_queryStorageAt:", call["response"]["result"]), block)
        there = [key for key in keys if state.flag(codec.Item(key, key), absent=False)]

        assert codec.of_subnet("NetworksAdded", 23).key in there


def recorded(uid: int) -> Any:
    """The world with subnet 1 as it was recorded in November 2025, and one of its UIDs as ours."""
    told, world = sample("decoded_sn1_metagraph.json"), W.World()
    neuron = next(each for each in told["neurons"] if each["uid"] == uid)
    emission = [0] * told["num_uids"]
    emission[uid] = round(Decimal(str(neuron["emission_alpha_per_epoch"])) * W.RAO)
    dividends = [0] * told["num_uids"]
    dividends[uid] = int(neuron["dividends"] * 65535)
    hotkey, owner = (codec.public_key(address) for address in (neuron["hotkey"], told["owner_hotkey"]))
    count = (told["num_uids"] * 4 + 1).to_bytes(2, "little").hex()
    items = {
        "NetworksAdded": "0x01",
        "Tempo": W.u(told["tempo"], 2),
        "NetworkRegistrationAllowed": "0x01",
        "SubnetOwner": f"0x{owner.hex()}",
        "SubnetOwnerHotkey": f"0x{owner.hex()}",
        "SubnetAlphaIn": W.u(int(told["pool"]["alpha_in"] * W.RAO), 8),
        "SubnetTAO": W.u(int(told["pool"]["tao_in"] * W.RAO), 8),
        "Emission": f"0x{count}{''.join(W.u(each, 8)[2:] for each in emission)}",
        "Dividends": f"0x{count}{''.join(W.u(each, 2)[2:] for each in dividends)}",
        "LastMechansimStepBlock": W.u(told["last_step"], 8),
    }
    world.state = {codec.of_subnet(name, 1).key: value for name, value in items.items()}
    world.state[codec.NOW.key] = W.STATE[codec.NOW.key]
    world.state[codec.of_uid("Keys", 1, uid).key] = f"0x{hotkey.hex()}"
    world.state[codec.owner_of(neuron["hotkey"]).key] = f"0x{codec.public_key(neuron['coldkey']).hex()}"
    world.before = dict(world.state)
    world.before[codec.NOW.key] = W.BEFORE[codec.NOW.key]
    world.before[codec.of_subnet("LastMechansimStepBlock", 1).key] = W.u(told["last_step"] - 200, 8)
    world.header = {"number": hex(told["block"] + 2)}
    world.price = W.u(int(told["pool"]["tao_in"] / told["pool"]["alpha_in"] * W.RAO), 8)
    return world


def test_the_owner_s_share_of_a_recorded_subnet_is_not_a_rate(tmp_path: Path) -> None:
    """All of its incentive went to the owner's UID, which is 41 % of a hundred blocks, and was burned; the rest are dividends."""
    told = sample("decoded_sn1_metagraph.json")
    reasons = []
    for uid in (OWNER_UID, VALIDATOR_UID):
        settings = {"lium": {"enabled": False}, "miners": [{"netuid": 1, "uid": uid}]}
        (found,) = W.adapter(recorded(uid), tmp_path, **settings).rates.quotes([W.gpu()])

        assert isinstance(found, NoQuote)
        reasons.append(found.reason)

    assert ["owner" in reasons[0], "validates" in reasons[1]] == [True, True]
    assert pytest.approx(0.41, abs=0.0001) == next(each for each in told["neurons"] if each["incentive"])["emission_alpha_per_epoch"] / 100


def test_a_recorded_epoch_is_worth_what_it_is(tmp_path: Path) -> None:
    """The same 41 alpha, had they not been the owner's: in 100 blocks, though the tempo says 99."""
    world = recorded(OWNER_UID)
    for name in ("SubnetOwner", "SubnetOwnerHotkey"):
        world.state[codec.of_subnet(name, 1).key] = W.account(W.OTHER)
    settings = {"lium": {"enabled": False}, "miners": [{"netuid": 1, "uid": OWNER_UID, "gpus": 8}]}
    (found,) = W.adapter(world, tmp_path, **settings).rates.quotes([W.gpu()])

    assert isinstance(found, Quote)
    assert "100 blocks (measured to block 6852597) of 12 s" in found.workings[0].text
    assert pytest.approx(41.00022888 * 3 * 22079.400556774 / 2316467.425363654 * 300 / 8, rel=1e-6) == float(found.gross)


def test_examples_of_taostats_are_read(tmp_path: Path) -> None:
    """Numbers as text, rao, and the price of the pool's two sides."""
    pool = next(row for row in sample("taostats_dtao_pool_latest.json")["data"] if row["netuid"])
    table = sample("taostats_subnet_latest.json")
    subnet = copy.deepcopy(next(row for row in table["data"] if row["netuid"] == 1))
    uid = sample("taostats_metagraph_latest.json")["data"][0]
    world = W.World()
    world.stats = {"dtao/pool": {**pool, "netuid": 19}, "subnet": {**subnet, "netuid": 19}, "metagraph": uid}
    kit = W.kit(world, tmp_path)
    clock = SimClock(Field("", "", "2024-10-23T17:16:00Z").instant())
    (found,) = Taostats(kit.http, W.TAOSTATS, W.KEY, clock.now).subnets([Wanted(19, None, 140)])

    assert found is not None
    assert found.miner is not None
    assert Decimal("1.706598192") == found.miner.emission
    assert found.miner.dividends
    assert (99, 7200, Decimal("0.322844193"), 4107450 - 53) == (found.tempo, found.immunity, found.burn, found.look.step.block)
    assert pytest.approx(float(found.price)) == float(found.tao_in / found.alpha_in)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.parametrize("host", ["lium.io", "entrypoint-finney.opentensor.ai", "api.taostats.io"])
def test_no_recorded_answer_in_a_wrong_place_is_a_surprise(file: Path, host: str, tmp_path: Path) -> None:
    """Whichever question it answers: quotes, reasons or Transient."""
    world, body = W.World(), file.read_bytes()
    world.first = lambda request: httpx.Response(200, content=body) if request.url.host == host else None
    settings = {"api.taostats.io": {"source": "taostats", "taostats_key": W.KEY}}.get(host, {})
    alone = {} if host == "lium.io" else {**W.ALONE, "endpoints": [W.ENDPOINT]}
    answers: Sequence[Answer] = ()
    with suppress(Transient):
        answers = W.adapter(world, tmp_path, **alone, **settings).rates.quotes(W.RIG)

    assert all(isinstance(answer, NoQuote) or 0 < answer.expected.count < 10**10 for answer in answers)

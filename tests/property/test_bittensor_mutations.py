"""Whatever happens to an answer about Bittensor: a sane quote, a reason, or one of our errors; and no figure moves without saying so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot.errors import Transient
from autopilot.kit.http import Reply
from autopilot.kit.reading import Field
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import NetworkId, Venue
from autopilot.model.market import Answer, NoQuote, Quote
from autopilot.units import HOUR, UsdPerHour
from autopilot_adapters.bittensor import chain, lium_rates, miner_rates, rpc
from autopilot_adapters.bittensor.codec import NOW as TIME
from autopilot_adapters.bittensor.codec import fee_rate, of_subnet
from autopilot_adapters.bittensor.epochs import EpochMeter
from autopilot_adapters.bittensor.lium import read_capacity, read_machines
from autopilot_adapters.bittensor.payouts import EpochPayouts
from autopilot_adapters.bittensor.settings import LiumSettings, MinerSettings
from autopilot_adapters.bittensor.taostats import Taostats
from autopilot_adapters.bittensor.wire import Subnet, Wanted
from shared.threads import Inline

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "data/bittensor/world.py")))
pytestmark = pytest.mark.long

VENUE = Venue(NetworkId("bittensor"), "4")
OURS = Wanted(W.NETUID, W.HOTKEY, None)
TAO = TokenPrice("TAO", Decimal(300), W.NOW, "a test", confirmed=True)
RIG = [W.gpu(number, name) for number, name in enumerate(["RTX 4090", "RTX 3090", "NVIDIA H200", "Voodoo 2"])]
MOST = UsdPerHour.of(10_000)
GONE, TWICE, RENAMED, TENFOLD = object(), object(), object(), object()
JUNK = [
    *(None, True, False, 0, -1, 1, 2, 0.5, 1e308, -1e308, 10**40, 2**64 - 1, "", "NaN", "Infinity", "1e5", "2.5", "\u0662", "٢.٥"),  # noqa: RUF001
    *(
        [],
        {},
        [[]],
        {"price": 1},
        "NVIDIA GeForce RTX 4090",
        "H100",
        "0x",
        "0x00",
        "0x01",
        "0xff",
        "0xzz",
        f"0x{'ff' * 8}",
        f"0x{'00' * 8}",
    ),
    *(f"0x{'ff' * 32}", f"0x{'00' * 32}", "0x0800", "0xfeff", W.HOTKEY, "2026-08-25T12:00:00Z", GONE, TWICE, RENAMED, TENFOLD),
]
LABELS = {of_subnet(name, W.NETUID).key: f"chain:{of_subnet(name, W.NETUID).label}" for name in (*chain._ITEMS, *chain._CLOCK)}
LABELS |= {each.key: f"chain:{each.label}" for each in (TIME, fee_rate(W.NETUID))}
LABELS |= {"price": f"chain:SwapRuntimeApi_current_alpha_price({W.NETUID})"}
Steps = tuple[str | int, ...]
Answers = Mapping[str, Answer]


@dataclass(frozen=True)
class Mutation:
    """One change to a set of answers."""

    steps: Steps
    value: Any

    @property
    def path(self) -> str:
        """As the inputs of a working name it: the first step is the name of the answer."""
        name, *rest = self.steps
        text = f"{name}:" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest)
        return text.replace(":.", ":")


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """Every place in it."""
    if steps:
        yield steps
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*steps, key))


def mutated(answers: Mapping[str, Any], mutation: Mutation) -> dict[str, Any]:
    """The answers with the change."""
    whole = copy.deepcopy(dict(answers))
    *way, last = mutation.steps
    parent: Any = whole
    for step in way:
        parent = parent[step]
    if mutation.value is GONE:
        parent.pop(last)
    elif mutation.value is TWICE:
        parent.insert(last, copy.deepcopy(parent[last])) if isinstance(parent, list) else parent.update({f"{last} again": parent[last]})
    elif mutation.value is RENAMED:
        parent.update({f"{last}_v2": parent.pop(last)}) if isinstance(parent, dict) else parent.reverse()
    elif mutation.value is TENFOLD:
        parent[last] = parent[last] * 10 if isinstance(parent[last], int | float) else f"{parent[last]}0"
    else:
        parent[last] = mutation.value
    return whole


def changes(answers: Mapping[str, Any]) -> st.SearchStrategy[Mutation]:
    """Any place inside of the answers, with anything there."""
    inner = [steps for steps in places(answers) if len(steps) > 1]
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    texts = (
        st.text(max_size=8)
        | st.decimals(allow_nan=False, allow_infinity=False).map(str)
        | st.binary(max_size=40).map(lambda data: f"0x{data.hex()}")
    )
    return st.builds(Mutation, st.sampled_from(inner), st.sampled_from(JUNK) | numbers | texts)


def judged(before: Answers, ask: Callable[[], Answers], names: set[str]) -> None:
    """What must be true of the outcome, whatever was changed; ``names`` is how an input could name the change."""
    try:
        after = ask()
    except Transient:
        return
    for key, found in after.items():
        if isinstance(found, NoQuote):
            assert found.reason
            continue
        assert UsdPerHour(0) <= found.expected <= MOST
        assert UsdPerHour(0) < found.gross <= MOST
        first = before[key]
        if isinstance(first, Quote) and abs(found.expected.count - first.expected.count) > first.expected.count / 5:
            told = {name for each in (first, found) for working in each.workings for name in working.inputs}

            assert any(name.startswith(one) or one.startswith(name) for name in names for one in told), (names, found.workings)


LISTS = {"machines": W.MACHINES[3:9], "capacity": W.CAPACITY[:5]}


def market(answers: Mapping[str, Any]) -> Answers:
    """What lium's lists make of a rig."""
    said = lium_rates.Market(
        read_machines("bittensor", answers["machines"]), read_capacity("bittensor", answers["capacity"]), W.NOW, "a test"
    )
    return {device.id: lium_rates.answer(VENUE, device, said, LiumSettings()) for device in RIG}


LISTED = market(LISTS)


@settings(max_examples=2000, derandomize=True)
@given(changes(LISTS))
def test_no_list_of_lium_breaks_the_adapter(mutation: Mutation) -> None:
    """In either of its two lists, at any place."""
    judged(LISTED, lambda: market(mutated(LISTS, mutation)), {mutation.path})


SAID = {
    "header": {"result": {"number": hex(W.BLOCK + 2)}},
    "hashes": {"result": [W.HASHES[W.BLOCK], W.HASHES[W.BLOCK - 240]]},
    "price": {"result": W.PRICE},
    "state": dict(W.STATE),
    "before": dict(W.BEFORE),
}


class Told:
    """A node that says what it is told to say, through the reader of JSON-RPC."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    def ask(self, calls: Sequence[rpc.Call]) -> Sequence[Field | Transient]:
        """As a node of the chain."""
        return [self._answer(call) for call in calls]

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, call: rpc.Call) -> Field | Transient:
        named = {"chain_getHeader": "header", "chain_getBlockHash": "hashes", "state_call": "price"}
        try:
            return rpc._result("bittensor", call, self._answers[named[call.method]] if call.method in named else self._state(call), "")
        except Transient as error:
            return error

    def _state(self, call: rpc.Call) -> Any:
        block = call.params[1] if len(call.params) > 1 else "0xaa"
        values = self._answers["before" if block == W.HASHES[W.BLOCK - 240] else "state"]
        changes = [[key, values[key]] for key in call.params[0] if key in values]
        return {"result": [{"block": block, "changes": changes}]}


def priced(subnet: Subnet | None) -> Answers:
    """What a look at the subnet makes of a GPU."""
    if subnet is None:
        return {"gpu-0": NoQuote(VENUE, RIG[0].id, W.NOW, "no subnet")}
    sight = miner_rates.Sighting(subnet, EpochMeter("bittensor").measure(subnet), TAO, W.NOW)
    cost = miner_rates.entry_cost(sight, MinerSettings(netuid=4, uid=0), 1)

    assert cost.fee.count >= 0
    return {"gpu-0": miner_rates.answer(VENUE, RIG[0], sight, MinerSettings(netuid=4, uid=0), 1, 24 * HOUR)}


def mined(answers: Mapping[str, Any]) -> Answers:
    """By the chain."""
    return priced(chain._Reading("bittensor", Told(answers), "a test", W.NOW).subnets([OURS])[0])


MINED = mined(SAID)


@settings(max_examples=2000, derandomize=True)
@given(changes(SAID))
def test_no_state_of_the_chain_breaks_the_adapter(mutation: Mutation) -> None:
    """In any item, at either block, and in the answers around them."""
    last = mutation.steps[-1] if mutation.steps[0] in {"state", "before"} else mutation.steps[0]
    judged(MINED, lambda: mined(mutated(SAID, mutation)), {LABELS.get(str(last), str(last))})


@settings(max_examples=2000, derandomize=True)
@given(changes(SAID))
def test_no_state_of_the_chain_makes_money_of_an_epoch(mutation: Mutation) -> None:
    """What is told of an epoch is worth its alpha at the pool's price, no more than any rate may be, and over before it was looked at."""
    with suppress(Transient):
        subnet = chain._Reading("bittensor", Told(mutated(SAID, mutation)), "a test", W.NOW).subnets([OURS])[0]
        if subnet is None:
            return
        sight = miner_rates.Sighting(subnet, EpochMeter("bittensor").measure(subnet), TAO, W.NOW)
        source = EpochPayouts(VENUE.network, [MinerSettings(netuid=4, uid=0)], [each.id for each in RIG], lambda _: sight)
        payouts = source.payouts(W.NOW - 365 * 24 * HOUR)
        alpha = sum(each.native.amount for each in payouts if each.native)

        assert len(payouts) in {0, len(RIG)}
        assert all(each.end <= subnet.look.at and not each.settled for each in payouts)
        assert not payouts or subnet.miner
        assert not payouts or alpha == (subnet.miner.emission if subnet.miner else 0)
        assert sum(float(each.amount) for each in payouts) <= float(MOST) * float(sight.epoch.hours)


TABLES = {"taostats/metagraph": 0, "taostats/dtao/pool": 0, "taostats/subnet": 0}
TABLES = {name: {"data": [W.STATS[name.removeprefix("taostats/")]]} for name in TABLES}


class Said:
    """An HTTP client that knows the answers already."""

    network = "bittensor"

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    def get(self, url: str, **_: Any) -> Reply:
        """The table that was asked for."""
        name = url.removeprefix(f"{W.TAOSTATS}/api/").removesuffix("/latest/v1")
        return Reply(self._answers[f"taostats/{name}"], W.NOW, url, 200)

    def keep_apart(self, *_: Any) -> None:
        """There is no traffic."""


def counted(answers: Mapping[str, Any]) -> Answers:
    """By taostats."""
    client: Any = Said(answers)
    with patch("autopilot_adapters.bittensor.taostats.ThreadPoolExecutor", Inline):
        return priced(Taostats(client, W.TAOSTATS, W.KEY, lambda: W.NOW).subnets([OURS])[0])


COUNTED = counted(TABLES)


@settings(max_examples=2000, derandomize=True)
@given(changes(TABLES))
def test_no_table_of_taostats_breaks_the_adapter(mutation: Mutation) -> None:
    """In any of the three, at any place."""
    judged(COUNTED, lambda: counted(mutated(TABLES, mutation)), {mutation.path})


@pytest.mark.parametrize("made", [lambda: market(LISTS), lambda: mined(SAID), lambda: counted(TABLES)])
def test_the_answers_that_are_changed_are_quotes(made: Callable[[], Answers]) -> None:
    """Without that the tests above would say nothing."""
    quotes = [found for found in made().values() if isinstance(found, Quote)]

    assert quotes
    assert all(quote.expected.count > 0 for quote in quotes)

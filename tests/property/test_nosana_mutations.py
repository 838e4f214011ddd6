"""Whatever is wrong with an answer of Nosana or Solana: sane quotes, honest absences or one of our errors, no wrong quote unawares.

A quote may only lie far from the true one where the field that was spoilt is among those that its own workings name.
"""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from runpy import run_path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot.errors import Refused, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Reply
from autopilot.kit.tokens import Tokens
from autopilot.model.device import NetworkId
from autopilot.model.market import Answer, NoQuote, Quote
from autopilot.sim.clock import SimClock
from autopilot_adapters.nosana.adapter import NosanaSettings, nosana_network
from shared.threads import Inline

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "data/nosana/world.py")))
pytestmark = pytest.mark.long

RIG = [W.gpu(0), *(W.gpu(each, "H100 80GB HBM3", 80) for each in range(1, 9))]
ASKED = [RIG[0], RIG[1]]
SPOILT = 10
"""Mutations in one example: two hundred examples make two thousand."""
JUNK = [
    None,
    True,
    "",
    "abc",
    "NaN",
    "-1",
    "1e999",
    "\u0663",
    "\ud800",
    -1,
    0,
    1,
    0.5,
    1e308,
    -1e-9,
    10**40,
    [],
    {},
    [[]],
    "1" * 32,
    W.PREMIUM,
]
SCALES = [0.1, 0.5, 0.9, 1.1, 1.9, 10, 1000, 1e6]
PARTS = ("markets", "running", "stats", "countries", "specs", "accounts", "runs")


MARKETS = [W.COMMUNITY, W.PREMIUM, W.H100, W.WHOLE]


class Wire:
    """The client, without its threads, bytes and checks: those have tests of their own."""

    network = "nosana"

    def __init__(self, nosana: Any, spoilt: Mapping[str, Any]) -> None:
        self._nosana = nosana
        self._spoilt = spoilt

    def as_(self, _: str) -> Wire:
        return self

    def keep_apart(self, *_: object) -> None:
        pass

    def get(self, url: str, **_: Any) -> Reply:
        path = url.removeprefix("https://api.nosana.com/api").removeprefix("https://api.coingecko.com/api")
        if path.startswith("http"):
            raise Transient("nosana", "the other addresses are down")
        return Reply(self._nosana.get(path), W.NOW, url, 200)

    def post(self, url: str, body: Any, **_: Any) -> Reply:
        method = body["method"]
        part = "runs" if method == "getProgramAccounts" and len(body["params"][1]["filters"]) == 1 else "accounts"
        known = self._spoilt.get(part) if method == "getMultipleAccounts" or part == "runs" else None
        return Reply(known if known is not None else self._nosana.rpc(body), W.NOW, url, 200)


def world() -> Any:
    """All is well; few markets and short accounts, for speed."""
    nosana = W.Nosana()
    nosana.markets = [each for each in nosana.markets if each["address"] in MARKETS]
    nosana.accounts = {address: data.rstrip(b"\0").ljust(151 + 64, b"\0") for address, data in nosana.accounts.items()}
    nosana.running[W.WHOLE] = {"running": 4}
    for number in range(24):
        market = W.COMMUNITY if number < 6 else W.PREMIUM if number < 15 else W.WHOLE if number < 19 else W.H100
        nosana.jobs[W.key(100 + number)] = W.job_bytes(market)
        nosana.runs[W.key(200 + number)] = W.run_bytes(W.key(100 + number))
    return nosana


TRUE = world()


def chain_said() -> dict[str, Any]:
    """The answers of the chain that are spoilt."""
    runs = {"method": "getProgramAccounts", "id": 1, "params": [W.JOBS, {"filters": [{"memcmp": {"offset": 0, "bytes": "ZZTu8o6YwNM"}}]}]}
    return {"accounts": TRUE.rpc({"method": "getMultipleAccounts", "id": 1, "params": [MARKETS, {}]}), "runs": TRUE.rpc(runs)}


def answers(nosana: Any, spoilt: Mapping[str, Any]) -> list[Answer]:
    """What the adapter says."""
    wire: Any = Wire(nosana, spoilt)
    clock = SimClock(W.NOW)
    with TemporaryDirectory() as folder, patch("autopilot_adapters.nosana.survey.ThreadPoolExecutor", Inline):
        kit = Kit(NetworkId("nosana"), clock, RIG, Path(folder), wire, Tokens(wire, clock))
        return list(nosana_network(NosanaSettings(nodes={"GPU-0": W.OURS}), kit).quotes(ASKED))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value within a value, its own too."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


CHAIN = chain_said()
ANSWERS: dict[str, Any] = {part: CHAIN[part] if part in CHAIN else getattr(TRUE, part) for part in PARTS}
PLACES = {part: list(places(answer)) for part, answer in ANSWERS.items()}


def spoil(answer: Any, path: tuple[Any, ...], random: Random) -> Any:
    """The answer with one value in it changed, cut out, renamed or doubled."""
    junk = random.choice(JUNK)
    if not path:
        return junk
    answer = copy.deepcopy(answer)
    inner = answer
    for key in path[:-1]:
        inner = inner[key]
    value, last = inner[path[-1]], path[-1]
    how = random.choice(["junk", "change", "change", "change", "cut", "twice" if isinstance(inner, list) else "rename"])
    if how == "cut":
        del inner[last]
    elif how == "rename":
        inner[f"{last}2"] = inner.pop(last)
    elif how == "twice":
        inner.append(value)
    else:
        inner[last] = junk if how == "junk" else changed(value, random, junk)
    return answer


def changed(value: Any, random: Random, junk: Any) -> Any:
    """A value much like this one: another number, text with a letter less, an account with another byte."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value * random.choice(SCALES)
    if isinstance(value, str) and len(value) > 100:
        data = bytearray(base64.b64decode(value))
        data[random.randrange(min(len(data), 151))] = random.randrange(256)
        return base64.b64encode(data).decode()
    if isinstance(value, str) and value:
        at = random.randrange(len(value))
        return value[:at] + random.choice(["", "A", "8x "]) + value[at + 1 :]
    return junk


def label(part: str, path: tuple[Any, ...]) -> str:
    """The place as workings name it."""
    if part == "accounts" and path[:2] == ("result", "value") and path[3:5] in {("data",), ("data", 0)}:
        return f"getMultipleAccounts:{MARKETS[path[2]]}.data"
    names = {"countries": "nodes-country", "accounts": "getMultipleAccounts", "runs": "getProgramAccounts"}
    within = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return f"{names.get(part, part)}:{within.removeprefix('.')}"


def named(quote: Quote, where: str) -> bool:
    """Whether the workings name the place, or what holds it, or what it holds."""
    spots = (where, re.sub(r"\[\d+\]", "[*]", where))
    inputs = [each for line in quote.workings for each in line.inputs]
    return any(spot.startswith(each) or each.startswith(spot) for spot in spots for each in inputs)


def ask(part: str, answer: Any) -> dict[Any, Answer]:
    """What the adapter says when one part answers this, and is needed: others that would do in its place are silent."""
    nosana = copy.copy(TRUE)
    if part not in CHAIN:
        setattr(nosana, part, answer)
    if part == "runs":
        nosana.running = {}
    spoilt = {part: answer} if part in CHAIN else {"accounts": {}} if part == "countries" else {}
    return {(each.venue, each.device): each for each in answers(nosana, spoilt)}


HONEST = {part: ask(part, answer) for part, answer in ANSWERS.items()}


def check(part: str, random: Random) -> None:
    """One mutation, and what must be true after it."""
    path = random.choice(PLACES[part])
    said: dict[Any, Answer] = {}
    with suppress(Transient, Refused):
        said = ask(part, spoil(ANSWERS[part], path, random))
    for key, each in said.items():
        if isinstance(each, NoQuote):
            assert each.reason
            continue
        assert 0 <= float(each.expected) <= 100
        honest = HONEST[part].get(key)
        if isinstance(honest, Quote) and abs(float(each.expected) - float(honest.expected)) > 0.2 * float(honest.expected):
            where = label(part, path)
            assert named(each, where) or named(honest, where), f"{where} is spoilt: {each.expected} instead of {honest.expected}"


@pytest.mark.parametrize("part", ["markets", "running", "accounts", "runs"])
@settings(max_examples=200, derandomize=True)
@given(st.randoms(use_true_random=True))
def test_a_spoilt_answer_does_no_harm(part: str, random: Random) -> None:
    """Two thousand mutations of every answer that a rate is made of."""
    for _ in range(SPOILT):
        check(part, random)


@pytest.mark.parametrize("part", ["countries", "stats", "specs"])
@settings(max_examples=200, derandomize=True)
@given(st.randoms(use_true_random=True))
def test_a_spoilt_answer_beside_the_rate_does_no_harm(part: str, random: Random) -> None:
    """As many of those that are asked beside it or in its place."""
    for _ in range(SPOILT):
        check(part, random)


def finished() -> dict[str, Any]:
    """Jobs of our node that are over."""
    end = int(W.NOW.timestamp())
    times = [{"timeStart": end - number * 7200, "timeEnd": end - number * 7200 + 3600, "timeout": 7200} for number in range(1, 4)]
    pay = {"market": W.COMMUNITY, "price": 318, "usdRewardPerHour": 0.34934717}
    return {"jobs": [{"address": W.key(number), **pay, **each} for number, each in enumerate(times)], "totalJobs": 3}


JOBS = finished()


@settings(max_examples=100, derandomize=True)
@given(st.randoms(use_true_random=True))
def test_a_spoilt_list_of_jobs_makes_no_money(random: Random) -> None:
    """A thousand mutations: a payout is worth its NOS at the price of its time, for no longer than its job; or it is an error."""
    places_of_jobs = list(places(JOBS))
    for _ in range(SPOILT):
        nosana = copy.copy(TRUE)
        nosana.history = spoil(JOBS, random.choice(places_of_jobs), random)
        wire: Any = Wire(nosana, {})
        clock = SimClock(W.NOW)
        with suppress(Transient, Refused), TemporaryDirectory() as folder:
            kit = Kit(NetworkId("nosana"), clock, RIG, Path(folder), wire, Tokens(wire, clock))
            source = nosana_network(NosanaSettings(nodes={"GPU-0": W.OURS}), kit).payouts

            assert source
            for each in source.payouts(W.NOW - timedelta(days=1)):
                assert 0 <= float(each.amount) <= 1000 * (each.span / timedelta(hours=1)) + 1e-6
                worth = each.native and float(each.native.amount * each.native.usd_per_token)
                assert worth is None or worth == pytest.approx(float(each.amount), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("part", PARTS)
def test_the_unspoilt_answers_make_quotes(part: str) -> None:
    """Else nothing above would be compared with anything."""
    quotes = {venue.market: each for (venue, _), each in HONEST[part].items() if isinstance(each, Quote)}

    assert {"nvidia-4090-community", "nvidia-h100", "nvidia-8x-h100"} <= set(quotes)
    assert all(quote.expected.count > 0 for quote in quotes.values())

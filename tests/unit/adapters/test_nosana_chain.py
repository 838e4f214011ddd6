"""What Solana answers about Nosana's accounts is read strictly, and its endpoint's key is not told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.errors import Transient
from autopilot.kit.http import Http
from autopilot.sim.clock import SimClock
from autopilot_adapters.nosana.chain import Chain

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))
RPC = "https://rpc.example.com/abcd1234efgh5678abcd1234efgh"


def http(handle: Callable[[httpx.Request], httpx.Response]) -> Http:
    """A client that reaches nothing else."""
    return Http(SimClock(W.NOW), transport=httpx.MockTransport(handle)).as_("nosana")


def said(json_or_status: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Everybody says this."""
    return lambda _: httpx.Response(json_or_status) if isinstance(json_or_status, int) else httpx.Response(200, json=json_or_status)


def test_the_chain_tells_accounts_by_address() -> None:
    """One call for all; an account that is gone is None."""
    nosana = W.Nosana()
    nosana.accounts[W.PREMIUM] = None
    found = Chain(http(nosana.handle), RPC).markets([W.COMMUNITY, W.PREMIUM])
    community = found.value[W.COMMUNITY]

    assert community is not None
    assert 196 == community.job_price
    assert found.value[W.PREMIUM] is None
    assert "355000000" in found.source
    assert {"rpc.example.com getMultipleAccounts": 1} == nosana.asked


def test_the_chain_tells_which_jobs_run() -> None:
    """Those of the market that are not over and that a run account points at: waiting jobs and finished ones look alike otherwise."""
    nosana = W.Nosana()
    nosana.jobs = {
        W.key(20): W.job_bytes(W.COMMUNITY),
        W.key(21): W.job_bytes(W.COMMUNITY),
        W.key(22): W.job_bytes(W.COMMUNITY, state=2),
        W.key(23): W.job_bytes(W.PREMIUM),
    }
    nosana.runs = {W.key(30 + each): W.run_bytes(W.key(each)) for each in (20, 22, 23)}

    assert {W.COMMUNITY: 1, W.SMALL: 0} == Chain(http(nosana.handle), RPC).running([W.COMMUNITY, W.SMALL]).value


def test_the_chain_tells_a_stake() -> None:
    """Of this node and no other; nothing where there is none."""
    nosana = W.Nosana()
    nosana.stakes = {W.key(40): W.stake_bytes(W.OURS, 5), W.key(41): W.stake_bytes(W.key(8), 7)}
    chain = Chain(http(nosana.handle), RPC)

    assert [5, 0] == [chain.xnos(node) for node in (W.OURS, W.key(9))]


def rpc(result: Any) -> dict[str, Any]:
    """An answer of the chain about one account."""
    return {"jsonrpc": "2.0", "id": 1, "result": {"context": {"slot": 1}, "value": [result]}}


GOOD = W.account(W.market_bytes(196))
SILENT: dict[str, Any] = {
    "an error in an answer that is fine": {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "Node is behind"}},
    "an error of another shape": {"error": "rate limited"},
    "no result": {"jsonrpc": "2.0", "id": 1},
    "a list": [],
    "429": 429,
    "too few accounts": {"result": {"context": {"slot": 1}, "value": []}},
    "no slot": {"result": {"context": {}, "value": [GOOD]}},
    "another cluster": rpc(None),
    "another owner": rpc({**GOOD, "owner": "11111111111111111111111111111111"}),
    "another encoding": rpc({**GOOD, "data": ["abc", "base58"]}),
    "no base64": rpc({**GOOD, "data": ["%%%", "base64"]}),
    "letters that are none": rpc({**GOOD, "data": ["é", "base64"]}),
    "other bytes": rpc(W.account(W.run_bytes(W.key(1)))),
    "no data": rpc({"owner": W.JOBS}),
}


@pytest.mark.parametrize("name", SILENT)
def test_a_chain_that_makes_no_sense_is_silent(name: str) -> None:
    """One line that names the network and hides the key in the endpoint's address, also where the answer repeats it."""
    with pytest.raises(Transient) as caught:
        Chain(http(said(SILENT[name])), RPC).markets([W.COMMUNITY])

    assert str(caught.value).startswith("nosana: https://rpc.example.com/abcd***")
    assert "1234" not in str(caught.value)


def test_an_endpoint_that_repeats_its_key() -> None:
    """Is not repeated by us, nor does the repr show it."""
    key = RPC.rpartition("/")[2]
    chain = Chain(http(said({"error": {"code": 1, "message": f"bad {key}"}})), RPC)
    with pytest.raises(Transient) as caught:
        chain.markets([W.COMMUNITY])

    assert key not in f"{caught.value} {chain!r}"


def test_the_chain_is_searched_by_what_accounts_hold() -> None:
    """All runs in one call; the jobs of a market by its address and their state, each at its place."""
    asked: list[Any] = []
    runs = [{"pubkey": W.key(30), "account": W.account(W.run_bytes(W.key(20)))}]

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, json={"result": [] if len(asked) > 1 else runs})

    Chain(http(handle), RPC).running([W.COMMUNITY])
    marks = [[(each["memcmp"]["offset"], each["memcmp"]["bytes"]) for each in call["params"][1]["filters"]] for call in asked]

    assert [[(0, "ZZTu8o6YwNM")], [(0, "GESmduEEyPE"), (72, W.COMMUNITY), (208, "1")]] == marks


def test_a_chain_on_which_nothing_runs_is_silent() -> None:
    """It is not a network in which nobody is hired."""
    with pytest.raises(Transient, match="no job that runs"):
        Chain(http(said({"result": []})), RPC).running([W.COMMUNITY])

"""Accounts of Nosana's programs are read at the places that their layout names, and nothing else is taken for one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot_adapters.nosana.codec import JOB, MARKET, RUN, STAKE, QueueType, job_account, market_account, run_account, stake_account
from autopilot_adapters.nosana.reading import Nonsense, is_address

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))


def test_a_market_with_nodes_in_its_queue() -> None:
    """Price, timeout, what it asks of a node, and the nodes in the order in which they are served; the padding is nothing."""
    found = market_account(W.market_bytes(196, [W.key(1), W.key(2)], minimum=2**80, access=W.key(9)))

    assert (196, 7200, W.key(9), 2**80) == (found.job_price, found.job_timeout, found.node_access_key, found.node_xnos_minimum)
    assert (QueueType.NODES, (W.key(1), W.key(2)), 0) == (found.queue_type, found.nodes, found.jobs)


def test_a_market_with_jobs_in_its_queue() -> None:
    """The one queue holds jobs then, so no node waits."""
    found = market_account(W.market_bytes(196, jobs=[W.key(3)], pad=0))

    assert (QueueType.JOBS, (), 1) == (found.queue_type, found.nodes, found.jobs)


def test_a_market_in_which_nobody_waits() -> None:
    """Neither nodes nor jobs."""
    found = market_account(W.market_bytes(278))

    assert (QueueType.EMPTY, (), 0) == (found.queue_type, found.nodes, found.jobs)


def test_the_other_accounts() -> None:
    """Each field at its place."""
    job, run, stake = job_account(W.job_bytes(W.PREMIUM)), run_account(W.run_bytes(W.key(6))), stake_account(W.stake_bytes(W.OURS, 2**100))

    assert (W.PREMIUM, W.OURS, 318, 0, 0, 0, 3660) == (
        job.market,
        job.node,
        job.price,
        job.state,
        job.time_end,
        job.time_start,
        job.timeout,
    )
    assert (W.key(6), W.OURS, W.key(5), 1, 1_764_226_351) == (run.job, run.node, run.payer, run.state, run.time)
    assert (0, W.OURS, 1_209_600, 0, 2**100) == (stake.amount, stake.authority, stake.duration, stake.time_unstake, stake.xnos)


def test_the_marks_are_those_that_the_chain_is_searched_by() -> None:
    """The discriminators, in base58 as the layout gives them."""
    assert ["afwFqcydEve", "GESmduEEyPE", "ZZTu8o6YwNM", "EV6feDfKSVt"] == [kind.mark for kind in (MARKET, JOB, RUN, STAKE)]
    assert [151, 233, 113, 113] == [kind.layout.size for kind in (MARKET, JOB, RUN, STAKE)]


BAD_MARKETS = {
    "another kind of account": W.run_bytes(W.key(6)).ljust(200, b"\0"),
    "nothing": b"",
    "cut in the middle of a field": W.market_bytes(196, pad=0)[:140],
    "cut in the middle of the queue": W.market_bytes(196, [W.key(1), W.key(2)], pad=0)[:-1],
    "a queue longer than there can be": W.market_bytes(196)[:147] + (315).to_bytes(4, "little") + bytes(20_000),
    "a queue of no known kind": W.market_bytes(196)[:146] + b"\x02" + W.market_bytes(196)[147:],
    "a price beyond all bounds": W.market_bytes(10**7 + 1),
    "a timeout before the start": W.market_bytes(196)[:56] + b"\xff" * 8 + W.market_bytes(196)[64:],
}


@pytest.mark.parametrize("name", BAD_MARKETS)
def test_what_is_no_market_is_refused(name: str) -> None:
    """With an error of the reader, whatever the bytes are."""
    with pytest.raises(Nonsense):
        market_account(BAD_MARKETS[name])


@given(st.binary(max_size=400), st.sampled_from([MARKET, JOB, RUN, STAKE]))
def test_any_bytes_are_an_account_or_nonsense(data: bytes, kind: Any) -> None:
    """No other error, also where the first bytes are right."""
    decode = {MARKET.name: market_account, JOB.name: job_account, RUN.name: run_account, STAKE.name: stake_account}[kind.name]
    for each in (data, kind.discriminator + data):
        with suppress(Nonsense):
            assert decode(each) == decode(each + b"\0")


@pytest.mark.parametrize("written", ["", "1" * 31, "1" * 33, "0" * 32, "\u0661" * 32, "l" * 40, " " + "1" * 32, "z" * 5000])
def test_what_is_no_address(written: str) -> None:
    """Too short, too long, or with letters that base58 does not have."""
    assert not is_address(written)


def test_addresses_of_nosana() -> None:
    """As they are published; the system program's is 32 ones."""
    assert all(map(is_address, [W.COMMUNITY, W.JOBS, "1" * 32]))

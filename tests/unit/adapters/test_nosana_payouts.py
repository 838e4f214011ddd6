"""What our own nodes were paid, job by job and once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.model.device import NetworkId, Venue
from autopilot.model.node import Payout
from autopilot.units import Usd
from autopilot_adapters.nosana.adapter import NosanaSettings, nosana_network

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))
COMMUNITY = Venue(NetworkId("nosana"), "nvidia-4090-community")
OURS = {"GPU-0": W.OURS}


def finished(number: int, ended: int, usd: float | None = 0.36, hours: float = 1.0, timeout: int = 7200) -> dict[str, Any]:
    """A job that ended so many hours ago."""
    end = int(W.NOW.timestamp()) - ended * 3600
    times = {"timeStart": end - int(hours * 3600), "timeEnd": end, "timeout": timeout}
    return {"address": W.key(number), "market": W.COMMUNITY, "price": 318, "state": 2, "usdRewardPerHour": usd, **times}


def paid(nosana: Any, folder: Path, hours: int, nodes: dict[str, str] | None = None) -> Sequence[Payout]:
    """What was paid for jobs that ended in the last hours."""
    rig = [W.gpu(0), W.gpu(1, "RTX 3060", 12)]
    adapter = nosana_network(NosanaSettings(nodes=nodes or OURS), nosana.kit(rig, folder))
    adapter.rates.quotes(rig)

    assert adapter.payouts is not None
    return adapter.payouts.payouts(W.NOW - timedelta(hours=hours))


def test_what_our_node_was_paid(tmp_path: Path) -> None:
    """Job by job, at the price of its time, for no longer than its timeout; what ended before is not told again."""
    nosana = W.Nosana()
    nosana.history = {"jobs": [finished(1, 1), finished(2, 3, hours=3.0), finished(3, 24)], "totalJobs": 3}
    second, first = paid(nosana, tmp_path, 12)[::-1]

    assert (W.key(1), COMMUNITY, "GPU-0", Usd.of("0.36")) == (second.id, second.venue, second.device, second.amount)
    assert (W.key(2), Usd.of("0.72"), timedelta(hours=3)) == (first.id, first.amount, first.span)


def test_it_was_paid_in_nos_at_the_price_of_its_time(tmp_path: Path) -> None:
    """By the job's own price, up to its timeout: 318 micro-NOS a second. A job that cost nothing was paid in nothing."""
    nosana = W.Nosana()
    free = {**finished(3, 4), "price": 0, "usdRewardPerHour": 0}
    nosana.history = {"jobs": [finished(1, 1, 0.34934717), finished(2, 3, hours=3.0), free], "totalJobs": 3}
    nothing, long, one = paid(nosana, tmp_path, 12)

    assert one.native
    assert long.native
    assert ("NOS", Decimal("1.144800"), Decimal("0.30516")) == (one.native.token, one.native.amount, round(one.native.usd_per_token, 5))
    assert Decimal("2.289600") == long.native.amount
    assert (Usd(0), None) == (nothing.amount, nothing.native)
    assert one.settled


@pytest.mark.parametrize("unknown", [None, 0])
def test_a_job_without_a_price_holds_those_after_it_back(unknown: float | None, tmp_path: Path) -> None:
    """For a day: it would be skipped for good otherwise. After that it is left out. NOS that are worth nothing have no price yet."""
    nosana = W.Nosana()
    nosana.history = {"jobs": [finished(1, 1), finished(2, 2, unknown), finished(3, 30, unknown), finished(4, 40)], "totalJobs": 4}

    assert [W.key(4)] == [each.id for each in paid(nosana, tmp_path, 100)]


@pytest.mark.parametrize(("waiting", "told"), [(3, []), (2, []), (1, [2])])
def test_it_holds_back_those_of_other_nodes_too(waiting: int, told: list[int], tmp_path: Path) -> None:
    """Whoever asks for what ended after the newest one that was told would never hear of it."""
    nosana = W.Nosana()
    jobs = {W.OURS: finished(1, waiting, None), W.key(9): finished(2, 2)}
    nosana.down = lambda request: (
        httpx.Response(200, json={"jobs": [jobs[request.url.params["node"]]], "totalJobs": 1}) if "node" in request.url.params else None
    )

    assert [W.key(each) for each in told] == [each.id for each in paid(nosana, tmp_path, 12, {"GPU-0": W.OURS, "GPU-1": W.key(9)})]


def test_a_node_of_several_gpus_shares_its_pay(tmp_path: Path) -> None:
    """Each payout has an id of its own."""
    nosana = W.Nosana()
    nosana.history = {"jobs": [finished(1, 1)], "totalJobs": 1}
    payouts = paid(nosana, tmp_path, 12, {"GPU-0": W.OURS, "GPU-1": W.OURS})

    assert [Usd.of("0.18")] * 2 == [each.amount for each in payouts]
    assert [Decimal("0.5724")] * 2 == [each.native.amount for each in payouts if each.native]
    assert 2 == len({each.id for each in payouts})


@pytest.mark.parametrize(("nodes", "pages"), [(1, 10), (3, 9), (12, 12)])
def test_pages_of_jobs_end(nodes: int, pages: int, tmp_path: Path) -> None:
    """After ten, for the list is limited: the newest 500 jobs are told, of several nodes less of each."""
    nosana = W.Nosana()
    nosana.history = {"jobs": [finished(number, 1) for number in range(50)], "totalJobs": 9999}
    paid(nosana, tmp_path, 12, {f"GPU-{number}": W.key(60 + number) for number in range(nodes)})

    assert pages == nosana.asked["api.nosana.com /jobs"]

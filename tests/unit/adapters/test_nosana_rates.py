"""What a market pays is reckoned once, from the right figure, and written out so that a person can do the sum again."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.errors import Transient
from autopilot.model.device import Device
from autopilot.model.market import Answer, Basis, NoQuote, Quote
from autopilot.units import ALL, NONE, Share, UsdPerHour
from autopilot_adapters.nosana.adapter import NosanaSettings, nosana_network

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")


def asked(nosana: Any, folder: Path, *rig: Device, **settings: Any) -> dict[str, Answer]:
    """What every market answers about the first device of the rig."""
    devices = rig or (W.gpu(),)
    source = nosana_network(NosanaSettings(**settings), nosana.kit(devices, folder))
    return {each.venue.market: each for each in source.quotes(devices) if each.device == devices[0].id}


def quoted(nosana: Any, folder: Path, *rig: Device, market: str = "nvidia-4090-community", **settings: Any) -> Quote:
    """The quote of one market."""
    found = asked(nosana, folder, *rig, **settings)[market]

    assert isinstance(found, Quote)
    return found


def refused(nosana: Any, folder: Path, *rig: Device, market: str = "nvidia-4090-community", **settings: Any) -> str:
    """Why one market has no quote."""
    found = asked(nosana, folder, *rig, **settings)[market]

    assert isinstance(found, NoQuote)
    return found.reason


def lines(quote: Quote) -> str:
    """Its workings."""
    return "\n".join(line.text for line in quote.workings)


def test_the_host_is_paid_the_reward_and_nothing_is_taken_off(tmp_path: Path) -> None:
    """0.000196 NOS/s are 0.7056 NOS/h; the client's price is a tenth higher, and no fee comes off ours."""
    quote = quoted(W.Nosana(), tmp_path)

    assert quote.native is not None
    assert Decimal("0.7056") == quote.native.per_hour
    assert UsdPerHour.of(Decimal("0.7056") * quote.native.usd_per_token) == quote.gross
    assert abs(float(quote.gross) - 0.218175) < 0.0001
    assert () == quote.fees
    assert UsdPerHour(0) == quote.idle
    assert Basis.ADMINISTERED is quote.basis
    assert "0.000216" in lines(quote)


def test_318_micro_nos_a_second(tmp_path: Path) -> None:
    """Are 1.1448 NOS an hour, and at 0.34934717 $ an hour a NOS costs 0.305 $, where no other source speaks."""
    nosana = W.Nosana()
    nosana.markets = [W.listed(W.COMMUNITY, "NVIDIA 4090 Community", "COMMUNITY", 318, 0.34934717, *W.RTX4090)]
    nosana.accounts[W.COMMUNITY] = W.market_bytes(318)
    nosana.prices = {}
    quote = quoted(nosana, tmp_path)

    assert quote.native is not None
    assert Decimal("1.1448") == quote.native.per_hour
    assert Decimal("0.305") == round(quote.native.usd_per_token, 3)
    assert UsdPerHour.of("0.34934717") == quote.gross


def test_a_node_of_eight_is_shared_by_eight(tmp_path: Path) -> None:
    """18.20 $ an hour for all of them are 2.275 for each."""
    quote = quoted(W.Nosana(), tmp_path, *(W.gpu(each, "H100 80GB HBM3", 80) for each in range(8)), market="nvidia-8x-h100")

    assert abs(float(quote.gross) - 2.275) < 0.001
    assert "/ 8 GPUs of the node" in lines(quote)


def test_a_node_of_eight_needs_eight(tmp_path: Path) -> None:
    """One GPU cannot serve that market, whatever it pays; others of the rig do not help."""
    rig = [W.gpu(0, "H100 80GB HBM3", 80), *(W.gpu(each) for each in range(1, 9))]

    assert "takes nodes of 8 GPUs, and this rig has 1" in refused(W.Nosana(), tmp_path, *rig, market="nvidia-8x-h100")


def test_the_sum_can_be_done_again_by_hand(tmp_path: Path) -> None:
    """Every line multiplies and divides printed figures to the next, and the last one is the quote's expected rate."""
    rig = [W.gpu(each, "H100 80GB HBM3", 80) for each in range(8)]
    nosana = W.Nosana()
    nosana.running[W.WHOLE] = {"running": 3}
    for quote in (quoted(nosana, tmp_path), quoted(nosana, tmp_path, *rig, market="nvidia-8x-h100")):
        text = lines(quote)
        second, sixty, hour, *node = numbers(text, "NOS/s x 3600 s")
        nos, usd, gross = numbers(text, "$/NOS =")[:3]
        demand, supply, share = numbers(text, "of the hour")[-3:]
        paid, busy, expected = numbers(text, "expected; waiting")

        assert close(second * sixty, hour)
        assert close(hour / node[0], node[1]) if node else nos == hour
        assert close(nos * usd, gross)
        assert close(demand / supply, share)
        assert (gross, share) == (paid, busy)
        assert close(gross * share, expected)
        assert close(Decimal(quote.expected.count) / 10**9, expected)


def numbers(text: str, mark: str) -> list[Decimal]:
    """The numbers of the line with this mark."""
    return [Decimal(each) for each in NUMBER.findall(next(line for line in text.splitlines() if mark in line))]


def close(one: Decimal, other: Decimal) -> bool:
    """Equal but for the rounding of the ninth digit."""
    return abs(one - other) <= Decimal("2e-9")


def test_the_lower_of_list_and_chain_counts(tmp_path: Path) -> None:
    """And it is said where they differ: the chain is what pays, the list may lag, and too low a rate moves no GPU."""
    nosana = W.Nosana()
    nosana.accounts[W.COMMUNITY] = W.market_bytes(98)
    lower = quoted(nosana, tmp_path)
    nosana.accounts[W.COMMUNITY] = W.market_bytes(392)
    higher = quoted(nosana, tmp_path)

    assert lower.native is not None
    assert higher.native is not None
    assert (Decimal("0.3528"), Decimal("0.7056")) == (lower.native.per_hour, higher.native.per_hour)
    assert "98 micro-NOS/s, another figure" in lines(lower)
    assert "another figure" not in lines(quoted(W.Nosana(), tmp_path))


def test_a_published_rate_that_lags_is_flagged(tmp_path: Path) -> None:
    """What is paid is NOS, so it stays; but who reads it is told."""
    nosana = W.Nosana()
    nosana.markets[0]["usd_reward_per_hour"] = 0.35

    assert "more than 5 % apart" in lines(quoted(nosana, tmp_path))
    assert "more than 5 % apart" not in lines(quoted(W.Nosana(), tmp_path))


def test_one_wrong_usd_figure_does_not_move_the_price(tmp_path: Path) -> None:
    """The markets together are one source, and their median speaks."""
    nosana = W.Nosana()
    nosana.markets[0]["usd_reward_per_hour"] = 21.8175

    assert abs(float(quoted(nosana, tmp_path).gross) - 0.218175) < 0.001


def test_a_wrong_ticker_does_not_raise_the_rate(tmp_path: Path) -> None:
    """Two sources that disagree: the lower one counts."""
    nosana = W.Nosana()
    nosana.prices["nosana"]["usd"] = 30.92

    assert float(quoted(nosana, tmp_path).gross) < 0.22


def test_a_price_that_is_null_is_no_quote(tmp_path: Path) -> None:
    """Whatever the chain says: the market is not in use."""
    nosana = W.Nosana()
    nosana.markets[0].update(nos_reward_per_second=None, nos_job_price_per_second=None)

    assert "NVIDIA 4090 Community has no price" == refused(nosana, tmp_path)


@pytest.mark.parametrize("where", ["list", "chain"])
def test_a_price_of_zero_is_no_quote(tmp_path: Path, where: str) -> None:
    """And not a quote of zero."""
    nosana = W.Nosana()
    if where == "list":
        nosana.markets[0].update(nos_reward_per_second=0)
    else:
        nosana.accounts[W.COMMUNITY] = W.market_bytes(0)

    assert "pays nothing" in refused(nosana, tmp_path)


def test_a_usd_figure_that_is_null_does_not_matter(tmp_path: Path) -> None:
    """The market is paid in NOS, whose price others know."""
    quote = quoted(W.Nosana(), tmp_path, W.gpu(0, "A100-SXM4-40GB", 40), market="nvidia-a100-40gb")

    assert abs(float(quote.gross) - 0.0005 * 3600 * 0.3092) < 0.0001
    assert "publishes" not in lines(quote)


def test_an_account_that_is_gone_is_no_quote(tmp_path: Path) -> None:
    """The list may lag behind the chain."""
    nosana = W.Nosana()
    nosana.accounts[W.COMMUNITY] = None

    assert "gone from the chain" in refused(nosana, tmp_path)


def test_a_rate_beyond_all_bounds_is_an_error(tmp_path: Path) -> None:
    """A unit was mixed up somewhere: no answer rather than a quote that wins every comparison."""
    nosana = W.Nosana()
    nosana.markets[0].update(nos_reward_per_second=9.0, nos_job_price_per_second=9.9)
    nosana.accounts[W.COMMUNITY] = W.market_bytes(9_000_000)

    with pytest.raises(Transient, match=r"markets:\[0\]\.nos_reward_per_second"):
        quoted(nosana, tmp_path)


def test_a_stake_that_is_too_small_is_no_quote(tmp_path: Path) -> None:
    """Where we know our node; without one, what the market asks for is only told."""
    nosana, nodes = W.Nosana(), {"GPU-0": W.OURS}
    nosana.stakes = {W.key(40): W.stake_bytes(W.OURS, 9_999_999)}
    reason = refused(nosana, tmp_path, market="nvidia-4090", nodes=nodes)
    nosana.stakes = {W.key(40): W.stake_bytes(W.OURS, 10_000_000)}

    assert "wants 10 xNOS staked, and the node has 9.999999" in reason
    assert "10 xNOS staked, the access key" in lines(quoted(nosana, tmp_path, market="nvidia-4090", nodes=nodes))
    assert "10 xNOS staked" in lines(quoted(W.Nosana(), tmp_path, market="nvidia-4090"))


def test_who_joins_shares_the_jobs(tmp_path: Path) -> None:
    """6 jobs on 8 nodes: a ninth node is hired 6 hours of 9, and waits for three jobs of 2 h to begin among 6."""
    quote = quoted(W.Nosana(), tmp_path)

    assert Share.of(Decimal(6) / 9) == quote.occupancy
    assert timedelta(hours=2) == quote.job_length
    assert "after about 1h: (2 + 1) x 2h / 6" in lines(quote)


def test_jobs_that_wait_and_a_market_without_any(tmp_path: Path) -> None:
    """All of the hour, and none: both are quoted."""
    busy = quoted(W.Nosana(), tmp_path, W.gpu(0, "RTX 3060", 12), market="nvidia-3060")
    empty = quoted(W.Nosana(), tmp_path, W.gpu(0, "A100 80GB PCIe", 80), market="nvidia-a100-80gb")

    assert (ALL, NONE) == (busy.occupancy, empty.occupancy)
    assert "the first job comes at once" in lines(busy)
    assert empty.gross > UsdPerHour(0) == empty.expected


def test_our_node_is_counted_once(tmp_path: Path) -> None:
    """In the queue only those before it delay it; at work it waits for nobody."""
    nosana, nodes = W.Nosana(), {"GPU-0": W.OURS}
    nosana.accounts[W.COMMUNITY] = W.market_bytes(196, [W.key(1), W.OURS, W.key(2)])
    waiting = quoted(nosana, tmp_path, nodes=nodes)
    nosana.specs = {"marketAddress": W.COMMUNITY, "jobAddress": W.key(50)}
    nosana.accounts[W.COMMUNITY] = W.market_bytes(196, [W.key(1), W.key(2)])
    working = quoted(nosana, tmp_path, nodes=nodes)

    assert Share.of(Decimal(6) / 9) == waiting.occupancy
    assert "(1 + 1) x 2h / 6" in lines(waiting)
    assert Share.of(Decimal(6) / 8) == working.occupancy
    assert "our node works there already" in lines(working)


def test_a_node_that_is_registered_elsewhere_is_told(tmp_path: Path) -> None:
    """Whether it may change its market is not known."""
    nosana = W.Nosana()
    nosana.specs = {"marketAddress": W.SMALL, "jobAddress": None}

    assert f"registered at another market, {W.SMALL}" in lines(quoted(nosana, tmp_path, nodes={"GPU-0": W.OURS}))


def test_a_bonus_for_being_there_is_told_and_not_counted(tmp_path: Path) -> None:
    """Nobody says who gets how much of it."""
    nosana = W.Nosana()
    nosana.markets[0]["max_usd_uptime_reward_per_day"] = 1.2
    quote = quoted(nosana, tmp_path)

    assert UsdPerHour(0) == quote.idle
    assert "up to 1.2 $ a day, which is not counted" in lines(quote)


def test_without_the_queue_the_whole_network_speaks(tmp_path: Path) -> None:
    """40 of 99 nodes work; the quote is an estimate then, says so, and says who was silent."""
    nosana = W.Nosana()
    nosana.down = lambda request: httpx.Response(429) if "solana" in request.url.host else None
    quote = quoted(nosana, tmp_path)

    assert Share.of(Decimal(40) / 100) == quote.occupancy
    assert quoted(W.Nosana(), tmp_path).gross == quote.gross
    assert Basis.ESTIMATE is quote.basis
    assert "not heard: nosana: https://api.mainnet-beta.solana.com" in lines(quote)


def test_the_times_of_a_quote(tmp_path: Path) -> None:
    """It is as old as its oldest figure, the token's price among them, and lasts for a missed poll."""
    nosana = W.Nosana()
    nosana.prices["nosana"]["last_updated_at"] -= 600
    quote = quoted(nosana, tmp_path)

    assert W.NOW - timedelta(minutes=10) == quote.as_of
    assert (W.NOW, W.NOW + timedelta(hours=2)) == (quote.seen_at, quote.expires)


def test_a_further_gpu_shares_the_same_jobs(tmp_path: Path) -> None:
    """With S nodes, ours among them, each further one earns 2 / (S + 1) less; the eight GPUs of a node share that."""
    rig = [W.gpu(each, "H100 80GB HBM3", 80) for each in range(8)]
    for quote, gpus in ((quoted(W.Nosana(), tmp_path), 1), (quoted(W.Nosana(), tmp_path, *rig, market="nvidia-8x-h100"), 8)):
        hired = re.search(r": (\d+) / (\d+) = ", lines(quote))

        assert hired
        assert int(hired[1]) < int(hired[2])
        assert float(quote.room.fall) == pytest.approx(2 / (int(hired[2]) + 1) / gpus, abs=2e-9)

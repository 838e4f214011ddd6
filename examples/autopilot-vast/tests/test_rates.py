"""Every trap in Vast's figures, and the arithmetic from them to what a host may expect."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from autopilot_vast.adapter import Vast

from autopilot.errors import NodeFault, Transient
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Basis, Quote
from autopilot.model.node import Lease, Observation, Phase
from autopilot.testing.views import START, device
from autopilot.units import HOUR
from conftest import KEY, NOW, Market, offer


def quoted(network: Vast, owner: Device | None = None) -> Quote:
    """What a GPU gets."""
    [quote] = network.quotes([owner or device()])
    assert isinstance(quote, Quote), quote
    return quote


def why_not(network: Vast, owner: Device | None = None) -> str:
    """Why it gets nothing."""
    [answer] = network.quotes([owner or device()])
    return "" if isinstance(answer, Quote) else answer.reason


def test_a_price_is_for_an_offer(market: Market) -> None:
    """Eight GPUs for 2.8 $/h are 0.35 $/h each."""
    market.offers = [offer(1, 8, 2.8)]

    assert "0.35 $/h" == str(quoted(market.network()).gross)


def test_a_machine_counts_once(market: Market) -> None:
    """In however many slices it is offered: one machine of 8 at 0.35 outweighs three others at 0.5, and its cheap slice is none of them."""
    market.offers = [offer(1, 8, 2.8), offer(1, 1, 0.01, 0.125), *(offer(each, 1, 0.5) for each in (2, 3, 4))]
    quote = quoted(market.network(occupancy=1))

    assert "0.35 $/h" == str(quote.gross)
    assert "4 machines with 11 GPUs (all), median 0.35 $/h" in quote.workings[0].text


def test_what_is_free_of_a_machine_is_the_union_of_its_slices(market: Market) -> None:
    """Of 8 GPUs, the slices of 4 and of 1 inside it leave 4 that are taken: of 9 with ours."""
    market.offers = [offer(1, 8, 2.8, rentable=False), offer(1, 4, 1.4, 0.5), offer(1, 1, 0.35, 0.125)]

    assert "taken: 4 of 8; with one more, ours: 4 / 9 = 0.444444444" == quoted(market.network()).workings[1].text


def test_a_slice_tells_of_the_machine_behind_it(market: Market) -> None:
    """Only the free half of a machine is shown; without the numbers of its GPUs, slices are added up: rather too many free than too few."""
    market.offers = [offer(1, 2, 0.8, 0.25, gpu_ids=None), offer(1, 1, 0.4, 0.125, gpu_ids=None)]

    assert "taken: 5 of 8; with one more, ours: 5 / 9 = 0.555555556" == quoted(market.network()).workings[1].text


def test_what_is_taken_is_told_by_rentable(market: Market) -> None:
    """And not by ``rented``, which speaks of the caller. All of them are asked for."""
    market.offers = [offer(1, rented=True), offer(2, rentable=False)]

    assert "0.333333333" == str(quoted(market.network()).occupancy)
    assert {"in": [True, False]} == json.loads(market.asked[0].content)["rentable"]


def test_a_newcomer_is_one_more(market: Market) -> None:
    """Where all are taken, the next is not yet."""
    market.offers = [offer(1, rentable=False)]

    assert "0.5" == str(quoted(market.network()).occupancy)


def test_other_markets_are_left_out(market: Market) -> None:
    """Whatever the search returns: not verified, no longer verified, another GPU, another memory under the same name."""
    market.offers = [
        offer(1, dph=0.4),
        offer(2, dph=0.01, verification="unverified"),
        offer(3, dph=0.01, verification="deverified"),
        offer(4, dph=0.01, gpu_ram=49140),
    ]

    assert "0.4 $/h" == str(quoted(market.network()).gross)
    assert "0.01 $/h" == str(quoted(market.network(verified=False)).gross)


def test_the_part_of_the_market_is_asked_for(market: Market) -> None:
    """By the search as filters, by the metrics as parameters; and the body is not wrapped in anything."""
    market.network(verified=False).quotes([device()])
    market.network(key=KEY, datacenter=True).quotes([device()])
    body, query = json.loads(market.asked[0].content), dict(market.asked[-1].url.params)

    assert ({"eq": "RTX 4090"}, {"eq": False}, {"eq": False}, 64) == tuple(
        body[key] for key in ("gpu_name", "verified", "datacenter", "limit")
    )
    assert ("RTX 4090", "yes", "secure_cloud") == tuple(query[key] for key in ("gpu_name", "verified", "hosting_type"))


def test_a_market_that_is_cut_short_is_noticed(market: Market) -> None:
    """An answer holds 64 offers. The cheapest give the rate, which is too low rather than too high; nobody knows how many are taken."""
    market.offers = [offer(each, dph=each / 100) for each in range(1, 201)]

    assert "it cannot be told how often this GPU is hired" in why_not(market.network())
    assert ("0.32 $/h", "0.4") == tuple(
        str(figure) for figure in (quoted(market.network(occupancy=0.4)).gross, quoted(market.network(occupancy=0.4)).occupancy)
    )


@pytest.mark.parametrize("count", [1, 63, 64, 65, 127])
def test_a_market_that_two_answers_hold_is_whole(market: Market, count: int) -> None:
    """The cheapest and the dearest 64 overlap, so these are all."""
    market.offers = [offer(each, dph=each / 100) for each in range(1, count + 1)]

    assert f"{count} machines with {count} GPUs (all)" in quoted(market.network()).workings[0].text


def test_without_a_key_it_is_an_ask(market: Market) -> None:
    """Nobody has to pay it."""
    quote = quoted(market.network())

    assert (Basis.ASK, START, START + 3 * HOUR) == (quote.basis, quote.as_of, quote.expires)


def test_with_a_key_it_is_what_tenants_pay(market: Market) -> None:
    """The newest median of what is rented, for the share of the hour that such GPUs are: 0.39 x 0.9 x 0.75. The ask is shown beside it."""
    quote = quoted(market.network(key=KEY))

    assert ("0.39 $/h", "0.9", "0.26325 $/h", Basis.REALISED) == (*map(str, (quote.gross, quote.occupancy, quote.expected)), quote.basis)
    assert START - timedelta(seconds=300) == quote.as_of
    assert [
        "tenants pay for a RTX 4090, median: 0.39 $/h",
        "(not used) free ones ask, median: 0.5 $/h",
        "hired: 90.0 % now = 0.9, 81.5 % over 30 days",
        "expected: 0.39 $/h * (1 - 0.25 host fee) * 0.9 = 0.26325 $/h",
    ] == [working.text for working in quote.workings]


def test_the_newest_point_counts_wherever_it_stands(market: Market) -> None:
    """Series come oldest first, until they do not."""
    for series in market.pricing.values():
        series.reverse()

    assert "0.39 $/h" == str(quoted(market.network(key=KEY)).gross)


@pytest.mark.parametrize("key", ["", KEY])
def test_a_poll_is_two_calls(market: Market, key: str) -> None:
    """For eight GPUs of a model; six seconds apart, since ten a minute are allowed."""
    market.network(key=key).quotes([device(index) for index in range(8)])

    assert 2 == len(market.asked)
    assert timedelta(seconds=6) == market.clock.now() - START


def test_the_key_goes_only_where_it_must(market: Market) -> None:
    """The search is public."""
    market.network(key=KEY).quotes([device()])
    market.network().quotes([device()])

    assert [f"Bearer {KEY}"] * 2 + [None] * 2 == [request.headers.get("authorization") for request in market.asked]


def test_what_the_owner_knows_better_counts(market: Market) -> None:
    """Nought is a figure as well."""
    assert ["0.8", "0"] == [str(quoted(market.network(key=KEY, occupancy=share)).occupancy) for share in (0.8, 0)]


def test_an_open_name_gets_the_least(market: Market) -> None:
    """An ``H100`` may be on any board."""
    market.offers = [offer(1, dph=2, gpu_name="H100 SXM", gpu_ram=81559), offer(2, dph=1.5, gpu_name="H100 PCIE", gpu_ram=81559)]

    assert "1.5 $/h" == str(quoted(market.network(), Device(DeviceId("gpu-0"), "H100")).gross)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gpus": []}, "Vast lists no RTX 4090"),
        ({"gpus": [{"gpu_name": "RTX 4090", "usage": None}]}, "nobody rents a RTX 4090 now"),
    ],
    ids=["not listed", "no usage"],
)
def test_what_is_not_told_is_no_quote(market: Market, change: dict[str, Any], reason: str) -> None:
    """And not nought either."""
    market.current = change

    assert reason in why_not(market.network(key=KEY))


def test_no_rental_and_no_offer_are_no_quote(market: Market) -> None:
    """A median of null, a median of nought, no series at all, and an empty search."""
    reasons = []
    for newest in (None, 0):
        market.pricing["rented_median"][-1] = newest
        reasons.append(why_not(market.network(key=KEY)))
    market.history["gpus"]["RTX 4090"]["pricing"] = {"timestamps": [], "rented_median": [], "avail_median": []}
    reasons.append(why_not(market.network(key=KEY)))
    market.offers = []
    reasons.append(why_not(market.network()))

    assert [True] * 4 == [
        expected in reason
        for expected, reason in zip(
            ("nobody rents", "which is nothing", "no prices of RTX 4090", "lists no RTX 4090"), reasons, strict=True
        )
    ]


@pytest.mark.parametrize("seconds", [-4 * 3600, 600, NOW], ids=["old", "to come", "milliseconds"])
def test_a_price_of_another_time_is_transient(market: Market, seconds: int) -> None:
    """A series that stands still says nothing about now."""
    market.pricing["timestamps"] = [NOW + seconds] * 3
    with pytest.raises(Transient, match=r"^vast: the newest price of RTX 4090 .* is not now$"):
        market.network(key=KEY).quotes([device()])


@pytest.mark.parametrize(
    "value", ["a lot", "NaN", "", -1, 1e308, True, [], {}, None, "\u0661", "0_4", 10**400], ids=lambda value: repr(value)[:9]
)
def test_nonsense_is_refused_by_name(market: Market, value: object) -> None:
    """It is never read as nought."""
    market.offers = [offer(1), offer(2, dph_base=value)]
    with pytest.raises(Transient, match=r"^vast: https://console\.vast\.ai/api/v0/bundles/: offers\.[01]\.dph_base: ") as caught:
        market.network().quotes([device()])

    assert "\n" not in str(caught.value)


def test_no_machine_is_without_bounds(market: Market) -> None:
    """A part of a thousandth would be a machine of thousands."""
    market.offers = [offer(1, frac=1e-30)]
    with pytest.raises(Transient, match=r"offers\.0: gpu_frac: should be a part of a machine"):
        market.network().quotes([device()])


def test_a_rental_runs_to_its_end(market: Market) -> None:
    """To its known end, or as long as the listing allows; an empty machine leaves at once."""
    network, venue = market.network(longest_rental="12h"), Venue(NetworkId("vast"))
    until = [START + 2 * HOUR, START + 5 * HOUR]
    known = tuple(Lease(str(end), START, end) for end in until)
    seen = [Observation(device().id, venue, Phase.BUSY, START, leases) for leases in (known, (*known, Lease("open", START)), ())]

    assert [5 * HOUR, 12 * HOUR, 12 * HOUR] == [network.exit_cost(each).drain for each in seen]
    assert not network.exit_cost(Observation(device().id, venue, Phase.READY, START)).drain
    assert "rig" == network.scope


def test_the_node_says_that_it_is_none(market: Market) -> None:
    """It pretends to see nothing, and cannot be started."""
    node = market.network().node
    node.drain(device())
    node.stop(device())

    assert Phase.ABSENT is node.observe(device()).phase
    with pytest.raises(NodeFault, match="brings rates only"):
        node.start(device(), Venue(NetworkId("vast")))

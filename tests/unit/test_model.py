"""The words of the house as values: each says what it means, and refuses what contradicts itself."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Basis, Fee, NoQuote, Quote
from autopilot.model.node import NativeAmount, Payout, Phase
from autopilot.model.plan import EntryCost, ExitCost, Hold, Move, Plan, PlanId, SwitchCost
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import Limits, State
from autopilot.testing.views import START, device, venue, view
from autopilot.units import ALL, HOUR, Share, Usd, UsdPerHour, UsdPerKwh, Watts

GPU = device()
QUOTE = Quote(venue("nosana"), GPU.id, UsdPerHour.of("0.40"), START, START, START + HOUR, Basis.ASK, "a test")


def test_a_device_is_called_by_its_number() -> None:
    """Where that is known; else by the start of its id."""
    assert "GPU-3" == Device(DeviceId("GPU-8f6f-4711-aaaa"), "H100", index=3).label
    assert "GPU-8f6f-471" == Device(DeviceId("GPU-8f6f-4711-aaaa"), "H100").label


def test_a_venue_is_called_by_its_network_and_market() -> None:
    """A network with one market needs no more than its name."""
    assert "nosana/rtx-4090" == str(Venue(NetworkId("nosana"), "rtx-4090"))
    assert "idle" == str(IDLE)


def test_values_are_frozen() -> None:
    """What was said once stays as it was said."""
    with pytest.raises(FrozenInstanceError):
        QUOTE.gross = UsdPerHour.of(9)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"gross": UsdPerHour(-1)}, "cannot be negative"),
        ({"idle": UsdPerHour(-1)}, "cannot be negative"),
        ({"as_of": datetime(2026, 1, 1)}, "must carry a zone"),  # noqa: DTZ001
        ({"seen_at": datetime(2026, 1, 1)}, "must carry a zone"),  # noqa: DTZ001
        ({"expires": datetime(2026, 1, 1)}, "must carry a zone"),  # noqa: DTZ001
        ({"as_of": START + timedelta(seconds=1)}, "as_of <= seen_at < expires"),
        ({"expires": START}, "as_of <= seen_at < expires"),
    ],
)
def test_a_quote_does_not_contradict_itself(changes: dict[str, object], complaint: str) -> None:
    """No negative rate, no time without a zone, nothing described before it was or expired when it was seen."""
    with pytest.raises(ValueError, match=complaint):
        replace(QUOTE, **changes)  # type: ignore[arg-type]


def test_expected_is_what_an_hour_brings() -> None:
    """Gross for the occupied share of it, idle pay for the rest, and every fee a share of the gross."""
    quarter = Share.of("0.25")
    jobs = replace(QUOTE, gross=UsdPerHour.of(4), idle=UsdPerHour.of("0.4"), occupancy=quarter)

    assert UsdPerHour.of("0.40") == QUOTE.expected
    assert UsdPerHour.of("1.3") == jobs.expected
    assert UsdPerHour.of("1.2") == replace(jobs, fees=(Fee("network", Share.of("0.04")), Fee("pool", Share.of("0.06")))).expected
    assert UsdPerHour.of(4) == replace(jobs, occupancy=Share(ALL.count)).expected


def test_a_quote_has_an_age_and_an_end() -> None:
    """The age is the figure's, not that of the asking; from the expiry on it is not to be acted upon."""
    late = replace(QUOTE, seen_at=START + HOUR / 2)

    assert HOUR == late.age(START + HOUR)
    assert late.usable(START + HOUR - timedelta(microseconds=1))
    assert not late.usable(START + HOUR)


def test_no_quote_counts_for_two_hours() -> None:
    """One missed poll is forgiven; then silence is silence again."""
    nothing = NoQuote(venue("nosana"), GPU.id, START, "no market for it")

    assert nothing.usable(START + 2 * HOUR - timedelta(microseconds=1))
    assert not nothing.usable(START + 2 * HOUR)


def test_phases_that_serve_and_that_draw() -> None:
    """A draining node still works, and draws for it; only a ready or busy one will be given new work."""
    assert {Phase.READY, Phase.BUSY} == {phase for phase in Phase if phase.serves}
    assert {Phase.READY, Phase.BUSY, Phase.DRAINING} == {phase for phase in Phase if phase.lit}


def test_a_payout_pays_for_a_span() -> None:
    """From the start of the work to its end."""
    payout = Payout("one", venue("nosana"), GPU.id, START, START + HOUR, Usd.of(1))

    assert HOUR == payout.span


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_payout_is_shared_to_the_last_digit(count: int) -> None:
    """The parts add up to it, in dollars and in tokens; each has its device and an id of its own, a single one keeps that of the whole."""
    devices = [device(number).id for number in range(count)]
    tokens = NativeAmount("NOS", Decimal("10.000000001"), Decimal("0.1"))
    payout = Payout("one", venue("nosana"), GPU.id, START, START + HOUR, Usd.of("1.000000002"), tokens, settled=False)
    parts = payout.among(devices)

    assert devices == [each.device for each in parts]
    assert (payout.amount, tokens.amount) == (
        sum((each.amount for each in parts), Usd(0)),
        sum(each.native.amount for each in parts if each.native),
    )
    assert (["one"] if count == 1 else [f"one/{each}" for each in devices]) == [each.id for each in parts]
    assert {False} == {each.settled for each in parts}


def test_what_a_move_costs() -> None:
    """Both ends: dark while it boots and ramps, cash outright, and the dark time at the rate that it delays."""
    exit_cost = ExitCost(drain=HOUR, forfeits=Usd.of("0.1"))
    entry = EntryCost(boot=HOUR / 4, ramp=HOUR / 4, fee=Usd.of("0.2"))
    cost = SwitchCost(exit_cost, entry)

    assert (HOUR / 2, Usd.of("0.3")) == (cost.dark, cost.cash)
    assert Usd.of("0.8") == cost.loss(UsdPerHour.of(1))
    assert 8 * HOUR == cost.pays_back(UsdPerHour.of("0.1"), UsdPerHour.of(1))
    assert cost.pays_back(UsdPerHour(0), UsdPerHour.of(1)) is None


def test_a_move_leads_somewhere() -> None:
    """Going nowhere is not a move, so nobody pays for one."""
    with pytest.raises(ValueError, match="must lead somewhere"):
        Move(GPU.id, IDLE, IDLE)


def test_any_decision_can_be_asked_for_its_moves() -> None:
    """A Hold has none."""
    move = Move(GPU.id, IDLE, venue("nosana"))
    plan = Plan(PlanId("one"), START, (move,), Usd(0), Usd(0), HOUR, "a test")

    assert [(move,), ()] == [decision.moves for decision in (plan, Hold(START, "a test"))]


def test_a_tariff_by_the_hour() -> None:
    """Each hour at its own price, from its start to the next; an hour that is not named has the flat one."""
    tariff = PowerPrice(UsdPerKwh.of("0.10"), {START: UsdPerKwh.of("0.30"), START + 2 * HOUR: UsdPerKwh.of("-0.05")})

    assert UsdPerKwh.of("0.30") == tariff.at(START + HOUR - timedelta(seconds=1))
    assert UsdPerKwh.of("0.10") == tariff.at(START + HOUR)
    assert [
        (UsdPerKwh.of("0.30"), HOUR / 2),
        (UsdPerKwh.of("0.10"), HOUR),
        (UsdPerKwh.of("-0.05"), HOUR / 4),
    ] == list(tariff.spans(START + HOUR / 2, START + 9 * HOUR / 4))


def test_a_flat_tariff_is_one_piece() -> None:
    """However long the span; and no span has no piece."""
    tariff = PowerPrice(UsdPerKwh.of("0.10"))

    assert [(UsdPerKwh.of("0.10"), 50 * HOUR)] == list(tariff.spans(START, START + 50 * HOUR))
    assert [] == list(tariff.spans(START, START))


def test_the_ends_of_a_switch() -> None:
    """Four, and nothing happens after them."""
    assert {State.SETTLED, State.REVERTED, State.CLEARED, State.STRANDED} == {state for state in State if state.over}


def test_limits_leave_room_for_a_slow_boot() -> None:
    """Twice the boot that is known, where that is more than the limit says; draining and stopping have nothing to do with it."""
    limits = Limits(drain=HOUR, stop=HOUR / 6, start=HOUR / 2, revert=HOUR)

    assert replace(limits, start=HOUR * 3 / 2, revert=HOUR * 3 / 2) == limits.covering(HOUR * 3 / 4)
    assert limits == limits.covering(HOUR / 4)


def test_a_view_tells_offers_from_silence() -> None:
    """A venue that offers nothing has answered; one that did not answer is in no list. Idle always answers."""
    seen = view({"akash": [None], "nosana": ["0.4"], "render": []}, "render")

    assert [venue("nosana")] == list(seen.offers(GPU))
    assert seen.answered(venue("akash"), GPU)
    assert not seen.answered(venue("render"), GPU)
    assert seen.answered(IDLE, GPU)
    assert seen.quote(venue("akash"), GPU) is None
    assert venue("render") == seen.venue(GPU)


def test_offers_are_in_the_order_of_their_names() -> None:
    """So that a tie is broken alike, whoever answered first."""
    seen = view({"nosana": [1], "akash": [1], "render": [1]})
    markets = {(Venue(NetworkId("akash"), market), GPU.id): replace(QUOTE, venue=Venue(NetworkId("akash"), market)) for market in "ba"}

    names = [str(each) for each in replace(seen, quotes={**seen.quotes, **markets}).offers(GPU)]

    assert ["akash", "akash/a", "akash/b", "nosana", "render"] == names


def test_only_free_devices_may_be_moved() -> None:
    """Those with an open switch or a fence are not offered to a decision."""
    seen = view({"nosana": [1]}, devices=3)

    assert [device(0), device(2)] == list(replace(seen, fixed=frozenset({device(1).id})).free())


def test_a_venue_that_names_no_cost_has_none() -> None:
    """Both ends of the cost come from the view."""
    entry = EntryCost(fee=Usd.of("0.2"))
    seen = replace(view({"nosana": [1]}, entry=entry), exits={GPU.id: ExitCost(drain=HOUR)})

    assert SwitchCost(ExitCost(drain=HOUR), entry) == seen.cost(GPU, venue("nosana"))
    assert SwitchCost(ExitCost(), EntryCost()) == seen.cost(device(7), IDLE)


def test_a_draw_defaults_to_nothing() -> None:
    """A rig whose draw is not known has no power bill made up for it."""
    assert Draw(Watts(0), Watts(0)) == Draw()

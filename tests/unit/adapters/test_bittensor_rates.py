"""The arithmetic of Bittensor: what lium pays by the hour, and what an epoch's alpha is worth when it is sold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot.errors import Transient
from autopilot.model.market import ROOMY, Answer, Basis, NoQuote, Quote, Room
from autopilot.units import Share, UsdPerHour
from autopilot_adapters.bittensor import codec

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/bittensor/world.py")))


def lium(tmp_path: Path, model: str = "NVIDIA GeForce RTX 4090", world: Any = None, **settings: Any) -> Answer:
    """What lium's market gives for one GPU."""
    (found,) = W.adapter(world or W.World(), tmp_path, lium=settings).rates.quotes([W.gpu(0, model, 80 if "100" in model else 0)])
    return found


def mined(tmp_path: Path, world: Any = None, **miner: Any) -> Answer:
    """What one's own UID gives for one GPU."""
    settings = {"lium": {"enabled": False}, "miners": [{**W.MINER, **miner}]}
    (found,) = W.adapter(world or W.World(), tmp_path, **settings).rates.quotes([W.gpu()])
    return found


def quote(found: Answer) -> Quote:
    """It must be one."""
    assert isinstance(found, Quote), found
    return found


def reason(found: Answer) -> str:
    """Why there is none."""
    assert isinstance(found, NoQuote), found
    return found.reason


def lines(found: Answer) -> str:
    """The arithmetic, line by line."""
    return "\n".join(working.text for working in quote(found).workings)


def row(world: Any, index: int = 4, **fields: Any) -> Any:
    """The world with another row in lium's list."""
    world.machines[index].update(fields)
    return world


def stored(name: str, value: str | None) -> Any:
    """The world with another entry in the chain's storage."""
    world = W.World()
    world.state[W.subnet(name)] = value
    return world


@pytest.mark.parametrize(
    ("model", "idle", "emission"),
    [
        ("RTX 3090", "0.16", "0.0208"),
        ("RTX 4090", "0.30", "0.0818"),
        ("RTX 5090", "0.65", "0.0313"),
        ("L40S", "0.35", "0.0934"),
        ("A100-SXM4-80GB", "0.6923", "0.1423"),
        ("H100 80GB HBM3", "1.494", "0.1008"),
        ("H200", "2.85", "0.9312"),
        ("B200", "4.25", "1.0488"),
    ],
)
def test_an_epoch_of_lium_lasts_1_2_hours(model: str, idle: str, emission: str, tmp_path: Path) -> None:
    """Pay for an epoch is divided by it, rented or not."""
    found = quote(lium(tmp_path, model))
    price = next(Decimal(str(line["price"])) for line in W.MACHINES if line["name"].endswith(model))

    assert pytest.approx(float(idle), abs=1e-9) == float(found.idle)
    assert pytest.approx(float(emission), abs=1e-4) == float(found.gross) - float(price)


def test_the_expected_rate_is_rent_emission_and_idle_pay(tmp_path: Path) -> None:
    """0.9865 x (0.95 x 0.30 + 0.0818) + 0.0135 x 0.30."""
    found = quote(lium(tmp_path))
    expected = 0.9865 * (0.95 * 0.30 + 0.09812216236319565 / 1.2) + 0.0135 * 0.36 / 1.2

    assert pytest.approx(expected, abs=2e-9) == float(found.expected)
    assert Basis.ASK is found.basis
    assert timedelta(hours=3) == found.expires - found.seen_at


def test_the_arithmetic_can_be_followed_by_hand(tmp_path: Path) -> None:
    """From the figures that lium names to the expected rate."""
    text = lines(lium(tmp_path))

    assert "0.0981221624 $ per epoch / 1.2 h = 0.0817684686 $/h" in text
    assert "idle pay: 0.36 $ per epoch / 1.2 h = 0.3 $/h" in text
    assert "expected: 0.9865 x (0.3 x 0.95 + 0.0817684686) + 0.0135 x 0.3 = 0.365867094 $/h" in text


@pytest.mark.parametrize(
    ("model", "settings", "why"),
    [
        ("RTX 4090", {"own_job": True}, "a default job of your own forfeits it"),
        ("RTX 4090", {"gpus": 4}, "nodes of 1 and of 8 GPUs, not of 4"),
        ("RTX 4090", {"idle_pay": False}, "does not fulfil"),
        ("RTX 4090", {"ask": "0.6 $/h"}, "above the soft limit of 0.58"),
        ("RTX 5090", {"gpus": 8}, "64 idle GPUs that are paid for in nodes of 8 are taken: 136 wait"),
        ("A30", {"occupancy": "0.5"}, "no capacity of NVIDIA A30"),
    ],
)
def test_idle_pay_has_its_rules(model: str, settings: Any, why: str, tmp_path: Path) -> None:
    """Where one of them is broken none is counted, and the arithmetic says which; rent is paid all the same."""
    found = quote(lium(tmp_path, model, **settings))

    assert not found.idle
    assert found.gross
    assert why in lines(found)


def test_a_bucket_has_room_for_the_last_one_only_if_all_of_it_fits(tmp_path: Path) -> None:
    """56 of 64 leave room for eight, 57 do not."""
    paid, full = W.World(), W.World()
    for world, waiting in ((paid, 56), (full, 57)):
        world.capacity[4]["buckets"]["8"]["unrented_count"] = waiting

    assert quote(lium(tmp_path, world=paid, gpus=8)).idle
    assert not quote(lium(tmp_path, world=full, gpus=8)).idle


def test_idle_pay_that_is_most_of_the_rate_limits_for_how_many_it_holds(tmp_path: Path) -> None:
    """Of ten single GPUs that are paid for seven wait: three are left. Nodes of eight come whole. Where rent is most, none counts."""
    world = W.World()
    world.capacity[4]["buckets"]["1"].update(max_cap=10, unrented_count=7)
    world.capacity[4]["buckets"]["8"].update(max_cap=64, unrented_count=45)

    assert Room(3) == quote(lium(tmp_path, world=world, occupancy="0.1")).room
    assert Room(16) == quote(lium(tmp_path, world=world, occupancy="0.1", gpus=8)).room
    assert ROOMY == quote(lium(tmp_path, world=world, occupancy="0.9")).room


def test_the_price_of_a_family_is_not_that_of_its_members(tmp_path: Path) -> None:
    """The A100's bucket may say 0.36: an A100-SXM4 is paid what its own row says."""
    world = W.World()
    world.capacity[7]["buckets"]["1"]["hourly_rate"] = 0.36

    assert pytest.approx(0.6923, abs=1e-9) == float(quote(lium(tmp_path, "A100-SXM4-80GB", world)).idle)


@pytest.mark.parametrize(("ask", "inside"), [("0.15 $/h", True), ("0.75 $/h", True), ("0.149 $/h", False), ("0.751 $/h", False)])
def test_an_ask_stays_within_its_band(ask: str, inside: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """Both ends belong to it; outside of it nothing is quoted."""
    found = lium(tmp_path, ask=ask)

    assert inside == isinstance(found, Quote)
    assert inside or "outside of its band of 0.15 to 0.75 $/h" in reason(found)


def test_an_ask_of_ones_own_is_what_is_paid(tmp_path: Path) -> None:
    """Of which lium keeps its 5 %, but none of the emission."""
    found = quote(lium(tmp_path, ask="0.4 $/h", occupancy="1"))

    assert pytest.approx(0.4 * 0.95 + 0.09812216236319565 / 1.2, abs=2e-9) == float(found.expected)
    assert Share.of(1) == found.occupancy
    assert "as the settings say" in lines(found)


def test_no_fleet_is_not_no_demand(tmp_path: Path) -> None:
    """A model that nobody serves has a rental rate of 0, which says nothing."""
    assert "nobody serves NVIDIA A30" in reason(lium(tmp_path, "A30"))


def test_a_fleet_that_nobody_rents_earns_idle_pay(tmp_path: Path) -> None:
    """A rental rate of 0 over GPUs that are there is a figure like any other."""
    found = quote(lium(tmp_path, "H200 NVL"))

    assert found.expected == found.idle == UsdPerHour.of("2.9")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"price": None}, "no reference price"),
        ({"price": 0}, "no reference price"),
        ({"p_min": None}, "no price band"),
        ({"rental_rate": None}, "no rental rate"),
        ({"total_gpu_count": 0}, "nobody serves"),
    ],
)
def test_null_is_not_nothing(fields: Any, why: str, tmp_path: Path) -> None:
    """Where lium does not say it, there is no quote."""
    assert why in reason(lium(tmp_path, world=row(W.World(), **fields)))


@pytest.mark.parametrize("fields", [{"usd_per_epoch_unrented": None}, {"estimates_available": False}])
def test_pay_that_nobody_names_is_not_counted(fields: Any, tmp_path: Path) -> None:
    """And the arithmetic says so."""
    found = quote(lium(tmp_path, world=row(W.World(), **fields)))

    assert not found.idle
    assert "no idle pay is counted: lium names none" in lines(found)


def test_without_a_soft_limit_the_reference_is_the_limit(tmp_path: Path) -> None:
    """Nothing says how much more one may ask."""
    world = row(W.World(), soft_price_limit=None)

    assert quote(lium(tmp_path, world=world)).idle
    assert not quote(lium(tmp_path, world=world, ask="0.31 $/h")).idle


def test_a_gpu_that_lium_does_not_list_gets_a_reason(tmp_path: Path) -> None:
    """With its model."""
    assert "'Voodoo 2'" in reason(lium(tmp_path, "Voodoo 2"))


def test_an_epoch_s_alpha_becomes_dollars_an_hour(tmp_path: Path) -> None:
    """2 alpha in 360 blocks of 12 s, 0.0645 TAO each, TAO at 300 $: 32.25 $/h, less the pool's fee and the price impact."""
    found = quote(mined(tmp_path))
    fee, sold = 33 / 65535, 2 / 1.2 * 24
    lost = (1 - fee) * sold * (1 - fee) / 2_000_000

    assert UsdPerHour.of("32.25") == found.gross
    assert pytest.approx(32.25 * (1 - fee - lost), rel=1e-6) == float(found.expected)
    assert Basis.REALISED is found.basis
    assert found.native is not None
    assert Decimal("0.1075") == round(found.native.per_hour, 10)


def test_the_arithmetic_of_an_epoch_can_be_followed(tmp_path: Path) -> None:
    """Block time, epoch, alpha, TAO and dollars, each with the item that it was read from."""
    found = quote(mined(tmp_path))
    text = lines(found)

    assert "360 blocks (measured to block 8740300) of 12 s (measured over 240 blocks): 1.2 h" in text
    assert "2 / 1.2 h = 1.66666667 alpha/h" in text
    assert "1.66666667 alpha/h x 0.0645 TAO x 300 $ / 1 GPUs = 32.25 $/h" in text
    assert "25 % of what the miners were due was burned" in text
    assert "chain:SubtensorModule.Emission(4)" in {name for working in found.workings for name in working.inputs}


def test_the_income_of_a_uid_is_shared_by_its_gpus(tmp_path: Path) -> None:
    """Two GPUs behind one UID get half each; without a word, all of the rig share it."""
    settings = {"lium": {"enabled": False}, "miners": [{"netuid": W.NETUID, "hotkey": W.HOTKEY}]}
    shared = W.adapter(W.World(), tmp_path, **settings).rates.quotes(W.RIG)

    assert [UsdPerHour.of("16.125")] * 2 == [quote(each).gross for each in shared]
    assert UsdPerHour.of("8.0625") == quote(mined(tmp_path, gpus=4)).gross


@pytest.mark.parametrize(
    ("world", "why"),
    [
        (stored("SubnetEmissionEnabled", "0x00"), "switched off"),
        (stored("NetworksAdded", "0x00"), "there is no subnet 4"),
        (stored("SubnetTAO", W.u(0, 8)), "cannot be sold"),
        (stored("Emission", W.listed([41 * W.RAO, 0, 0, 0], 8)), "UID 2 earned nothing in the last epoch, which ended at block 8740300"),
        (stored("Dividends", W.listed([0, 0, 7, 0], 2)), "validates"),
        (stored("SubnetOwnerHotkey", W.account(W.HOTKEY)), "belongs to the owner"),
        (stored("SubnetOwner", W.account(W.COLDKEY)), "belongs to the owner"),
        (stored("SubnetAlphaIn", W.u(W.RAO, 8)), "cannot be sold at once"),
    ],
)
def test_what_pays_no_work_gets_a_reason(world: Any, why: str, tmp_path: Path) -> None:
    """Burned, switched off, or pay for stake: incentive alone would be fiction there."""
    assert why in reason(mined(tmp_path, world))


def test_a_miner_that_is_not_registered_is_told_the_price(tmp_path: Path) -> None:
    """In TAO and in dollars; where registration is closed, that."""
    world = W.World()
    world.state[codec.uid_of(W.NETUID, W.HOTKEY).key] = None

    assert "not registered, which would cost 0.5 TAO, 150 $" in reason(mined(tmp_path, world))
    world.state[W.subnet("NetworkRegistrationAllowed")] = "0x00"
    assert "registration is closed" in reason(mined(tmp_path, world, incentive="0.01"))


def test_before_the_first_pay_the_expected_share_is_reckoned_with(tmp_path: Path) -> None:
    """One alpha a block, 41 % of it for miners, a quarter of that burned, and a hundredth of the rest for us."""
    world = W.World()
    world.state[codec.uid_of(W.NETUID, W.HOTKEY).key] = None
    found = quote(mined(tmp_path, world, incentive="0.01"))
    alpha = 300 * (1 - 11796 / 65535) / 2 * 0.75 * 0.01

    assert pytest.approx(alpha * 0.0645 * 300, rel=1e-8) == float(found.gross)
    assert Basis.ESTIMATE is found.basis
    assert "0.75 not burned x 0.01, your share" in lines(found)


def test_pay_that_was_seen_counts_more_than_hope(tmp_path: Path) -> None:
    """An expected share is for a UID that has earned nothing yet."""
    assert quote(mined(tmp_path)).gross == quote(mined(tmp_path, incentive="0.5")).gross


def test_where_all_is_burned_no_share_helps(tmp_path: Path) -> None:
    """A share of nothing."""
    world = stored("MinerBurned", W.fixed(1))
    world.state[W.subnet("Emission")] = W.listed([0] * 4, 8)

    assert "burned" in reason(mined(tmp_path, world, incentive="0.5"))


def test_a_rate_beyond_belief_is_an_error(tmp_path: Path) -> None:
    """It names what must be wrong."""
    with pytest.raises(Transient, match=r"beyond belief: .*Emission\(4\)"):
        mined(tmp_path, stored("Emission", W.listed([0, 0, 1000 * W.RAO], 8)))


def test_hope_ends_with_the_immunity(tmp_path: Path) -> None:
    """A UID that earned nothing and may be pruned is not reckoned with by what was once expected of it."""
    world = stored("Emission", W.listed([0] * 4, 8))

    assert Basis.ESTIMATE is quote(mined(tmp_path, world, incentive="0.01")).basis
    world.state[codec.of_uid("BlockAtRegistration", W.NETUID, W.UID).key] = W.u(W.BLOCK - 5000, 8)
    assert "earned nothing" in reason(mined(tmp_path, world, incentive="0.01"))

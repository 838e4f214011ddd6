"""What own UIDs were given: the last epoch that a poll saw, in alpha, owed to nobody else and counted once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot.errors import Transient
from autopilot.model.device import Device, DeviceId
from autopilot.model.node import NativeAmount, Payout
from autopilot.units import Usd
from autopilot_adapters.bittensor.codec import of_subnet, of_uid

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/bittensor/world.py")))
LONG_AGO = W.NOW - timedelta(days=1)
TAO = Decimal(str(W.TAO))
END = W.NOW - timedelta(seconds=30 + 100 * 12)
WORTH = 2 * Decimal("0.0645") * TAO


def given(world: Any, folder: Path, gpus: int | None = None, devices: Sequence[Device] = W.RIG, polls: int = 1) -> Sequence[Payout]:
    """What is told after some polls."""
    adapter = W.adapter(world, folder, devices, **{**W.ALONE, "miners": [{**W.MINER, "gpus": gpus}]})
    for _ in range(polls):
        adapter.rates.quotes(devices)
    told: Sequence[Payout] = adapter.payouts.payouts(LONG_AGO)
    return told


def test_an_epoch_is_owed_to_the_gpus_that_earned_it(tmp_path: Path) -> None:
    """From its first block to its last, in alpha at the pool's price; not settled, for nobody has sold it."""
    first, second = given(W.World(), tmp_path)

    assert [f"SN4/{W.HOTKEY}/{W.BLOCK - 100}/gpu-{number}" for number in range(2)] == [first.id, second.id]
    assert (END - timedelta(seconds=360 * 12), END, False) == (first.start, first.end, first.settled)
    assert NativeAmount("alpha of SN4", Decimal(1), Decimal("0.0645") * TAO) == first.native
    assert Usd.of(WORTH) == first.amount + second.amount


def test_more_polls_tell_the_same_epoch(tmp_path: Path) -> None:
    """Under the same id."""
    assert given(W.World(), tmp_path) == given(W.World(), tmp_path, polls=3)


def test_nothing_is_told_before_a_poll_or_again(tmp_path: Path) -> None:
    """The chain knows the last epoch alone: who did not look has not seen it."""
    adapter = W.adapter(W.World(), tmp_path, **W.ALONE)
    before = adapter.payouts.payouts(LONG_AGO)
    adapter.rates.quotes(W.RIG)

    assert ([], []) == (list(before), list(adapter.payouts.payouts(END)))


@pytest.mark.parametrize(("gpus", "owners", "share"), [(1, [""], 1), (4, ["gpu-0", "gpu-1"], Decimal("0.5"))])
def test_a_uid_of_fewer_or_more_gpus_than_the_rig_has(gpus: int, owners: list[str], share: Decimal, tmp_path: Path) -> None:
    """Nobody knows which of ours mine; what other rigs earned is not ours."""
    payouts = given(W.World(), tmp_path, gpus)

    assert [DeviceId(owner) for owner in owners] == [each.device for each in payouts]
    assert Usd.of(WORTH * share) == sum((each.amount for each in payouts), Usd(0))


def test_an_epoch_without_pay_is_told(tmp_path: Path) -> None:
    """The chain says nothing was given: that is known, and no absence."""
    world = W.World()
    world.state[of_subnet("Emission", W.NETUID).key] = W.listed([41, 3, 0, 0], 8)

    assert [Usd(0), Usd(0)] == [each.amount for each in given(world, tmp_path)]


NOT_OURS = {
    "registered since": {of_uid("BlockAtRegistration", W.NETUID, W.UID).key: W.u(W.BLOCK - 50, 8)},
    "it validates": {of_subnet("Dividends", W.NETUID).key: W.listed([0, 500, 9, 0], 2)},
    "the owner's": {of_subnet("SubnetOwner", W.NETUID).key: W.account(W.COLDKEY)},
    "switched off": {of_subnet("SubnetEmissionEnabled", W.NETUID).key: "0x00"},
}


@pytest.mark.parametrize("changed", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_no_pay_for_our_work_is_not_told(changed: dict[str, str], tmp_path: Path) -> None:
    """Emission to who had the UID before us, dividends of stake, what is burned, and alpha that nothing stands behind."""
    world = W.World()
    world.state |= changed

    assert [] == list(given(world, tmp_path))


def test_an_emission_beyond_belief_is_refused(tmp_path: Path) -> None:
    """As the rate that it would be."""
    world = W.World()
    world.state[of_subnet("Emission", W.NETUID).key] = W.listed([41, 3, 10_000 * W.RAO, 0], 8)
    world.tao = 20_000.0
    adapter = W.adapter(world, tmp_path, **W.ALONE)
    with pytest.raises(Transient):
        adapter.rates.quotes(W.RIG)
    with pytest.raises(Transient, match=r"10000 alpha of subnet 4 for .* is beyond belief"):
        adapter.payouts.payouts(LONG_AGO)


def test_taostats_tells_no_payouts(tmp_path: Path) -> None:
    """Its emission and its epoch are of different blocks; and lium has none without a hotkey's signature."""
    adapters = [W.adapter(W.World(), tmp_path, **W.ALONE, source="taostats", taostats_key=W.KEY), W.adapter(W.World(), tmp_path)]

    assert [None, None] == [each.payouts for each in adapters]

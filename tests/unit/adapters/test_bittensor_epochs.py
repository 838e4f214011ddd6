"""How long an epoch takes is measured, and what a pool pays depends on how much it is sold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot.errors import Transient
from autopilot.units import HOUR
from autopilot_adapters.bittensor.epochs import EpochMeter
from autopilot_adapters.bittensor.miner_rates import price_impact
from autopilot_adapters.bittensor.wire import Look, Step, Subnet

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/bittensor/world.py")))


def subnet(tempo: int = 360, before: Look | None = None, look: Look | None = None) -> Subnet:
    """A subnet whose clock is all that matters."""
    look = look or Look(10_000, W.NOW, Step(9_900, 77))
    return Subnet(4, "", {"epoch": ()}, look, before, *(tempo, 5000, Decimal(1), True), *[Decimal(1)] * 6, True, frozenset(), None)  # noqa: FBT003


def test_the_pool_pays_by_its_weights() -> None:
    """With equal weights the constant product; a side that weighs more gives way more."""
    even = replace(subnet(), alpha_in=Decimal(1000), tao_in=Decimal(50), price=Decimal("0.05"))
    heavy = replace(even, price=Decimal("0.1"))

    assert pytest.approx(1 - 1000 / 1100) == float(price_impact(even, Decimal(100)))
    assert pytest.approx(1 - 50 * (1 - (1000 / 1100) ** 2) / (100 * 0.1)) == float(price_impact(heavy, Decimal(100)))
    assert Decimal(0) == price_impact(even, Decimal(0))


def test_an_epoch_is_measured_between_two_looks_at_one_poll() -> None:
    """As long as it really was, whatever the tempo says, in blocks as long as they really were."""
    before = Look(9_760, W.NOW - timedelta(seconds=240 * 13), Step(9_500, 76))
    epoch = EpochMeter("bittensor").measure(subnet(before=before))

    assert (400, 13) == (epoch.blocks, epoch.block_seconds)
    assert Decimal(400 * 13) / 3600 == epoch.hours


def test_an_epoch_is_measured_between_two_polls() -> None:
    """The first knows only the rule; the next one measures; a third without a new epoch still knows."""
    meter = EpochMeter("bittensor")
    first = meter.measure(subnet())
    later = Look(10_300, W.NOW + HOUR, Step(10_261, 78))
    second = meter.measure(subnet(look=later))
    third = meter.measure(subnet(look=replace(later, block=10_400, at=later.at + timedelta(seconds=1200))))

    assert (360, 12) == (first.blocks, first.block_seconds)
    assert "not measured yet" in first.text
    assert (361, 12) == (second.blocks, second.block_seconds)
    assert third.blocks == 361


def test_epochs_that_were_missed_are_divided_out() -> None:
    """By their count where there is one, else by the tempo."""
    for index in (80, None):
        meter = EpochMeter("bittensor")
        meter.measure(subnet(look=Look(10_000, W.NOW, Step(9_900, None if index is None else 77))))
        later = Look(11_200, W.NOW + 4 * HOUR, Step(10_983, index))

        assert meter.measure(subnet(look=later)).blocks == 361


def test_a_new_anchor_is_no_epoch() -> None:
    """A change of tempo moves the block of the last epoch without counting one."""
    meter = EpochMeter("bittensor")
    meter.measure(subnet())
    moved = Look(10_300, W.NOW + HOUR, Step(10_250, 77))

    assert meter.measure(subnet(720, look=moved)).blocks == 720


@pytest.mark.parametrize("seconds", [1, 61])
def test_a_clock_that_cannot_be_is_an_error(seconds: int) -> None:
    """The chain stands still, or its time is wrong."""
    before = Look(9_760, W.NOW - timedelta(seconds=240 * seconds), Step(9_540, 76))
    with pytest.raises(Transient, match="240 blocks in"):
        EpochMeter("bittensor").measure(subnet(before=before))


def test_an_epoch_longer_than_any_is_an_error() -> None:
    """The longest tempo has 50,400 blocks."""
    before = Look(199_000, W.NOW - 4 * HOUR, Step(10, 76))
    with pytest.raises(Transient, match="is none"):
        EpochMeter("bittensor").measure(subnet(before=before, look=Look(200_000, W.NOW, Step(199_900, 77))))

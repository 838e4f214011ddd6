"""What Render has paid: transfers from its own addresses to ours, once each, at the price of their time."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from autopilot.errors import Refused, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.node import NativeAmount, Payout
from autopilot.sim.clock import SimClock
from autopilot.units import HOUR, Usd
from autopilot_adapters.render.adapter import Render
from autopilot_adapters.render.settings import RenderSettings

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/render/world.py")))
DAY = timedelta(days=1)


def test_a_transfer_from_a_payer_is_pay(tmp_path: Path) -> None:
    """Settled, at the last price before it, and for no device: a wallet has many, and the week it pays for is not told."""
    (payout,) = W.World(tx=(10, W.PAY)).told(tmp_path)
    at = W.NOW - 10 * HOUR

    assert Payout("tx", Venue(NetworkId("render")), DeviceId(""), at, at, Usd.of("266.5"), payout.native) == payout
    assert NativeAmount("RENDER", Decimal("20.5"), Decimal(13)) == payout.native


NO_PAY = {
    "from somebody else": W.moved(W.balances(payer=500, other=99), W.balances(payer=500, other=9, ours=90)),
    "more than the payer gave": W.moved(W.balances(payer=500, other=99), W.balances(payer=499, other=9, ours=91)),
    "sent away": W.moved(W.balances(ours=50), W.balances(ours=20, payer=30)),
    "another token": W.moved([], W.balances()),
    "failed": W.moved(W.balances(payer=500), W.balances(payer=480, ours=20), {"InstructionError": [0, "Custom"]}),
}


@pytest.mark.parametrize("transaction", NO_PAY.values(), ids=NO_PAY)
def test_what_is_no_pay_is_not_told(transaction: Any, tmp_path: Path) -> None:
    """Bought, sold or sent by whoever: only what a payer gave is income. No price is asked for it."""
    world = W.World(tx=(10, transaction))

    assert [] == list(world.told(tmp_path))
    assert "chart" not in world.asked


def test_a_wallet_that_was_never_paid(tmp_path: Path) -> None:
    """It has no account of the token, and that is no error."""
    world = W.World()
    world.accounts = []

    assert [] == list(world.told(tmp_path))


def test_a_transaction_is_looked_at_once(tmp_path: Path) -> None:
    """It never changes. Of many, the oldest twenty first; the others with the next question, and none is skipped."""
    world = W.World(**{f"tx{number:02}": (90 - number, W.PAY) for number in range(25)})
    source = world.source(tmp_path)
    lengths = [len(source.payouts(W.NOW - 7 * DAY)) for _ in range(3)]

    assert [20, 25, 25] == lengths
    assert (25, 2) == (world.asked.count("getTransaction"), world.asked.count("chart"))
    assert [f"tx{number:02}" for number in range(25)] == [each.id for each in source.payouts(W.NOW - 7 * DAY)]


def test_what_was_sent_in_one_second_is_told_at_once(tmp_path: Path) -> None:
    """Whoever asks from the newest one on would never hear of the other."""
    world = W.World(**{f"tx{number:02}": (90 - min(number, 19), W.PAY) for number in range(21)})
    source = world.source(tmp_path)
    first = source.payouts(W.NOW - 7 * DAY)

    assert 19 == len(first)
    assert ["tx19", "tx20"] == [each.id for each in source.payouts(first[-1].end)]


def test_pay_without_a_price_waits_for_one(tmp_path: Path) -> None:
    """And no later one is told before it: whoever asks from the last one on would never hear of it."""
    world = W.World(first=(90, W.PAY), second=(10, W.PAY))
    prices, world.prices = world.prices, world.prices[-20:]
    source = world.source(tmp_path)
    before = source.payouts(W.NOW - 7 * DAY)
    world.prices = prices

    assert ([], ["first", "second"]) == (list(before), [each.id for each in source.payouts(W.NOW - 7 * DAY)])


def changed(change: Callable[[Any], Any]) -> Any:
    """The world with something wrong."""
    world = W.World(tx=(10, W.PAY))
    change(world)
    return world


WRONG = {
    "the node is behind": lambda world: setattr(world, "error", {"code": -32005, "message": f"busy, {W.KEY}"}),
    "not there yet": lambda world: world.transactions.update(tx=(10, None)),
    "no balances": lambda world: world.transactions.update(tx=(10, {"meta": {"err": None}})),
    "an amount with a point": lambda world: world.transactions.update(tx=(10, json.loads(json.dumps(W.PAY).replace("2050000000", "20.5")))),
    "beyond belief": lambda world: world.transactions.update(
        tx=(10, W.moved(W.balances(payer=10**8), W.balances(payer=0, ours=10**8))),
    ),
    "no past of the price": lambda world: setattr(world, "chart", 500),
    "the price is refused": lambda world: setattr(world, "chart", 403),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_transient(change: Callable[[Any], Any], tmp_path: Path) -> None:
    """Nothing is told, nobody is left alone for it, and the endpoint's key is not repeated."""
    with pytest.raises(Transient) as caught:
        changed(change).told(tmp_path)

    assert W.KEY not in str(caught.value)
    assert str(caught.value).startswith("render: ")


def test_an_endpoint_that_refuses_is_refused(tmp_path: Path) -> None:
    """A wrong key helps nobody by being tried again."""
    clock = SimClock(W.NOW)
    http = Http(clock, network="render", transport=httpx.MockTransport(lambda _: httpx.Response(401)))
    kit = Kit(NetworkId("render"), clock, [], tmp_path, http, Tokens(http, clock))
    source = Render(RenderSettings.model_validate({"payouts": W.SETTINGS}), kit).payouts

    assert source
    with pytest.raises(Refused):
        source.payouts(W.NOW - DAY)


@pytest.mark.parametrize("changes", [{"payers": []}, {"wallet": "0x12"}, {"payers": ["me"]}, {"wallet": ""}])
def test_settings_that_name_no_addresses_are_refused(changes: dict[str, Any]) -> None:
    """Without a payer, everything that comes in would be income."""
    with pytest.raises(ValidationError):
        RenderSettings.model_validate({"payouts": {**W.SETTINGS, **changes}})

"""What the leases of our own provider came to: by day and token, owed and not seen to be paid, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from autopilot.errors import Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.model.node import Payout
from autopilot.sim.clock import SimClock
from autopilot.units import HOUR, Usd
from autopilot_adapters.akash.adapter import AkashSettings, akash
from autopilot_adapters.akash.payouts import DayPayouts

NOW = datetime(2026, 7, 17, 20, 7, tzinfo=UTC)
DAY = timedelta(days=1)
OURS = "akash18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"
RIG = [Device(DeviceId(f"gpu-{number}"), "RTX 4090") for number in range(3)]
NOTHING = {"totalUAktEarned": 0, "totalUUsdcEarned": 0, "totalUActEarned": 0, "totalUUsdEarned": 0}


def sums(act: float, akt: float = 0, price: float = 0) -> dict[str, float]:
    """As the API tells them: ACT under two names, dollars at the network's price of the day, or without AKT where it has none."""
    return {"totalUAktEarned": akt, "totalUUsdcEarned": act, "totalUActEarned": act, "totalUUsdEarned": act + akt * price}


class Console:
    """Days by their date; another one earned nothing, and one whose value is text is answered with 404 and that message."""

    def __init__(self, days: Mapping[str, Any], devices: Sequence[Device] = RIG) -> None:
        self.days = dict(days)
        self.asked: list[tuple[str, str]] = []
        self.clock = SimClock(NOW)
        self.devices = devices

    def serve(self, request: httpx.Request) -> httpx.Response:
        """One question, whose days are kept."""
        first, end = (request.url.params[name] for name in ("from", "to"))
        self.asked.append((first, end))
        told = self.days.get(first, NOTHING)
        return httpx.Response(404, json={"message": told}) if isinstance(told, str) else httpx.Response(200, json={"earnings": told})

    def payouts(self, folder: Path) -> DayPayouts:
        """The adapter's source."""
        http = Http(self.clock, network="akash", transport=httpx.MockTransport(self.serve))
        kit = Kit(NetworkId("akash"), self.clock, self.devices, folder, http, Tokens(http, self.clock))
        source = akash(AkashSettings(provider=OURS), kit).payouts

        assert source
        return source


def told(payouts: Sequence[Payout]) -> list[tuple[str, str, Usd]]:
    """Days, tokens and dollars."""
    return [(f"{each.start:%d}", each.native.token if each.native else "", each.amount) for each in payouts]


def test_a_day_is_owed_in_parts_that_add_up(tmp_path: Path) -> None:
    """Among the devices, to the last millionth; what the network has not paid is not settled. The day that runs is not asked for."""
    console = Console({"2026-07-16": sums(100_000_000)})
    payouts = console.payouts(tmp_path).payouts(NOW - DAY)

    assert [f"{OURS}/2026-07-16/ACT/gpu-{number}" for number in range(3)] == [each.id for each in payouts]
    assert Usd.of(100) == sum((each.amount for each in payouts), Usd(0))
    assert Decimal(100) == sum(each.native.amount for each in payouts if each.native)
    assert {(NOW.replace(hour=0, minute=0) - DAY, NOW.replace(hour=0, minute=0), False)} == {
        (each.start, each.end, each.settled) for each in payouts
    }
    assert [("2026-07-16", "2026-07-17")] == console.asked


def test_each_token_has_the_price_of_its_day(tmp_path: Path) -> None:
    """A dollar for ACT; for AKT what the network itself took for it, so that no other source is asked."""
    console = Console({"2026-07-15": sums(4_000_000, 2_000_000, 0.5), "2026-07-16": sums(0, 2_000_000, 0.75)}, RIG[:1])
    payouts = console.payouts(tmp_path).payouts(NOW - 2 * DAY)

    assert [("15", "ACT", Usd.of(4)), ("15", "AKT", Usd.of(1)), ("16", "ACT", Usd(0)), ("16", "AKT", Usd.of("1.5"))] == told(payouts)
    assert ["1", "0.5", "1", "0.75"] == [str(each.native.usd_per_token) for each in payouts if each.native]


def test_akt_without_a_price_waits_for_one(tmp_path: Path) -> None:
    """The API takes a price that it does not have for nothing; the amount is told once there is one, and the rest at once."""
    console = Console({"2026-07-16": sums(4_000_000, 2_000_000)}, RIG[:1])
    source = console.payouts(tmp_path)
    before = told(source.payouts(NOW - DAY))
    console.days["2026-07-16"] = sums(4_000_000, 2_000_000, 0.5)

    assert [("16", "ACT", Usd.of(4))] == before
    assert [("16", "ACT", Usd.of(4)), ("16", "AKT", Usd.of(1))] == told(source.payouts(NOW - DAY))


def test_a_day_is_asked_for_once(tmp_path: Path) -> None:
    """Seven at the first time, however long ago is asked about; then each new day, and never again."""
    console = Console({"2026-07-16": sums(1_000_000)}, RIG[:1])
    source = console.payouts(tmp_path)
    first = source.payouts(NOW - 365 * DAY)
    again = source.payouts(NOW - 365 * DAY)
    console.clock.move_to(NOW + 4 * HOUR)
    source.payouts(NOW - 365 * DAY)

    assert first == again
    assert [f"{OURS}/2026-07-{day}/ACT" for day in range(10, 17)] == [each.id for each in first]
    assert [("2026-07-10", "2026-07-11"), ("2026-07-17", "2026-07-18")] == [console.asked[0], console.asked[-1]]
    assert 8 == len(console.asked)


@pytest.mark.parametrize("message", ["To block not found", "From block not found"])
def test_a_day_that_the_index_has_not_left_behind_is_told_later(message: str, tmp_path: Path) -> None:
    """It would be booked short otherwise. Those before it are told."""
    console = Console({"2026-07-15": sums(2_000_000), "2026-07-16": message}, RIG[:1])
    source = console.payouts(tmp_path)
    before = told(source.payouts(NOW - 2 * DAY))
    console.days["2026-07-16"] = sums(1_000_000)

    assert [("15", "ACT", Usd.of(2))] == before
    assert [("15", "ACT", Usd.of(2)), ("16", "ACT", Usd.of(1))] == told(source.payouts(NOW - 2 * DAY))


def test_a_provider_that_is_not_known_is_named(tmp_path: Path) -> None:
    """A mistyped address must not read as a provider that earned nothing."""
    with pytest.raises(Transient, match=f"it knows no provider {OURS}: look at 'provider'"):
        Console({"2026-07-16": "Provider not found"}).payouts(tmp_path).payouts(NOW - DAY)


def test_without_a_provider_nothing_is_told(tmp_path: Path) -> None:
    """Nor where there is no device that could have earned it."""
    clock = SimClock(NOW)
    http = Http(clock, network="akash", transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    kits = [Kit(NetworkId("akash"), clock, devices, tmp_path, http, Tokens(http, clock)) for devices in (RIG, ())]

    assert [None, None] == [akash(AkashSettings(), kits[0]).payouts, akash(AkashSettings(provider=OURS), kits[1]).payouts]

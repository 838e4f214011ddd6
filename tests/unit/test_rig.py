"""What a flight holds open is closed with it, whether it ever flew or not."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from autopilot.clock import SystemClock
from autopilot.daemon import rig
from autopilot.errors import ConfigError
from autopilot.kit.http import Http
from autopilot.model.device import NetworkId, Venue
from autopilot.model.gpu import Needs
from autopilot.model.history import Record
from autopilot.plugins import make_strategy
from autopilot.settings import NeedsSettings, Settings
from autopilot.store.store import Store

closed: list[str] = []


class WatchedHttp(Http):
    """A client that says when it was closed."""

    def close(self) -> None:
        closed.append("http")
        super().close()


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was closed yet."""
    closed.clear()
    monkeypatch.setattr(rig, "Http", WatchedHttp)


def settings(folder: Path, **networks: Any) -> Settings:
    """A rig of two GPUs at these networks."""
    written: dict[str, Any] = {"state": folder / "autopilot.db", "rig": {"simulated": ("2 x RTX 4090",)}, "networks": networks}
    return Settings(**written)


def test_the_client_of_all_networks_is_closed_when_the_flight_ends(tmp_path: Path) -> None:
    """Once, and not before; and nothing is learned any more."""
    with ExitStack() as held:
        pilot = rig.make_pilot(settings(tmp_path, akash={"adapter": "simulator"}), SystemClock(), Store.in_memory(), held, live=False)

        assert [] == closed
    assert ["http"] == closed
    assert "the daemon ends" == str(pilot.world.teach(make_strategy("payback", {}).strategy, Record().until_now()).exception(20))


def test_what_was_made_before_an_error_is_closed(tmp_path: Path) -> None:
    """A second network that cannot be made leaves nothing open of the first."""
    with ExitStack() as held, pytest.raises(ConfigError):
        rig.make_adapters(settings(tmp_path, akash={"adapter": "simulator"}, nobody={}), SystemClock(), (), held)

    assert ["http"] == closed


BITTENSOR = NetworkId("bittensor")
LIUM, RENDER = Venue(BITTENSOR, "51"), Venue(NetworkId("render"))


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ({}, {RENDER: Needs(memory_gib=8), Venue(BITTENSOR): Needs(), LIUM: Needs(driver="580.65.06")}),
        ({"render": {"disk_gib": 50}}, {RENDER: Needs(memory_gib=8, disk_gib=50)}),
        ({"render": {"memory_gib": 0}, "bittensor/51": {"driver": ""}}, {RENDER: Needs(), LIUM: Needs()}),
        ({"bittensor": {"disk_gib": 200}}, {LIUM: Needs(disk_gib=200, driver="580.65.06"), Venue(BITTENSOR): Needs(disk_gib=200)}),
        ({"bittensor": {"disk_gib": 200}, "bittensor/4": {"disk_gib": 90}}, {Venue(BITTENSOR, "4"): Needs(disk_gib=90)}),
    ],
)
def test_what_adapters_tell_is_asked_without_a_setting(tmp_path: Path, written: Any, asked: dict[Venue, Needs]) -> None:
    """And what is set goes before it, entry by entry; a market's table before its network's."""
    configured = settings(tmp_path, render={}, bittensor={}, spare={"adapter": "simulator"})
    needs = {name: NeedsSettings(**table) for name, table in written.items()}
    found = rig.asked(configured.model_copy(update={"rig": configured.rig.model_copy(update={"needs": needs})}))

    assert asked == {venue: needs for venue, needs in found.items() if venue in asked}
    assert Needs() == found[Venue(NetworkId("spare"))]

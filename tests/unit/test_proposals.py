"""What `init` proposes to a rig, and the configuration that comes of it."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from autopilot.cli.init import _lacks
from autopilot.cli.proposals import Proposal, propose, text, willing, words
from autopilot.contracts import Conditions
from autopilot.daemon.survey import Offer, Survey
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.gpu import Census, Needs
from autopilot.model.market import Basis, NoQuote, Quote
from autopilot.model.power import Draw
from autopilot.plugins import conditions_of, networks_without_settings
from autopilot.settings import load
from autopilot.units import Share, UsdPerHour, UsdPerKwh, Watts

NOW = datetime(2026, 9, 1, tzinfo=UTC)
GPU = Device(DeviceId("GPU-0000"), "RTX 3060 Ti", 8, Watts.of(200), index=0)
CENSUS = Census((GPU,), driver="535.10")
STAKE = "it asks for a stake"


def quote(network: str, rate: str) -> Offer:
    """What a network pays, less 0.01 $/h for power."""
    named: dict[str, Any] = {"as_of": NOW, "seen_at": NOW, "expires": NOW + timedelta(hours=1), "basis": Basis.ASK, "source": ""}
    paid = UsdPerHour.of(rate)
    venue = Venue(NetworkId(network))
    return Offer(GPU, Quote(venue, GPU.id, gross=paid, occupancy=Share.of("1"), **named), UsdPerHour.of("0.01"))


def refused(network: str, reason: str) -> Offer:
    """A network that has no quote."""
    return Offer(GPU, NoQuote(Venue(NetworkId(network)), GPU.id, NOW, reason), UsdPerHour(0))


def proposed(system: str, monkeypatch: pytest.MonkeyPatch) -> list[Proposal]:
    """Seven networks, of which each has its own reason."""
    monkeypatch.setattr("autopilot.cli.proposals.this_system", lambda: system)
    offers = [quote("low", "0.06"), quote("high", "0.11"), refused("unwilling", "this GPU is in no market"), quote("windows", "9")]
    silent = {Venue(NetworkId("silent")): "nobody answers; nor does another"}
    found = Survey(NOW, offers, silent, Draw(), UsdPerKwh(0))
    conditions = {
        "silent": Conditions(),
        "big": Conditions(Needs(memory_gib=24)),
        "new": Conditions(Needs(driver="550")),
        "windows": Conditions(systems=("Windows", "WSL")),
        "unwilling": Conditions(besides=STAKE),
        "low": Conditions(Needs(memory_gib=8, driver="535")),
        "high": Conditions(besides=STAKE),
    }
    return propose(found, CENSUS.devices, conditions, partial(_lacks, CENSUS))


def test_each_network_is_proposed_with_its_pay_or_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best first, then what is not known, then what is refused: by memory, driver, system, or the network itself."""
    proposals = proposed("Linux", monkeypatch)

    assert [
        "high: 2.40 $ a day, after power; it asks for a stake",
        "low: 1.20 $ a day, after power",
        "silent: not known what it pays; no answer: nobody answers",
        "big: refused: it needs 24 GiB of memory, and GPU-0 has 8",
        "new: refused: it needs driver 550, and this host has 535.10",
        "unwilling: no quote: this GPU is in no market",
        "windows: refused: its program runs on Windows or WSL, and this host is Linux",
    ] == [f"{each.network}: {words(each)}" for each in proposals]
    assert ["high", "low", "silent"] == willing(proposals)


def test_the_system_decides_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs on Windows alone may be joined from there."""
    assert "windows" == proposed("WSL", monkeypatch)[0].network


def test_the_configuration_names_the_rig_and_the_reasons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It can be read, flies real GPUs at the networks that were chosen, and keeps the others as comments with their reasons."""
    monkeypatch.chdir(tmp_path)
    written = text(rig=CENSUS.devices, price="0.3 $/kWh", networks=["high"], proposals=proposed("Linux", monkeypatch))
    (tmp_path / "autopilot.toml").write_text(written)
    tables, settings = tomllib.loads(written), load(None)

    assert {"high": {}} == tables["networks"]
    assert (UsdPerKwh.of("0.3"), Watts.of(200), ()) == (settings.power.price, settings.power.lit, settings.rig.simulated)
    assert "# RTX 3060 Ti: 2.40 $ a day, after power; it asks for a stake\n[networks.high]\n" in written
    assert "# RTX 3060 Ti: refused: it needs 24 GiB of memory, and GPU-0 has 8\n# [networks.big]\n" in written
    assert "[rig]                             # GPU-0 RTX 3060 Ti\n" in written
    assert 'price = "0.3 $/kWh"               # what you pay for power\n' in written


def test_without_gpus_the_example_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With simulated ones, and the price that was told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "autopilot.toml").write_text(text(rig=(), price="0.3 $/kWh", networks=[], proposals=[]))
    settings = load(None)

    assert (("4 x RTX 4090", "2 x H100"), UsdPerKwh.of("0.3")) == (settings.rig.simulated, settings.power.price)
    assert 4 == len(settings.networks)


def test_a_reason_cannot_leave_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network says is a comment, whatever it says."""
    monkeypatch.setattr("autopilot.cli.proposals.this_system", lambda: "Linux")
    found = Survey(NOW, [refused("evil", 'no\n[networks.evil]\nurl = "x"\x1b[2J')], {}, Draw(), UsdPerKwh(0))
    proposals = propose(found, CENSUS.devices, {"evil": Conditions()}, partial(_lacks, CENSUS))

    assert {"mine": {}} == tomllib.loads(text(rig=CENSUS.devices, price=None, networks=["mine"], proposals=proposals))["networks"]


def test_a_long_reason_is_written_to_its_end() -> None:
    """Over as many lines as it takes, each of them a comment."""
    reason = " ".join(f"reason{number}" for number in range(40))
    lines = text(rig=[GPU], price=None, networks=["own"], proposals=[Proposal("own", GPU.model, None, remark=reason)]).splitlines()
    written = lines[lines.index("[networks.own]") - 4 : lines.index("[networks.own]")]

    assert reason == " ".join(line.lstrip("# ") for line in written).partition("; ")[2]
    assert all(line.startswith("#") and len(line) <= 132 for line in written if line)


def test_the_networks_that_come_along_tell_their_conditions() -> None:
    """A render node asks for 8 GiB, and each has something that no machine can look up."""
    told = {name: conditions_of(name) for name in networks_without_settings()}

    assert {"akash", "bittensor", "nosana", "render"} <= set(told)
    assert 8 == told["render"].needs.memory_gib
    assert all(told[name].besides for name in ("akash", "bittensor", "nosana", "render"))

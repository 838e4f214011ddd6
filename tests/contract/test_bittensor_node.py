"""Bittensor's nodes: the suite of node drivers, a UID that is never lost by accident, and an executor whose rentals are never cut."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from autopilot.clock import SystemClock
from autopilot.contracts import NodeDriver, Scope
from autopilot.errors import ConfigError, NodeFault, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.model.device import Device, Venue
from autopilot.model.node import Lease, Phase
from autopilot.model.plan import ExitCost
from autopilot.units import Usd
from autopilot_adapters.bittensor.adapter import Bittensor, bittensor
from autopilot_adapters.bittensor.codec import of_uid, uid_of
from autopilot_adapters.bittensor.settings import BittensorSettings
from shared.nodes import PATIENT, Post, RealNodeContract, until
from shared.servers import Desk, served

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "data/bittensor/world.py")))
ONE: Sequence[Device] = W.RIG[:1]
GPU: Device = W.RIG[0]
MINER: Any = {**W.MINER, "node": {"unit": "miner.service"}}
ALONE: Any = {"lium": {"enabled": False}, "miners": [MINER]}
SUBNET, LIUM = Venue(W.kit(W.World(), Path()).network, "4"), Venue(W.kit(W.World(), Path()).network, "51")
TOKEN = "lpk_0123456789abcdef"  # noqa: S105  # made up


@pytest.fixture
def units(units: Path) -> Path:
    """With the units of a miner and of an executor."""
    for name in ("miner.service", "executor.service"):
        (units / name).write_text(f"/bin/sh\n-c\n{PATIENT}", encoding="utf-8")
    return units


def registered(world: Any, ago: int) -> Any:
    """Our UID, registered so many blocks ago, where 5000 are immune."""
    world.state[of_uid("BlockAtRegistration", W.NETUID, W.UID).key] = W.u(W.BLOCK - ago, 8)
    return world


def polled(world: Any, folder: Path, devices: Sequence[Device] = ONE, **settings: Any) -> Bittensor:
    """The adapter after its first poll."""
    adapter: Bittensor = W.adapter(world, folder, devices, **(settings or ALONE))
    adapter.rates.quotes(devices)
    return adapter


@pytest.mark.long  # every look starts a program
class TestMiner(RealNodeContract):
    """A miner as a unit of systemd, whose UID is registered."""

    post = Post(gpu=GPU, market=SUBNET)

    @pytest.fixture
    def node(self, units: Path, tmp_path: Path) -> NodeDriver:
        assert units.exists()
        return polled(W.World(), tmp_path).node

    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Callable[[], NodeDriver]:
        return lambda: polled(W.World(), tmp_path).node


def test_a_registration_is_a_lease_that_may_be_broken(units: Path, tmp_path: Path) -> None:
    """It began with the UID, has no end, and holds up no drain: a miner has nothing to finish."""
    assert units.exists()
    node = polled(registered(W.World(), 6000), tmp_path).node
    node.start(GPU, SUBNET)
    seen = node.observe(GPU)
    assert (Phase.BUSY, SUBNET) == (seen.phase, seen.venue)
    (lease,) = seen.leases
    assert Lease("UID 2 of subnet 4", W.NOW - timedelta(seconds=30 + 6000 * 12), breakable=True) == lease
    node.drain(GPU)

    assert (Phase.DRAINING, ()) == ((after := node.observe(GPU)).phase, after.leases)


def test_leaving_puts_the_registration_at_stake(units: Path, tmp_path: Path) -> None:
    """Half a TAO at 300 $ where the UID is not immune, or not for long; nothing where it is immune for hours, or is not registered."""
    assert units.exists()
    costs = []
    for ago in (6000, 4900, 1000):
        adapter = polled(registered(W.World(), ago), tmp_path)
        adapter.node.start(GPU, SUBNET)
        costs.append(adapter.exit_cost(adapter.node.observe(GPU)))
    stranger = W.World()
    stranger.state[uid_of(W.NETUID, W.HOTKEY).key] = None
    costs.append(polled(stranger, tmp_path).exit_cost(adapter.node.observe(GPU)))

    assert [Usd.of(usd) for usd in (150, 150, 0, 0)] == [cost.forfeits for cost in costs]
    assert (
        "UID 2 of subnet 4 is not immune: without a miner the next newcomer can take its place, worth 0.5 TAO, 150 $" == costs[0].identity
    )
    assert "UID 2 of subnet 4 is immune until" in costs[1].identity
    assert ["", ""] == [cost.identity for cost in costs[2:]]


def test_a_registration_is_shared_by_the_gpus_of_its_uid(units: Path, tmp_path: Path) -> None:
    """A rig whose GPUs mine together comes and goes together, and each puts its part at stake."""
    assert units.exists()
    settings = {**ALONE, "miners": [{**MINER, "gpus": None}]}
    adapter = polled(registered(W.World(), 6000), tmp_path, W.RIG, **settings)
    adapter.node.start(W.RIG[1], SUBNET)
    seen = [adapter.node.observe(device) for device in W.RIG]

    assert Scope.RIG is adapter.scope
    assert [(device.id, Phase.BUSY) for device in W.RIG] == [(each.device, each.phase) for each in seen]
    assert [Usd.of(75)] * 2 == [adapter.exit_cost(each).forfeits for each in seen]


def test_what_leaving_costs_is_unknown_before_the_first_poll(units: Path, tmp_path: Path) -> None:
    """Unknown is not nothing."""
    assert units.exists()
    adapter = W.adapter(W.World(), tmp_path, ONE, **ALONE)
    adapter.node.start(GPU, SUBNET)
    with pytest.raises(Transient, match="not known before the first poll"):
        adapter.exit_cost(adapter.node.observe(GPU))


def test_whose_miner_is_not_ours_to_stop_loses_nothing(tmp_path: Path) -> None:
    """Rates only: we do not stop it."""
    adapter = polled(W.World(), tmp_path, **W.ALONE)
    seen = replace(adapter.node.observe(GPU), venue=SUBNET, phase=Phase.READY)

    assert ExitCost() == adapter.exit_cost(seen)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (1000, "UID 2 of subnet 4 is immune until 2026-08-26 01:19 UTC and nobody mines for it: whoever is away then can lose"),
        (
            6000,
            "UID 2 of subnet 4 is not immune and nobody mines for it: without a miner the next newcomer can take its place, worth 0.5 TAO",
        ),
    ],
)
def test_a_uid_without_a_miner_says_how_long_it_lasts(units: Path, tmp_path: Path, ago: int, words: str) -> None:
    """A stop longer than the immunity loses it, so the note of the absent node says until when."""
    assert units.exists()
    seen = polled(registered(W.World(), ago), tmp_path).node.observe(GPU)

    assert Phase.ABSENT is seen.phase
    assert seen.note.startswith(words)
    assert "150 $" in seen.note


def test_nothing_is_ever_registered(units: Path, tmp_path: Path) -> None:
    """A registration costs TAO that does not come back: a miner without one is not started, and a human pays or does not."""
    world = W.World()
    world.state[uid_of(W.NETUID, W.HOTKEY).key] = None
    with pytest.raises(NodeFault, match=r"no miner is registered on subnet 4: register it by hand, for 0.5 TAO"):
        polled(world, tmp_path).node.start(GPU, SUBNET)

    assert not list(units.glob("*.pid"))


def test_one_uid_is_served_by_one_program(units: Path, tmp_path: Path) -> None:
    """Two miners under one hotkey would take each other's axon: the second GPU waits until the first is gone."""
    (units / "miner@0.service").write_text(f"/bin/sh\n-c\n{PATIENT}", encoding="utf-8")
    (units / "miner@1.service").write_text(f"/bin/sh\n-c\n{PATIENT}", encoding="utf-8")
    settings = {**ALONE, "miners": [{**MINER, "node": {"unit": "miner@{index}.service"}}]}
    node = polled(W.World(), tmp_path, W.RIG, **settings).node
    node.start(GPU, SUBNET)
    with pytest.raises(NodeFault, match="GPU-1: GPU-0 has the UID of subnet 4"):
        node.start(W.RIG[1], SUBNET)
    until(lambda: Post(gpu=GPU, market=SUBNET).gone(node))
    node.start(W.RIG[1], SUBNET)

    assert Phase.BUSY is node.observe(W.RIG[1]).phase


def test_a_miner_for_some_of_the_gpus_cannot_be_started(tmp_path: Path) -> None:
    """For one, or for all: nobody says which of three two would be."""
    with pytest.raises(ConfigError, match="a node for 2 GPUs: it can be started for 1 or for all 3"):
        W.adapter(W.World(), tmp_path, [*W.RIG, W.gpu(2)], **{**ALONE, "miners": [{**MINER, "gpus": 2}]})


def test_a_miner_under_pm2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its app is known to pm2 already; we ask for it by name."""
    rows = json.dumps([{"name": "miner-0", "pm2_env": {"status": "online", "exit_code": 0}}])
    stub = tmp_path / "pm2"
    stub.write_text(f"#!/bin/sh\necho '{rows}'\n", encoding="utf-8")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    settings = {**ALONE, "miners": [{**W.MINER, "node": {"pm2": "miner-{index}"}}]}

    assert Phase.BUSY is polled(W.World(), tmp_path, **settings).node.observe(GPU).phase


class Portal:
    """lium's portal for providers, on loopback."""

    def __init__(self) -> None:
        self.status = 200
        self.said: Any = {"data": []}
        self.asked: list[tuple[str, str]] = []
        self.url = ""


@pytest.fixture
def portal() -> Iterator[Portal]:
    """It answers until the test is over."""
    portal = Portal()

    class Front(Desk):
        def answer(self) -> None:
            portal.asked.append((self.path, self.headers.get("authorization", "")))
            self.say_json(portal.said, portal.status)

    with served(Front) as portal.url:
        yield portal


def executor(portal: Portal, folder: Path, clock: Any = None, **node: Any) -> NodeDriver:
    """The executor's driver, with a client that reaches the loopback."""
    clock = clock or SystemClock()
    program = {"unit": "executor.service", "executor": "42ef8a0b-8b28", "token": TOKEN, "portal": portal.url, **node}
    kit: Kit = W.kit(W.World(), folder, ONE, clock)
    http = Http(clock, network="bittensor")
    return bittensor(BittensorSettings.model_validate({"lium": {"node": program}}), replace(kit, http=http)).node


@pytest.mark.long  # every look starts a program
class TestExecutor(RealNodeContract):
    """SN51's executor that nobody rents."""

    post = Post(gpu=GPU, market=LIUM)

    @pytest.fixture
    def node(self, units: Path, portal: Portal, tmp_path: Path) -> NodeDriver:
        assert units.exists()
        return executor(portal, tmp_path)

    @pytest.fixture
    def reopened(self, portal: Portal, tmp_path: Path) -> Callable[[], NodeDriver]:
        return lambda: executor(portal, tmp_path)


def test_pods_are_asked_of_the_portal_with_the_token(units: Path, portal: Portal, tmp_path: Path) -> None:
    """Of this node alone. A pod may not be broken, which costs a penalty; a removal that was announced is its end."""
    assert units.exists()
    pod = {"id": "pod-1", "created_at": "2026-08-25T10:00:00+00:00", "removal_scheduled_at": "2026-08-27T12:00:00"}
    portal.said = {"data": [pod]}
    node = executor(portal, tmp_path)
    node.start(GPU, LIUM)
    seen = node.observe(GPU)

    assert Phase.BUSY is seen.phase
    assert [("pod-1", False, "2026-08-25 10:00:00+00:00", "2026-08-27 12:00:00+00:00")] == [
        (lease.id, lease.breakable, str(lease.since), str(lease.until)) for lease in seen.leases
    ]
    assert [("/executors/42ef8a0b-8b28/pods", f"Bearer {TOKEN}")] == portal.asked


def test_an_executor_goes_down_when_its_pods_are_gone(units: Path, portal: Portal, tmp_path: Path) -> None:
    """Pause, pods empty, down. What was heard before the drain is not believed once it says that nothing runs."""
    assert units.exists()
    words = tmp_path / "words"
    told = {verb: ["/bin/sh", "-c", f"echo {verb} >>{words}"] for verb in ("drain", "resume")}
    node = executor(portal, tmp_path, W.SimClock(W.NOW), **told)
    node.start(GPU, LIUM)
    assert Phase.READY is node.observe(GPU).phase
    portal.said = [{"id": "slipped-in"}]
    assert Phase.READY is node.observe(GPU).phase
    node.drain(GPU)
    seen = node.observe(GPU)
    assert (Phase.DRAINING, ["slipped-in"]) == (seen.phase, [lease.id for lease in seen.leases])
    node.start(GPU, LIUM)

    assert ["drain", "resume"] == words.read_text(encoding="utf-8").split()
    assert Phase.BUSY is node.observe(GPU).phase


def test_the_portal_is_asked_once_a_minute_while_nothing_hangs_on_it(units: Path, portal: Portal, tmp_path: Path) -> None:
    """At every look it would be 240 times an hour; a drain asks at each."""
    assert units.exists()
    clock = W.SimClock(W.NOW)
    node = executor(portal, tmp_path, clock)
    node.start(GPU, LIUM)
    for _ in range(8):
        node.observe(GPU)
        clock.move_to(clock.now() + timedelta(seconds=15))
    assert 2 == len(portal.asked)
    node.drain(GPU)
    before = len(portal.asked)
    for _ in range(3):
        node.observe(GPU)

    assert before + 3 == len(portal.asked)


def broken(units: Path) -> None:
    """The executor's unit fails."""
    os.killpg(int((units / "executor.pid").read_text(encoding="utf-8")), signal.SIGKILL)


def test_an_executor_that_died_has_its_pods_still(units: Path, portal: Portal, tmp_path: Path) -> None:
    """They run on, and keep their GPU: what the portal said before it died is not believed, and new rentals are paused by a drain."""
    words = tmp_path / "words"
    told = {verb: ["/bin/sh", "-c", f"echo {verb} >>{words}"] for verb in ("drain", "resume")}
    clock = W.SimClock(W.NOW)
    node = executor(portal, tmp_path, clock, **told)
    node.start(GPU, LIUM)
    assert Phase.READY is node.observe(GPU).phase
    portal.said = [{"id": "slipped-in"}]
    broken(units)
    until(lambda: node.observe(GPU).phase is Phase.FAULT)
    (lease,) = node.observe(GPU).leases
    node.drain(GPU)

    assert ("slipped-in", False) == (lease.id, lease.breakable)
    assert ["drain"] == words.read_text(encoding="utf-8").split()
    portal.said = []
    clock.move_to(clock.now() + timedelta(minutes=1))
    assert (Phase.FAULT, ()) == ((seen := node.observe(GPU)).phase, seen.leases)


def test_an_executor_that_died_while_the_portal_is_silent_is_in_doubt(units: Path, portal: Portal, tmp_path: Path) -> None:
    """Its pods may run on: it is no broken node without work, which would be cleared away."""
    node = executor(portal, tmp_path, W.SimClock(W.NOW))
    node.start(GPU, LIUM)
    assert Phase.READY is node.observe(GPU).phase
    portal.status = 503
    broken(units)
    until(lambda: node.observe(GPU).phase is Phase.UNKNOWN)
    portal.status = 200

    assert (Phase.FAULT, ()) == ((seen := node.observe(GPU)).phase, seen.leases)


@pytest.mark.parametrize("status", [200, 401, 403, 404])
def test_a_portal_that_does_not_say_leaves_it_open(units: Path, portal: Portal, tmp_path: Path, status: int) -> None:
    """UNKNOWN, never empty: a wrong token, another's node, or an answer of another shape. The token is not told."""
    assert units.exists()
    portal.status, portal.said = status, {"pods": TOKEN}
    node = executor(portal, tmp_path)
    node.start(GPU, LIUM)
    seen = node.observe(GPU)

    assert (Phase.UNKNOWN, ()) == (seen.phase, seen.leases)
    assert TOKEN not in seen.note
    assert seen.note.startswith("bittensor: ")


def test_stopping_a_node_of_lium_costs_no_registration(tmp_path: Path) -> None:
    """One hotkey serves many nodes, and stays registered without this one."""
    adapter = polled(W.World(), tmp_path, lium={}, miners=[W.MINER])
    seen = replace(adapter.node.observe(GPU), venue=LIUM, phase=Phase.READY)

    assert ExitCost() == adapter.exit_cost(seen)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"executor": ""}, "name the node's id"),
        ({"executors": {"GPU-a": "1"}}, "name the node's id"),
        ({"executor": "../../auth"}, "no id of a node"),
        ({"jobs": ["/bin/true"]}, "leave jobs out"),
        ({"token": " "}, "token must not be empty"),
        ({"drain": ["/bin/true"]}, "give resume as well"),
        ({"pm2": "executor"}, "one way to run the program, not 2"),
        ({"start": ["/bin/true"]}, "start goes with look"),
        ({"unit": "", "look": ["/bin/true"]}, "look, start and stop go together"),
        ({"limit": "0s"}, "limit must be longer"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(changes: Any, complaint: str) -> None:
    """In one line that says what to do, without the token."""
    program = {"unit": "executor.service", "executor": "42ef", "token": TOKEN, **changes}
    with pytest.raises(ValidationError, match=complaint) as caught:
        BittensorSettings.model_validate({"lium": {"node": program}})

    assert TOKEN not in str(caught.value.errors(include_input=False))


def test_a_node_of_eight_has_one_id() -> None:
    """It is rented as one."""
    program = {"unit": "executor.service", "executors": {"GPU-a": "42ef"}, "token": TOKEN}
    with pytest.raises(ValidationError, match="has one id"):
        BittensorSettings.model_validate({"lium": {"gpus": 8, "node": program}})


def test_two_venues_never_hold_one_gpu(units: Path, portal: Portal, tmp_path: Path) -> None:
    """The miner waits until the executor is gone; and where both are found running, nothing is concluded."""
    assert units.exists()
    program = {"unit": "executor.service", "executor": "42ef", "token": TOKEN, "portal": portal.url}
    kit: Kit = replace(W.kit(W.World(), tmp_path, ONE), http=Http(SystemClock(), network="bittensor"))
    node = bittensor(BittensorSettings.model_validate({"lium": {"node": program}, "miners": [MINER]}), kit).node
    node.start(GPU, LIUM)
    with pytest.raises(NodeFault, match="bittensor/51 is ready: it must go before bittensor/4 comes"):
        node.start(GPU, SUBNET)
    alone = W.adapter(W.World(), tmp_path, ONE, **ALONE).node
    alone.start(GPU, SUBNET)
    seen = node.observe(GPU)

    assert (Phase.UNKNOWN, "bittensor/51 and bittensor/4 hold it at once: stop one by hand") == (seen.phase, seen.note)

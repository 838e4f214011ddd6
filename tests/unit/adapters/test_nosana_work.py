"""What a Nosana node may be told and what is asked for it: settings, the request for its container, the chain's questions, and costs."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from autopilot.contracts import Adapter
from autopilot.errors import Transient
from autopilot.kit.service import ServiceNode
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Lease, Observation, Phase
from autopilot.sim.clock import SimClock
from autopilot_adapters.nosana.adapter import NosanaNetwork, NosanaSettings
from autopilot_adapters.nosana.chain import Chain
from autopilot_adapters.nosana.directory import Directory
from autopilot_adapters.nosana.node import NodeSettings
from autopilot_adapters.nosana.standing import Standings
from autopilot_adapters.nosana.work import NosanaWork

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))
NOSANA = NetworkId("nosana")
COMMUNITY = Venue(NOSANA, "nvidia-4090-community")
GPU = W.gpu(0)
OURS = {"GPU-0": W.OURS}
JOB, RUN = W.key(50), W.key(70)
TWO = {"GPU-0": W.OURS, "GPU-1": W.key(8)}


def busy(nosana: Any, market: str = W.COMMUNITY) -> None:
    """Our node runs a job; so does somebody else's."""
    nosana.runs = {RUN: W.run_bytes(JOB), W.key(60): W.run_bytes(W.key(61), W.key(62))}
    nosana.accounts[JOB] = W.job_bytes(market)


def managed(nosana: Any, folder: Path, **node: Any) -> NosanaNetwork:
    """The adapter with a node, after a first poll."""
    nosana.runs = nosana.runs or {W.key(60): W.run_bytes(W.key(61), W.key(62))}
    network = NosanaNetwork(NosanaSettings(nodes=OURS, node=NodeSettings(**node)), nosana.kit([GPU], folder, SimClock(W.NOW)))
    network.quotes([GPU])
    return network


def work_of(nosana: Any, folder: Path, stands: timedelta = timedelta(minutes=1)) -> tuple[NosanaWork, SimClock]:
    """What the chain says of our node's work, and the time."""
    network = managed(nosana, folder)
    clock = SimClock(W.NOW)
    kit = nosana.kit([GPU], folder, clock)
    nodes = {DeviceId("GPU-0"): W.OURS}
    standings = Standings(NOSANA, clock, Chain(kit.http), Directory(folder / "nosana-markets.json"), [GPU], nodes, stands)
    return NosanaWork(nodes, standings, lambda: network._nos), clock


def test_without_its_table_no_node_is_started(tmp_path: Path) -> None:
    """Rates only, as before; with the table, it is a node."""
    assert not isinstance(NosanaNetwork(NosanaSettings(nodes=OURS), W.Nosana().kit([GPU], tmp_path)).node, ServiceNode)
    network = managed(W.Nosana(), tmp_path)

    assert isinstance(network, Adapter)
    assert isinstance(network.node, ServiceNode)


@pytest.mark.parametrize(
    ("nodes", "node", "words"),
    [
        ({}, {}, "a node needs its address"),
        ({"GPU-0": W.OURS, "GPU-1": W.OURS}, {"keys": "~/{index}", "cache": "c-{index}"}, "the same address"),
        (TWO, {"cache": "podman-cache-{index}"}, "cannot share one 'keys'"),
        (TWO, {"keys": "~/.nosana-{index}"}, "cannot share one 'cache'"),
        (OURS, {"exterior": "x"}, "exterior"),
        (OURS, {"look": "-1s"}, "look"),
    ],
)
def test_two_nodes_are_never_one(nodes: Any, node: Any, words: str) -> None:
    """One key, one GPU, one store of images: the network refuses the second, and two engines would break the store of one."""
    with pytest.raises(ValidationError, match=words):
        NosanaSettings.model_validate({"nodes": nodes, "node": node})


def test_nodes_that_are_told_apart_are_taken() -> None:
    """By the number of their GPU."""
    table = {"keys": "~/.nosana-{index}", "cache": "podman-cache-{index}"}

    assert NosanaSettings.model_validate({"nodes": TWO, "node": table}).node is not None


def test_the_outer_container_is_that_of_the_official_script_with_one_gpu() -> None:
    """Privileged, with its cache in a named volume, the key's folder, and ENABLE_GPU; the GPU is asked for by UUID."""
    image = NodeSettings(keys="/srv/nosana-{index}").container()

    assert ("nosana/podman:v1.1.2", ("unix:/podman.sock",), True) == (image.name, image.command, image.gpu)
    assert {"podman-cache:/var/lib/containers", "/srv/nosana-{index}:/root/.nosana"} <= set(image.mounts)
    assert "true" == image.env["ENABLE_GPU"]
    assert {"privileged": True, "devices": ["/dev/fuse"]} == image.options


def test_a_lease_pays_the_price_of_its_job(tmp_path: Path) -> None:
    """318 micro-NOS a second are 1.1448 NOS an hour, at 0.3092 $ for one as two sources have it."""
    nosana = W.Nosana()
    busy(nosana)
    work, _ = work_of(nosana, tmp_path)
    (lease,) = work.leases(GPU)

    assert lease.pays is not None
    assert abs(Decimal("1.1448") * Decimal("0.3092") - Decimal(lease.pays.count).scaleb(-9)) < Decimal("0.0001")
    assert (JOB, timedelta(seconds=3660)) == (lease.id, (lease.until or lease.since) - lease.since)
    assert {JOB} == set(work.told(GPU))


def test_where_the_chain_is_silent_nothing_is_told(tmp_path: Path) -> None:
    """Whoever decides then that the node must go knows of no job, so each that is there is honoured."""
    nosana = W.Nosana()
    busy(nosana)
    work, _ = work_of(nosana, tmp_path, timedelta(0))
    work.leases(GPU)
    nosana.down = lambda _: httpx.Response(404)
    with pytest.raises(Transient, match="404"):
        work.leases(GPU)

    assert not work.told(GPU)


def test_a_job_that_the_chain_forgot_is_still_a_lease(tmp_path: Path) -> None:
    """Its run account says that it runs: without an end or a price that anybody knows."""
    nosana = W.Nosana()
    busy(nosana)
    nosana.accounts[JOB] = None
    work, _ = work_of(nosana, tmp_path)
    (lease,) = work.leases(GPU)

    assert (JOB, None, None) == (lease.id, lease.until, lease.pays)


def test_an_answer_of_the_chain_stands_for_a_while(tmp_path: Path) -> None:
    """The public endpoint counts calls: two for all nodes and a minute, and a third while one of them works."""
    nosana = W.Nosana()
    busy(nosana)
    work, clock = work_of(nosana, tmp_path)
    nosana.asked.clear()
    for _ in range(5):
        work.leases(GPU)
    assert 3 == sum(nosana.asked.values())
    clock.move_to(W.NOW + timedelta(minutes=1))
    work.leases(GPU)

    assert 6 == sum(nosana.asked.values())


def test_the_chain_is_asked_for_what_is_confirmed(tmp_path: Path) -> None:
    """Not for what is final: by then a job may have been given for 13 seconds."""
    nosana, commitments = W.Nosana(), []

    def noted(request: Any) -> None:
        if request.method == "POST":
            commitments.append(json.loads(request.content)["params"][1].get("commitment"))

    busy(nosana)
    work, _ = work_of(nosana, tmp_path)
    nosana.down = noted
    work.leases(GPU)

    assert ["confirmed"] * 3 == commitments


def test_queues_of_unknown_markets_cannot_be_looked_at(tmp_path: Path) -> None:
    """Before the first list of markets nobody can say that a key stands in no queue."""
    nosana = W.Nosana()
    kit = nosana.kit([GPU], tmp_path)
    nodes = {DeviceId("GPU-0"): W.OURS}
    standings = Standings(NOSANA, kit.clock, Chain(kit.http), Directory(tmp_path / "none.json"), [GPU], nodes, timedelta(0))
    with pytest.raises(Transient, match="no market"):
        NosanaWork(nodes, standings, lambda: None).leases(GPU)


def test_a_device_without_an_address_cannot_be_asked_about(tmp_path: Path) -> None:
    """That is doubt, and no lack of work."""
    work, _ = work_of(W.Nosana(), tmp_path)
    with pytest.raises(Transient, match="no address in 'nodes'"):
        work.leases(Device(DeviceId("GPU-9"), "RTX 4090"))


@pytest.mark.parametrize(("left", "drain"), [(timedelta(minutes=10), timedelta(minutes=10)), (timedelta(hours=9), timedelta(hours=2))])
def test_leaving_takes_the_rest_of_the_job(tmp_path: Path, left: timedelta, drain: timedelta) -> None:
    """As long as its kind, two hours here, and not beyond its time limit."""
    network = managed(W.Nosana(), tmp_path)
    lease = Lease(JOB, W.NOW, W.NOW + left)
    seen = Observation(GPU.id, COMMUNITY, Phase.BUSY, W.NOW, (lease,))

    assert drain == network.exit_cost(seen).drain


def test_arriving_takes_the_boot_of_the_table(tmp_path: Path) -> None:
    """A first start pulls tens of gigabytes: whoever knows better says so."""
    network = managed(W.Nosana(), tmp_path, boot="25m")

    assert timedelta(minutes=25) == network.entry_cost(GPU, COMMUNITY).boot

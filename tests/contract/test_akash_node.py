"""Akash's provider as a node: on a cluster at the wire, with its status and the chain as servers on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from autopilot.clock import SystemClock
from autopilot.contracts import NodeDriver
from autopilot.errors import Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.node import Phase
from autopilot.model.plan import ExitCost
from autopilot_adapters.akash.adapter import Akash, AkashSettings, akash
from autopilot_adapters.akash.node import NodeSettings
from autopilot_adapters.akash.work import BIDS
from shared.needs import needed
from shared.nodes import Post, RealNodeContract, until
from shared.servers import Desk, served

needed("kubernetes")

pytestmark = pytest.mark.long  # clusters, chains and containers take real time

WIRE = Path(__file__).parents[1] / "wire"
WORLD = run_path(str(WIRE / "kubernetes_cluster.py"))
DOOR = run_path(str(WIRE / "kubernetes_wire.py"))
NETWORK = NetworkId("akash")
VENUE = Venue(NETWORK)
OURS = "akash18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"
TENANT = "akash1pas6v0905jgyznpvnjhg7tsthuyqek60gkz7uf"
RIG = (Device(DeviceId("GPU-2e"), "RTX 4090", index=0), Device(DeviceId("GPU-3f"), "RTX 4090", index=1))
GPU = RIG[0]
POST = Post(gpu=GPU, market=VENUE)


def lease(state: str = "active", dseq: int = 9, **changes: Any) -> dict[str, Any]:
    """A row of the chain's list."""
    name = {"owner": TENANT, "dseq": str(dseq), "gseq": 1, "oseq": 1, "provider": OURS, "bseq": 0}
    price = {"denom": "uact", "amount": "4000.000000000000000000"}
    made = {"id": name, "state": state, "price": price, "created_at": "400", "closed_on": "0", "reason": "", **changes}
    return {"lease": made, "escrow_payment": {}}


class Sayings:
    """What the provider and two full nodes say; the second node is always well."""

    def __init__(self) -> None:
        self.status: Any = {"address": OURS, "cluster": {"leases": 0}, "bidengine": {"orders": 0}}
        self.leases: list[dict[str, Any]] = []
        self.age = timedelta(0)
        """Of the last block."""
        self.next_key: str | None = None
        self.down: dict[str, int] = {}
        """By the first word of a path, which status it answers."""

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        """By path."""
        first = path.split("/")[1]
        if first in self.down:
            return self.down[first], {"code": 12, "message": "Not Implemented", "details": []}
        if first == "status":
            return 200, self.status
        if path.endswith("/blocks/latest"):
            at = datetime.now(UTC) - self.age  # noqa: TID251  # the chain has a clock of its own
            return 200, {"block": {"header": {"height": "1000", "time": at.strftime("%Y-%m-%dT%H:%M:%S.%f123Z")}}}
        wanted = query["filters.state"][0]
        rows = [row for row in self.leases if row["lease"]["state"] == wanted]
        return 200, {"leases": rows, "pagination": {"next_key": self.next_key, "total": "0"}}


@contextmanager
def speaking(sayings: Sayings) -> Iterator[str]:
    """The address at which they are said."""

    class Speaker(Desk):
        def answer(self) -> None:
            asked = urlsplit(self.path)
            status, body = sayings.answer(asked.path, parse_qs(asked.query))
            self.say_json(body, status)

    with served(Speaker) as url:
        yield url


@pytest.fixture
def said() -> Sayings:
    """Nothing is leased."""
    return Sayings()


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Any]:
    """A cluster with the provider as the chart installs it, scaled to nothing."""
    cluster = WORLD["Cluster"]()
    template = {"metadata": {}, "spec": WORLD["pod_spec"]("patient", 0)}
    cluster.put("statefulsets", "akash-services", "akash-provider", {"replicas": 0, "template": template})
    with DOOR["served"](cluster, tmp_path) as door:
        yield door


@pytest.fixture
def made(said: Sayings, wire: Any, tmp_path: Path) -> Iterator[Callable[..., Akash]]:
    """Makes the adapter anew, as another process would."""
    networks: list[Akash] = []
    with speaking(said) as address:

        def make(**changes: Any) -> Akash:
            clock = SystemClock()
            settings = {
                "refusal": tmp_path / "akash.refuse",
                "status": f"{address}/status",
                "chain": (f"{address}/first", f"{address}/second"),
                "kubeconfig": wire.config,
                "host": "rig1",
                "look": timedelta(0),
                **changes,
            }
            http = Http(clock, network=NETWORK, budget=100_000)
            kit = Kit(NETWORK, clock, RIG, tmp_path, http, Tokens(http, clock))
            networks.append(akash(AkashSettings(provider=OURS, node=NodeSettings(**settings)), kit))
            return networks[-1]

        yield make
        for network in networks:
            network.close()


def replicas(wire: Any) -> int:
    """What the provider is scaled to."""
    found = [body["spec"]["replicas"] for method, path, body in wire.asked if path.endswith("/scale")]
    return int(found[-1]) if found else 0


class TestAkashNode(RealNodeContract):
    """Without a tenant."""

    post = POST

    @pytest.fixture
    def node(self, made: Callable[..., Akash]) -> NodeDriver:
        return made().node

    @pytest.fixture
    def reopened(self, made: Callable[..., Akash]) -> Callable[[], NodeDriver]:
        return lambda: made().node


def test_a_tenant_is_seen_with_what_it_pays(made: Callable[..., Akash], said: Sayings) -> None:
    """By the chain, on every GPU of the rig, each with its share of 4000 uact in six seconds; reclaiming ones are leases as well."""
    node = made().node
    POST.serving(node)
    said.status["cluster"]["leases"] = 2
    said.leases = [lease(), lease("reclaiming", 10)]
    first, second = (node.observe(device) for device in RIG)

    assert [Phase.BUSY] * 2 == [first.phase, second.phase]
    assert [f"{TENANT}/9/1/1", f"{TENANT}/10/1/1"] == [each.id for each in first.leases]
    assert first.leases[0].pays is not None
    assert "1.2 $/h" == str(first.leases[0].pays)
    assert timedelta(0) <= first.at - first.leases[0].since - timedelta(hours=1) < timedelta(seconds=10)
    assert not first.leases[0].breakable


def test_a_drain_refuses_bids_and_touches_no_tenant(made: Callable[..., Akash], said: Sayings, wire: Any, tmp_path: Path) -> None:
    """The file of the price script is there, the provider is not scaled, and it drains for as long as the tenant pays."""
    node = made().node
    POST.serving(node)
    said.status["cluster"]["leases"] = 1
    said.leases = [lease()]
    node.drain(GPU)
    seen = node.observe(GPU)

    assert (tmp_path / "akash.refuse").exists()
    assert (Phase.DRAINING, 1) == (seen.phase, len(seen.leases))
    assert 1 == replicas(wire)


def test_an_order_that_is_bid_on_is_waited_for(made: Callable[..., Akash], said: Sayings) -> None:
    """While it drains: a tenant may still take that bid. While it serves, it is no lease."""
    network = made()
    POST.serving(network.node)
    said.status["bidengine"]["orders"] = 2
    assert Phase.READY is network.node.observe(GPU).phase
    network.node.drain(GPU)
    (waited,) = network.node.observe(GPU).leases

    assert (BIDS, True) == (waited.id, waited.breakable)
    assert network.exit_cost(network.node.observe(GPU)).drain <= timedelta(minutes=5)
    said.status["bidengine"]["orders"] = 0
    assert () == network.node.observe(GPU).leases
    assert ExitCost() == network.exit_cost(network.node.observe(GPU))


def test_a_lease_that_waits_for_its_manifest_is_a_lease(made: Callable[..., Akash], said: Sayings) -> None:
    """The provider does not count it yet; the chain does."""
    node = made().node
    POST.serving(node)
    said.leases = [lease()]

    assert (Phase.BUSY, 1) == (node.observe(GPU).phase, len(node.observe(GPU).leases))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: said.status.update(cluster={"leases": 1}), "nobody can tell who is right"),
        (lambda said: said.status.update(cluster=None), "is starting"),
        (lambda said: said.status.update(address=TENANT), "our provider"),
        (lambda said: said.down.update(status=503), "503"),
        (lambda said: said.down.update(first=501, second=501), "Not Implemented"),
        (lambda said: setattr(said, "age", timedelta(hours=1)), "stopped at"),
        (lambda said: setattr(said, "next_key", "AAA="), "more than"),
        (lambda said: said.leases.append(lease(id={**lease()["lease"]["id"], "provider": TENANT})), OURS),
    ],
    ids=["disagree", "starting", "another provider", "status silent", "chain silent", "chain stopped", "too many", "filter forgotten"],
)
def test_in_doubt_nothing_is_known(
    made: Callable[..., Akash], said: Sayings, wire: Any, change: Callable[[Sayings], object], words: str
) -> None:
    """UNKNOWN, never READY and never ABSENT, while it serves and while it drains."""
    node = made().node
    POST.serving(node)
    change(said)
    seen = node.observe(GPU)

    assert (Phase.UNKNOWN, ()) == (seen.phase, seen.leases)
    assert words in seen.note
    node.drain(GPU)
    assert Phase.UNKNOWN is node.observe(GPU).phase
    assert 1 == replicas(wire)


def test_a_full_node_without_the_market_is_passed_over(made: Callable[..., Akash], said: Sayings) -> None:
    """Not all of the public ones serve it."""
    node = made().node
    said.down["first"] = 501
    POST.serving(node)

    assert Phase.READY is node.observe(GPU).phase


def test_a_lease_that_slips_in_is_honoured(made: Callable[..., Akash], said: Sayings, wire: Any) -> None:
    """Nobody knew of it when the stop was decided: the provider stays up, and the next look shows why."""
    node = made().node
    POST.serving(node)
    node.drain(GPU)
    assert () == node.observe(GPU).leases
    said.leases = [lease()]
    node.stop(GPU)

    assert 1 == replicas(wire)
    assert 1 == len(node.observe(GPU).leases)


def test_a_lease_that_was_known_is_broken_when_that_was_decided(made: Callable[..., Akash], said: Sayings, wire: Any) -> None:
    """A stop is a stop."""
    node = made().node
    POST.serving(node)
    said.leases = [lease()]
    assert 1 == len(node.observe(GPU).leases)
    node.stop(GPU)

    assert 0 == replicas(wire)


def test_what_was_known_before_a_silence_is_not_known_after_it(made: Callable[..., Akash], said: Sayings, wire: Any) -> None:
    """A provider crashed, and the chain was silent as the stop was decided: whoever decided knew of no lease, so each is honoured."""
    node = made().node
    POST.serving(node)
    said.leases = [lease()]
    assert 1 == len(node.observe(GPU).leases)
    said.down |= {"status": 503, "first": 503, "second": 503}
    (pod,) = wire.cluster.pods("akash-services")
    pod["spec"]["containers"][0]["image"] = "crash"
    assert (Phase.UNKNOWN, ()) == (node.observe(GPU).phase, node.observe(GPU).leases)
    said.down.clear()
    node.stop(GPU)

    assert 1 == replicas(wire)


def test_a_provider_that_crashes_has_its_leases_still(made: Callable[..., Akash], said: Sayings, wire: Any, tmp_path: Path) -> None:
    """It cannot tell of them, and the chain can: its tenants work on, and it is no node without work that is cleared away. It can drain."""
    node = made().node
    POST.serving(node)
    said.leases = [lease()]
    said.down["status"] = 503
    (pod,) = wire.cluster.pods("akash-services")
    pod["spec"]["containers"][0]["image"] = "crash"
    seen = node.observe(GPU)
    node.drain(GPU)

    assert (Phase.FAULT, [False]) == (seen.phase, [each.breakable for each in seen.leases])
    assert (tmp_path / "akash.refuse").exists()
    said.leases = []
    assert (Phase.FAULT, ()) == (node.observe(GPU).phase, node.observe(GPU).leases)


def test_a_provider_that_crashes_while_the_chain_is_silent_is_in_doubt(made: Callable[..., Akash], said: Sayings, wire: Any) -> None:
    """Nobody says that it has no tenants: it is no broken node without work, which would be cleared away. Then the chain says it."""
    node = made().node
    POST.serving(node)
    said.down |= {"status": 503, "first": 503, "second": 503}
    (pod,) = wire.cluster.pods("akash-services")
    pod["spec"]["containers"][0]["image"] = "crash"
    seen = node.observe(GPU)
    assert Phase.UNKNOWN is seen.phase
    assert "503" in seen.note
    said.down = {"status": 503}

    assert (Phase.FAULT, ()) == (node.observe(GPU).phase, node.observe(GPU).leases)


def test_nothing_is_stopped_while_the_chain_is_silent(made: Callable[..., Akash], said: Sayings, wire: Any) -> None:
    """Transient: it is tried again."""
    node = made().node
    POST.serving(node)
    said.down |= {"first": 503, "second": 503}
    with pytest.raises(Transient, match="503"):
        node.stop(GPU)

    assert 1 == replicas(wire)


def test_a_provider_that_is_brought_up_again_takes_bids(made: Callable[..., Akash], tmp_path: Path) -> None:
    """The file of the drain before it must not outlive it."""
    node = made().node
    POST.serving(node)
    node.drain(GPU)
    until(lambda: POST.gone(node))
    POST.serving(node)

    assert not (tmp_path / "akash.refuse").exists()


def test_a_drain_that_cannot_be_told_is_said(made: Callable[..., Akash], tmp_path: Path) -> None:
    """In one line, and it is tried again."""
    node = made(refusal=tmp_path / "nowhere" / "refuse").node
    POST.serving(node)
    with pytest.raises(Transient, match="bids cannot be refused"):
        node.drain(GPU)


def test_a_tenants_pod_that_is_left_holds_the_gpu(made: Callable[..., Akash], wire: Any) -> None:
    """Scaled to nothing, and a pod of a lease still has a GPU of this host: that is not ABSENT."""
    node = made().node
    POST.serving(node)
    wire.cluster.pod("lease-1", "tenant-0", 1, labels={"akash.network": "true"})
    until(lambda: (node.stop(GPU), POST.phase(node) is Phase.FAULT)[1])

    assert "lease-1/tenant-0" in node.observe(GPU).note

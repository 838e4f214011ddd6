"""What is asked over the wire, how often, and that no secret of it is ever told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from autopilot.errors import AdapterError, NodeFault, Refused, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import NoQuote, Quote
from autopilot.model.node import Lease, Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.sim.clock import SimClock
from autopilot.units import Share
from autopilot_adapters.http.adapter import HttpNetwork, http_network
from autopilot_adapters.http.settings import HttpSettings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RIG = [
    Device(DeviceId(f"gpu-{index}"), model) for index, model in enumerate(["RTX 4090", "NVIDIA GeForce RTX 4090", "H100 PCIe", "Voodoo 2"])
]
LEAST = {
    "url": "https://acme.test/rates",
    "models": {"RTX 4090": "rtx4090", "H100 PCIe": "h100/pcie"},
    "price": "'0.4'",
    "unit": "$/h",
    "occupancy": 1,
}
Serve = Callable[[httpx.Request], httpx.Response]


def network(serve: Serve, folder: Path = Path(), **table: Any) -> HttpNetwork:
    """A network whose server is a function."""
    clock = SimClock(NOW)
    http = Http(clock, network="acme", transport=httpx.MockTransport(serve))
    kit = Kit(NetworkId("acme"), clock, RIG, folder, http, Tokens(http, clock))
    return http_network(HttpSettings(**{**LEAST, **table}), kit)


class Server:
    """Answers everything with one answer, and remembers what it was asked."""

    def __init__(self, answer: Any = None, status: int = 200) -> None:
        self.asked: list[httpx.Request] = []
        self._answer, self._status = answer, status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(self._status, json=self._answer or {})


def test_one_request_serves_all() -> None:
    """However many GPUs the rig has; and a GPU that the table does not name is told so."""
    server = Server()
    answers = network(server).quotes(RIG)

    assert ["https://acme.test/rates"] == [str(request.url) for request in server.asked]
    assert [Quote, Quote, Quote, NoQuote] == [type(answer) for answer in answers]
    assert "models does not name 'Voodoo 2', only RTX 4090, H100 PCIe" == answers[3].reason  # type: ignore[union-attr]


def test_each_model_is_asked_for_where_the_request_names_it() -> None:
    """Once, however many GPUs are of it, with its name made fit for an address."""
    server = Server()
    network(server, url="https://acme.test/{model}", params={"gpu": "{model}"}).quotes(RIG)

    assert {b"/h100%2Fpcie?gpu=h100%2Fpcie", b"/rtx4090?gpu=rtx4090"} == {request.url.raw_path for request in server.asked}
    assert 2 == len(server.asked)


def test_nothing_is_asked_for_nothing() -> None:
    """Neither for no GPU nor for one that the table does not name."""
    server = Server()
    asked = network(server)

    assert [] == asked.quotes([])
    assert 1 == len(asked.quotes(RIG[3:]))
    assert not server.asked


def test_a_post_sends_its_body() -> None:
    """With the model's name wherever it stands in it; and it is tried again, since it only asks."""
    left = [503, 200]
    bodies: list[Any] = []

    def serve(request: httpx.Request) -> httpx.Response:
        bodies.append((request.method, str(request.url), json.loads(request.content)))
        return httpx.Response(left.pop(0), json={})

    body = {"gpu": {"in": ["{model}", 7]}, "note": "{model}!"}
    network(serve, method="POST", params={"a": "1"}, body=body).quotes(RIG[:1])

    assert [("POST", "https://acme.test/rates?a=1", {"gpu": {"in": ["rtx4090", 7]}, "note": "rtx4090!"})] * 2 == bodies


def test_headers_are_sent_and_never_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not even when the server repeats them, under whatever name."""
    (tmp_path / "key").write_text("open-sesame\n")
    headers = {"X-Acme": {"file": str(tmp_path / "key"), "prefix": "Token "}}
    seen: list[str] = []

    def repeats(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["x-acme"])
        return httpx.Response(404, text=f"who is {request.headers['x-acme']}?")

    def found(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"price": request.headers["x-acme"]})

    with caplog.at_level("DEBUG"):
        for serve in (repeats, found):
            with pytest.raises(Transient) as caught:
                network(serve, headers=headers, price="price").quotes(RIG)
            assert "open-sesame" not in f"{caught.value!r}{caught.value.__cause__!r}{caplog.text}"

    assert ["Token open-sesame"] == seen


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Refused), (403, Refused), (451, Refused), (404, Transient), (429, Transient), (500, Transient)]
)
def test_errors_are_ours(status: int, kind: type[AdapterError]) -> None:
    """In the network's name, with the address."""
    with pytest.raises(kind, match=rf"^acme: https://acme\.test/rates answered {status}"):
        network(Server({"error": "no"}, status)).quotes(RIG)


def test_no_price_of_the_token_is_transient() -> None:
    """The network answered; what its pay is worth is not known. That is said in the network's name."""
    with pytest.raises(Transient, match=r"^acme: tokens: no price of NOS can be trusted"):
        network(lambda request: httpx.Response(200 if request.url.host == "acme.test" else 500, json={}), unit="NOS/h").quotes(RIG)


def test_the_table_says_what_coming_and_going_cost() -> None:
    """The boot, and the last job where there is one."""
    quiet = network(Server(), boot="3m", drain="1h", scope="rig")
    lease = Lease("job", NOW)
    venue = Venue(NetworkId("acme"))

    assert ("rig", EntryCost(boot=quiet.entry_cost(RIG[0], venue).boot)) == (quiet.scope.value, quiet.entry_cost(RIG[0], venue))
    assert (180, 3600) == (
        quiet.entry_cost(RIG[0], venue).boot.seconds,
        quiet.exit_cost(Observation(RIG[0].id, venue, Phase.BUSY, NOW, (lease,))).drain.seconds,
    )
    assert ExitCost() == quiet.exit_cost(Observation(RIG[0].id, venue, Phase.READY, NOW))
    assert Share.of("0.9") == network(Server(), uptime=0.9).entry_cost(RIG[0], venue).uptime


def test_its_node_is_not_started_yet() -> None:
    """Rates only: whoever orders a start hears why not."""
    with pytest.raises(NodeFault, match="knows rates only"):
        network(Server()).node.start(RIG[0], Venue(NetworkId("acme")))


def test_the_market_is_part_of_the_venue() -> None:
    """Where the network has several."""
    [answer] = network(Server(), market="spot").quotes(RIG[:1])

    assert "acme/spot" == str(answer.venue)

"""A node of the chain is asked over real sockets: WebSockets that say anything, and HTTP that takes its time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot.clock import SystemClock, stopwatch
from autopilot.errors import Refused, Transient
from autopilot.kit.http import Http
from autopilot_adapters.bittensor import rpc
from autopilot_adapters.bittensor.adapter import Bittensor
from autopilot_adapters.bittensor.chain import Chain
from autopilot_adapters.bittensor.settings import BittensorSettings
from autopilot_adapters.bittensor.wire import Wanted
from shared.servers import Desk, served

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/bittensor/world.py")))
OURS = Wanted(W.NETUID, W.HOTKEY, None)


@contextmanager
def websocket(say: Callable[[Any, list[Any]], None], **options: Any) -> Iterator[str]:
    """A server on this host that hands over each message that it gets, and all so far."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.server import serve

    def handle(connection: Any) -> None:
        heard: list[Any] = []
        try:
            for message in connection:
                heard.append(json.loads(message))
                say(connection, heard)
        except ConnectionClosed:
            pass

    with serve(handle, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_websocket_serves_as_well_in_any_order(tmp_path: Path) -> None:
    """What is asked together may be answered the other way round."""
    world = W.World()
    together = {1: 2, 2: 2, 3: 1, 4: 3, 5: 3, 6: 3}

    def say(connection: Any, heard: list[Any]) -> None:
        if heard[-1]["id"] + 1 == together[len(heard)]:
            for request in reversed(heard[-together[len(heard)] :]):
                connection.send(json.dumps(world.rpc(request)))

    with websocket(say) as url:
        (there,) = W.adapter(world, tmp_path, **W.ALONE, endpoints=[url]).rates.quotes([W.gpu()])
    (here,) = W.adapter(W.World(), tmp_path, **W.ALONE).rates.quotes([W.gpu()])

    assert here.expected == there.expected
    assert there.source.startswith(url)


@pytest.mark.parametrize(
    "said", ["", "<html>", "[]", '{"id": 7}', '{"id": true}', "{}", '{"id": 0, "result": NaN}', "x" * (5 * 1024 * 1024), b"\xff"]
)
def test_a_websocket_that_talks_nonsense_is_transient(said: str | bytes, tmp_path: Path) -> None:
    """Whatever it says."""
    with websocket(lambda connection, _: connection.send(said)) as url, pytest.raises(Transient, match=r"^bittensor: "):
        W.adapter(W.World(), tmp_path, **W.ALONE, endpoints=[url]).rates.quotes([W.gpu()])


def test_a_websocket_that_falls_silent_is_transient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for any longer than for another host; one that closes is not waited for at all."""
    monkeypatch.setattr(rpc, "PATIENCE", timedelta(seconds=0.2))
    for say in (lambda *_: None, lambda connection, _: connection.close()):
        with websocket(say) as url, pytest.raises(Transient, match=r"^bittensor: ws://127.0.0.1"):
            W.adapter(W.World(), tmp_path, **W.ALONE, endpoints=[url]).rates.quotes([W.gpu()])


@pytest.mark.parametrize(("status", "kind"), [(403, Refused), (500, Transient)])
def test_a_websocket_that_lets_nobody_in(status: int, kind: type[Exception]) -> None:
    """A no is a no; the key in its address stays there."""
    hidden = "0123abcd4567efgh0123abcd4567efgh"

    def turn_away(connection: Any, _: Any) -> Any:
        return connection.respond(status, "no\n")

    with websocket(lambda *_: None, process_request=turn_away) as url:
        http = Http(SystemClock(), network="bittensor")
        with pytest.raises(kind) as caught:
            Chain(http, [f"{url}/{hidden}"], lambda: W.NOW).subnets([OURS])

    assert hidden not in str(caught.value)


def test_nobody_at_the_other_end_of_a_websocket_is_transient(tmp_path: Path) -> None:
    """Which is said in one line."""
    with pytest.raises(Transient, match=r"^bittensor: ws://127.0.0.1:1 gave no answer: .*$"):
        W.adapter(W.World(), tmp_path, **W.ALONE, endpoints=["ws://127.0.0.1:1"]).rates.quotes([W.gpu()])


@contextmanager
def hosts(world: Any, takes: float) -> Iterator[str]:
    """The world behind a real server, in which every answer takes its time."""

    class Host(Desk):
        def answer(self) -> None:
            SystemClock().wait(timedelta(seconds=takes), threading.Event())
            if self.command == "POST":
                self.say_json(world.rpc(json.loads(self.heard())))
            else:
                self.say_json(world.capacity if self.path.endswith("/capacity") else world.machines)

    with served(Host) as url:
        yield url


def test_a_poll_takes_its_longest_chain_of_answers(tmp_path: Path) -> None:
    """Three that wait for each other, whatever else is asked meanwhile: over real sockets, with a second for each answer."""
    world = W.World()
    kit = W.kit(world, tmp_path)
    with hosts(world, 1.0) as url:
        settings = BittensorSettings(lium={"url": url}, miners=[W.MINER], endpoints=[url])
        made = Bittensor(settings, type(kit)(kit.network, kit.clock, W.RIG, tmp_path, Http(kit.clock, network="bittensor"), kit.tokens))
        made.rates.quotes(W.RIG)  # what is imported at first use is no part of it
        started = stopwatch()
        answers = made.rates.quotes(W.RIG)
        took = stopwatch() - started

    assert {"51", "4"} == {answer.venue.market for answer in answers}
    assert 3 <= took < 4

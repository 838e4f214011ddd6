"""kit.http against a real server that behaves as badly as servers do. Every test ends within seconds."""

from __future__ import annotations

import gzip
import socket
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import pytest

from autopilot.clock import SystemClock, stopwatch
from autopilot.errors import AdapterError, Refused, Transient
from autopilot.kit.http import Http
from autopilot.sim.clock import SimClock

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BRIEFLY = timedelta(seconds=0.4)
MIB = 1024 * 1024


@pytest.fixture
def http() -> Iterator[Http]:
    """A client with real connections, on a clock on which pauses between tries take no time."""
    http = Http(SimClock(NOON), network="akash")
    yield http
    http.close()


def failure(http: Http, url: str, timeout: timedelta = timedelta(seconds=5)) -> AdapterError:
    """The error of a GET that must not succeed, in bounded time: two tries and a little."""
    began = stopwatch()
    with pytest.raises(AdapterError) as caught:
        http.get(url, timeout=timeout, most=MIB)

    assert stopwatch() - began < 3 * timeout.total_seconds() + 2
    return caught.value


@pytest.mark.parametrize(("way", "expected"), [("fine", "fine"), ("text", {"a": 1}), ("packed", {"a": 1}), ("moved", "fine")])
def test_what_is_sound_is_read(server: Any, http: Http, way: str, expected: object) -> None:
    """Packed or not, moved within the host or not, and whatever the content type says."""
    assert expected == http.get(server.url(way)).json


@pytest.mark.parametrize(
    ("way", "word", "asked"),
    [
        ("truncated", "broke off", 3),
        ("truncated-chunk", "broke off", 3),
        ("truncated-gzip", "breaks off", 3),
        ("hang-up", "broke off", 3),
        ("reset", "cannot be reached", 3),
        ("nonsense", "broke off", 3),
        ("endless-header", "broke off", 3),
        ("429", "answered 429: slow down", 3),
        ("500", "answered 500: oops", 3),
        ("bomb", "larger than", 1),
        ("large", "larger than", 1),
        ("flood", "larger than", 1),
        ("429-long", "left alone for 3600 s", 1),
        ("html", "HTML", 1),
        ("deep", "64 levels", 1),
        ("nan", "NaN", 1),
        ("infinite", "1e999", 1),
        ("empty", "empty", 1),
        ("loop", "more than 3 times", 4),
        ("elsewhere", "only the same host", 1),
    ],
)
def test_bad_answers_are_no_answers(server: Any, http: Http, way: str, word: str, asked: int) -> None:
    """Each is a Transient that says what was wrong, asked again only where that may help."""
    error = failure(http, server.url(way))

    assert (Transient, True, asked) == (type(error), word in str(error), len(server.asked)), str(error)


def test_a_country_that_is_locked_out_is_refused(server: Any, http: Http) -> None:
    """451 will be 451 tomorrow."""
    error = failure(http, server.url("451"))

    assert (Refused, 1) == (type(error), len(server.asked))
    assert str(error).endswith('answered 451: {"msg": "restricted location"}')


@pytest.mark.parametrize("way", ["silent", "slow-head", "slow-body"])
def test_time_is_bounded_however_the_server_dawdles(server: Any, http: Http, way: str) -> None:
    """Bytes that keep trickling in do not buy time: one try takes its timeout and no more."""
    began = stopwatch()
    error = failure(http, server.url(way), BRIEFLY)

    assert "did not answer within" in str(error)
    assert stopwatch() - began < 3


def test_a_wait_that_the_server_asks_for_is_kept(server: Any) -> None:
    """The second request is five seconds later, on a clock on which that takes no time."""
    clock = SimClock(NOON)
    reply = Http(clock).get(server.url("429-wait"))

    assert ("fine", NOON + timedelta(seconds=5)) == (reply.json, reply.seen_at)


def test_a_bomb_is_never_unpacked(server: Any, http: Http) -> None:
    """A hundred megabytes come in small, and stay small: memory follows the limit, not the server."""
    http.get(server.url("fine"))
    packed = bytes(gzip.compress(b'"' + b"0" * (100 * MIB) + b'"'))
    server.ways["bomb"] = lambda handler: handler.answer(packed, Content_Encoding="gzip")
    tracemalloc.start()
    failure(http, server.url("bomb"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 * MIB


def test_an_unchanged_answer_is_not_sent_again(server: Any, http: Http) -> None:
    """The tag travels, the body does not, and the reply is the same."""
    replies = [http.get(server.url("tagged")) for _ in range(2)]

    assert [([7], 200), ([7], 200)] == [(each.json, each.status) for each in replies]


def test_a_post_carries_json(server: Any, http: Http) -> None:
    """JSON goes out and comes back."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "getAccountInfo", "params": ["4f1c", {"encoding": "base64"}]}

    assert body == http.post(server.url("echo"), body).json


def test_a_closed_port_cannot_be_reached(http: Http) -> None:
    """Nobody there: three tries, then one line."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        error = failure(http, f"http://127.0.0.1:{nobody.getsockname()[1]}/")

    assert "cannot be reached: " in str(error)
    assert str(error).endswith("(3 tries)")


def test_one_slow_host_holds_up_no_other_request(server: Any) -> None:
    """Many threads share one client: while one waits for a host that says nothing, the others are served."""
    http = Http(SystemClock())
    with ThreadPoolExecutor(9) as pool:
        stuck = pool.submit(failure, http, server.url("silent"), timedelta(seconds=2))
        began = stopwatch()
        replies = list(pool.map(lambda _: http.get(server.url("fine")).json, range(40)))
        took = stopwatch() - began

        assert (["fine"] * 40, True) == (replies, took < 4)
        assert "did not answer within" in str(stuck.result())
    assert len(server.asked) == http.requests()[f"127.0.0.1:{server.server_port}"]


def test_the_request_says_what_it_can_take(server: Any, http: Http) -> None:
    """Over the wire: the agent, gzip and nothing else, and no connection that stays."""
    said: list[str | None] = []

    def listen(handler: Any) -> None:
        said.extend(handler.headers[name] for name in ("User-Agent", "Accept-Encoding", "Connection"))
        handler.answer()

    server.ways["listen"] = listen
    http.get(server.url("listen"))

    assert [f"yield-autopilot/{version('yield-autopilot')}", "gzip", "close"] == said

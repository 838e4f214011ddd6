"""What counts as an answer of an HTTP host: sound JSON of bounded size, and nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import httpx
import pytest

from autopilot.errors import Transient

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = "https://api.example/v1/prices"
KEY = "tao-4711:s3cr3t"


def fine(value: Any = "fine", **headers: str) -> httpx.Response:
    """A good answer."""
    return httpx.Response(200, json=value, headers={name.replace("_", "-"): text for name, text in headers.items()})


def test_an_answer_is_json_with_its_time_and_its_place(wire: Any) -> None:
    """Numbers come as Python has them, and the reply says when it was given and from where."""
    reply = wire.serves(fine({"usd": 0.5, "block": 10**30})).get(HERE, params={"ids": ["a", "b"], "x": "1"})

    assert ({"usd": 0.5, "block": 10**30}, NOON, 200) == (reply.json, reply.seen_at, reply.status)
    assert f"{HERE}?ids=a&ids=b&x=1" == reply.url


def test_parameters_join_those_of_the_address(wire: Any) -> None:
    """An address that has a query of its own keeps it."""
    http = wire.serves(fine())
    http.get(f"{HERE}?a=1", params={"b": '["A","B"]'})

    assert [("a", "1"), ("b", '["A","B"]')] == list(wire.asked[0].url.params.multi_items())


def test_it_says_who_it_is(wire: Any) -> None:
    """The user agent names the project and its version, whatever else the caller sends."""
    http = wire.serves(fine())
    http.get(HERE, headers={"User-Agent": "curl", "X-Api-Key": KEY})

    sent = wire.asked[0].headers

    assert (f"yield-autopilot/{version('yield-autopilot')}", KEY) == (sent["user-agent"], sent["x-api-key"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'["[[[[", "\\"]["]', ["[[[[", '"][']),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b'"\\ud83d\\ude80"', "\N{ROCKET}"),
        (b"-0.5e-3", -0.0005),
        (b"null", None),
    ],
    ids=["byte order mark", "a key twice", "brackets in strings", "64 levels", "a pair of surrogates", "a bare number", "null"],
)
def test_odd_but_sound_json_is_read(wire: Any, body: bytes, expected: Any) -> None:
    """What the standard allows is read, whatever the content type says."""
    http = wire.serves(httpx.Response(200, content=body, headers={"content-type": "text/plain"}))

    assert expected == http.get(HERE).json


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<!DOCTYPE html><p>maintenance", "HTML"),
        (b'{"a": 1', "no JSON"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": [-Infinity]}', "-Infinity"),
        (b'{"a": 1e999}', "1e999"),
        (b'{"a": -1e400}', "-1e400"),
        (b"9" * 5000, "no JSON"),
        (b"[" * 65 + b"]" * 65, "64 levels"),
        (b"[" * 200_000, "64 levels"),
        (b'{"a":' * 200_000, "64 levels"),
        (b'"\xff\xfe"', "no JSON"),
        (b'{"a": "\\ud800"}', "no JSON"),
        (b'{"a": "\\udc00\\ud83d"}', "no JSON"),
        (b'["' + b'\\"' * 200_000, "no JSON"),
    ],
)
def test_what_is_no_sound_json_is_no_answer(wire: Any, body: bytes, word: str) -> None:
    """Garbage is a Transient that says what is wrong. It is not asked again: the server means it."""
    http = wire.serves(httpx.Response(200, content=body))
    error = wire.failure(http)

    assert (Transient, True, 1) == (type(error), word in str(error), len(wire.asked))


def test_more_than_the_limit_is_no_answer(wire: Any) -> None:
    """The limit holds for the bytes as they are sent, and exactly."""
    http = wire.serves(fine("x" * 98))

    assert "x" * 98 == http.get(HERE, most=100).json
    assert "is larger than 99 bytes" in str(wire.failure(http, most=99))


def test_more_than_the_limit_after_unpacking_is_no_answer(wire: Any) -> None:
    """A gzip body counts by what comes out of it; one within the limit is read."""
    packed = httpx.Response(200, content=gzip.compress(b'"' + b"x" * 100_000 + b'"'))
    packed.headers["content-encoding"] = "gzip"

    assert 100_000 == len(wire.serves(raw(packed)).get(HERE, most=100_002).json)
    assert "is larger than 100001 bytes" in str(wire.failure(wire.serves(raw(packed)), most=100_001))


@pytest.mark.parametrize(
    ("content", "encoding", "word"),
    [
        (gzip.compress(b"[1, 2, 3]")[:-9], "gzip", "breaks off"),
        (b"[1, 2, 3]", "gzip", "not what gzip packs"),
        (b"[1, 2, 3]", "br", "'br', which nobody asked for"),
        (gzip.compress(gzip.compress(b"[1, 2, 3]")), "gzip, gzip", "which nobody asked for"),
    ],
    ids=["truncated", "not packed", "brotli", "packed twice"],
)
def test_a_body_that_cannot_be_unpacked_is_no_answer(wire: Any, content: bytes, encoding: str, word: str) -> None:
    """Only gzip was offered, and it has to be whole."""
    packed = httpx.Response(200, content=content)
    packed.headers["content-encoding"] = encoding

    assert word in str(wire.failure(wire.serves(raw(packed))))


def raw(response: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """A server that sends the bytes of the response as they are, under its headers."""
    content = response.content
    return lambda _: httpx.Response(200, headers=response.headers, stream=httpx.ByteStream(content))

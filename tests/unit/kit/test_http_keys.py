"""Nobody reads a key of ours, and whatever cannot be sent is told in one line."""

from __future__ import annotations

import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from autopilot.errors import Refused, Transient
from autopilot.kit.http import Http

HERE = "https://api.example/v1/prices"
KEY = "tao-4711:s3cr3t"


def fine(value: Any = "fine", **headers: str) -> httpx.Response:
    """A good answer."""
    return httpx.Response(200, json=value, headers={name.replace("_", "-"): text for name, text in headers.items()})


LEAKS: dict[str, dict[str, Any]] = {
    "header": {"headers": {"X-Api-Key": KEY}},
    "bearer": {"headers": {"Authorization": f"Bearer {KEY}"}},
    "coingecko": {"headers": {"x-cg-demo-api-key": KEY}},
    "query": {"params": {"api_key": KEY}},
    "dashed query": {"params": {"api-key": KEY}},
    "query in the address": {"url": f"{HERE}?token={KEY}"},
    "encoded query": {"url": f"{HERE}?key=tao%2D4711%3As3cr3t"},
    "key with blanks": {"params": {"api_key": "s3cr3t +/="}},
    "password": {"url": f"https://rig:{KEY.partition(':')[2]}@api.example/"},
    "path": {"url": "https://rpc.example/v2/4f1c0ffee0ddba11deadbeefs3cr3t00"},
}


def echo(request: httpx.Request) -> httpx.Response:
    """A server that repeats what it was told, keys and all."""
    return httpx.Response(400, text=f"bad request {request.url} {dict(request.url.params)} {dict(request.headers)}")


def refuse(request: httpx.Request) -> httpx.Response:
    """A server that says no, and says it to whom."""
    return httpx.Response(401, text=f"wrong key {request.headers.get('authorization', '').removeprefix('Bearer ')} {request.url}")


def break_off(request: httpx.Request) -> httpx.Response:
    """A connection that breaks, with an error that knows everything."""
    raise httpx.ConnectError(f"no way to {request.url} {dict(request.headers)}")


@pytest.mark.parametrize("trouble", [echo, refuse, break_off, httpx.Response(200, text="garbage")], ids=["echo", "no", "broken", "garbage"])
@pytest.mark.parametrize("leak", LEAKS)
def test_keys_are_shown_nowhere(wire: Any, leak: str, trouble: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Not in errors or what they were made from, not in what is logged at the finest level, not in the client."""
    caplog.set_level(logging.DEBUG)
    http = wire.serves(trouble)
    error = wire.failure(http, **({"url": HERE} | LEAKS[leak]))
    shown = "".join(traceback.format_exception(error)) + caplog.text + repr(http)

    assert "cmlnO" not in shown  # "rig:" as HTTP packs a password
    assert "s3cr3t" not in shown


@pytest.mark.parametrize("leak", LEAKS)
def test_the_source_of_a_quote_shows_no_key(wire: Any, leak: str, caplog: pytest.LogCaptureFixture) -> None:
    """The same where all went well: Reply.url is written into the journal."""
    caplog.set_level(logging.DEBUG)
    reply = wire.serves(fine()).get(**({"url": HERE} | LEAKS[leak]))

    assert "s3cr3t" not in repr(reply) + caplog.text
    assert reply.url.startswith("https://")


def test_a_line_break_in_a_key_is_told_without_the_key(wire: Any) -> None:
    """A key that was read from a file with its line break is the commonest slip: named, and not repeated."""
    http = wire.serves(fine())
    error = wire.failure(http, headers={"authorization": f"{KEY}\n"})

    assert (Refused, 0) == (type(error), len(wire.asked))
    assert "akash: the header 'authorization' holds a character that HTTP cannot carry: a line break in a key?" == str(error)


@pytest.mark.parametrize(
    "url",
    ["", "api.example/v1", "ftp://api.example", "https://", "https:///v1", "https://api.example:99999/", "https://[::1/", "https://a b/"],
)
def test_what_is_no_address_is_refused(wire: Any, url: str) -> None:
    """A person wrote it, and a person has to mend it."""
    http = wire.serves(fine())
    error = wire.failure(http, url)

    assert (Refused, 0) == (type(error), len(wire.asked))
    assert "is no address: write it like 'https://host/path'" in str(error)


def test_no_cookies_are_kept(wire: Any) -> None:
    """Nobody follows us from one poll to the next."""
    http = wire.serves(fine(set_cookie="id=1; Path=/"))
    http.get(HERE)
    http.get(HERE)

    assert "cookie" not in wire.asked[1].headers


# --- beginning and end


def test_closing_ends_every_wait(wire: Any) -> None:
    """Whoever waits for another try gives up when the program ends, and nothing is asked any more."""

    def close(_: httpx.Request) -> httpx.Response:
        http.close()
        return httpx.Response(500)

    http = wire.serves(close)

    assert "the program is closing" in str(wire.failure(http))
    assert "the program is closing" in str(wire.failure(http))
    assert 1 == len(wire.asked)


@pytest.fixture
def bad_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment that names a proxy which is none."""
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://here")
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("bad_proxy")
def test_a_proxy_that_cannot_be_used_is_told(wire: Any) -> None:
    """One line that names the variables, instead of a traceback."""
    error = wire.failure(Http(wire.clock))

    assert (Transient, True) == (type(error), "HTTPS_PROXY" in str(error))


def test_importing_it_does_not_load_the_client() -> None:
    """`autopilot status` answers at once: httpx is loaded by the first request."""
    code = "import sys, autopilot.kit.tokens; print('httpx' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False" == run.stdout.strip()

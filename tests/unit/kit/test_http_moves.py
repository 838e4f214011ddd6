"""Conditional requests are confirmed, and redirects are followed no further than keys may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


def tagged(request: httpx.Request) -> httpx.Response:
    """A server that knows its own tag."""
    return httpx.Response(304) if request.headers.get("if-none-match") == '"7"' else fine({"a": [1]}, etag='"7"')


def test_an_unchanged_answer_is_confirmed(wire: Any) -> None:
    """The second time only the tag travels. The reply is a fresh one, as of the confirmation, whatever was done to the first."""
    http = wire.serves(tagged)
    http.get(HERE).json["a"].append(2)
    wire.clock.move_to(NOON + timedelta(hours=1))
    reply = http.get(HERE)

    assert ({"a": [1]}, NOON + timedelta(hours=1), 200) == (reply.json, reply.seen_at, reply.status)
    assert [None, '"7"'] == [each.headers.get("if-none-match") for each in wire.asked]


def test_a_date_confirms_as_well(wire: Any) -> None:
    """Last-Modified is asked back as If-Modified-Since, and a changed answer takes the place of the old one."""
    http = wire.serves(fine(1, last_modified="yesterday"), fine(2, last_modified="today"), fine(3))

    assert [1, 2, 3, 3] == [http.get(HERE).json for _ in range(4)]
    assert [None, "yesterday", "today", None] == [each.headers.get("if-modified-since") for each in wire.asked]


@pytest.mark.parametrize("other", [{"url": f"{HERE}?page=2"}, {"url": HERE, "headers": {"x-api-key": "another-key"}}], ids=str)
def test_nobody_is_given_the_answer_of_another_question(wire: Any, other: dict[str, Any]) -> None:
    """Another query or another key is another question."""
    http = wire.serves(tagged)
    http.get(HERE, headers={"x-api-key": KEY})
    http.get(**other)

    assert "if-none-match" not in wire.asked[1].headers


@pytest.mark.parametrize("headers", [{"etag": '"7"', "cache_control": "no-store"}, {"etag": ""}, {"etag": "\x7f\xe4"}], ids=str)
def test_what_must_not_or_cannot_be_confirmed_is_not_kept(wire: Any, headers: dict[str, str]) -> None:
    """The next request is as plain as the first."""
    sent = [(name.replace("_", "-"), text.encode("latin-1")) for name, text in headers.items()]
    http = wire.serves(httpx.Response(200, json=1, headers=sent))
    http.get(HERE)
    http.get(HERE)

    assert "if-none-match" not in wire.asked[1].headers


def test_only_so_much_is_kept(wire: Any) -> None:
    """The newest sixty-four answers can be confirmed; what came before is asked for afresh."""
    http = wire.serves(tagged)
    for number in [*range(65), 64, 0]:
        http.get(f"{HERE}/{number}")

    assert ['"7"', None] == [each.headers.get("if-none-match") for each in wire.asked[-2:]]


@pytest.mark.parametrize(("bodies", "expected"), [(4, '"7"'), (5, None)])
def test_large_answers_give_way_sooner(wire: Any, bodies: int, expected: str | None) -> None:
    """Thirty-two megabytes are kept in all: the first of four large answers is still there after the last, the first of five is not."""
    http = wire.serves(lambda request: httpx.Response(304) if "if-none-match" in request.headers else fine("x" * 7 * 1024**2, etag='"7"'))
    for number in [*range(bodies), 0]:
        http.get(f"{HERE}/{number}")

    assert expected == wire.asked[-1].headers.get("if-none-match")


# --- redirects


def moved(to: str, status: int = 302) -> httpx.Response:
    """A redirect."""
    return httpx.Response(status, headers={"location": to})


@pytest.mark.parametrize(
    ("start", "to", "end"),
    [
        (HERE, "/v2/prices", "https://api.example/v2/prices"),
        (HERE, "https://api.example/v1/prices/", "https://api.example/v1/prices/"),
        ("http://api.example/a", "https://api.example/a", "https://api.example/a"),
        ("http://127.0.0.1:81/a", "/b", "http://127.0.0.1:81/b"),
    ],
)
def test_the_same_host_may_move_things(wire: Any, start: str, to: str, end: str) -> None:
    """A redirect within the host is followed, and keys come along."""
    http = wire.serves(moved(to), fine())
    reply = http.get(start, headers={"x-api-key": KEY})

    assert ("fine", end, KEY) == (reply.json, str(wire.asked[1].url), wire.asked[1].headers["x-api-key"])


@pytest.mark.parametrize(
    ("start", "to"),
    [
        (HERE, "https://evil.example/v1/prices"),
        (HERE, "http://api.example/v1/prices"),
        (HERE, "https://api.example:8443/v1/prices"),
        (HERE, "//evil.example/"),
        (HERE, "ftp://api.example/"),
        (HERE, "file:///etc/passwd"),
        (HERE, "https://api.example@evil.example/"),
        ("http://api.example/a", "https://evil.example/a"),
    ],
)
def test_no_key_is_carried_elsewhere(wire: Any, start: str, to: str) -> None:
    """Another host, another port or a way without TLS gets no request."""
    http = wire.serves(moved(to), fine())
    error = wire.failure(http, start)

    assert (Transient, 1) == (type(error), len(wire.asked))
    assert "only the same host is followed" in str(error)


@pytest.mark.parametrize("headers", [{}, {"location": "http://[::1"}, {"location": "https:///"}], ids=str)
def test_a_redirect_to_nowhere_is_no_answer(wire: Any, headers: dict[str, str]) -> None:
    """A location that is none, or is not there, ends the request with an error of ours."""
    assert isinstance(wire.failure(wire.serves(httpx.Response(302, headers=headers))), Transient)


def test_a_circle_of_redirects_ends(wire: Any) -> None:
    """Three are followed, and each counts."""
    http = wire.serves(moved(HERE))

    assert f"akash: {HERE} redirects more than 3 times" == str(wire.failure(http))
    assert {"api.example": 4} == http.requests()


@pytest.mark.parametrize(("status", "asked"), [(301, 1), (302, 1), (303, 1), (307, 2), (308, 2)])
def test_a_post_is_never_turned_into_a_get(wire: Any, status: int, asked: int) -> None:
    """Where the redirect keeps the method, the body is sent again; where it does not, it ends."""
    http = wire.serves(moved("/b", status), fine())
    if asked == 1:
        with pytest.raises(Transient, match="forgets what was sent"):
            http.post(HERE, [1])
    else:
        http.post(HERE, [1])

    assert ["POST"] * asked == [each.method for each in wire.asked]

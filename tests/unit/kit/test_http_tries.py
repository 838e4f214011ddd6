"""What is asked again and what is not, which hosts are left alone, and how much is asked of each."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from autopilot.errors import Refused, Transient

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = "https://api.example/v1/prices"


def fine(value: Any = "fine", **headers: str) -> httpx.Response:
    """A good answer."""
    return httpx.Response(200, json=value, headers={name.replace("_", "-"): text for name, text in headers.items()})


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500),
        httpx.Response(503, text="busy"),
        httpx.Response(429),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("gone"),
    ],
    ids=str,
)
def test_trouble_that_may_pass_is_asked_again(wire: Any, trouble: Any) -> None:
    """Twice more, after a growing pause; then the answer counts as if it had come at once."""
    http = wire.serves(trouble, trouble, fine())
    reply = http.get(HERE)

    assert ("fine", 3) == (reply.json, len(wire.asked))
    assert timedelta(seconds=2) <= wire.clock.now() - NOON <= timedelta(seconds=6)


def test_after_three_tries_it_is_over(wire: Any) -> None:
    """Never a fourth, and the error names the network, the place, the answer and the tries."""
    http = wire.serves(httpx.Response(502, text="bad gateway\nhtml follows"))
    error = wire.failure(http)

    assert (f"akash: {HERE} answered 502: bad gateway (3 tries)", 3) == (str(error), len(wire.asked))


def test_all_tries_together_take_no_longer_than_twice_the_timeout(wire: Any) -> None:
    """A host that lets every try run into the timeout gets no third one."""

    def stall(request: httpx.Request) -> httpx.ReadTimeout:
        wire.clock.move_to(wire.clock.now() + timedelta(seconds=request.extensions["timeout"]["read"]))
        return httpx.ReadTimeout("slow")

    http = wire.serves(stall)
    error = wire.failure(http, timeout=timedelta(seconds=16))

    assert (2, True) == (len(wire.asked), wire.clock.now() - NOON <= timedelta(seconds=32))
    assert "did not answer within" in str(error)


def test_the_timeout_is_for_the_answer_and_ten_seconds_are_for_the_connection(wire: Any) -> None:
    """Sixteen seconds are normal for Akash: thirty are given by default."""
    http = wire.serves(fine())
    http.get(HERE)
    limits = wire.asked[0].extensions["timeout"]

    assert (10, 30) == (limits["connect"], limits["read"])


@pytest.mark.parametrize(("repeatable", "asked"), [(False, 1), (True, 3)])
def test_a_post_is_only_repeated_where_that_is_safe(wire: Any, repeatable: bool, asked: int) -> None:  # noqa: FBT001
    """What changes something is sent once. A JSON-RPC call that reads says that it may be repeated."""
    http = wire.serves(httpx.Response(500))
    with pytest.raises(Transient):
        http.post(HERE, {"method": "state_call"}, repeatable=repeatable)

    assert (asked, {"method": "state_call"}) == (len(wire.asked), json.loads(wire.asked[-1].content))


@pytest.mark.parametrize("status", [400, 404, 405, 418, 422, 300, 304, 101])
def test_other_statuses_are_no_answer_and_are_not_asked_again(wire: Any, status: int) -> None:
    """The first line of the body says what the server thinks, without anything that could move a cursor."""
    http = wire.serves(httpx.Response(status, text="no such\x1b[31m market\nsecond line"))
    error = wire.failure(http)

    assert (Transient, 1) == (type(error), len(wire.asked))
    assert f"akash: {HERE} answered {status}: no such [31m market" == str(error)


@pytest.mark.parametrize("status", [401, 403, 451])
def test_no_means_no(wire: Any, status: int) -> None:
    """Credentials, bans and laws do not pass by waiting."""
    http = wire.serves(httpx.Response(status, text="<html>blocked"))
    error = wire.failure(http)

    assert (Refused, 1, f"akash: {HERE} answered {status}") == (type(error), len(wire.asked), str(error))


def test_a_status_that_was_expected_is_an_answer(wire: Any) -> None:
    """An accepted 4xx comes back with its JSON, or with None where it has none."""
    unknown = wire.serves(httpx.Response(404, json={"code": 5})).get(HERE, accept=(404,))
    forbidden = wire.serves(httpx.Response(403, text="<html>")).get(HERE, accept=(403,))

    assert [(404, {"code": 5}), (403, None)] == [(each.status, each.json) for each in (unknown, forbidden)]


# --- hosts that want to be left alone


@pytest.mark.parametrize("text", ["7", "Sun, 22 Nov 2026 12:00:07 GMT"])
def test_a_short_wait_that_the_host_asks_for_is_kept(wire: Any, text: str) -> None:
    """Seconds or a date: the next try is not sent before."""
    http = wire.serves(httpx.Response(429, headers={"retry-after": text}), fine())
    reply = http.get(HERE)

    assert (NOON + timedelta(seconds=7), 2) == (reply.seen_at, len(wire.asked))


@pytest.mark.parametrize("text", ["600", "Sun, 22 Nov 2026 12:10:00 GMT"])
@pytest.mark.parametrize("status", [418, 429, 503])
def test_a_long_wait_is_named_and_kept(wire: Any, status: int, text: str) -> None:
    """Nobody sits through ten minutes: the error names them, and until they are over the host hears nothing from any network."""
    http = wire.serves(httpx.Response(status, headers={"retry-after": text}), fine())
    first = wire.failure(http)
    wire.clock.move_to(NOON + timedelta(seconds=500))
    second = wire.failure(http.as_("nosana"))
    asked = len(wire.asked)
    wire.clock.move_to(NOON + timedelta(seconds=600))

    assert f"akash: {HERE} answered {status}; it wants to be left alone for 600 s" == str(first)
    assert f"nosana: {HERE} not asked: api.example wants to be left alone for 100 s more" == str(second)
    assert (1, "fine") == (asked, http.get(HERE).json)


def test_no_host_can_lock_itself_away(wire: Any) -> None:
    """A wait of years is a mistake: it holds for an hour."""
    http = wire.serves(httpx.Response(429, headers={"retry-after": "9" * 30}), fine())
    wire.failure(http)
    wire.clock.move_to(NOON + timedelta(hours=1))

    assert "fine" == http.get(HERE).json


@pytest.mark.parametrize("text", ["", "soon", "-5", "0", "1.5", "٣", "Sun, 99 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2020 12:00:00 -0000"])
def test_a_wait_that_says_nothing_is_passed_over(wire: Any, text: str) -> None:
    """The own pause takes its place."""
    http = wire.serves(httpx.Response(429, headers={"retry-after": text.encode()}), fine())

    assert "fine" == http.get(HERE).json
    assert timedelta(seconds=0.5) <= wire.clock.now() - NOON <= timedelta(seconds=1.5)


# --- the budget


def test_the_budget_of_a_host_is_kept_and_visible(wire: Any) -> None:
    """Tries count one by one, and other hosts have budgets of their own; an hour later there is a new one."""
    http = wire.serves(httpx.Response(500), fine(), budget=3)
    http.get(HERE)
    http.get("https://other.example/")
    http.get(HERE)
    error = wire.failure(http)

    assert {"api.example": 3, "other.example": 1} == http.requests()
    assert f"akash: {HERE} not asked: 3 requests went to api.example in the last hour, and 3 are its budget" == str(error)
    wire.clock.move_to(wire.clock.now() + timedelta(hours=1))
    assert ("fine", {"api.example": 1}) == (http.get(HERE).json, http.requests())


def test_a_clock_that_was_set_back_does_not_use_up_the_budget(wire: Any) -> None:
    """Requests of a far future are no requests of the last hour."""
    http = wire.serves(fine(), budget=1)
    http.get(HERE)
    wire.clock.move_to(NOON - timedelta(days=3))

    assert "fine" == http.get(HERE).json


def test_a_host_that_wants_space_gets_it(wire: Any) -> None:
    """The second request waits for its turn; others do not, and who would wait for too long is told."""
    http = wire.serves(fine())
    http.keep_apart("api.example", timedelta(seconds=40))
    seen = [http.get(HERE).seen_at, http.get("https://other.example/").seen_at, http.get(HERE).seen_at]

    assert [NOON, NOON, NOON + timedelta(seconds=40)] == seen
    assert "api.example is asked so often that the next turn is in 40 s" in str(wire.failure(http, timeout=timedelta(seconds=10)))


def test_of_two_who_ask_for_space_the_longer_counts(wire: Any) -> None:
    """Two adapters may use one host: the one that needs less does not take from the other."""
    http = wire.serves(fine())
    http.keep_apart("api.example", timedelta(seconds=12))
    http.as_("nosana").keep_apart("api.example", timedelta(seconds=1))
    http.get(HERE)

    assert NOON + timedelta(seconds=12) == http.get(HERE).seen_at


def test_threads_get_turns_of_their_own(wire: Any) -> None:
    """Many who ask at once are spread: no two requests share an instant."""
    http = wire.serves(fine(), budget=50)
    http.keep_apart("api.example", timedelta(seconds=1))
    threads = [threading.Thread(target=http.get, args=[HERE]) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert {"api.example": 20} == http.requests()
    assert wire.clock.now() - NOON >= timedelta(seconds=19)


def test_views_share_everything_but_the_name(wire: Any) -> None:
    """One budget for the process, and errors in the name of the network that asked."""
    http = wire.serves(httpx.Response(404))
    error = wire.failure(http.as_("nosana"))

    assert ("nosana", {"api.example": 1}, "akash") == (error.network, http.requests(), http.network)

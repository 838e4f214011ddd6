"""One HTTP client for all adapters: patient, thrifty and suspicious.

An answer is JSON that was checked (size, depth, finite numbers), or it is one of our errors: ``Refused`` for 401, 403 and 451 and for
a request that cannot be sent at all, ``Transient`` for everything else. Keys never appear in errors, logs or ``Reply.url``.
"""

from __future__ import annotations

import copy
import json as json_text
import logging
import threading
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from autopilot.clock import Clock
from autopilot.errors import Refused, Transient
from autopilot.kit.body import parse
from autopilot.kit.exchange import Heard, Line, ahead_of
from autopilot.kit.redaction import hide, secrets_of, shown
from autopilot.kit.traffic import SHORT, Traffic, host_of
from autopilot.kit.unchanged import Unchanged
from autopilot.kit.unheard import Unheard
from autopilot.units import HOUR

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

BUDGET = 240
"""Requests to one host in an hour. A poll needs a handful; a loop that runs wild stops here."""
TRIES = 3
REDIRECTS = 3
_PATIENCE = timedelta(seconds=30)
"""For one try. Akash needs 16 s when its cache is cold."""
_MOST = 8 * 1024 * 1024
_PAUSE = timedelta(seconds=1)
"""Before the second try, and three times as long before the third; each half as long to half as long again."""
_FINE = range(200, 300)
_NO = {401, 403, 451}
_TOO_MANY = 429
_ERROR = 400
_BROKEN = 500
_UNCHANGED = 304
_MOVED = {301, 302, 303, 307, 308}
_MOVED_SAME_METHOD = {307, 308}
_LAST_OF_ASCII = 126
_OURS = {"accept": "application/json, */*;q=0.5", "accept-encoding": "gzip", "connection": "close"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    json: Any = field(repr=False)
    """Parsed, or as it was to be read; numbers are finite. None for an accepted error whose body is no JSON."""
    seen_at: datetime
    """When it was answered. For an answer that was kept, when the server confirmed that it is unchanged."""
    url: str
    """Where it came from, without keys: for Quote.source."""
    status: int


@dataclass(frozen=True, slots=True)
class _Ask:
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    timeout: timedelta
    most: int
    accept: Collection[int]
    repeatable: bool
    read: Callable[[bytes], Any] = parse


class Http:
    """Asks for JSON. One for the process, used by many threads; ``as_`` gives a network its view, whose errors carry its name."""

    def __init__(
        self,
        clock: Clock,
        *,
        network: str = "http",
        transport: httpx.BaseTransport | None = None,
        budget: int = BUDGET,
        jitter: Random | None = None,
    ) -> None:
        self.network = network
        self._clock = clock
        self._line = Line(transport)
        self._traffic = Traffic(budget)
        self._unchanged = Unchanged()
        self._drifts: dict[str, timedelta] = {}
        self._closing = threading.Event()
        self._ours = {"user-agent": f"yield-autopilot/{version('yield-autopilot')}", **_OURS}
        self._jitter = jitter or Random()  # noqa: S311  # it spreads requests, it keeps no secret
        logging.getLogger("httpx").addFilter(_is_warning)  # at INFO it writes every address with its keys

    def __repr__(self) -> str:
        return f"Http({self.network!r})"

    def as_(self, network: str) -> Http:
        """The same client, whose errors name this network."""
        view = copy.copy(self)
        view.network = network
        return view

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: timedelta = _PATIENCE,
        most: int = _MOST,
        accept: Collection[int] = (),
        read: Callable[[bytes], Any] = parse,
    ) -> Reply:
        """Ask, up to three times within twice the timeout. Raises Transient or Refused; a 4xx in ``accept`` is an answer.

        ``read`` makes sense of a body that is no JSON; it raises Unheard where there is none.
        """
        query = urlencode(params or {}, doseq=True)
        whole = url + ("&" if "?" in url else "?") * bool(query) + query
        return self._ask(_Ask("GET", whole, _lower(headers), None, timeout, most, accept, repeatable=True, read=read))

    def post(
        self,
        url: str,
        body: Any,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: timedelta = _PATIENCE,
        most: int = _MOST,
        accept: Collection[int] = (),
        repeatable: bool = False,
    ) -> Reply:
        """Send JSON. It is only tried again when ``repeatable``: a JSON-RPC call that reads is. Raises as ``get`` does."""
        content = json_text.dumps(body, allow_nan=False).encode()
        typed = {"content-type": "application/json", **_lower(headers)}
        return self._ask(_Ask("POST", url, typed, content, timeout, most, accept, repeatable))

    def requests(self) -> Mapping[str, int]:
        """How many requests each host got in the last hour."""
        return self._traffic.counts(self._clock.now())

    def drifts(self) -> Mapping[str, timedelta]:
        """How far each host's clock was ahead of ours when it answered last, to the second; below nothing where it was behind."""
        return dict(self._drifts)

    def keep_apart(self, host: str, span: timedelta) -> None:
        """What the host wants: at least this span between two requests to it."""
        self._traffic.keep_apart(host, span)

    def close(self) -> None:
        """Let go of the connections; whoever waits for a next try gives up."""
        self._closing.set()
        self._line.close()

    def _ask(self, ask: _Ask) -> Reply:
        self._check(ask)
        ends, tries = self._clock.now() + 2 * ask.timeout, 1
        while True:
            try:
                return self._reply(ask, ends)
            except Unheard as error:
                unheard = error
            pause = _PAUSE * 3 ** (tries - 1) * (0.5 + self._jitter.random())
            if tries == TRIES or not (ask.repeatable and unheard.again) or self._clock.now() + pause >= ends:
                # Raised out here, so that the error does not carry along the raw words of a server that repeats our keys.
                raise Transient(self.network, self._told(ask, f"{unheard}{f' ({tries} tries)' if tries > 1 else ''}"))
            self._wait(pause, ask)
            tries += 1

    def _reply(self, ask: _Ask, ends: datetime) -> Reply:
        kept = self._unchanged.find(_question(ask)) if ask.method == "GET" else None
        heard = self._heard(replace(ask, headers={**ask.headers, **kept.validators}) if kept else ask, ends)
        seen_at = self._clock.now()
        if kept and heard.status == _UNCHANGED:
            return Reply(ask.read(kept.body), seen_at, shown(ask.url), kept.status)
        if heard.status in ask.accept:
            return Reply(_json_or_none(heard.body), seen_at, shown(ask.url), heard.status)
        self._check_status(ask, heard, seen_at)
        reply = Reply(ask.read(heard.body), seen_at, shown(ask.url), heard.status)
        if ask.method == "GET":
            self._unchanged.keep(_question(ask), heard)
        return reply

    def _heard(self, ask: _Ask, ends: datetime) -> Heard:
        url = ask.url
        for _ in range(REDIRECTS + 1):
            heard = self._sent(ask, url, ends)
            if heard.status not in _MOVED:
                return heard
            url = _next_address(ask, url, heard)
        raise Unheard(f"redirects more than {REDIRECTS} times")

    def _sent(self, ask: _Ask, url: str, ends: datetime) -> Heard:
        self._wait(self._traffic.book(host_of(url), self._clock.now(), ends), ask)
        span = min(ask.timeout, max(ends - self._clock.now(), timedelta(milliseconds=1)))
        heard = self._line.send(ask.method, url, {**ask.headers, **self._ours}, ask.content, span, ask.most)
        if (ahead := ahead_of(self._clock.now(), heard.headers)) is not None:
            self._drifts[host_of(url)] = ahead
        log.debug("%s %s: %d, %d bytes", ask.method, shown(url), heard.status, len(heard.body))
        return heard

    def _check_status(self, ask: _Ask, heard: Heard, now: datetime) -> None:
        said = f"answered {heard.status}{_first_line(heard.body)}"
        if heard.status in _NO:
            raise Refused(self.network, self._told(ask, said))
        if (after := _retry_after(heard.headers.get("retry-after", ""), now)) and heard.status >= _ERROR:
            self._traffic.leave_alone(host_of(ask.url), now + min(after, HOUR))
            said += f"; it wants to be left alone for {after.total_seconds():.0f} s"
        if heard.status not in _FINE:
            raise Unheard(said, again=(heard.status == _TOO_MANY or heard.status >= _BROKEN) and (after or SHORT) <= SHORT)

    def _check(self, ask: _Ask) -> None:
        try:
            parts = urlsplit(ask.url)
            readable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            readable = False
        if not readable or not ask.url.isprintable() or " " in ask.url:
            raise Refused(self.network, f"{shown(ask.url)!r} is no address: write it like 'https://host/path'")
        for name, value in ask.headers.items():
            if not all(" " <= each <= chr(_LAST_OF_ASCII) for each in name + value):
                raise Refused(self.network, f"the header {name!r} holds a character that HTTP cannot carry: a line break in a key?")

    def _wait(self, span: timedelta, ask: _Ask) -> None:
        if self._closing.is_set() or (span and self._clock.wait(span, self._closing)):
            raise Transient(self.network, self._told(ask, "was not asked: the program is closing"))

    def _told(self, ask: _Ask, text: str) -> str:
        return hide(f"{shown(ask.url)[:200]} {text}", secrets_of(ask.url, ask.headers))


def _question(ask: _Ask) -> Hashable:
    return ask.url, tuple(sorted(ask.headers.items()))  # another key may see another answer


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _json_or_none(body: bytes) -> Any:
    try:
        return parse(body)
    except Unheard:
        return None


def _first_line(body: bytes) -> str:
    text = body[:2000].decode("utf-8", "replace").strip().partition("\n")[0][:160]
    return ": " + "".join(each if each.isprintable() else " " for each in text) if text and not text.startswith("<") else ""


def _next_address(ask: _Ask, url: str, heard: Heard) -> str:
    """Where the redirect leads. Raises Unheard where it leads to another host, away from TLS, or would turn a POST into a GET."""
    before, after = urlsplit(url), urlsplit(heard.location or "")
    if ask.method != "GET" and heard.status not in _MOVED_SAME_METHOD:
        raise Unheard(f"answered {heard.status}, a redirect that forgets what was sent")
    to_tls = (before.scheme, after.scheme) == ("http", "https") and before.hostname == after.hostname
    if not to_tls and (before.scheme, host_of(url)) != (after.scheme, host_of(after.geturl())):
        raise Unheard(f"redirects to {after.scheme}://{after.hostname}: only the same host is followed")
    return after.geturl()


def _retry_after(text: str, now: datetime) -> timedelta | None:
    """Both spellings of the header: seconds, or the date of an instant (RFC 9110, 10.2.3). None where it says nothing of use."""
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text), 10**8))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return max((until if until.tzinfo else until.replace(tzinfo=UTC)) - now, timedelta(0))

"""One request and its answer over the wire, in bounded time and size. No retries and no meaning: those are ``kit.http``'s."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self

from autopilot.kit.body import read
from autopilot.kit.unheard import Unheard

if TYPE_CHECKING:
    import httpx

CONNECT = timedelta(seconds=10)
"""A host that takes longer to pick up will not answer."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    location: str | None
    """Where a redirect leads, as a whole address."""


def ahead_of(now: datetime, headers: Mapping[str, str]) -> timedelta | None:
    """How far the clock of whoever sent these headers is ahead of ours, to the second; None where they do not tell (RFC 9110, 6.6.1).

    An answer out of a cache says how old it is.
    """
    age = headers.get("age", "0")
    try:
        at = parsedate_to_datetime(headers.get("date", ""))
        return at - now.replace(microsecond=0) + timedelta(seconds=int(age)) if at.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None


class Line:
    """The way to the world: one client with its own connections, made when it is first used."""

    def __init__(self, transport: httpx.BaseTransport | None) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def send(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, span: timedelta, most: int) -> Heard:
        """Ask once. The answer is complete within the span (after the connection stands) and has at most ``most`` bytes, or Unheard."""
        import httpx

        client, limits = self._opened(), httpx.Timeout(span.total_seconds(), connect=min(span, CONNECT).total_seconds())
        with _Deadline(span) as deadline:
            try:
                request = client.build_request(method, url, headers=headers, content=content, timeout=limits)
                request.extensions["trace"] = deadline.trace
                heard = _receive(client.send(request, stream=True), most)
            except httpx.RequestError as error:
                raise _unheard(error, span, passed=deadline.passed) from None
            except (httpx.InvalidURL, UnicodeError) as error:
                raise Unheard(f"cannot be asked: {error}") from None
            if deadline.passed:  # a body without a length ends where the connection is cut
                raise _too_slow(span)
            return heard

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _opened(self) -> httpx.Client:
        with self._lock:
            self._client = self._client or _client(self._transport)
            return self._client


def _client(transport: httpx.BaseTransport | None) -> httpx.Client:
    """Keeps no cookies. Nor a connection: every request says that it is the last, since between two polls connections die unseen."""
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx

    try:
        return httpx.Client(transport=transport, cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])))
    except (ImportError, OSError, ValueError) as error:
        named = "the proxy or the certificates that the environment names (HTTPS_PROXY, SSL_CERT_FILE)"
        raise Unheard(f"cannot be asked: {named} cannot be used: {error}") from None


class _Deadline:
    """Cuts the connection when an answer takes longer than it may, however steadily its bytes trickle in."""

    def __init__(self, span: timedelta) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(span.total_seconds(), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def trace(self, event: str, about: Mapping[str, Any]) -> None:
        """Told by the transport of every step that it takes."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = about["return_value"].get_extra_info("socket")
            if self._timer.ident is None:
                self._timer.start()
            if self.passed:  # while the two sides still shook hands
                self._cut()

    def _cut(self) -> None:
        self.passed = True
        if self._socket is not None:
            with suppress(OSError):  # it was closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not the TLS socket's own: that pulls the rug from under a reader


def _receive(response: httpx.Response, most: int) -> Heard:
    try:
        body = read(response.stream, response.headers.get("content-encoding", "").strip().lower(), most)  # type: ignore[arg-type]
    except Unheard:
        if response.is_success:
            raise
        body = b""  # of an error, the status says enough
    finally:
        response.close()
    location = str(response.next_request.url) if response.next_request else None
    return Heard(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body, location)


def _unheard(error: httpx.RequestError, span: timedelta, *, passed: bool) -> Unheard:
    import httpx

    if passed or isinstance(error, httpx.ReadTimeout):
        return _too_slow(span)
    if isinstance(error, httpx.TimeoutException | httpx.NetworkError | httpx.ProxyError):
        return Unheard(f"cannot be reached: {str(error) or type(error).__name__}", again=True)
    return Unheard(f"broke off: {str(error) or type(error).__name__}", again=isinstance(error, httpx.RemoteProtocolError))


def _too_slow(span: timedelta) -> Unheard:
    return Unheard(f"did not answer within {span.total_seconds():g} s", again=True)

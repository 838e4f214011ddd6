"""Asking a node of the chain: JSON-RPC 2.0 over HTTP(S), or over a WebSocket where an endpoint wants that.

Every call here only reads. What cannot be answered comes back as a Transient in its place, so that one of several may fail.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from autopilot.errors import AdapterError, Refused, Transient
from autopilot.kit.body import parse
from autopilot.kit.http import Http
from autopilot.kit.reading import Field
from autopilot.kit.redaction import hide, secrets_of, shown
from autopilot.kit.unheard import Unheard

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

PATIENCE = timedelta(seconds=15)
_MOST = 4 * 1024 * 1024
"""Bytes of an answer. The largest that is asked for is 256 UIDs of 8 bytes for each subnet."""
_NO = {401, 403, 451}
WEB_SOCKET = ("ws://", "wss://")


@dataclass(frozen=True, slots=True)
class Call:
    """A method and what it is told."""

    method: str
    params: Sequence[Any] = ()


class Node(Protocol):
    """One endpoint of the chain."""

    def ask(self, calls: Sequence[Call]) -> Sequence[Field | Transient]:
        """The results, in order; calls that do not wait for each other go out together. Raises Refused where the node lets nobody in."""
        ...

    def close(self) -> None:
        """Let go of the connection, where one is held."""
        ...


def node(http: Http, url: str) -> Node:
    """The way to an endpoint, by how its address begins."""
    return WebSocketNode(http.network, url) if url.startswith(WEB_SOCKET) else HttpNode(http, url)


class HttpNode:
    """One request for each call: nodes need not take several in one."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = url

    def ask(self, calls: Sequence[Call]) -> Sequence[Field | Transient]:
        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(self._answer, calls))

    def close(self) -> None:
        """Nothing is held between two calls."""

    def _answer(self, call: Call) -> Field | Transient:
        try:
            reply = self._http.post(self._url, _request(call, 1), timeout=PATIENCE, most=_MOST, repeatable=True)
            return _result(self._http.network, call, reply.json, self._url)
        except Transient as error:
            return error


class WebSocketNode:
    """One connection for a whole look at the chain; the calls of a moment are all sent before the first is answered."""

    def __init__(self, network: str, url: str) -> None:
        self._network = network
        self._url = url
        self._open: ClientConnection | None = None
        self._held = ExitStack()

    def ask(self, calls: Sequence[Call]) -> Sequence[Field | Transient]:
        try:
            heard = self._heard([_request(call, ident) for ident, call in enumerate(calls)])
        except Transient as error:
            return [error] * len(calls)
        return [self._answer(call, heard[ident]) for ident, call in enumerate(calls)]

    def close(self) -> None:
        from websockets.exceptions import WebSocketException

        self._open = None
        with suppress(OSError, WebSocketException):
            self._held.close()

    def _answer(self, call: Call, message: Any) -> Field | Transient:
        try:
            return _result(self._network, call, message, self._url)
        except Transient as error:
            return error

    def _heard(self, requests: Sequence[dict[str, Any]]) -> dict[int, Any]:
        """The answer to each request by its id; answers come in any order."""
        from websockets.exceptions import WebSocketException

        heard: dict[int, Any] = {}
        try:
            connection = self._connected()
            for request in requests:
                connection.send(json.dumps(request))
            for _ in requests:
                message = parse(_bytes(connection.recv(PATIENCE.total_seconds())))
                heard[_ident(message, set(range(len(requests))) - set(heard))] = message
        except (WebSocketException, OSError, EOFError, ValueError, Unheard) as error:
            self.close()
            raise self._failure(error) from None
        return heard

    def _connected(self) -> ClientConnection:
        from websockets.sync.client import connect

        if self._open is None:
            seconds = PATIENCE.total_seconds()
            way = connect(self._url, open_timeout=seconds, close_timeout=1, max_size=_MOST, user_agent_header="yield-autopilot")
            self._open = self._held.enter_context(way)
        return self._open

    def _failure(self, error: Exception) -> AdapterError:
        from websockets.exceptions import InvalidStatus

        said = f"{shown(self._url)} {error if isinstance(error, Unheard) else f'gave no answer: {error or type(error).__name__}'}"
        text = " ".join(hide(said, secrets_of(self._url, {})).split())[:300]
        if isinstance(error, InvalidStatus) and error.response.status_code in _NO:
            return Refused(self._network, text)
        return Transient(self._network, text)


def _ident(message: Any, open_ones: set[int]) -> int:
    """Which request it answers. Raises Unheard where that is none which waits for an answer."""
    ident = message.get("id") if isinstance(message, dict) else None
    if type(ident) is not int or ident not in open_ones:
        raise Unheard("answers what was not asked")
    return ident


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _request(call: Call, ident: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": ident, "method": call.method, "params": list(call.params)}


def _result(network: str, call: Call, message: Any, url: str) -> Field:
    """What a node answered. Raises Transient for its errors and for what is no answer."""
    answer = Field(network, f"{call.method}:", message)
    if isinstance(message, dict) and message.get("error") is not None:
        raise Transient(network, f"{call.method} fails: {hide(ascii(message['error']), secrets_of(url, {}))[:160]}")
    return Field(network, f"{call.method}:", answer.member("result").value)

"""A real server on this machine that behaves as badly as servers do."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.servers import HERE, running

MIB = 1024 * 1024


class Server(ThreadingHTTPServer):
    """Serves each path in the way of its name, and counts what it was asked."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(HERE, Handler)
        self.ways = dict(WAYS)
        self.stopping = threading.Event()
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        """Answer in the way that the path names."""
        self.server.asked.append(self.path)
        self.server.ways[self.path.strip("/")](self)

    def do_POST(self) -> None:
        """The same."""
        self.do_GET()

    def answer(self, body: bytes = b'"fine"', status: int = 200, **headers: str) -> None:
        """A proper answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def trickle(self, chunk: bytes) -> None:
        """Send the chunk again and again, until nobody listens."""
        for _ in range(200):
            if self.server.stopping.wait(0.05):
                return
            self.wfile.write(chunk)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def silent(handler: Handler) -> None:
    """Takes the request and never answers."""
    handler.server.stopping.wait(10)


def slow_head(handler: Handler) -> None:
    """A header that never ends, byte by byte: every single wait is short."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    handler.trickle(b"x")


def slow_body(handler: Handler) -> None:
    """A body that never ends, byte by byte; it has no length, so it would be whole wherever it stops."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
    handler.trickle(b"1")


def flood(handler: Handler) -> None:
    """A body without length or end, as fast as it goes."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n[")
    for _ in range(2000):
        handler.wfile.write(b"1," * 32768)


def truncated(handler: Handler) -> None:
    """Promises more than it sends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1, 2")


def truncated_chunk(handler: Handler) -> None:
    """Announces a chunk and breaks off inside."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n[1, 2")


def reset(handler: Handler) -> None:
    """Tears the connection down."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def bomb(handler: Handler) -> None:
    """A hundred megabytes in a hundred kilobytes."""
    handler.answer(gzip.compress(b'"' + b"0" * (100 * MIB) + b'"'), Content_Encoding="gzip")


def wait_and_see(handler: Handler) -> None:
    """Too many requests, once."""
    first = handler.server.asked.count(handler.path) == 1
    handler.answer(b"slow down", 429, Retry_After="5") if first else handler.answer()


def tagged(handler: Handler) -> None:
    """Knows its own tag."""
    if handler.headers["If-None-Match"] == '"7"':
        handler.answer(b"", 304)
    else:
        handler.answer(b"[7]", ETag='"7"')


WAYS: dict[str, Callable[[Handler], None]] = {
    "fine": lambda handler: handler.answer(),
    "text": lambda handler: handler.answer(b'{"a": 1}', Content_Type="text/plain"),
    "packed": lambda handler: handler.answer(gzip.compress(b'{"a": 1}'), Content_Encoding="gzip"),
    "tagged": tagged,
    "echo": lambda handler: handler.answer(handler.rfile.read(int(handler.headers["Content-Length"]))),
    "silent": silent,
    "slow-head": slow_head,
    "slow-body": slow_body,
    "flood": flood,
    "truncated": truncated,
    "truncated-chunk": truncated_chunk,
    "truncated-gzip": lambda handler: handler.answer(gzip.compress(b"[1, 2, 3]")[:-4], Content_Encoding="gzip"),
    "reset": reset,
    "hang-up": lambda _: None,
    "nonsense": lambda handler: handler.wfile.write(b"220 mail.example ESMTP ready\r\n"),
    "endless-header": lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * MIB),
    "bomb": bomb,
    "large": lambda handler: handler.answer(b'"' + b"x" * 2 * MIB + b'"'),
    "429": lambda handler: handler.answer(b"slow down", 429),
    "429-wait": wait_and_see,
    "429-long": lambda handler: handler.answer(b"slow down", 429, Retry_After="3600"),
    "451": lambda handler: handler.answer(b'{"msg": "restricted location"}', 451),
    "500": lambda handler: handler.answer(b"oops", 500),
    "html": lambda handler: handler.answer(b"<html>back soon</html>", Content_Type="application/json"),
    "deep": lambda handler: handler.answer(b"[" * 100_000 + b"]" * 100_000),
    "nan": lambda handler: handler.answer(b'{"usd": NaN}'),
    "infinite": lambda handler: handler.answer(b'{"usd": 1e999}'),
    "empty": lambda handler: handler.answer(b""),
    "loop": lambda handler: handler.answer(b"", 302, Location="/loop"),
    "elsewhere": lambda handler: handler.answer(b"", 302, Location=f"http://localhost:{handler.server.server_port}/fine"),
    "moved": lambda handler: handler.answer(b"", 308, Location="/fine"),
}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server, running."""
    server = Server()
    with running(server, at_end=server.stopping.set):
        yield server

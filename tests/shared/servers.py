"""Servers on this machine, for tests whose client must really connect."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from typing import Any, TypeVar

Server = TypeVar("Server", bound=HTTPServer)
HERE = ("127.0.0.1", 0)
"""Any port that is free."""


class Desk(BaseHTTPRequestHandler):
    """Where requests come in: it answers in one piece, and writes no log."""

    def answer(self) -> None:
        """Must be given: what to say to ``self.command`` on ``self.path``."""
        raise NotImplementedError

    def say(self, body: bytes, status: int = 200, **headers: str) -> None:
        """The whole answer. A header's name is written with an underscore for a dash."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say_json(self, body: object, status: int = 200) -> None:
        """The whole answer."""
        self.say(json.dumps(body).encode(), status, Content_Type="application/json")

    def heard(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, *_: object) -> None:
        """Silence."""

    def _come_in(self) -> None:
        self.answer()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _come_in  # noqa: N815  # the names that http.server looks for


@contextmanager
def running(server: Server, at_end: Callable[[], Any] = lambda: None) -> Iterator[Server]:
    """It answers until the block ends. What still hangs then is let go ``at_end``."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        at_end()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def served(desk: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server with this desk, without a slash at its end."""
    with running(ThreadingHTTPServer(HERE, desk)) as server:
        yield f"http://127.0.0.1:{server.server_port}"

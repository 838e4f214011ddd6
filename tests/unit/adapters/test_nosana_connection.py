"""Nosana over real connections: on this machine, and for whoever asks for it, the real one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.clock import SystemClock
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import NetworkId
from autopilot.model.market import Quote
from autopilot.sim.clock import SimClock
from autopilot_adapters.nosana.adapter import NosanaSettings, nosana_network

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))
NOSANA = NetworkId("nosana")
RIG = [W.gpu(0), W.gpu(1, "RTX 3060", 12)]


@contextmanager
def served(nosana: Any) -> Iterator[str]:
    """The small Nosana over a real socket."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = httpx.Request(self.command, f"http://{self.headers['host']}{self.path}", content=content)
            answer = nosana.handle(request)
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815  # the names are the server's

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_over_a_real_connection(tmp_path: Path) -> None:
    """An address where nobody listens is passed over, and the next one gives the same quotes as ever."""
    nosana, clock = W.Nosana(), SimClock(W.NOW)
    with served(nosana) as host:
        http = Http(clock).as_("nosana")
        tokens = Tokens(Http(clock, transport=httpx.MockTransport(nosana.handle)), clock)
        settings = NosanaSettings(base_urls=("http://127.0.0.1:9/api", f"{host}/api/"), rpc_url=f"{host}/rpc")
        answers = nosana_network(settings, Kit(NOSANA, clock, RIG, tmp_path, http, tokens)).rates.quotes(RIG)
        http.close()
    direct = nosana_network(NosanaSettings(), W.Nosana().kit(RIG, tmp_path)).rates.quotes(RIG)

    assert {each.venue.market: each.expected for each in direct if isinstance(each, Quote)} == {
        each.venue.market: each.expected for each in answers if isinstance(each, Quote)
    }


@pytest.mark.online
def test_the_real_nosana(tmp_path: Path) -> None:
    """Answers with a quote or a reason for a GPU that it certainly has markets for."""
    clock = SystemClock()
    http = Http(clock).as_("nosana")
    adapter = nosana_network(NosanaSettings(), Kit(NOSANA, clock, RIG, tmp_path, http, Tokens(http, clock)))
    answers = adapter.rates.quotes(RIG)

    assert any(isinstance(each, Quote) and 0.01 < float(each.gross) < 5 for each in answers)
    http.close()

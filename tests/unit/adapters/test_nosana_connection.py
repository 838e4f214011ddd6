"""Nosana over real connections: on this machine, and for whoever asks for it, the real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
from shared.servers import Desk, served

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))
NOSANA = NetworkId("nosana")
RIG = [W.gpu(0), W.gpu(1, "RTX 3060", 12)]


@contextmanager
def listening(nosana: Any) -> Iterator[str]:
    """The small Nosana over a real socket."""

    class Door(Desk):
        def answer(self) -> None:
            request = httpx.Request(self.command, f"http://{self.headers['host']}{self.path}", content=self.heard())
            said = nosana.handle(request)
            self.say(said.content, said.status_code)

    with served(Door) as url:
        yield url


def test_over_a_real_connection(tmp_path: Path) -> None:
    """An address where nobody listens is passed over, and the next one gives the same quotes as ever."""
    nosana, clock = W.Nosana(), SimClock(W.NOW)
    with listening(nosana) as host:
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

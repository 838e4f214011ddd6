"""All hosts that Akash, Nosana, Render, Bittensor and the token prices are asked at, as one real server on this machine."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx

from autopilot.clock import SystemClock
from autopilot.contracts import Adapter
from autopilot.daemon import gpus, rig
from autopilot.daemon.survey import Survey, survey
from autopilot.kit.http import Http
from autopilot.model.device import Device, NetworkId
from autopilot.model.power import Draw, PowerPrice
from autopilot.settings import Settings
from autopilot.sim.clock import SimClock
from autopilot.units import UsdPerKwh, Watts

DATA = Path(__file__).parents[1]
NOSANA: Any = SimpleNamespace(**run_path(str(DATA / "nosana/world.py")))
BITTENSOR: Any = SimpleNamespace(**run_path(str(DATA / "bittensor/world.py")))
CONSOLE = json.loads((DATA / "akash/console.json").read_text(encoding="utf-8"))
EPOCHS = json.loads((DATA / "render/liability-epochs-data.json").read_text(encoding="utf-8"))
NOW = datetime(2025, 10, 31, 1, tzinfo=UTC)
USD = {"akash-network": 0.543761, "nosana": NOSANA.NOS_USD, "render-token": 2.49, "bittensor": BITTENSOR.TAO}
PAIRS = {"RENDERUSD": 2.49, "TAOUSD": BITTENSOR.TAO}
HOSTS = {
    "akash": {"console-api.akash.network"},
    "nosana": {"api.nosana.com", "dashboard.k8s.prd.nos.ci", "dashboard.k8s.prd.nosana.com", "api.mainnet-beta.solana.com"},
    "render": {"stats.renderfoundation.com"},
    "bittensor": {"lium.io", "entrypoint-finney.opentensor.ai", "lite.chain.opentensor.ai"},
}


class Internet(HTTPServer):
    """All hosts on one port, by the name that the request gives; each answer takes a while. At most 32 are answered at once."""

    request_queue_size = 64

    def __init__(self, clock: SimClock | Running) -> None:
        super().__init__(("127.0.0.1", 0), Desk)
        self.clock = clock
        self.delay = 0.0
        self.down: dict[str, str] = {}
        """By host, what is wrong with it."""
        self.asked: Counter[str] = Counter()
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(32)
        self._nosana, self._bittensor = NOSANA.Nosana(), BITTENSOR.World()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Let a thread of the pool answer."""
        self._pool.submit(self._served, request, client_address)

    def server_close(self) -> None:
        """Wait for those who still answer."""
        super().server_close()
        self._pool.shutdown()

    def _served(self, request: Any, client_address: Any) -> None:
        with suppress(OSError):  # a client that gave up
            self.finish_request(request, client_address)
        self.shutdown_request(request)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What a host says, after its while."""
        host = request.url.host
        with self._lock:
            self.asked[host] += 1
        trouble = self.down.get(host)
        self.stopping.wait(60 if trouble == "hung" else self.delay)
        if trouble:
            return {"500": httpx.Response(500), "garbage": httpx.Response(200, text='{"data": [[nul')}.get(trouble, httpx.Response(503))
        with self._lock:
            return self._said(host, request)

    def _said(self, host: str, request: httpx.Request) -> httpx.Response:
        now = self.clock.now()
        if host in HOSTS["nosana"]:
            return self._nosana.handle(request)  # type: ignore[no-any-return]
        if host in HOSTS["bittensor"]:
            for state, behind in ((self._bittensor.state, 30), (self._bittensor.before, 30 + 240 * 12)):
                state[BITTENSOR.TIME.key] = BITTENSOR.u(int((now - timedelta(seconds=behind)).timestamp() * 1000), 8)
            return self._bittensor(request)  # type: ignore[no-any-return]
        said = {
            "console-api.akash.network": CONSOLE.get(request.url.path),
            "stats.renderfoundation.com": EPOCHS,
            "api.coingecko.com": {coin: {"usd": usd, "last_updated_at": int(now.timestamp())} for coin, usd in USD.items()},
            "api.kraken.com": ticker(request.url.params.get("pair", "")),
        }.get(host)
        return httpx.Response(200, json=said) if said is not None else httpx.Response(404)


def ticker(pair: str) -> dict[str, Any]:
    """Kraken's answer about a pair."""
    if pair not in PAIRS:
        return {"error": ["EQuery:Unknown asset pair"]}
    price = [str(PAIRS[pair])]
    return {"error": [], "result": {pair: {"a": price, "b": price, "c": price}}}


class Desk(BaseHTTPRequestHandler):
    """One request."""

    server: Internet

    def do_GET(self) -> None:
        """Answer for the host that was meant."""
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        said = self.server.answer(httpx.Request(self.command, f"https://{self.headers['Host']}{self.path}", content=body))
        self.send_response(said.status_code)
        self.send_header("Content-Length", str(len(said.content)))
        self.end_headers()
        self.wfile.write(said.content)

    def do_POST(self) -> None:
        """The same."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Wire(httpx.BaseTransport):
    """Leads every host to this machine, and one that refuses to a port at which nobody listens."""

    def __init__(self, internet: Internet) -> None:
        self._internet = internet
        self._inner = httpx.HTTPTransport()
        self._nobody = socket.socket()
        self._nobody.bind(("127.0.0.1", 0))  # it is ours, and nobody listens

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Over a real socket; the header still names the host."""
        refused = self._internet.down.get(request.url.host) == "refused"
        port = self._nobody.getsockname()[1] if refused else self._internet.server_port
        there = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
        again = httpx.Request(request.method, there, headers=request.headers, stream=request.stream, extensions=request.extensions)
        return self._inner.handle_request(again)

    def close(self) -> None:
        self._inner.close()
        self._nobody.close()


class Still(SimClock):
    """Is moved by hand alone: a pause before another try takes no time."""

    def wait(self, span: timedelta, until: threading.Event) -> bool:  # noqa: ARG002
        return until.is_set()


class Running:
    """The machine's clock, set to the date of the recorded answers: pauses take as long as they take."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._behind = self._clock.now() - NOW

    def now(self) -> datetime:
        return self._clock.now() - self._behind

    def wait(self, span: timedelta, until: threading.Event) -> bool:
        return self._clock.wait(span, until)


class Sky:
    """The internet, and rigs of eight GPUs that know only their settings."""

    def __init__(self, internet: Internet, folder: Path) -> None:
        self.internet = internet
        self.clock = internet.clock
        self.https: list[Http] = []
        self._folder = folder
        self._rigs = 0
        self.closing = ExitStack()

    def http(self, clock: Any) -> Http:
        """The client of a process, on our wire."""
        self.https.append(Http(clock, transport=Wire(self.internet)))
        return self.https[-1]

    def settings(self) -> Settings:
        """Four networks and a memory of their own; nothing of where they are asked."""
        self._rigs += 1
        folder = self._folder / f"rig-{self._rigs}"
        folder.mkdir()
        written: dict[str, Any] = {
            "state": folder / "autopilot.db",
            "rig": {"simulated": ("4 x NVIDIA GeForce RTX 4090", "4 x NVIDIA H100 80GB HBM3")},
            "networks": {
                "akash": {},
                "nosana": {},
                "render": {"utilisation": "0.05"},
                "bittensor": {"miners": [BITTENSOR.MINER]},
            },
        }
        return Settings(**written)

    def made(self) -> tuple[dict[NetworkId, Adapter], tuple[Device, ...]]:
        """A rig that was just started."""
        settings = self.settings()
        devices = gpus.simulated_devices(settings.rig.simulated)
        return rig.make_adapters(settings, self.clock, devices, self.closing), devices

    def surveys(self, deadline: timedelta = timedelta(seconds=20)) -> Iterator[Survey]:
        """One look at everything by a rig that was just started, as it grows."""
        adapters, devices = self.made()
        draw, price = Draw(Watts.of(320), Watts.of(20)), PowerPrice(UsdPerKwh.of("0.12"))
        return survey(adapters, devices, draw, price, self.clock.now(), deadline)

    def survey(self) -> Survey:
        """The same when it is whole."""
        *_, found = self.surveys()
        return found

    def fail(self, network: str, how: str) -> None:
        """From now on, all hosts of the network are in this trouble."""
        self.internet.down = dict.fromkeys(HOSTS[network], how)

"""Messages and the sign of life over real connections, to servers on this machine."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from autopilot import cli
from autopilot.clock import SystemClock, stopwatch
from autopilot.errors import AutopilotError
from autopilot.notices import MetricsSettings, NotifySettings
from autopilot.settings import Settings
from autopilot.store.store import Store
from autopilot.telling.aside import Aside
from autopilot.telling.beside import beside
from autopilot.telling.ping import Ping
from autopilot.telling.services import Services
from shared.needs import needed
from shared.servers import Desk, served

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's own, before Python 3.13
CANARY = "canary7f3a9b"
PATIENCE = 20
"""Seconds in which anything must come, on the slowest machine."""
BODY = {
    "version": "1", "strategy": "stay", "live": True, "tick_seconds": 15.0, "speed": 1.0, "silent": {}, "devices": [],
    "quarantine": {"akash": "it refused the key"},
}  # fmt: skip


@contextmanager
def service(status: int = 200) -> Iterator[tuple[str, list[str], Event]]:
    """Where messages and pings arrive: its host and port, what came, and whether anything did."""
    came: list[str] = []
    some = Event()

    class Service(Desk):
        def answer(self) -> None:
            heard = self.heard()
            came.append(f"{self.path} {json.loads(heard)['message'] if heard else ''}".strip())
            some.set()
            self.say(f"you sent {self.path}".encode(), status)

    with served(Service) as address:
        yield address.removeprefix("http://"), came, some


@pytest.mark.parametrize(("status", "took"), [(200, True), (500, False)])
def test_a_message_arrives_or_is_known_not_to(status: int, took: bool, caplog: pytest.LogCaptureFixture) -> None:  # noqa: FBT001
    """And nothing of an address is in the log, whatever the service says."""
    needed("apprise")
    caplog.set_level(logging.INFO)
    with service(status) as (host, came, _):
        services = Services([SecretStr(f"json://user:{CANARY}@{host}/{CANARY}")])
        outcome = services.send("GPU-0 moved")

    assert (took, [f"/{CANARY} GPU-0 moved"]) == (outcome, came)
    assert CANARY not in caplog.text + repr(services)


def test_a_service_that_wants_html_gets_it_whole() -> None:
    """A word in angle brackets is no tag."""
    needed("apprise")
    with service() as (host, came, _):
        Services([SecretStr(f"json://{host}?format=html")]).send("<unknown> & more")

    assert ["/ &lt;unknown&gt;&nbsp;&amp;&nbsp;more"] == came


def test_one_that_takes_it_will_do(caplog: pytest.LogCaptureFixture) -> None:
    """A message that one service has is not sent again because another is down; the other is named, without its address."""
    needed("apprise")
    with service() as (host, came, _):
        took = Services([SecretStr(f"json://127.0.0.1:{_closed_port()}/{CANARY}"), SecretStr(f"json://{host}")]).send("hello")

    assert (True, ["/ hello"]) == (took, came)
    assert "a message was not taken by json" in caplog.text
    assert CANARY not in caplog.text


def test_a_flight_tells_what_its_beats_say(tmp_path: Path) -> None:
    """A beat is enough: the thread beside the ticks reads the state file, sends, and asks for the ping's address."""
    needed("apprise")
    state = tmp_path / "autopilot.db"
    with service() as (host, came, some), service() as (clinic, pings, pinged), ExitStack() as closing:
        notify = NotifySettings(urls=(SecretStr(f"json://{host}"),), ping=SecretStr(f"http://{clinic}/{CANARY}"))
        heard = beside(Settings(state=state, notify=notify), SystemClock(), closing)
        store = Store.open(state)
        closing.callback(store.close)
        store.journal.beat(SystemClock().now(), SystemClock().now(), 1, BODY)
        heard()

        assert some.wait(PATIENCE)
        assert pinged.wait(PATIENCE)
    assert ["/ akash is not asked any more: it refused the key; correct it, then start the daemon again"] == came
    assert [f"/{CANARY}"] == pings


def test_who_is_slow_holds_up_nobody() -> None:
    """A tick asks and goes on, however long the work takes; what was asked meanwhile is done once."""
    busy, free = Event(), Event()
    done: list[int] = []

    def work() -> None:
        busy.set()
        free.wait(PATIENCE)
        done.append(1)

    aside = Aside("slow", work)
    aside.ask()
    busy.wait(PATIENCE)
    begun = stopwatch()
    for _ in range(1000):
        aside.ask()
    asked = stopwatch() - begun
    free.set()
    while len(done) < 2:
        SystemClock().wait(timedelta(milliseconds=5), Event())
    aside.close()

    assert asked < 1
    assert [1, 1] == done


_ENDS = """
import sys
from contextlib import ExitStack
from pathlib import Path
from pydantic import SecretStr
from autopilot.clock import SystemClock
from autopilot.notices import NotifySettings
from autopilot.settings import Settings
from autopilot.store.store import Store
from autopilot.telling.beside import beside

state, host, body = Path(sys.argv[1]), sys.argv[2], eval(sys.argv[3])
notify = NotifySettings(urls=(SecretStr(f"json://{host}?rto=300"), SecretStr(f"json://{host}?rto=300")), ping=SecretStr(f"http://{host}/"))
clock = SystemClock()
with ExitStack() as closing:
    heard = beside(Settings(state=state, notify=notify), clock, closing)
    store = Store.open(state)
    closing.callback(store.close)
    store.journal.beat(clock.now(), clock.now(), 1, body)
    heard()
    sys.stdin.readline()
"""


def test_a_service_that_hangs_holds_up_no_end(tmp_path: Path) -> None:
    """A server takes a message and a ping and never answers: the process that sent them ends within seconds when it is to end."""
    needed("apprise")
    with socket.create_server(("127.0.0.1", 0)) as door, ExitStack() as held:
        door.settimeout(PATIENCE)
        host = f"127.0.0.1:{door.getsockname()[1]}"
        command = [sys.executable, "-W", "ignore", "-c", _ENDS, str(tmp_path / "autopilot.db"), host, repr(BODY)]
        process = held.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, text=True))
        for _ in range(2):
            held.callback(door.accept()[0].close)
        begun = stopwatch()
        process.communicate("end\n", timeout=PATIENCE)
        took = stopwatch() - begun

    assert 0 == process.returncode
    assert took < 10


def test_an_error_beside_is_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """Our own says what it is; a stranger's words are not repeated, and the next request is served."""
    errors: list[Exception] = [AutopilotError("the disk is full"), ValueError(CANARY)]
    last = Event()

    def work() -> None:
        if errors:
            raise errors.pop(0)
        last.set()

    aside = Aside("telling", work)
    while not last.is_set():
        aside.ask()
        last.wait(0.01)
    aside.close()

    assert ["telling: the disk is full", "telling failed: ValueError"] == caplog.messages


def test_the_ping_goes_once_a_minute_and_its_failure_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Without the address."""
    caplog.set_level(logging.INFO)
    seconds = 0.0
    with service(503) as (host, came, _):
        ping = Ping(SecretStr(f"http://{host}/{CANARY}"), lambda: seconds)
        for seconds in (0.0, 15.0, 59.0, 60.0, 119.0, 121.0):  # noqa: B007  # the ping's own watch reads it
            ping.go()

    assert 3 == len(came)
    assert ["the ping is not heard: status 503"] == caplog.messages
    assert CANARY not in caplog.text


def test_metrics_that_cannot_be_served_stop_no_flight(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The port is taken: a line in the log, and the rig earns on."""
    needed("prometheus_client")
    with socket.create_server(("127.0.0.1", 0)) as taken, ExitStack() as closing:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        beside(Settings(state=tmp_path / "s.db", metrics=MetricsSettings(listen=listen)), SystemClock(), closing)()

    assert [f"metrics.listen: {listen}: Address already in use; choose another address; the flight goes on without it"] == caplog.messages


def test_the_command_tries_out_every_service(tmp_path: Path) -> None:
    """It says of each whether it took the message, and not how it is reached."""
    needed("apprise")
    config = tmp_path / "autopilot.toml"
    with service() as (host, came, _), service(500) as (bad, *_):
        config.write_text(f'[notify]\nurls = ["json://{host}", "json://{bad}/{CANARY}"]\nping = "http://{host}/{CANARY}"', encoding="utf-8")
        result = CliRunner().invoke(cli.app, ["notify", "test", "--config", str(config)])

    assert "json: sent\njson: not taken\nping: heard\n" == result.output
    assert "not everything arrived: json; look at the addresses, and at the services' own limits" == str(result.exception)
    assert ["/ A test: your rig can reach you here.", f"/{CANARY}"] == came


def test_the_command_says_where_nobody_is_named(tmp_path: Path) -> None:
    """And what to write."""
    config = tmp_path / "autopilot.toml"
    config.write_text("", encoding="utf-8")
    result = CliRunner().invoke(cli.app, ["notify", "test", "--config", str(config)])

    assert str(result.exception).startswith("nobody is told anything: name services in [notify] urls")


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])

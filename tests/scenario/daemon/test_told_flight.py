"""A real daemon whose messages go to a service that never answers: no tick waits for it, and no key is in the log."""

from __future__ import annotations

import json
import signal
import socket
from typing import Any

import httpx

from shared.needs import needed

CANARY = "canary7f3a9b"


def test_a_service_that_never_answers_holds_up_nothing(flight: Any) -> None:
    """Days of ticks go by while the message hangs; the metrics are served, what happened waits, and the end is an orderly one."""
    needed("apprise")
    needed("prometheus_client")
    with socket.create_server(("127.0.0.1", 0)) as hole, socket.create_server(("127.0.0.1", 0)) as door:
        address = f"127.0.0.1:{hole.getsockname()[1]}/{CANARY}"
        listen = f"127.0.0.1:{door.getsockname()[1]}"
        door.close()
        notify = {"AUTOPILOT_NOTIFY__URLS": f"json://{address}", "AUTOPILOT_NOTIFY__PING": f"http://{address}"}
        flight.launch(**notify, AUTOPILOT_METRICS__LISTEN=listen)
        flight.wait_for("WATCHDOG=1")
        flight.wait_until(lambda: [text for (text,) in flight.rows("SELECT body FROM told") if json.loads(text)["outbox"]])
        (before,) = flight.rows("SELECT count(*) FROM events")
        flight.wait_until(lambda: flight.rows("SELECT count(*) FROM events") > [(before[0] + 20,)])
        page = httpx.get(f"http://{listen}/metrics", timeout=60).text
        ended = flight.ended(signal.SIGTERM)

    assert "autopilot_up 1.0" in page
    assert 0 == ended
    assert CANARY not in flight.log
    assert "Traceback" not in flight.log

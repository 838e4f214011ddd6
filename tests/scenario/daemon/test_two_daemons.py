"""What the daemon does when it is told to end, to read its configuration again, or to fly what another one flies."""

from __future__ import annotations

import signal
from random import Random
from threading import Event
from typing import Any

import pytest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(flight: Any, number: signal.Signals) -> None:
    """In order, with exit code 0, having said so; every node runs on, and no lock is left."""
    flight.launch()
    flight.wait_for("READY=1")
    flight.wait_until(lambda: flight.rows("SELECT 1 FROM switches WHERE state = 'settled'"))
    flight.processes[-1].send_signal(number)

    assert "STOPPING=1" == flight.wait_for("STOPPING=1")
    assert 0 == flight.ended()
    assert "Traceback" not in flight.log
    held = {device for device, services in flight.services().items() if services[-1][2].year == 9999}
    moving = {device for (device,) in flight.rows("SELECT device FROM switches WHERE state IN ('stopping', 'starting', 'reverting')")}
    assert {"SIM-0-RTX-4090", "SIM-1-RTX-4090"} == held | moving
    flight.launch()
    flight.wait_for("WATCHDOG=1")
    assert 0 == flight.ended(signal.SIGTERM)


def test_it_tells_systemd_how_it_is(flight: Any) -> None:
    """Ready when it flies, and alive from inside of every tick."""
    flight.launch()

    assert "READY=1" == flight.wait_for("READY=1")
    assert flight.wait_for("WATCHDOG=1").startswith("WATCHDOG=1\nSTATUS=2 devices, ")


def test_a_second_daemon_is_refused(flight: Any) -> None:
    """In one line, with exit code 2, and the first flies on."""
    first = flight.launch()
    flight.wait_for("READY=1")
    flight.launch()

    assert 2 == flight.ended()
    assert f"autopilot: {flight.state} is flown already by process {first.pid}: end it first, or choose another --state\n" == flight.log
    flight.processes.pop()
    beat, _ = flight.beat()
    flight.wait_until(lambda: flight.beat()[0] > beat)


def test_it_reads_its_configuration_again(flight: Any) -> None:
    """Without leaving the process; what cannot be flown is not taken over, and the one before flies on."""
    flight.launch()
    flight.wait_for("WATCHDOG=1")
    flight.configure("stay")
    flight.processes[-1].send_signal(signal.SIGHUP)
    flight.wait_until(lambda: flight.beat()[1]["strategy"] == "stay")
    good = flight.config.read_text(encoding="utf-8")
    misspelt = good.replace('"stay"', '"stya"')
    for content, complaint in (
        (misspelt, "did you mean stay?"),
        ("stratgy = 1\n" + good, "did you mean strategy"),
        ("[", "not valid TOML"),
    ):
        flight.config.write_text(content, encoding="utf-8")
        flight.processes[-1].send_signal(signal.SIGHUP)
        flight.wait_until(lambda complaint=complaint: complaint in flight.log)
        beat, _ = flight.beat()
        flight.wait_until(lambda beat=beat: flight.beat()[0] > beat)

    assert "stay" == flight.beat()[1]["strategy"]
    assert 3 == flight.log.count("the configuration was not taken over, the old one flies on")
    assert 0 == flight.ended(signal.SIGTERM)
    assert "Traceback" not in flight.log
    flight.check_nodes()


def test_no_wish_to_reload_is_lost(flight: Any) -> None:
    """It may come while the daemon is busy with the one before: what is flown at last is what was written last."""
    random = Random(7)  # noqa: S311
    flight.launch()
    flight.wait_for("WATCHDOG=1")
    for strategy in (*("stay", "greedy") * 8, "payback"):
        flight.configure(strategy)
        flight.processes[-1].send_signal(signal.SIGHUP)
        Event().wait(random.random() * 0.1)

    flight.wait_until(lambda: flight.beat()[1]["strategy"] == "payback")
    assert 0 == flight.ended(signal.SIGTERM)

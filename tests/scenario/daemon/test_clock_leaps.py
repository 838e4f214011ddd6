"""What the daemon does when the machine's clock is set, or the machine has slept: it flies on as after an outage, at once."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autopilot.daemon.leaps import Leaps
from autopilot.guards import Case, Cooldown, DailyBudget, Dwell
from autopilot.kit.service.orders import Orders
from autopilot.kit.service.process import ProcessShape, Program
from autopilot.model.device import NetworkId, Venue
from autopilot.model.node import Phase
from autopilot.model.plan import Move, PlanId
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.sim.clock import SimClock
from autopilot.testing.views import START, device, venue, view
from autopilot.units import HOUR
from shared.nodes import until
from wire.jumping_clock import Ahead


@pytest.mark.parametrize("leap", [timedelta(days=1), timedelta(days=-1), timedelta(minutes=-2)])
def test_a_leap_is_told_as_long_as_it_lasts(leap: timedelta) -> None:
    """However often one asks; and not any more where the clock was set right again."""
    clock = SimClock(START)
    leaps = Leaps(clock)
    clock.move_to(START + leap)

    assert [round(leap.total_seconds())] * 2 == [round(leaps.leap.total_seconds()) for _ in range(2)]
    clock.move_to(START)
    assert timedelta(0) == leaps.leap


def test_a_small_correction_is_no_leap() -> None:
    """No limit of a switch is missed for it."""
    clock = SimClock(START)
    leaps = Leaps(clock)
    clock.move_to(START - timedelta(seconds=50))

    assert timedelta(0) == leaps.leap


def test_what_is_dated_later_than_now_holds_nobody() -> None:
    """It was dated by a clock that was put back since: no stay, no failure and no budget of that day counts."""
    tomorrow = view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash", stayed=-24 * HOUR)
    at, move = tomorrow.now + 24 * HOUR, Move(device().id, venue("akash"), venue("nosana"))
    turned_back = Switch(SwitchId("one"), PlanId("plan"), device().id, move.source, move.target, State.REVERTED, at, at)
    case = Case(move, (move,), tomorrow, device(), (turned_back,))

    assert [None] * 3 == [guard.veto(case) for guard in (Dwell(HOUR), Cooldown(HOUR), DailyBudget(1))]


def test_who_was_told_to_go_tomorrow_is_late_a_grace_from_now(tmp_path: Path) -> None:
    """The grace begins again, and the node is not waited for until that day comes."""
    clock = SimClock(START + 24 * HOUR)
    orders = Orders(NetworkId("birch"), clock, tmp_path)
    orders.go(device())
    clock.move_to(START)
    assert not orders.late(device(), HOUR)
    clock.move_to(START + HOUR)

    assert orders.late(device(), HOUR)


def test_a_process_that_was_started_tomorrow_serves(tmp_path: Path) -> None:
    """It is not taken to boot for a day; and it goes when it is told to, killed a grace later where it does not hear."""
    clock, gpu, birch = SimClock(START + 24 * HOUR), device(), NetworkId("birch")
    program = Program(("/bin/sh", "-c", 'trap "" TERM; while :; do sleep 0.05; done'), settles=timedelta(seconds=2))
    shape = ProcessShape(birch, clock, program, tmp_path)
    shape.launch(gpu, Venue(birch))
    clock.move_to(START)
    assert Phase.READY is shape.look(gpu).phase
    clock.move_to(START + 24 * HOUR)
    shape.end(gpu, HOUR)
    clock.move_to(START)
    shape.end(gpu, HOUR)
    assert Phase.DRAINING is shape.look(gpu).phase
    clock.move_to(START + HOUR)
    shape.end(gpu, HOUR)
    until(lambda: shape.look(gpu).phase is Phase.ABSENT)


@pytest.mark.parametrize("leap", [24 * HOUR, -24 * HOUR], ids=["ahead", "back"])
def test_a_daemon_flies_on(flight: Any, leap: timedelta) -> None:
    """It says by how much, begins afresh and goes on ticking, where it would otherwise wait for a day, or miss every limit."""
    text = flight.config.read_text(encoding="utf-8")
    flight.config.write_text(text.replace("speed = 3600", "").replace('tick = "3m"', 'tick = "0.2s"'), encoding="utf-8")
    ahead = Ahead(flight.folder)
    flight.launch(**ahead.variables)
    flight.wait_for("WATCHDOG=1")
    ahead.set(leap)
    flight.wait_for("READY=1")
    flight.wait_for("WATCHDOG=1")

    assert "the clock has leapt by " in flight.log
    assert 0 == flight.ended(signal.SIGTERM), flight.log

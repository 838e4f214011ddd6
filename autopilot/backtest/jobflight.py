"""Flying a jobs market with arrays alone: a policy that is a plain function, on the tape and the draws that a Pilot would meet.

A policy is asked at free moments: at every full hour that finds the device waiting or idle, and at the end of every job. What
it is told of its own waits and jobs it may write into a state of its own. The loop is plain arithmetic over arrays, so that
it runs as it is, or compiled together with its policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from autopilot.backtest.oracle import NOWHERE
from autopilot.sim import hazards, jobs
from autopilot.sim.hazards import Floats
from autopilot.sim.jobs import Shown, Tape

WAITED, HIRED, WORKED = 0, 1, 2
"""What a note is of: a wait without a hire, one that ended with a hire, a job that came to its end."""

Function = TypeVar("Function", bound=Callable[..., Any])
Compile = Callable[[Any], Any]

Decide = Callable[[float, int, int, Shown, Any], int]
"""``(now, hour, venue, shown, state)`` to the venue to be at: the present one to stay, ``NOWHERE`` to go idle.

``now`` is in hours from the first scored one, ``hour`` is the row of ``shown`` that is known by now. Times are floats."""

Note = Callable[[int, int, float, float, int, Shown, Any], None]
"""``(kind, venue, start, end, hour, shown, state)``: a span that is over. A wait lies within its ``hour``; a job's is that of its start."""


class Costs(NamedTuple):
    """What moving and running cost. Time is in hours."""

    dark: float
    fee: float
    """USD for each move."""
    lit: Floats
    """USD of power while lit from hour 0 to each full hour: one more than there are hours."""
    unlit: Floats
    """The same while dark or idle."""


class Power(NamedTuple):
    """What a rig draws, in watts, and what that costs."""

    lit: float
    unlit: float
    tariff: Floats
    """USD per kWh in every hour."""


class Outcome(NamedTuple):
    """What one device has come to, in USD and hours."""

    gross: float
    fees: float
    power: float
    moves: int
    dark: float
    hires: int
    path: NDArray[np.intp]
    """For each hour the venue that the device is on or on its way to after the decision of that hour."""

    @property
    def net(self) -> float:
        """USD."""
        return self.gross - self.fees - self.power


def costs(hours: int, dark: float, fee: float, power: Power | None = None) -> Costs:
    """The costs of a rig, whose power is free where nothing is said of it."""
    spent = np.zeros(hours + 1)
    if power is None:
        return Costs(dark, fee, spent, spent)
    spent[1:] = np.cumsum(power.tariff) / 1000.0
    return Costs(dark, fee, spent * power.lit, spent * power.unlit)


def quiet(kind: int, venue: int, start: float, end: float, hour: int, shown: Shown, state: Any) -> None:
    """For a policy that learns nothing."""


def plain(function: Function) -> Function:
    """Do not compile."""
    return function


@dataclass(frozen=True)
class Flyer:
    """A policy, ready to fly any tape; made once, because compiling takes seconds."""

    run: Callable[..., tuple[Any, ...]]

    def fly(self, tape: Tape, costs: Costs, state: Any = None, device: int = 0) -> Outcome:
        """From idle through every hour of the tape. ``state`` is what the policy's functions are given; notes may change it."""
        return Outcome(*self.run(tape.truth, tape.shown, costs, device, state))


def flyer(decide: Decide, note: Note = quiet, compile: Compile = plain) -> Flyer:  # noqa: A002
    """Build the flight of a policy. ``compile`` is given every function of it, innermost first: ``numba.njit``, say."""
    exposure, reached = compile(hazards.exposure), compile(hazards.reached)
    between, snapped = compile(_between), compile(jobs.snapped)
    ask, tell = compile(decide), compile(note)

    def run(truth: Any, shown: Any, costs: Any, device: int, state: Any) -> Any:
        hours, venues = truth.pay.shape
        path = np.full(hours, NOWHERE)
        taken = np.zeros(venues, np.int64)
        need = truth.waits[:, device, 0].copy()
        gross, fees, power, dark = 0.0, 0.0, 0.0, 0.0
        moves, venue, now, came, filled = 0, NOWHERE, 0.0, 0.0, 0
        asked = True
        while now < hours:
            hour = int(now)
            target = ask(now, hour, venue, shown, state) if asked else venue
            asked = True
            if target not in (venue, NOWHERE):
                venue, began = target, now
                now = came = snapped(now + costs.dark)
                moves, fees = moves + 1, fees + costs.fee
                dark += min(now, hours) - began
                power += between(costs.unlit, began, min(now, hours))
                asked = now > began and now == int(now)
                until = min(now, float(hours))
            elif target == NOWHERE:
                venue, until = NOWHERE, hour + 1.0
                power += between(costs.unlit, now, until)
                now = until
            else:
                hour_end = hour + 1.0
                grown = exposure(truth.hazard[hour, venue], now - came, hour_end - came, truth.queue)
                if grown < need[venue]:
                    need[venue] -= grown
                    at, kind, until = hour_end, WAITED, hour_end
                else:
                    at = snapped(came + reached(truth.hazard[hour, venue], now - came, need[venue], truth.queue))
                    taken[venue] += 1
                    length = truth.job_hours[hour, venue] * truth.lengths[venue, device, taken[venue] - 1]
                    need[venue] = truth.waits[venue, device, taken[venue]]
                    kind, until = HIRED, snapped(at + length)
                tell(kind, venue, now, at, hour, shown, state)
                if kind == HIRED and until <= hours:
                    tell(WORKED, venue, at, until, int(at), shown, state)
                cut = min(until, float(hours))
                gross += truth.idle[hour, venue] * (at - now) + truth.pay[hour, venue] * (cut - at)
                power += between(costs.lit, now, cut)
                now = until
            while filled < hours and filled < until:
                path[filled] = venue
                filled += 1
        return gross, fees, power, moves, dark, taken.sum(), path

    return Flyer(compile(run))


def _between(running: Floats, start: float, end: float) -> float:
    """The part of a running sum over hours that lies between two times."""
    first, last = int(start), int(end)
    low = running[first] + ((start - first) * (running[first + 1] - running[first]) if start > first else 0.0)
    high = running[last] + ((end - last) * (running[last + 1] - running[last]) if end > last else 0.0)
    return float(high - low)

"""The informed bound of a jobs market: a course that knows this rig's true hazards, and what is to be expected of them.

Nobody can foresee hires, so perfect foresight is no measure here: it would be hired at every instant. The informed policy
knows the present hazard and pay of every venue as they truly are, how far they will have gone back to their means after every
hour to come, and the true mean length of a job, but not its luck. At each hour it chooses by backward induction over the
hours ahead (Richard Bellman, Dynamic Programming, Princeton University Press 1957, chapter III) with the states (venue,
waiting or busy) and idle. It is then flown like any policy, on the same draws.

Within an hour a venue is a two-state Markov chain of constant rates, hires and ends of jobs; what a hire brings is counted
at the hire, at the pay of that hour, as far as it lies within the hours ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autopilot.backtest.jobflight import Costs, Flyer, flyer
from autopilot.backtest.oracle import NOWHERE, OracleResult
from autopilot.sim.hazards import Floats
from autopilot.sim.jobs import Shown, Tape

HORIZON = 120
"""Hours that the induction looks ahead."""

Table = NDArray[np.intp]


def bound(tape: Tape, costs: Costs, devices: int = 1) -> OracleResult:
    """What so many devices come to by the informed policy, each with its own luck."""
    table = policy(tape, costs)
    outcomes = [BOUND.fly(tape, costs, table, device) for device in range(devices)]
    return OracleResult(
        net_usd=sum(outcome.net for outcome in outcomes),
        gross_usd=sum(outcome.gross for outcome in outcomes),
        fee_usd=sum(outcome.fees for outcome in outcomes),
        power_usd=sum(outcome.power for outcome in outcomes),
        moves=sum(outcome.moves for outcome in outcomes),
        path=outcomes[0].path,
        devices=devices,
    )


def policy(tape: Tape, costs: Costs, horizon: int = HORIZON) -> Table:
    """For each hour, where to go from idle (column 0) and from each venue (column 1 + venue) at a free moment."""
    ahead = _Ahead(tape, costs, horizon)
    for lead in reversed(range(horizon)):
        ahead.step(lead)
    return ahead.choice


def follow(now: float, hour: int, venue: int, shown: Shown, state: Table) -> int:  # noqa: ARG001
    """What the table of ``policy`` says: the step of a flight, to be compiled where many are flown."""
    return int(state[hour, venue + 1])


BOUND: Flyer = flyer(follow)
"""Flies a table made by ``policy``."""


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """A venue over a span of an hour: start hours x venues. Waiting and busy are the two states."""

    hired: Floats
    """Chance to be busy at the end, of one who waited at the start."""
    freed: Floats
    """Chance to wait at the end, of one who was busy at the start."""
    from_waiting: Floats
    """USD that a span is worth that begins waiting, power not counted."""
    from_busy: Floats

    @classmethod
    def of(cls, hazard: Floats, job_hours: Floats, hire: Floats, idle: Floats, span: float) -> _Chain:
        """``hire`` is what a hire brings in USD, ``idle`` what an hour of waiting does."""
        pace = hazard + 1.0 / job_hours
        busy = hazard / pace
        settled = -np.expm1(-pace * span)
        hired, freed = busy * settled, (1.0 - busy) * settled
        waiting = hazard * hire + idle
        return cls(hired, freed, waiting * ((1.0 - busy) * span + hired / pace), waiting * ((1.0 - busy) * span - freed / pace))


class _Ahead:
    """The worth of every state from the end of the horizon back to now, for every hour of the tape at once."""

    def __init__(self, tape: Tape, costs: Costs, horizon: int) -> None:
        self._tape, self._costs, self._horizon = tape, costs, horizon
        # Waiting behind others costs as much as coming later by half the queue.
        dark = costs.dark + tape.truth.queue / 2.0
        self._steps = int(np.ceil(dark))
        self._rest = self._steps - dark
        hours, venues = tape.truth.pay.shape
        self._waiting = np.zeros((hours, venues))
        self._busy = np.zeros((hours, venues))
        self._idle = np.zeros((hours, 1))
        self._arrivals: list[Floats] = []
        """The worth of a dark time that ends in an hour, at its end; the newest last."""
        self.choice: Table = np.zeros((hours, venues + 1), dtype=np.intp)

    def step(self, lead: int) -> None:
        """One hour back in time."""
        lit, unlit = self._power(self._costs.lit, lead, 1.0), self._power(self._costs.unlit, lead, 1.0)
        rest_lit = self._power(self._costs.lit, lead + 1.0 - self._rest, self._rest)
        whole, rest = self._chains(lead)
        stay = whole.from_waiting - lit + _mixed(whole.hired, self._waiting, self._busy)
        self._arrivals.append(rest.from_waiting - rest_lit + _mixed(rest.hired, self._waiting, self._busy))
        busy = whole.from_busy - lit + _mixed(whole.freed, self._busy, self._waiting)
        go = self._go(lead, stay)
        nothing = self._idle - unlit
        if lead == 0:
            self._choose(stay, nothing, go)
        best = np.maximum(nothing, go.max(axis=1, keepdims=True))
        self._waiting, self._busy, self._idle = np.maximum(stay, best), busy, best

    def _chains(self, lead: int) -> tuple[_Chain, _Chain]:
        """Every venue over the whole of an hour, and over what a dark time leaves of it. Nothing happens past the end."""
        tape, truth, hours = self._tape, self._tape.truth, self._tape.hours
        left = np.maximum(np.minimum(self._horizon, hours - np.arange(hours))[:, None] - lead, 0)
        hazard = tape.hazard.ahead(lead)[-hours:] * (truth.hazard > 0.0) * (left > 0)
        counted = truth.job_hours * -np.expm1(-left / truth.job_hours)
        hire, idle = np.nan_to_num(tape.pay.ahead(lead)[-hours:]) * counted, truth.idle * (left > 0)
        whole, rest = (_Chain.of(hazard, truth.job_hours, hire, idle, span) for span in (1.0, self._rest))
        return whole, rest

    def _go(self, lead: int, stay: Floats) -> Floats:
        """The worth of leaving for each venue now."""
        if self._steps == 0:
            return stay - self._costs.fee
        arrived = self._arrivals[-self._steps] if len(self._arrivals) >= self._steps else np.zeros_like(stay)
        return arrived - self._power(self._costs.unlit, lead, self._costs.dark) - self._costs.fee

    def _power(self, running: Floats, lead: float, span: float) -> Floats:
        """USD of power for a span that begins so many hours after each hour; nothing past the end."""
        hours = np.arange(self._tape.hours + 1.0)
        start = hours[:-1] + lead
        spent = np.interp(start + span, hours, running) - np.interp(start, hours, running)
        return np.asarray(spent)[:, None]

    def _choose(self, stay: Floats, nothing: Floats, go: Floats) -> None:
        """What is best now, from idle and from each venue; staying where it is as good."""
        target = go.argmax(axis=1)[:, None]
        most = go.max(axis=1, keepdims=True)
        away = np.where(nothing >= most, NOWHERE, target)
        here = np.arange(stay.shape[1])[None, :]
        self.choice = np.concatenate([away, np.where(stay >= np.maximum(nothing, most), here, away)], axis=1)


def _mixed(chance: Floats, same: Floats, other: Floats) -> Floats:
    """The worth of ending in another state with some chance."""
    return same + chance * (other - same)

"""How much of an hour a node is hired, and how long a newcomer waits for its first job. Pure arithmetic.

A market has one queue, first come first served: nodes wait for jobs, or jobs for nodes. With R jobs running, Q nodes waiting, J jobs
waiting and a mean job of length L, a newcomer is one node more:

    occupancy = (R + J) / (R + Q + 1), at most 1        wait = (Q + 1) x L / R, none where jobs wait

In a steady state as many jobs begin as end, R / L of them in an hour (Little's law), and the newcomer gets the one after the Q nodes
before it. Both formulas are one: a wait and a job in turn keep a node busy for L / (wait + L) = R / (R + Q + 1) of the time. They are
the usual R / (R + Q) and Q x L / R, with the newcomer counted among those who wait; a node of ours that is there already is not counted
again, and only those before it in the queue delay it.

More nodes of ours share the same jobs: n of them are hired n x (R + J) / (R + Q + n) of the time in all. With S = R + Q + 1 the second adds
(S - 1) / (S + 1) of what the first has, so each further one earns about 2 / (S + 1) less than the one before, as long as nodes wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from autopilot.units import NONE, Share

MEAN_JOB = timedelta(minutes=58)
"""Where nothing else is known: 12,346,915,572 s of 3,542,223 jobs, all that Nosana had run by 2026-03-24."""
LONGEST_WAIT = timedelta(days=1)
"""Longer waits, and those for a job in a market that runs none, count as this: who waits a day is moved elsewhere by the quote itself."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who is in a market, or in the whole network."""

    running: int
    """Jobs that run, each on one node."""
    nodes: int = 0
    """That wait for a job."""
    jobs: int = 0
    """That wait for a node."""
    here: bool = False
    """Whether a node of ours is among the nodes that work or wait."""
    before: int | None = None
    """Nodes before ours in the queue, where ours is in it."""
    busy: bool = False
    """Whether ours works already."""

    @property
    def demand(self) -> int:
        """Jobs that want a node now."""
        return self.running + self.jobs

    @property
    def supply(self) -> int:
        """Nodes, with ours."""
        return self.running + self.nodes + (0 if self.here else 1)

    @property
    def occupancy(self) -> Share:
        """The share of the hour that each node there can expect to be hired."""
        return Share.of(min(Decimal(1), Decimal(self.demand) / Decimal(max(self.supply, 1))))

    @property
    def fall(self) -> Share:
        """How much less a further node of ours earns than the one before: nothing, where jobs wait for nodes."""
        return Share.of(Decimal(2) / (self.supply + 1)) if self.demand < self.supply else NONE

    def wait(self, job: timedelta) -> timedelta:
        """How long until our node gets its next job, with jobs of this mean length."""
        if self.jobs or self.busy:
            return timedelta(0)
        if not self.running:
            return LONGEST_WAIT
        return min(LONGEST_WAIT, job * (self.ahead + 1) / self.running)

    @property
    def ahead(self) -> int:
        """Nodes that get a job before ours."""
        return self.nodes if self.before is None else self.before

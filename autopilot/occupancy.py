"""What our own hires and waits teach about being hired (docs/market.md §4). Pure arithmetic of floats.

What a network publishes speaks of everybody: a hazard at which a typical rig is hired while it waits. What is learned is the
*ratio* of our own hazard to it, so that the public figure goes on telling how times change::

    A = a0 + n        b = (A + c * sqrt(A)) / (a0 + X)

with *n* the own hires, *X* the hires that a typical rig would have had in the same waits, the present one included, *a0* how
firmly the public figure is believed at first, and *c* the optimism that lets a little-known venue be tried again. Evidence
decays. A venue then pays, per hour, ``g = (q + hazard * m * p) / (1 + hazard * m)``.

Hours, USD per hour and plain numbers throughout. The functions down to ``worth`` take and give nothing but numbers, so the same
code runs in the daemon and compiled over whole histories; those below it speak of quotes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from autopilot.model.device import Device, DeviceId, Venue
from autopilot.model.experience import Experience, Odds, Tally
from autopilot.model.market import Quote
from autopilot.units import ALL, HOUR

HALF_LIFE = 168.0
"""Hours in which evidence loses half its weight: 7 days."""
PRIOR = 2.0
"""How many expected hires the public figure is worth before there are own ones."""
OPTIMISM = 0.75
"""How many standard deviations of a count above it are believed: what is little known is tried sooner."""
KIN = 8.0
"""How many expected hires of the other GPUs of a rig count as much as all of theirs together: GPUs of one rig are alike, not the same."""
USUAL_JOBS = 5.0
"""How many jobs the published job length is worth; a job longer than so many times that length counts as this long."""
UNTOLD_JOB = 4.0
"""The length of a job, in hours, where a venue publishes none."""

MEAN_LIFE = 120.0
"""Half-life, in hours, of the slow mean of a published figure: 5 days."""
SPREAD_LIFE = 240.0
"""Half-life, in hours, of the variance around it: 10 days."""
FIRST_SPREAD = 0.35
"""That variance before there are figures to learn it from."""
MOVES = 0.3
"""How much of that variance may be the market itself: log-odds that wander by 0.55 within days. What is more is noise."""

_EDGE = 0.002
"""No published occupancy is believed to be nearer to nothing or to all than this."""


def kept(hours: float) -> float:
    """What is left of evidence that is so old, as a share."""
    return math.pow(0.5, hours / HALF_LIFE)


def waited(expected: float, hazard: float, hours: float) -> float:
    """The expected hires after a further wait under a hazard, the old ones decayed.

    However a wait is cut into pieces, the outcome is the same: it is the integral of the decayed hazard.
    """
    left = kept(hours)
    return expected * left + hazard * (1.0 - left) * HALF_LIFE / math.log(2.0)


def log_odds(occupancy: float) -> float:
    """The logarithm of hired against free time."""
    share = min(max(occupancy, _EDGE), 1.0 - _EDGE)
    return math.log(share / (1.0 - share))


def mean_after(mean: float, odds: float, hours: float) -> float:
    """The slow mean after one more published figure, so many hours after the last."""
    return mean + (1.0 - math.pow(0.5, hours / MEAN_LIFE)) * (odds - mean)


def spread_after(spread: float, mean: float, odds: float, hours: float) -> float:
    """The variance around the slow mean after one more published figure; ``mean`` is the one before it."""
    return spread + (1.0 - math.pow(0.5, hours / SPREAD_LIFE)) * ((odds - mean) * (odds - mean) - spread)


def steady(latest: float, mean: float, spread: float) -> float:
    """The newest figure, as far as it can be told from noise: of its distance from the slow mean, the share that the market may move.

    It is the best linear estimate of a signal with the variance ``MOVES`` in a series with the variance ``spread``.
    """
    return mean + MOVES / max(spread, MOVES) * (latest - mean)


def hazard(odds: float, length: float) -> float:
    """Hires per hour of waiting, from the logarithm of the odds and the mean length of a job in hours."""
    return math.exp(odds) / length


def factor(hires: float, expected: float, kin_hires: float, kin_expected: float) -> float:
    """How much oftener than a typical rig a GPU is hired, as believed from its own evidence and that of its rig's others.

    The others' evidence, and the prior behind it, is worth at most ``KIN`` expected hires, so a GPU that differs shows it in time.
    """
    weight = KIN / (KIN + kin_expected)
    count = weight * (PRIOR + kin_hires) + hires
    return (count + OPTIMISM * math.sqrt(count)) / (weight * (PRIOR + kin_expected) + expected)


def job_length(published: float, jobs: float, hours: float) -> float:
    """The mean length of a job in hours, from the published one and the own jobs' number and capped sum of hours."""
    return (USUAL_JOBS * published + hours) / (USUAL_JOBS + jobs)


def capped(length: float, published: float) -> float:
    """What a finished job adds to the sum of hours: one very long job does not make the mean."""
    return min(length, USUAL_JOBS * published)


def worth(pay: float, wait: float, load: float) -> float:
    """The mean income of staying, in USD per hour: ``pay`` while hired, ``wait`` while not; ``load`` is hazard times job length."""
    return (wait + load * pay) / (1.0 + load)


def aged(tally: Tally, span: timedelta) -> Tally:
    """The same evidence after a span in which nothing was added. A clock that went back makes nothing younger."""
    left = kept(max(span, timedelta(0)) / HOUR)
    return Tally(tally.model, tally.hires * left, tally.expected * left, tally.jobs * left, tally.hours * left)


def known(tallies: Iterable[tuple[Venue, DeviceId, datetime, Tally]], odds: Iterable[tuple[Venue, str, Odds]], now: datetime) -> Experience:
    """What a store has kept, as it counts now."""
    return Experience(
        {(venue, device): aged(tally, now - at) for venue, device, at, tally in tallies},
        {(venue, model): each for venue, model, each in odds},
    )


def for_jobs(quote: Quote) -> bool:
    """Whether a venue pays by the job. One that pays for every hour hires nobody, and teaches nothing about it."""
    return quote.occupancy != ALL


def published_length(quote: Quote) -> float:
    """The mean length of a job in hours that a quote names; a common one where it names none, for the own jobs to correct."""
    return quote.job_length / HOUR if quote.job_length else UNTOLD_JOB


def followed(before: Odds | None, quote: Quote) -> Odds:
    """What becomes of a venue's published figures by one more."""
    odds = log_odds(float(quote.occupancy))
    if before is None:
        return Odds(quote.as_of, odds, odds, FIRST_SPREAD)
    hours = (quote.as_of - before.as_of) / HOUR
    return Odds(quote.as_of, odds, mean_after(before.mean, odds, hours), spread_after(before.spread, before.mean, odds, hours))


def public_hazard(odds: Odds, quote: Quote) -> float:
    """At which a typical rig is hired, per hour of waiting, as far as the published figures can be told from noise."""
    return hazard(steady(odds.latest, odds.mean, odds.spread), published_length(quote))


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of a quote for a device."""

    rate: float
    """USD per hour of staying there, hired or not, before power."""
    factor: float
    """How much oftener than a typical rig the device is hired; one where there are no jobs to be had."""
    load: float
    """Hazard times length of a job: hired against free time; infinite where every hour is paid."""
    evidence: str
    """In words: "hired 0.7x as often as others here: 7 hires in 9.9 expected, counted as 0.8x"."""


def believed(quote: Quote, experience: Experience, device: Device) -> Belief:
    """What a quote is worth to a device, by what the rig has seen of being hired there."""
    if not for_jobs(quote):
        return Belief(float(quote.expected), 1.0, math.inf, "paid for every hour")
    own, kin = experience.own(quote.venue, device), experience.kin(quote.venue, device)
    oftener = factor(own.hires, own.expected, kin.hires, kin.expected)
    odds = experience.odds.get((quote.venue, device.model)) or followed(None, quote)
    length = job_length(published_length(quote), own.jobs + kin.jobs, own.hours + kin.hours)
    load = public_hazard(odds, quote) * oftener * length
    pay = float(quote.gross) * (1.0 - sum(float(fee.share) for fee in quote.fees))
    return Belief(worth(pay, float(quote.idle), load), oftener, load, _evidence(own, kin, oftener))


def _evidence(own: Tally, kin: Tally, oftener: float) -> str:
    counted = f"counted as {oftener:.2g}x"
    if not own.expected:
        said = "no own hires or waits here yet"
    else:
        said = f"hired {own.hires / own.expected:.2g}x as often as others here: {_hires(own)}"
    return f"{said}{f', the other GPUs of the rig {_hires(kin)}' if kin.expected else ''}, {counted}"


def _hires(tally: Tally) -> str:
    return f"{tally.hires:.2g} hires in {tally.expected:.2g} expected"

"""What our own hires and waits teach about being hired (docs/market.md §4). Pure arithmetic of floats.

What a network publishes speaks of everybody: how long a typical rig is hired for each hour that it waits, its *odds*. Their
logarithm is followed by an extended Kalman filter (Jazwinski, Stochastic Processes and Filtering Theory, 1970, ch. 8) of three parts::

    published  =  mean + moved + noise          own  =  mean + moved + bias

how far the market has *moved* from its slow mean, the *noise* of what is published, which lasts a day, and the *bias*, how much
oftener than a typical rig this one is hired. A wait in vain may be due to the market or to the rig; which of them it
was, the figures tell that are published next. A venue pays, per hour, ``g = (q + load * p) / (1 + load)`` with a load of
``exp(own)``, corrected by the own jobs' lengths.

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
"""Hours in which what one GPU has seen loses half its weight as evidence: 7 days."""
OPTIMISM = 0.7
"""How many standard deviations above the likely odds are believed: what is little known is tried sooner."""
KIN = 8.0
"""How many expected hires it takes to believe half of what tells a GPU from the others of its rig: they are alike, not the same."""
USUAL_JOBS = 5.0
"""How many jobs the published job length is worth; a job longer than so many times that length counts as this long."""
UNTOLD_JOB = 4.0
"""The length of a job, in hours, where a venue publishes none."""

MARKET_SD, MARKET_LIFE = 0.7, 120.0
"""How far a market's log-odds stray from their mean: two of three times by less than a factor of 2; half of it is over in 5 days."""
NOISE_LIFE = 24.0
"""The hours after which half of the error of a published figure is still in it: who is counted changes from day to day."""
BIAS_SD, BIAS_LIFE = 0.7, 1440.0
"""How far the rigs' log-odds differ: two of three by less than a factor of 2; half of it is over in 60 days."""

MEAN_LIFE = 120.0
"""Half-life, in hours, of the slow mean of a published figure: 5 days."""
SPREAD_LIFE = 240.0
"""Half-life, in hours, of the variance around it: 10 days."""
FIRST_SPREAD = 0.35
"""That variance before there are figures to learn it from."""
MOVES = MARKET_SD * MARKET_SD * MEAN_LIFE / (MEAN_LIFE + MARKET_LIFE)
"""How much of that variance is the market itself: that of an Ornstein-Uhlenbeck process around its own exponential mean."""
LEAST_NOISE = 0.03
"""The variance of the noise that is always reckoned with; it is what the figures vary by more than the market would."""
RIPPLE = 0.003
"""The variance of what no two figures have in common, as by rounding."""

_EDGE = 0.002
"""No published occupancy is believed to be nearer to nothing or to all than this."""
_STEPS = 12
"""Newton's steps, from above a convex curve's root: more than doubles need."""


def kept(hours: float) -> float:
    """What is left of evidence that is so old, as a share."""
    return math.pow(0.5, hours / HALF_LIFE)


def waited(expected: float, hazard: float, hours: float) -> float:
    """The expected hires after a further wait under a hazard, the old ones decayed.

    However a wait is cut into pieces, the outcome is the same: it is the integral of the decayed hazard.
    """
    pace = math.log(2.0) / HALF_LIFE
    return expected * kept(hours) - hazard * math.expm1(-pace * hours) / pace


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


def first(odds: float) -> Odds:
    """Before anything but one published figure is known."""
    market, noise, bias = MARKET_SD * MARKET_SD, noise_of(FIRST_SPREAD), BIAS_SD * BIAS_SD
    return published(Odds(odds, FIRST_SPREAD, 0.0, 0.0, 0.0, market, noise, bias, 0.0, 0.0, 0.0, 0.0, 0.0), odds)


def followed(known: Odds, odds: float, hours: float) -> Odds:
    """After one more published figure, so many hours after the last; what was seen in between goes in before it."""
    mean = mean_after(known.mean, odds, hours)
    spread = spread_after(known.spread, known.mean, odds, hours)
    return published(drifted(learned(known), mean, spread, hours), odds)


def drifted(known: Odds, mean: float, spread: float, hours: float) -> Odds:
    """After a span in which nothing is told, and by a new slow mean and spread: what the mean gains, the market's distance loses.

    Each part returns to zero and grows uncertain, as an Ornstein-Uhlenbeck process does.
    """
    market, noise, bias = math.pow(0.5, hours / MARKET_LIFE), math.pow(0.5, hours / NOISE_LIFE), math.pow(0.5, hours / BIAS_LIFE)
    return Odds(
        mean,
        spread,
        (known.moved + known.mean - mean) * market,
        known.noise * noise,
        known.bias * bias,
        known.moved_variance * market * market + MARKET_SD * MARKET_SD * (1.0 - market * market),
        known.noise_variance * noise * noise + noise_of(spread) * (1.0 - noise * noise),
        known.bias_variance * bias * bias + BIAS_SD * BIAS_SD * (1.0 - bias * bias),
        known.moved_noise * market * noise,
        known.moved_bias * market * bias,
        known.noise_bias * noise * bias,
        known.hires,
        known.waited,
    )


def noise_of(spread: float) -> float:
    """The variance of the error of published figures, by their variance around their slow mean."""
    return max(spread - MOVES, LEAST_NOISE)


def published(known: Odds, odds: float) -> Odds:
    """With a published figure taken in, which is the market's odds and noise: Kalman's update."""
    moved, noise = known.moved_variance + known.moved_noise, known.moved_noise + known.noise_variance
    variance = moved + noise + RIPPLE
    surprise = odds - known.mean - known.moved - known.noise
    return _updated(known, moved, noise, known.moved_bias + known.noise_bias, surprise / variance, 1.0 / variance)


def learned(known: Odds) -> Odds:
    """With the own hires and waits taken in since the newest figure, which are Poisson's by the rig's odds.

    The likely shift ``x`` of the odds solves ``x = variance * (hires - waited * exp(odds + x))``, where the density of a Gaussian
    times that of Poisson is highest; the curvature there is the information (Laplace's approximation). Only the sums count,
    so it does not matter how a wait was cut, nor whose came first.
    """
    moved, bias = known.moved_variance + known.moved_bias, known.moved_bias + known.bias_variance
    variance = moved + bias
    expected = known.waited * math.exp(known.mean + known.moved + known.bias)
    likeliest = math.log(max(known.hires, expected) / expected) if expected > 0.0 else math.inf  # with nothing believed before
    shift = min(variance * known.hires, likeliest)
    for _ in range(_STEPS):
        slope = variance * expected * math.exp(shift)
        shift -= (shift + slope - variance * known.hires) / (1.0 + slope)
    weight = expected * math.exp(shift)
    return _updated(known, moved, known.moved_noise + known.noise_bias, bias, known.hires - weight, weight / (1.0 + weight * variance))


def _updated(known: Odds, moved: float, noise: float, bias: float, gain: float, weight: float) -> Odds:
    """By what was observed: its covariance with each part, its surprise per variance, and how much it takes off the variances."""
    return Odds(
        known.mean,
        known.spread,
        known.moved + moved * gain,
        known.noise + noise * gain,
        known.bias + bias * gain,
        known.moved_variance - moved * moved * weight,
        known.noise_variance - noise * noise * weight,
        known.bias_variance - bias * bias * weight,
        known.moved_noise - moved * noise * weight,
        known.moved_bias - moved * bias * weight,
        known.noise_bias - noise * bias * weight,
        0.0,
        0.0,
    )


def public_load(known: Odds) -> float:
    """Hired against free time of a typical rig, as likely by all but the own hires and waits since the newest figure."""
    return math.exp(known.mean + known.moved)


def own_load(known: Odds) -> float:
    """Hired against free time of this rig, as believed: ``OPTIMISM`` standard deviations above what is likely."""
    now = learned(known)
    variance = now.moved_variance + 2.0 * now.moved_bias + now.bias_variance
    return math.exp(now.mean + now.moved + now.bias + OPTIMISM * math.sqrt(variance))


def apart(hires: float, expected: float, rig_hires: float, rig_expected: float) -> float:
    """How much oftener than the rig's GPUs together one of them is hired: its hires against those of as long waits of all of them.

    ``KIN`` hires of either kind are added, so little evidence tells nobody apart, and the only GPU of a rig is never apart from itself.
    """
    alike = expected * rig_hires / rig_expected if rig_expected > 0.0 else 0.0
    return (KIN + hires) / (KIN + alike)


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


def known(
    tallies: Iterable[tuple[Venue, DeviceId, datetime, Tally]], odds: Iterable[tuple[Venue, str, datetime, Odds]], now: datetime
) -> Experience:
    """What a store has kept, as it counts now. Odds stand as their newest figure left them."""
    return Experience(
        {(venue, device): aged(tally, now - at) for venue, device, at, tally in tallies},
        {(venue, model): each for venue, model, _, each in odds},
    )


def for_jobs(quote: Quote) -> bool:
    """Whether a venue pays by the job. One that pays for every hour hires nobody, and teaches nothing about it."""
    return quote.occupancy != ALL


def published_length(quote: Quote) -> float:
    """The mean length of a job in hours that a quote names; a common one where it names none, for the own jobs to correct."""
    return quote.job_length / HOUR if quote.job_length else UNTOLD_JOB


def told(quote: Quote) -> float:
    """The log-odds that a quote publishes."""
    return log_odds(float(quote.occupancy))


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
    odds = experience.odds.get((quote.venue, device.model)) or first(told(quote))
    chance = own_load(odds) * apart(own.hires, own.expected, own.hires + kin.hires, own.expected + kin.expected)
    usual = published_length(quote)
    load = chance / usual * job_length(usual, own.jobs + kin.jobs, own.hours + kin.hours)
    oftener = chance / public_load(odds)
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

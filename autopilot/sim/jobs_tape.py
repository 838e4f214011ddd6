"""From a setting, or from recorded rates, and a seed to the tape of a jobs market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autopilot.sim.hazards import Factor, Floats
from autopilot.sim.jobs import Motion, Purpose, Shown, Tape, Truth, draws, stream, to_hours, whole_micros, whole_nanos
from autopilot.sim.jobs_setting import Rules, Setting


@dataclass(frozen=True, eq=False)
class Venues:
    """What is known of the venues before a rig comes into it: every hour, those before the first scored one included."""

    names: tuple[str, ...]
    pay: Motion
    network: Motion
    """The hazard that all rigs share."""
    idle: Floats
    job_hours: Floats
    first: int
    """The row of the first scored hour."""


def setting_tape(setting: Setting, seed: int, devices: int = 1) -> Tape:
    """The market of one seed, with draws for so many devices."""
    places, moves = setting.places(seed), setting.moves
    rows = setting.hours + setting.public.late
    job_hours = _rows([to_hours(place.job) for place in places], rows)
    odds = _rows([place.occupancy / (1.0 - place.occupancy) for place in places], rows)
    shared: dict[Purpose, Factor] = {Purpose.NETWORK: moves.network, Purpose.REGIME: moves.regime, Purpose.RHYTHM: moves.rhythm}
    venues = Venues(
        tuple(place.name for place in places),
        Motion.of(_rows([place.pay for place in places], rows), {Purpose.PAY: moves.pay}, seed),
        Motion.of(odds / job_hours, shared, seed),
        _rows([place.idle for place in places], rows),
        job_hours,
        setting.public.late,
    )
    return make_tape(venues, setting, seed, devices)


def make_tape(venues: Venues, rules: Rules, seed: int, devices: int) -> Tape:
    """Add this rig, what the public is told, and the luck."""
    own = Motion.of(np.ones_like(venues.network.level), {Purpose.RIG: rules.moves.rig}, seed)
    hazard = Motion(venues.network.level, [*venues.network.factors, *own.factors])
    sigmas = rules.jobs.sigmas(seed, len(venues.names))
    first = venues.first
    pay = venues.pay.values[first:]
    paid = ~np.isnan(pay)
    hires = np.where(paid, hazard.values[first:], 0.0)
    waits, lengths = draws(seed, hires, devices, sigmas)
    truth = Truth(
        whole_nanos(np.where(paid, pay, 0.0)),
        whole_nanos(np.where(paid, venues.idle[first:], 0.0)),
        hires,
        np.where(paid, venues.job_hours[first:], 1.0),
        waits,
        lengths,
        to_hours(rules.moves.queue),
    )
    told = _told(venues, rules, seed)
    shown = Shown(*(_late(values, venues.first, rules.public.late) for values in told))
    return Tape(venues.names, told, shown, truth, sigmas, venues.pay, hazard)


def _told(venues: Venues, rules: Rules, seed: int) -> Shown:
    """What the public is told of each hour."""
    odds = Motion.of(venues.network.values * venues.job_hours, {Purpose.ERROR: rules.public.error}, seed).values
    error = np.exp(rules.public.job_sd * stream(seed, Purpose.KNOWN_JOB).standard_normal(len(venues.names)))
    return Shown(
        whole_nanos(venues.pay.values), whole_nanos(venues.idle), whole_nanos(odds / (1.0 + odds)), whole_micros(venues.job_hours * error)
    )


def _late(values: Floats, first: int, late: int) -> Floats:
    """From the first scored hour on, what is known so many hours late; nothing is known before the first row."""
    unknown = np.full((max(0, late - first), values.shape[1]), np.nan)
    return np.concatenate([unknown, values[max(0, first - late) :]])[: len(values) - first]


def _rows(values: list[float], rows: int) -> Floats:
    return np.tile(np.asarray(values, dtype=float), (rows, 1))

"""Settings of a jobs market: a world of venues, what moves it, and what a move costs; read from a file such as ``benchmarks/jobs.toml``.

A setting and a seed make a tape (``autopilot.sim.jobs``). Figures that a file leaves out are those that the classes state.
"""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from autopilot.errors import ConfigError, did_you_mean
from autopilot.kit.fields import SpanField, Table, UsdField
from autopilot.sim.hazards import Regimes, Rhythm, Walk
from autopilot.sim.jobs import Purpose, stream
from autopilot.units import HOUR, Usd

Range = tuple[float, float]
SpanRange = tuple[SpanField, SpanField]


class Place(Table):
    """One venue, as it is on average."""

    name: str
    pay: float = Field(ge=0)
    """USD an hour while a job runs."""
    occupancy: float = Field(ge=0, lt=1)
    job: SpanField = Field(gt=timedelta(0))
    """The mean length."""
    idle: float = Field(default=0.0, ge=0)
    """USD an hour while waiting."""


class Drawn(Table):
    """Venues that each seed draws: each pays about the same for an hour of being there, so it pays much where it hires seldom."""

    venues: int = Field(ge=1)
    occupancy: Range
    """Uniform between the two."""
    job: SpanRange
    """Log-uniform between the two."""
    hourly_yield: float = Field(gt=0)
    """USD for an hour of being there, waits included: the middle of a log-normal."""
    yield_sd: float = Field(ge=0)
    """Of its logarithm."""
    idle: float = Field(default=0.0, ge=0)

    def places(self, seed: int) -> tuple[Place, ...]:
        """The venues of one seed."""
        random = stream(seed, Purpose.WORLD)
        occupancy = random.uniform(*self.occupancy, self.venues)
        shortest, longest = (each / HOUR for each in self.job)
        jobs = np.exp(random.uniform(np.log(shortest), np.log(longest), self.venues))
        yields = self.hourly_yield * np.exp(self.yield_sd * random.standard_normal(self.venues))
        rows = zip(yields / occupancy, occupancy, jobs, strict=True)
        return tuple(
            Place(name=f"venue-{index}", pay=float(pay), occupancy=float(share), job=timedelta(hours=float(job)), idle=self.idle)
            for index, (pay, share, job) in enumerate(rows)
        )


class Moves(Table):
    """What moves pay and hazards."""

    pay: Walk = Walk(sd=0.15, half_life=timedelta(days=7))
    network: Walk = Walk(sd=0.4, half_life=timedelta(days=3))
    """Of the hazard that all rigs of a venue share."""
    regime: Regimes = Regimes(sd=0.6, every=timedelta(days=25))
    """Of the same hazard."""
    rhythm: Rhythm = Rhythm()
    """Of the same hazard."""
    rig: Walk = Walk(sd=0.7, half_life=timedelta(days=60), settled=False)
    """Of this rig's hazard over that of a usual rig, at each venue; at first it is a usual one."""
    queue: SpanField = Field(default=timedelta(0), ge=timedelta(0))
    """An arrival waits behind others: its hazard rises from nothing to its full height in this time."""


class Public(Table):
    """What everybody is told."""

    error: Walk = Walk(sd=0.3, half_life=timedelta(days=1))
    """Of the odds of being occupied."""
    job_sd: float = Field(default=0.2, ge=0)
    """Of the logarithm of the error in the mean length of a job; drawn once for each venue."""
    late: int = Field(default=1, ge=0)
    """Hours: at the start of an hour, the figures of so many hours before are known."""


class Jobs(Table):
    """How long they are and how they end."""

    lengths: Literal["log-normal", "exponential"] = "log-normal"
    sigma: Range = (0.8, 1.2)
    """Of the logarithm of a length; drawn once for each venue, uniform between the two. It says nothing of exponential lengths."""
    end_known: bool = False
    """Whether a lease names its end."""
    breakable: bool = False
    """Whether a job may be ended before its time."""
    forfeit: UsdField = Usd(0)
    """What that costs."""

    def sigmas(self, seed: int, venues: int) -> tuple[float, ...]:
        """One for each venue; zero stands for exponential lengths."""
        if self.lengths == "exponential":
            return (0.0,) * venues
        return tuple(stream(seed, Purpose.SHAPE).uniform(*self.sigma, venues).tolist())


class Rules(Table):
    """All that a market adds to the figures of its venues."""

    moves: Moves = Moves()
    public: Public = Public()
    jobs: Jobs = Jobs()


class Setting(Rules):
    """A market to fly in, and what moving costs there."""

    world: tuple[Place, ...] | Drawn
    downtime: SpanField = Field(ge=timedelta(0))
    """Dark time of a move."""
    fee: UsdField
    """Of a move."""
    days: int = Field(ge=1)
    seeds: int = Field(default=1, ge=1)
    """How many a benchmark flies."""

    @property
    def hours(self) -> int:
        """How many are scored."""
        return self.days * 24

    def places(self, seed: int) -> tuple[Place, ...]:
        """The venues of one seed."""
        return self.world.places(seed) if isinstance(self.world, Drawn) else self.world


def read_settings(path: Path) -> dict[str, Setting]:
    """Every setting of a file by its name. Raises ConfigError with the file, the field and what is wrong with it."""
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).all()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}") from None


def read_setting(path: Path, name: str) -> Setting:
    """One setting of a file. Raises ConfigError, also where there is none of this name."""
    settings = read_settings(path)
    if name not in settings:
        raise ConfigError(f"{path}: has no setting {name!r}; {did_you_mean(name, settings)}")
    return settings[name]


class _Variant(Table):
    """What one setting of a file has for its own."""

    world: str
    rig_sd: float = Field(ge=0)
    downtime: SpanField


class _File(Rules):
    """Worlds, and settings that fly in them by common rules."""

    days: int
    seeds: int
    fee: UsdField
    worlds: dict[str, tuple[Place, ...] | Drawn]
    settings: dict[str, _Variant]

    @model_validator(mode="after")
    def _worlds_are_there(self) -> Self:
        for name, variant in self.settings.items():
            if variant.world not in self.worlds:
                msg = f"{name}: there is no world {variant.world!r}; {did_you_mean(variant.world, self.worlds)}"
                raise ValueError(msg)
        return self

    def all(self) -> dict[str, Setting]:
        return {name: self._setting(variant) for name, variant in self.settings.items()}

    def _setting(self, variant: _Variant) -> Setting:
        rig = self.moves.rig.model_copy(update={"sd": variant.rig_sd})
        return Setting(
            world=self.worlds[variant.world],
            moves=self.moves.model_copy(update={"rig": rig}),
            public=self.public,
            jobs=self.jobs,
            downtime=variant.downtime,
            fee=self.fee,
            days=self.days,
            seeds=self.seeds,
        )

"""The configuration: ``autopilot.toml``, and ``AUTOPILOT_…`` variables over it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from autopilot.errors import ConfigError
from autopilot.kit.fields import SpanField, UsdPerKwhField, WattsField
from autopilot.model.switch import Limits
from autopilot.units import UsdPerKwh, Watts

_NO_TIME = timedelta(0)


class Table(BaseModel):
    """One table of the file: an unknown key is an error, not a surprise."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RigSettings(Table):
    """The devices."""

    simulated: tuple[str, ...] = ()
    """GPUs that do not exist, e.g. ``["4 x RTX 4090", "2 x H100"]``."""
    speed: float = Field(default=1.0, ge=1, le=100_000)
    """How much faster than life their time runs."""


class PowerSettings(Table):
    """What the GPUs draw, each, and what that costs."""

    price: UsdPerKwhField = UsdPerKwh(0)
    lit: WattsField = Watts(0)
    idle: WattsField = Watts(0)


class DaemonSettings(Table):
    """How often the daemon looks, asks and learns."""

    tick: SpanField = timedelta(seconds=15)
    poll: SpanField = timedelta(hours=1)
    jitter: SpanField = timedelta(minutes=2)
    """Polls come up to this much later, so that thousands of rigs do not ask at once."""
    learn: SpanField = timedelta(days=1)

    @model_validator(mode="after")
    def _ordered(self) -> DaemonSettings:
        if not _NO_TIME < self.tick <= self.poll <= self.learn:
            msg = "tick, poll and learn must each be longer than nothing and not longer than the next"
            raise ValueError(msg)
        if self.jitter >= self.poll:
            msg = "jitter must be shorter than poll"
            raise ValueError(msg)
        return self


class GuardSettings(Table):
    """Rules that may veto a move."""

    dwell: SpanField = timedelta(minutes=30)
    cooldown: SpanField = timedelta(hours=2)
    changes_per_day: int = Field(default=12, ge=0)
    pay_back: SpanField | None = None


class LimitSettings(Table):
    """How long each state of a switch may last."""

    drain: SpanField = Limits().drain
    stop: SpanField = Limits().stop
    start: SpanField = Limits().start
    revert: SpanField = Limits().revert

    def limits(self) -> Limits:
        """As the switch machine takes them."""
        return Limits(self.drain, self.stop, self.start, self.revert)


class Settings(BaseSettings):
    """Everything that can be set. A network's and a strategy's own table is theirs to read."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix="AUTOPILOT_", env_nested_delimiter="__")

    state: Path = Path("autopilot.db")
    strategy: str = "payback"
    rig: RigSettings = RigSettings()
    power: PowerSettings = PowerSettings()
    daemon: DaemonSettings = DaemonSettings()
    guards: GuardSettings = GuardSettings()
    limits: LimitSettings = LimitSettings()
    strategies: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    networks: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file, which comes in as init arguments."""
        return env_settings, init_settings


def load(path: Path | None) -> Settings:
    """The settings in a file, or the defaults where there is none at the usual place.

    Raises ConfigError with the file, the field and the remedy. ``None`` means ``autopilot.toml`` here, if it exists.
    """
    usual = Path("autopilot.toml")
    where = path or usual
    if path is None and not usual.exists():
        content: dict[str, Any] = {}
    else:
        content = _read(where)
    try:
        return Settings(**content)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(where, error, Settings))) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `autopilot init` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def validated(model: type[BaseModel], table: Mapping[str, Any], where: str) -> BaseModel:
    """A plugin's own table as its own model. Raises ConfigError with the remedy."""
    try:
        return model(**table)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(where, error, model))) from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The close matches of an unknown word, or all that there is."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there is {', '.join(names)}" if names else "there is none"


def _explain(where: object, error: ValidationError, model: type[BaseModel]) -> list[str]:
    return [f"{where}: {_problem(each['loc'], each['type'], each['msg'], model)}" for each in error.errors()]


def _problem(loc: tuple[int | str, ...], kind: str, message: str, model: type[BaseModel]) -> str:
    field = ".".join(str(part) for part in loc)
    if kind == "extra_forbidden":
        return f"unknown key {field!r}; {did_you_mean(str(loc[-1]), _fields(model, loc[:-1]))}"
    return f"{field or 'the settings'}: {message.removeprefix('Value error, ')}"


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        inner = model.model_fields[str(part)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)

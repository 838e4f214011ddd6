"""The configuration: ``autopilot.toml``, and ``AUTOPILOT_…`` variables over it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from autopilot.errors import ConfigError, did_you_mean
from autopilot.kit.fields import SpanField, Table, UsdPerKwhField, WattsField
from autopilot.kit.token_sources import Keys
from autopilot.model.switch import Limits
from autopilot.units import UsdPerKwh, Watts

_NO_TIME = timedelta(0)
_PREFIX = "AUTOPILOT_"
_PLAIN = {"tuple_type": "must be a list in brackets", "model_type": "must be a table", "dict_type": "must be a table"}
"""What pydantic says in the words of Python, in those of TOML."""


def _listed(written: object) -> object:
    """A variable writes a list with commas; brackets and quotes as in the file do no harm."""
    if not isinstance(written, str):
        return written
    parts = (part.strip(" \"'") for part in written.strip(" []").split(","))
    return [part for part in parts if part]


class RigSettings(Table):
    """The devices."""

    simulated: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    """GPUs that do not exist, e.g. ``["4 x RTX 4090", "2 x H100"]``."""
    speed: float = Field(default=1.0, ge=1, le=100_000)
    """How much faster than life their time runs."""


class PowerSettings(Table):
    """What the GPUs draw, each, and what that costs."""

    price: UsdPerKwhField = UsdPerKwh(0)
    lit: WattsField = Watts(0)
    idle: WattsField = Watts(0)

    @model_validator(mode="after")
    def _drawn(self) -> Self:
        if min(self.lit, self.idle) < Watts(0):
            msg = "lit and idle are what a GPU draws, and must not be negative"
            raise ValueError(msg)
        return self


class DaemonSettings(Table):
    """How often the daemon looks, asks and learns."""

    tick: SpanField = timedelta(seconds=15)
    poll: SpanField = timedelta(hours=1)
    jitter: SpanField = timedelta(minutes=2)
    """Polls come up to this much later, so that thousands of rigs do not ask at once."""
    learn: SpanField = timedelta(days=1)
    answer: SpanField = timedelta(minutes=2)
    """How long a poll waits for the slowest network."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not _NO_TIME < self.tick <= self.poll <= self.learn:
            msg = "tick, poll and learn must each be longer than nothing and not longer than the next"
            raise ValueError(msg)
        if not _NO_TIME < self.answer < self.poll:
            msg = "answer must be longer than nothing and shorter than poll"
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


class TokenSettings(Table):
    """Keys of the sources of token prices. All are optional, and best given as variables: ``AUTOPILOT_TOKENS__PYTH``."""

    coingecko_demo: SecretStr = SecretStr("")
    coingecko_pro: SecretStr = SecretStr("")
    pyth: SecretStr = SecretStr("")

    def keys(self) -> Keys:
        """As the sources take them."""
        return Keys(self.coingecko_demo.get_secret_value(), self.coingecko_pro.get_secret_value(), self.pyth.get_secret_value())


class Settings(BaseSettings):
    """Everything that can be set. A network's and a strategy's own table is theirs to read."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix=_PREFIX, env_nested_delimiter="__")

    state: Path = Path("autopilot.db")
    strategy: str = "forecast"
    rig: RigSettings = RigSettings()
    power: PowerSettings = PowerSettings()
    daemon: DaemonSettings = DaemonSettings()
    guards: GuardSettings = GuardSettings()
    limits: LimitSettings = LimitSettings()
    tokens: TokenSettings = TokenSettings()
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
    unknown = _unknown_variables()
    if unknown:
        raise ConfigError("; ".join(unknown))
    try:
        return Settings(**content)
    except ValidationError as error:
        raise ConfigError("; ".join(f"{_place(where, each['loc'])}: {_problem(each, Settings)}" for each in error.errors())) from None
    except SettingsError as error:
        raise ConfigError(f"a variable {_PREFIX}...: {error}; a table is set key by key, e.g. {_PREFIX}RIG__SPEED=60") from None


def _unknown_variables() -> list[str]:
    """What is set for nothing. The tests have variables of their own."""
    keys = {name: name.upper().removeprefix(_PREFIX).partition("__")[0] for name in sorted(os.environ) if name.upper().startswith(_PREFIX)}
    known = {field.upper() for field in Settings.model_fields}
    strange = {name: key for name, key in keys.items() if key not in known and not key.startswith("TEST_")}
    return [f"{name} is a variable for no key; {did_you_mean(key, known)}" for name, key in strange.items()]


def _place(path: Path, loc: tuple[int | str, ...]) -> str:
    """The variable that sets the key, or else the file."""
    variable = _PREFIX + "__".join(map(str, loc)).upper()
    return variable if variable in map(str.upper, os.environ) else str(path)


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
        raise ConfigError("; ".join(f"{where}: {_problem(each, model)}" for each in error.errors())) from None


def _problem(error: ErrorDetails, model: type[BaseModel]) -> str:
    loc, field = error["loc"], ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _fields(model, loc[:-1])
        return f"unknown key {field!r}" + (f"; {did_you_mean(str(loc[-1]), known)}" if known else "")
    return f"{field or 'the settings'}: {_PLAIN.get(error['type'], error['msg'].removeprefix('Value error, '))}"


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys of the table at the path; none where that is not known."""
    for part in path:
        inner = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)

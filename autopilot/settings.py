"""The configuration: ``autopilot.toml``, and ``AUTOPILOT_…`` variables over it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from autopilot.errors import ConfigError, did_you_mean
from autopilot.kit.fields import CelsiusField, SpanField, Table, UsdField
from autopilot.kit.token_sources import Keys
from autopilot.model.gpu import Needs
from autopilot.model.owner import OwnerRule, Policy
from autopilot.model.switch import Limits
from autopilot.notices import MetricsSettings, NotifySettings
from autopilot.tariff import HoursSettings, PowerSettings
from autopilot.units import Usd

_NO_TIME = timedelta(0)
_PREFIX = "AUTOPILOT_"
NOBODYS = (
    *("Xorg", "Xwayland", "X", "gnome-shell", "mutter*", "gnome-remote*", "kwin*", "plasmashell", "ksmserver", "cinnamon", "xfwm4"),
    *("xdg-desktop-*", "sddm*", "gdm*", "lightdm*", "weston", "sway", "Hyprland", "picom", "compton"),
    *("nvidia-smi", "nvidia-settings", "nvidia-persist*", "nv-hostengine", "nvtop", "nvitop", "dcgm*"),
)
"""Desktops and monitors: they hold a GPU all day, and are nobody's wish to have it."""
_PLAIN = {"tuple_type": "must be a list in brackets", "model_type": "must be a table", "dict_type": "must be a table"}
"""What pydantic says in the words of Python, in those of TOML."""


def _listed(written: object) -> object:
    """A variable writes a list with commas; brackets and quotes as in the file do no harm."""
    if not isinstance(written, str):
        return written
    parts = (part.strip(" \"'") for part in written.strip(" []").split(","))
    return [part for part in parts if part]


class NeedsSettings(Table):
    """What a venue asks of a GPU and its host, where that is something else than its adapter tells."""

    memory_gib: int = Field(default=0, ge=0)
    disk_gib: int = Field(default=0, ge=0)
    driver: str = Field(default="", pattern=r"^(\d+(\.\d+)*)?$")
    models: tuple[str, ...] = ()

    def over(self, needs: Needs) -> Needs:
        """The needs with what is written here in their place."""
        return replace(needs, **{name: getattr(self, name) for name in self.model_fields_set})


class RigSettings(Table):
    """The devices."""

    gpus: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Which of this host's GPUs are flown, by number or by UUID, e.g. ``["0", "GPU-8f0e…"]``; all where none is named."""
    simulated: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = ()
    """GPUs that do not exist, e.g. ``["4 x RTX 4090", "2 x H100"]``, in place of the host's."""
    speed: float = Field(default=1.0, ge=1, le=100_000)
    """How much faster than life the time of simulated GPUs runs."""
    needs: Mapping[str, NeedsSettings] = Field(default_factory=dict)
    """What a network, ``akash``, or one market of it, ``nosana/rtx-4090``, asks of a GPU and its host."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.simulated and self.gpus:
            msg = "gpus selects among this host's, and simulated names others: leave one of them out"
            raise ValueError(msg)
        if self.speed != 1 and not self.simulated:
            msg = "speed is for simulated GPUs: time runs as it does for real ones"
            raise ValueError(msg)
        return self


class OwnerRuleSettings(Table):
    """What holds when the owner wants a GPU."""

    policy: Policy | None = None
    quiet: SpanField | None = None
    hours: tuple[HoursSettings, ...] | None = None

    def over(self, rule: OwnerRule) -> OwnerRule:
        """The rule with what is written here in its place."""
        hours = rule.hours if self.hours is None else tuple(each.hours() for each in self.hours)
        return OwnerRule(self.policy or rule.policy, rule.quiet if self.quiet is None else self.quiet, hours)


class OwnerSettings(OwnerRuleSettings):
    """The owner goes before every network."""

    ignore: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)] = NOBODYS
    """Names of programs that may be on a GPU at any time."""
    gpus: Mapping[str, OwnerRuleSettings] = Field(default_factory=dict)
    """What is different for some GPUs, by number or by UUID."""


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
    daily_loss: UsdField | None = None
    """What the rig may lose in 24 hours before it makes no more moves that cost anything."""
    heat: CelsiusField = 90
    """No node is started on a GPU that is hotter."""
    lose_registrations: bool = False
    """Whether a registration may be lost by leaving a network, at the price that it names."""

    @model_validator(mode="after")
    def _some_loss(self) -> Self:
        if self.daily_loss is not None and self.daily_loss <= Usd(0):
            msg = "daily_loss is what may be lost, and must be more than nothing"
            raise ValueError(msg)
        return self


class LimitSettings(Table):
    """How long each state of a switch may last, and how long a target must serve to be believed."""

    prepare: SpanField = Limits().prepare
    drain: SpanField = Limits().drain
    stop: SpanField = Limits().stop
    start: SpanField = Limits().start
    revert: SpanField = Limits().revert
    steady: SpanField = timedelta(seconds=10)

    def limits(self) -> Limits:
        """As the switch machine takes them."""
        return Limits(self.drain, self.stop, self.start, self.revert, self.prepare, self.steady)


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
    owner: OwnerSettings = OwnerSettings()
    power: PowerSettings = PowerSettings()
    daemon: DaemonSettings = DaemonSettings()
    guards: GuardSettings = GuardSettings()
    limits: LimitSettings = LimitSettings()
    tokens: TokenSettings = TokenSettings()
    notify: NotifySettings = NotifySettings()
    metrics: MetricsSettings = MetricsSettings()
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
        if isinstance(part, int):  # of a list; its items are all alike
            continue
        written = model.model_fields[part].annotation if part in model.model_fields else None
        inner = next((each for each in (written, *get_args(written)) if isinstance(each, type) and issubclass(each, BaseModel)), None)
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]

"""Adapters and strategies by entry point: found by name, loaded only when the configuration names them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from pydantic import BaseModel

from autopilot.contracts import CONTRACT_VERSION, Adapter, Conditions, NamedStrategy, Strategy
from autopilot.errors import AutopilotError, ConfigError, did_you_mean
from autopilot.kit import Kit
from autopilot.kit.fields import quantity_of
from autopilot.settings import validated
from autopilot.units import Quantity, span_of

ADAPTERS = "autopilot.adapters"
STRATEGIES = "autopilot.strategies"


class AdapterFactory(Protocol):
    """What an adapter's entry point leads to."""

    @property
    def Settings(self) -> type[BaseModel]: ...  # noqa: N802  # the model of its own table

    def __call__(self, settings: Any, kit: Kit) -> Adapter:
        """The adapter, from its own settings."""
        ...


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point, and whether it loads."""

    kind: str
    name: str
    distribution: str
    version: str
    value: str
    problem: str = ""
    """Why it does not load, and what to do; empty where it does."""


def listing() -> list[Plugin]:
    """Every adapter and strategy that is installed, loaded to see whether it can be."""
    found: list[Plugin] = []
    for group, kind in ((ADAPTERS, "adapter"), (STRATEGIES, "strategy")):
        entries = sorted(entry_points(group=group), key=lambda entry: (entry.name, _origin(entry)))
        found += [Plugin(kind, each.name, _origin(each), _version(each), each.value, _problem(group, each)) for each in entries]
    return found


def _problem(group: str, entry: EntryPoint) -> str:
    try:
        load(group, entry.name)
    except ConfigError as error:
        return str(error)
    return ""


def load(group: str, name: str) -> Callable[..., Any]:
    """The factory behind a name. Raises ConfigError where there is none, where there are two, or where it does not import."""
    every = entry_points(group=group)
    entries = {_origin(entry): entry for entry in every if entry.name == name}
    kind = group.rpartition(".")[2].removesuffix("s").replace("strategie", "strategy")
    if not entries:
        raise ConfigError(f"no {kind} is called {name!r}; {did_you_mean(name, {entry.name for entry in every})}")
    if len(entries) > 1:
        raise ConfigError(f"{' and '.join(sorted(entries))} both bring the {kind} {name!r}: uninstall one")
    (origin, entry), *_ = entries.items()
    try:
        factory = entry.load()
    except ImportError as error:
        raise ConfigError(f"{kind} {name!r} of {origin} does not load: {error}; install what it misses") from error
    except Exception as error:  # a stranger's module may raise anything when it is imported
        raise ConfigError(f"{kind} {name!r} of {origin} does not load: {type(error).__name__}: {error}") from error
    version = getattr(factory, "contract_version", CONTRACT_VERSION)
    if version not in (CONTRACT_VERSION, CONTRACT_VERSION - 1):
        raise ConfigError(f"{kind} {name!r} of {origin} is written for contract {version}, this is {CONTRACT_VERSION}: update one of them")
    return cast("Callable[..., Any]", factory)


def make_adapter(adapter: str, table: Mapping[str, Any], kit: Kit) -> Adapter:
    """The adapter of a network. Raises ConfigError."""
    factory = cast("AdapterFactory", load(ADAPTERS, adapter))
    _check(factory, AdapterFactory, f"adapter {adapter!r}")
    where = f"[networks.{kit.network}]"
    return cast("Adapter", _make(Adapter, f"adapter {adapter!r}", lambda: factory(validated(factory.Settings, table, where), kit)))


def _make(contract: type, what: str, factory: Callable[[], object]) -> object:
    """What a stranger's factory makes, if it is what the contract says."""
    try:
        made = factory()
    except AutopilotError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what}: {error}") from error
    except Exception as error:  # a stranger's factory may raise anything
        raise ConfigError(f"{what} cannot be made: {type(error).__name__}: {error}") from error
    _check(made, contract, what)
    return made


def _check(made: object, contract: type, what: str) -> None:
    members = [name for name in vars(contract) if not name.startswith("_")]
    lacks = [name for name in members if not hasattr(made, name)]
    if lacks:
        raise ConfigError(f"{what} lacks {' and '.join(lacks)}, which autopilot.contracts asks for")


def networks_without_settings() -> list[str]:
    """The adapters that can be asked as they are, by name: what there is to see before anything is configured."""
    willing = []
    for name in sorted({entry.name for entry in entry_points(group=ADAPTERS)} - {"simulator"}):
        try:
            validated(cast("AdapterFactory", load(ADAPTERS, name)).Settings, {}, name)
        except ConfigError:
            continue
        willing.append(name)
    return willing


def conditions_of(adapter: str) -> Conditions:
    """What the network of an adapter asks of whoever joins it; nothing where the adapter does not tell. Raises ConfigError."""
    told = getattr(load(ADAPTERS, adapter), "conditions", None)
    return told if isinstance(told, Conditions) else Conditions()


def strategy_names() -> list[str]:
    """Every strategy that is installed."""
    return sorted({entry.name for entry in entry_points(group=STRATEGIES)})


def built_in_strategies() -> list[str]:
    """The strategies that come with the autopilot itself, by name."""
    return sorted({entry.name for entry in entry_points(group=STRATEGIES) if _origin(entry) == "yield-autopilot"})


def make_strategy(name: str, parameters: Mapping[str, object]) -> NamedStrategy:
    """The strategy with these parameters, each written as in a configuration. Raises ConfigError."""
    factory = load(STRATEGIES, name)
    kinds = _parameters(factory, name)
    values = {}
    for key, written in parameters.items():
        if key not in kinds:
            raise ConfigError(f"strategy {name!r} has no parameter {key!r}; {did_you_mean(key, kinds)}")
        values[key] = value_of(kinds[key], written, f"{name}.{key}")
    strategy = cast("Strategy", _make(Strategy, f"strategy {name!r}", lambda: factory(**values)))
    return NamedStrategy(name, strategy, {key: str(written) for key, written in parameters.items()})


def kinds_of(strategy: str) -> dict[str, Any]:
    """The kind of each parameter that can be set, by its name. Raises ConfigError."""
    return _parameters(load(STRATEGIES, strategy), strategy)


def _parameters(factory: Callable[..., Any], name: str) -> dict[str, Any]:
    """What can be set, with its kind: the fields of a dataclass."""
    if not dataclasses.is_dataclass(factory):
        return {}
    try:
        kinds = typing.get_type_hints(factory)
    except NameError as error:
        raise ConfigError(f"strategy {name!r}: the kinds of its parameters cannot be read: {error}; import them at run time") from None
    return {field.name: kinds[field.name] for field in dataclasses.fields(factory)}


def value_of(kind: Any, written: object, where: str) -> object:
    """A parameter of the kind that its field declares, from what a configuration has. Raises ConfigError, which says where."""
    try:
        if kind is timedelta:
            return span_of(str(written))
        if isinstance(kind, type) and issubclass(kind, Quantity):
            return quantity_of(kind, written)
        if kind is bool:
            return _flag(written)
        return kind(str(written))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from None


def _flag(written: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    word = str(written).lower()
    if word not in words:
        msg = f"{written!r} is neither true nor false"
        raise ValueError(msg)
    return words[word]


def _origin(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unknown distribution"


def _version(entry: EntryPoint) -> str:
    return entry.dist.version if entry.dist else "?"

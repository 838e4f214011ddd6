"""What a report may say: no key, no password, no wallet.

Of a configuration is shown what is known to be harmless; of any other text is hidden what is known or looks like a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from autopilot.errors import ConfigError
from autopilot.kit.redaction import hide, is_secret, secrets_of, shown
from autopilot.plugins import ADAPTERS, load
from autopilot.settings import Settings

HIDDEN = "***"
_LEAST = 4
"""A shorter value is no key, and hiding it would riddle the text with holes."""
_FREE = frozenset({"params", "headers", "env", "body", "options"})
"""Tables of anything that a stranger's program or service wants to be told: a text there may be a secret, whatever it is called."""
_NAMES = frozenset({"env", "file", "prefix"})
"""A secret that is kept elsewhere is named by these."""
_WEB = frozenset({"http", "https", "ws", "wss"})
_LONG = 8
"""Letters of a part of an address that no service has for a name of its own."""
_SCHEMES = frozenset({"Bearer", "Basic", "Token"})
_ALSO = ("mnemonic", "seed", "passphrase", "passwd", "tokens", "credential", "credentials", "auth", "bearer", "private", "jwt", "pin")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>\])};,]+", re.IGNORECASE)
_NAMED = re.compile(
    r"(?i)([\w.-]*(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|apikey|mnemonic|seed|private[_-]?key|authorization|signature|bearer)"
    r"[\w.-]*[\"']?)(\s*[:=]\s*|\s+)(?:(?:bearer|basic)\s+)?(\"[^\"]*\"|'[^']*'|\S+)"
)
"""A name of a key, and what stands after it."""
_KEY_LIKE = re.compile(r"\b(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_-]{20,}")
"""A key, a wallet or an account: long, of letters and digits. Four letters tell it apart from another one."""
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_HARMLESS = re.compile(
    r"-?[\d.,_]+ ?(ms|s|m|h|d|%|W|°C|\$|\$/h|\$/kWh|\$/day|\$/month)?"  # a number or a span with its unit
    r"|\d{1,2}:\d{2}|[a-z]{3}(-[a-z]{3})?|true|false|"  # an hour, days
)
_OPEN = frozenset(
    {"adapter", "type", "method", "basis", "scope", "source", "market", "markets", "models", "image", "unit", "pm2", "state", "strategy"}
    | {"gpus", "simulated", "policy", "zone", "ignore", "hour", "price", "from", "to", "days", "tier"}
)
"""Keys whose text is a name that everybody may know."""


def is_key(name: str) -> bool:
    """Whether what is called so holds a secret."""
    parts = re.split(r"[^a-z]+", name.lower())
    return is_secret(name) or not set(parts).isdisjoint((*_ALSO, "secret", "token", "password", "key", "apikey"))


@dataclass(frozen=True, slots=True)
class Redactor:
    """Hides secrets in text."""

    known: tuple[str, ...] = ()
    """Those that are known, longest first."""
    names: tuple[tuple[str, str], ...] = ()
    """The ids of GPUs, each with what a person calls it: an id would be taken for a key."""

    def clean(self, text: str) -> str:
        """The text without what is known or looks like a secret."""
        text = hide(text, self.known)
        for ident, label in self.names:
            text = text.replace(ident, label)
        text = _URL.sub(lambda found: _address(found[0]), text).replace(str(Path.home()) + "/", "~/")
        text = _NAMED.sub(lambda found: f"{found[1]}{found[2]}{HIDDEN}" if _telling(found) else found[0], text)
        text = _MAIL.sub(HIDDEN, text)
        return _KEY_LIKE.sub(lambda found: found[0][:_LEAST] + HIDDEN, text)

    def cleaned(self, value: Any) -> Any:
        """The same tables and lists, each text clean, and what is called like a key hidden."""
        if isinstance(value, Mapping):
            return {self.clean(str(name)): HIDDEN if is_key(str(name)) and inner else self.cleaned(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.cleaned(inner) for inner in value]
        return self.clean(value) if isinstance(value, str) else value


def _address(url: str) -> str:
    """Of the web as it may be shown; the addresses of other services are made of keys."""
    scheme, _, rest = url.partition("://")
    return shown(url) if scheme.lower() in _WEB else f"{scheme}://{HIDDEN}" if rest else url


def _telling(found: re.Match[str]) -> bool:
    """In prose, ``no token of yours`` is no key: without a sign between, only what follows an option or has a digit is one."""
    marked = found[2].strip() or found[1].startswith("-") or found[1].lower() == "bearer"
    return bool(marked) or any(letter.isdigit() for letter in found[3])


def configured(value: Any, name: str = "") -> Any:
    """A configuration as it may be shown: numbers, spans, amounts, and texts that everybody may know; of all else, that it is there."""
    if isinstance(value, Mapping):
        return {str(key): configured(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [configured(inner, name) for inner in value]
    if not isinstance(value, str):
        return HIDDEN if is_key(name) and not isinstance(value, bool | None) else value
    free = not is_key(name) and (name in _OPEN or _HARMLESS.fullmatch(value))
    return value if free else HIDDEN


def redactor(tables: Mapping[str, Any], settings: Settings | None, environment: Mapping[str, str]) -> Redactor:
    """One who knows every secret of a configuration, as it was written and as it was read, and of the environment."""
    values = [*_written(tables), *_of_environment(environment)]
    if settings is not None:
        values += [*_held(settings), *_written(settings.networks), *_of_plugins(settings)]
    spellings = {each for value in values for each in (value, *_parts(value)) if each.strip() not in _SCHEMES}
    return Redactor(tuple(sorted((each for each in spellings if len(each) >= _LEAST), key=len, reverse=True)))


def _parts(value: str) -> Iterator[str]:
    """What stands in an address, or after ``Bearer``."""
    yield value.strip()
    if "://" in value:
        yield from _in_address(value)
    elif " " in value:
        yield value.partition(" ")[2].strip()


def _written(value: Any, name: str = "") -> Iterator[str]:
    """Every text of a table that is a secret by its name or by its place, or holds one."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _NAMES and isinstance(inner, str):
                continue
            yield from _written(inner, name if is_key(name) or name in _FREE else str(key))
    elif isinstance(value, list | tuple):
        yield from _after_options(value)
        for inner in value:
            yield from _written(inner, name)
    elif isinstance(value, str) and (is_key(name) or name in _FREE):
        yield value
    elif isinstance(value, str) and "://" in value:
        yield from _in_address(value)


def _after_options(words: Iterable[Any]) -> Iterator[str]:
    """``["--token", "abc"]`` and ``["--token=abc"]`` of a command."""
    before = ""
    for word in map(str, words):
        option, found, value = word.partition("=")
        if found and is_key(option.strip("-")):
            yield value
        if before.startswith("-") and is_key(before.strip("-")):
            yield word
        before = word


def _in_address(url: str) -> Iterator[str]:
    """The keys in an address of the web; of any other service's, every part that is long enough."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in _WEB:
        yield from (part for part in re.split(r"[/:@?&=]", rest) if len(part) >= _LONG)
        return
    try:
        yield from secrets_of(url, {})
    except ValueError:
        yield url


def _of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if is_key(name):
            yield value
        elif "://" in value:
            yield from _in_address(value)


def _held(value: Any) -> Iterator[str]:
    """Every SecretStr within a model."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _held(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _held(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _held(inner)


def _of_plugins(settings: Settings) -> Iterator[str]:
    """What adapters hold as a secret: a header may be read from a file or a variable."""
    for name, table in settings.networks.items():
        rest = dict(table)
        kind = rest.pop("type", name)
        try:
            factory: Any = load(ADAPTERS, str(rest.pop("adapter", kind)))
            yield from _held(factory.Settings(**rest))
        except (ConfigError, ValueError, TypeError):
            continue  # its check says so; what is written there is known already

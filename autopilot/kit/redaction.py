"""What of a request may be shown to people: everything but its keys."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus, urlencode, urlsplit, urlunsplit

_SECRETS = frozenset({"authorization", "proxy-authorization", "cookie", "key", "apikey", "token", "secret", "password", "signature", "sig"})
_SECRET_ENDINGS = ("-key", "-apikey", "-token", "-secret", "-password", "-signature")
_KEY_IN_PATH = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_-]{24,}")
"""Providers of RPC nodes put the key into the path. An account's address looks the same, and is cut too: four letters tell it apart."""
_HIDDEN = "***"
_LEAST = 4
"""A shorter value is no key, and hiding it would riddle the text with holes."""


def is_secret(name: str) -> bool:
    """Whether a header or a query parameter of this name holds a key."""
    plain = name.lower().replace("_", "-")
    return plain in _SECRETS or plain.endswith(_SECRET_ENDINGS)


def masked(value: Any) -> Any:
    """Settings as they may be shown: the same tables and lists, with every value hidden whose name is that of a key."""
    if isinstance(value, Mapping):
        return {name: _HIDDEN if is_secret(str(name)) else masked(inner) for name, inner in value.items()}
    return [masked(inner) for inner in value] if isinstance(value, list | tuple) else value


def shown(url: str) -> str:
    """The address without user, password, keys in the query, what looks like a key in the path, and fragment."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        query = urlencode([(name, _HIDDEN if is_secret(name) else value) for name, value in pairs], safe="*,:[]/")
    except ValueError:
        return "an address that cannot be read"
    path = "/".join(segment[:4] + _HIDDEN if _KEY_IN_PATH.fullmatch(segment) else segment for segment in parts.path.split("/"))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, query, ""))


def secrets_of(url: str, headers: Mapping[str, str]) -> list[str]:
    """The keys that a request carries, in every spelling in which an answer or an error could repeat them; longest first."""
    parts = urlsplit(url)
    found = [value for name, value in headers.items() if is_secret(name)]
    found += [value for name, _, value in (pair.partition("=") for pair in parts.query.split("&")) if is_secret(unquote(name))]
    user = unquote(parts.netloc.rpartition("@")[0])
    found += [*user.split(":"), b64encode(user.encode()).decode()]
    found += [segment for segment in parts.path.split("/") if _KEY_IN_PATH.fullmatch(segment)]
    found += [value.partition(" ")[2] for value in found]  # what stands after "Bearer"
    spellings = {spelling for value in found for spelling in (value, unquote(value), unquote_plus(value))}
    return sorted((each for each in spellings if len(each) >= _LEAST), key=len, reverse=True)


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text without the keys."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text

"""What is asked for a GPU model, and the answer: JSON of whatever shape, which the expressions of the configuration know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from autopilot.errors import AdapterError
from autopilot.kit.http import Http, Reply
from autopilot.kit.redaction import hide
from autopilot_adapters.http.settings import HttpSettings

PLACE = "{model}"
_LEAST_SECRET = 4
"""A shorter word is no key, and hiding it would riddle the text with holes."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request, without its headers. Models for which it is the same share the answer."""

    url: str
    body: str | None = None
    """JSON, for a POST."""


def question(settings: HttpSettings, name: str) -> Question:
    """What is asked about a model that the network calls so."""
    query = urlencode({key: value.replace(PLACE, name) for key, value in settings.params.items()})
    url = settings.url.replace(PLACE, quote(name, safe=""))
    body = json.dumps(_filled(settings.body, name)) if settings.method == "POST" else None
    return Question(url + ("&" if "?" in url else "?") * bool(query) + query, body)


def _filled(body: Any, name: str) -> Any:
    if isinstance(body, str):
        return body.replace(PLACE, name)
    if isinstance(body, dict):
        return {key: _filled(value, name) for key, value in body.items()}
    return [_filled(value, name) for value in body] if isinstance(body, list) else body


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks with the headers of the configuration, which nobody gets to see."""

    http: Http
    headers: Mapping[str, str] = field(repr=False)

    def ask(self, asked: Question) -> Reply:
        """The answer. A POST is tried again like a GET: it asks for rates and changes nothing. Raises Transient or Refused."""
        if asked.body is None:
            return self.http.get(asked.url, headers=self.headers)
        return self.http.post(asked.url, json.loads(asked.body), headers=self.headers, repeatable=True)

    def hidden(self, error: AdapterError) -> AdapterError:
        """The same error without what the headers hold, whatever their names are and whoever repeats it."""
        words = {word for value in self.headers.values() for word in (value, *value.split()) if len(word) >= _LEAST_SECRET}
        text = str(error).removeprefix(f"{error.network}: ")
        return type(error)(error.network, hide(text, sorted(words, key=len, reverse=True)))

"""What is told to people and to machines: two tables of the settings."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from autopilot.kit.fields import SpanField, Table

_BEFORE_AN_ADDRESS = re.compile(r"[,\s]+(?=[\w+.-]+://)")
"""Between two addresses; a comma within one is its own."""


class Topic(StrEnum):
    """What somebody may want to be told of."""

    SWITCH = "switch"
    """A GPU was moved, or came back."""
    STRANDED = "stranded"
    """A GPU is fenced: a human must look."""
    SILENT = "silent"
    """A network gives no answer, or is not asked any more."""
    INCOME = "income"
    """A GPU earns nothing."""
    GPU = "gpu"
    """A GPU cannot be seen any more."""
    DIGEST = "digest"
    """Once a day, the money."""


def _addresses(written: object) -> object:
    """A variable writes a list with commas or blanks; brackets and quotes as in the file do no harm."""
    if not isinstance(written, str):
        return written
    parts = (part.strip(" \"'") for part in _BEFORE_AN_ADDRESS.split(re.sub(r"[\"']", "", written.strip(" []"))))
    return [part for part in parts if part]


def _topics(written: object) -> object:
    return [part for part in re.split(r"[\s,\[\]\"']+", written) if part] if isinstance(written, str) else written


class NotifySettings(Table):
    """Who is told what. The addresses carry keys, and are never shown."""

    urls: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_addresses)] = ()
    """Services, as Apprise writes them: ``tgram://…``, ``ntfy://…``, ``mailto://…``."""
    events: Annotated[tuple[Topic, ...], NoDecode, BeforeValidator(_topics)] = tuple(Topic)
    silent: SpanField = timedelta(hours=3)
    """How long a network must give no answer: three polls, by default."""
    no_income: SpanField = timedelta(hours=6)
    """How long a GPU must earn nothing."""
    digest: str = Field(default="08:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    """When the day's message is sent, by this host's time."""
    every: SpanField = timedelta(minutes=1)
    """No message follows another sooner: what has happened until then is in the next one."""
    ping: SecretStr = SecretStr("")
    """An address that is asked for after a good tick, at most once a minute: who misses it knows that the daemon is gone."""

    @field_validator("ping")
    @classmethod
    def _web(cls, address: SecretStr) -> SecretStr:
        if address.get_secret_value() and not re.match(r"https?://[^/]", address.get_secret_value()):
            msg = "must begin with http:// or https://"
            raise ValueError(msg)
        return address

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if min(self.silent, self.no_income, self.every) <= timedelta(0):
            msg = "silent, no_income and every must be longer than nothing"
            raise ValueError(msg)
        return self


class MetricsSettings(Table):
    """Figures for Prometheus."""

    listen: str = Field(default="", pattern=r"^$|^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]+):\d{1,5}$")
    """Where they are served, e.g. ``127.0.0.1:9477``; nowhere where it is empty."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @model_validator(mode="after")
    def _a_port(self) -> Self:
        if self.listen and self.address[1] > 65535:  # noqa: PLR2004  # the last port there is
            msg = "listen: a port is at most 65535"
            raise ValueError(msg)
        return self

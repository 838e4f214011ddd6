"""What ``[networks.mynet]`` with ``type = "http"`` may say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, SecretStr, field_validator, model_validator

from autopilot.contracts import Scope
from autopilot.kit.fields import ShareField, SpanField, Table
from autopilot.model.market import Basis
from autopilot.units import NONE
from autopilot_adapters.http.expressions import compiled
from autopilot_adapters.http.names import plain
from autopilot_adapters.http.unit import BLOCK, Unit, unit_of
from autopilot_adapters.programs import ProgramSettings

_NO_TIME = timedelta(0)
_DANGEROUS = set("'\"`\\{}")
"""They would end the quotes in which a name stands within an expression."""


def _expression(written: object) -> str:
    """A JMESPath expression; a number is one that finds itself."""
    if isinstance(written, int | float | Decimal) and not isinstance(written, bool):
        return f"`{written}`"
    if not isinstance(written, str):
        msg = "must be a JMESPath expression in quotes, or a number"
        raise ValueError(msg)  # noqa: TRY004  # pydantic turns it into one line with the key
    compiled(written)
    return written


def _secret(written: object) -> object:
    """The value of a header: as it is written, out of a variable, or out of a file; the last two with a prefix where one is needed."""
    if not isinstance(written, dict):
        return written
    rest = {key: str(value) for key, value in written.items()}
    prefix = rest.pop("prefix", "")
    if set(rest) == {"env"}:
        value = os.environ.get(rest["env"], "")
        where = f"the variable {rest['env']}"
    elif set(rest) == {"file"}:
        value = _content(Path(rest["file"]))
        where = f"the file {rest['file']}"
    else:
        msg = "must be text, { env = 'A_VARIABLE' } or { file = 'a path' }, the last two with a prefix if need be, e.g. prefix = 'Bearer '"
        raise ValueError(msg)
    if not value.strip():
        msg = f"{where} is not there, or holds nothing"
        raise ValueError(msg)
    return prefix + value.strip()


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: {error}"
        raise ValueError(msg) from None


Expressed = Annotated[str, BeforeValidator(_expression)]
Header = Annotated[SecretStr, BeforeValidator(_secret)]
UnitField = Annotated[Unit, BeforeValidator(unit_of)]


class HttpSettings(Table):
    """A network without code. Where a text holds ``{model}``, what ``models`` calls the GPU is put in; in an expression, within quotes."""

    url: str
    """Where to ask. With ``{model}`` here, in ``params`` or in ``body``, each model is asked for by itself; else one request serves all."""
    method: Literal["GET", "POST"] = "GET"
    params: Mapping[str, str] = Field(default_factory=dict)
    headers: Mapping[str, Header] = Field(default_factory=dict)
    body: JsonValue = None
    """Sent as JSON, with POST."""
    models: Mapping[str, str] = Field(min_length=1)
    """What the network calls each GPU, by its product name: ``"RTX 4090" = "rtx4090"``. A GPU that is not named here gets no quote."""
    price: Expressed
    """What is paid while a job runs, before fees."""
    unit: UnitField
    """Of price and idle: ``$/h``, ``$/day``, ``$/month``, ``NOS/h``, ``TAO/block``."""
    block: SpanField | None = None
    """The time of a block, where the unit is per block."""
    decimals: int = Field(default=0, ge=0, le=36)
    """The answer counts in units of 10 to the minus this: 6 for uakt, 2 for cents."""
    gpus: Expressed = "`1`"
    """For how many GPUs the figures are: a whole machine's are divided by this."""
    occupancy: Expressed
    """The share of the hour that is paid. 1 only where the price is a mean over all hours, those without work among them."""
    occupancy_of: Expressed = "`1`"
    """What the occupancy is a share of: 100 for per cent, or an expression for all GPUs where the occupancy counts those that are hired."""
    idle: Expressed | None = None
    """What is paid while waiting; nothing where this is not given."""
    time: Expressed | None = None
    """The instant that the answer describes: ISO 8601 with its zone, or since 1970 in seconds or milliseconds; else when it was given."""
    job_length: Expressed | None = None
    """In seconds."""
    fee: ShareField = NONE
    basis: Basis = Basis.ESTIMATE
    market: str = Field(default="", max_length=60)
    """Of the venue, where the network has several."""
    counts_for: SpanField = timedelta(hours=3)
    """How long a figure may be acted upon, from the instant that it describes."""
    scope: Scope = Scope.DEVICE
    boot: SpanField = timedelta(minutes=10)
    """Dark time of arriving."""
    uptime: ShareField | None = None
    """How much of the time whoever has come must be there, where the network asks for that."""
    drain: SpanField = _NO_TIME
    """How long the last job runs on when the GPU is to leave."""
    node: ProgramSettings | None = None
    """How its program is started, drained, stopped and looked at; without it, rates only."""

    @field_validator("models")
    @classmethod
    def _named(cls, models: Mapping[str, str]) -> Mapping[str, str]:
        for model, name in models.items():
            if not name.strip() or not name.isprintable() or _DANGEROUS & set(name):
                msg = f"{model!r} is called {name!r}, which is no name that can stand in an expression"
                raise ValueError(msg)
        if len({plain(model) for model in models}) < len(models):
            msg = "names one GPU twice"
            raise ValueError(msg)
        return models

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if (self.unit.time == BLOCK) != (self.block is not None and self.block > _NO_TIME):
            msg = "block is the time of a block, longer than nothing: it goes with a unit per block, and only with that"
            raise ValueError(msg)
        if self.body is not None and self.method != "POST":
            msg = "a body is sent with method = 'POST'"
            raise ValueError(msg)
        if self.counts_for <= _NO_TIME or min(self.boot, self.drain) < _NO_TIME:
            msg = "counts_for must be longer than nothing, and boot and drain not shorter"
            raise ValueError(msg)
        return self

"""What Vast's console says, read strictly: a figure that is none, or that cannot be true, is Transient and names its field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from autopilot.errors import Refused, Transient
from autopilot.kit.http import Http, Reply
from autopilot.kit.traffic import host_of

ROWS = 64
"""More offers are not given in one answer, whatever the limit."""
BETWEEN = timedelta(seconds=6)
"""Ten calls a minute are allowed to one address."""
MOST = 1000
"""USD for a GPU-hour. The dearest GPU rents for a hundredth of it: beyond, a unit was mixed up."""
_MOST_GPUS = 64
_LARGEST = 10**15
_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")

M = TypeVar("M", bound=BaseModel)


def _number(value: object) -> Decimal:
    """A JSON number, or text that is one in plain ASCII digits."""
    text = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if not _NUMBER.fullmatch(text):
        msg = "should be a number"
        raise ValueError(msg)
    return Decimal(text)


def _whole(value: object) -> int:
    number = _number(value)
    if abs(number) > _LARGEST or number != int(number):
        msg = "should be a whole number"
        raise ValueError(msg)
    return int(number)


Price = Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=MOST)]
OfferPrice = Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=MOST * _MOST_GPUS)]
PerCent = Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=100)]
Part = Annotated[Decimal, BeforeValidator(_number), Field(gt=0, le=1)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Gpus = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=_MOST_GPUS)]
Flag = Annotated[bool, Field(strict=True)]
Name = Annotated[str, Field(strict=True)]


class Offer(BaseModel):
    """A slice of a machine that is on offer: its prices are for the whole slice."""

    machine_id: Whole
    gpu_name: Name
    num_gpus: Gpus
    gpu_frac: Part
    """How much of the machine it is."""
    dph_base: OfferPrice
    """USD an hour for its GPUs, without storage and traffic."""
    verification: Name
    rentable: Flag
    """False where somebody has it. (``rented`` would tell what the caller rents.)"""
    gpu_ram: Whole | None = None
    """MB."""
    gpu_ids: tuple[Whole, ...] | None = None

    @property
    def machine_gpus(self) -> int:
        """How many the whole machine has."""
        return max(self.num_gpus, round(self.num_gpus / self.gpu_frac))

    @model_validator(mode="after")
    def _of_a_machine(self) -> Self:
        if self.machine_gpus > _MOST_GPUS:
            msg = f"gpu_frac: should be a part of a machine, and no machine has {self.num_gpus} / {self.gpu_frac} GPUs"
            raise ValueError(msg)
        return self


class _Bundles(BaseModel):
    offers: tuple[Offer, ...]


class Hired(BaseModel):
    """How much of a GPU model is hired."""

    gpu_name: Name
    usage: PerCent | None
    usage_30d: PerCent | None = None


class _Current(BaseModel):
    gpus: tuple[Hired, ...]
    needs_machine: Flag = False


class Pricing(BaseModel):
    """Medians of the prices for a GPU-hour, point by point: what tenants pay, and what is asked of them."""

    timestamps: tuple[Whole, ...]
    rented_median: tuple[Price | None, ...]
    avail_median: tuple[Price | None, ...]


class _Trend(BaseModel):
    pricing: Pricing


class _History(BaseModel):
    gpus: Mapping[str, _Trend]
    needs_machine: Flag = False


@dataclass(frozen=True, slots=True)
class Offers:
    """What the public search finds for one model."""

    rows: Sequence[Offer]
    complete: bool
    """Whether these are all. Else they are the cheapest."""
    reply: Reply


@dataclass(frozen=True, slots=True)
class Metrics:
    """What Vast tells its hosts about the market."""

    hired: Mapping[str, Hired]
    prices: Mapping[str, Pricing]
    reply: Reply


@dataclass(frozen=True, slots=True)
class Console:
    """Vast's API, and the part of its market that our machine is in. Everything raises Transient or Refused."""

    http: Http
    url: str
    key: str = field(repr=False)
    verified: bool
    datacenter: bool

    def __post_init__(self) -> None:
        self.http.keep_apart(host_of(self.url), BETWEEN)

    def offers(self, name: str) -> Offers:
        """Two calls: sorted both ways, to notice where the answer is cut short."""
        cheap, reply = self._search(name, "asc")
        dear, _ = self._search(name, "desc")
        complete = not cheap or any(row in dear for row in cheap)
        return Offers([*cheap, *(row for row in dear if row not in cheap)] if complete else cheap, complete, reply)

    def metrics(self, names: Sequence[str]) -> Metrics:
        """Two calls, for all models at once."""
        asked = {
            "verified": "yes" if self.verified else "no",
            "hosting_type": "secure_cloud" if self.datacenter else "community",
            "num_gpus": "all",
        }
        current = self._read(_Current, self._told("current", asked))
        reply = self._told("history", {**asked, "gpu_name": ",".join(names), "step": "3600"})
        history = self._read(_History, reply)
        if current.needs_machine or history.needs_machine:
            raise Refused(self.http.network, "Vast tells its market only to hosts with a machine: list one, or leave out the key")
        prices = {name: trend.pricing for name, trend in history.gpus.items()}
        return Metrics({row.gpu_name: row for row in current.gpus}, prices, reply)

    def _search(self, name: str, order: str) -> tuple[Sequence[Offer], Reply]:
        body = {
            "gpu_name": {"eq": name},
            "verified": {"eq": self.verified},
            "datacenter": {"eq": self.datacenter},
            "rentable": {"in": [True, False]},
            "type": "ondemand",
            "order": [["dph_total", order]],
            "limit": ROWS,
        }
        reply = self.http.post(f"{self.url}/api/v0/bundles/", body, repeatable=True)
        wanted = "verified" if self.verified else "unverified"
        rows = self._read(_Bundles, reply).offers
        return [row for row in rows if row.gpu_name == name and row.verification == wanted], reply

    def _told(self, what: str, params: Mapping[str, str]) -> Reply:
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.http.get(f"{self.url}/api/v0/metrics/gpu/{what}/", params=params, headers=headers)

    def _read(self, model: type[M], reply: Reply) -> M:
        try:
            return model.model_validate(reply.json)
        except ValidationError as error:
            first: Any = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"]) or "the answer"
            said = f"{reply.url.partition('?')[0]}: {ascii(place)[1:-1][:80]}: {first['msg'].removeprefix('Value error, ')}"
            raise Transient(self.http.network, said) from None

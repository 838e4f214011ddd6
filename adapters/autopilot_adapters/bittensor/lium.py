"""What SN51 (lium.io) says in public: prices and pay for each model, and how much idle capacity it still pays for.

No key is needed. Pay is given for an epoch, which lasts 1.2 hours here; ``rental_rate`` is the share of the fleet that is rented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from autopilot.kit.http import Http, Reply
from autopilot.kit.reading import Field
from autopilot_adapters.bittensor.names import words

EPOCH_HOURS = Decimal("1.2")
"""360 blocks of 12 s: what ``usd_per_epoch_…`` is divided by."""
_PATIENCE = timedelta(seconds=15)
_MOST_PRICE = 100
"""USD per GPU and hour. The dearest model of 2026 is asked for at 8."""
_MOST_GPUS = 1_000_000
_SIZES = 100
"""Kinds of nodes, and models: a hundred of each is far more than there are."""
_MODELS = 2000

T = TypeVar("T", "Machine", "Capacity")


@dataclass(frozen=True, slots=True)
class Machine:
    """A model of GPU in the market; all money is USD per GPU."""

    path: str
    """Of its row in the answer."""
    name: str
    price: Decimal | None
    """The reference, per hour; None where there is none."""
    rented: Decimal | None
    """The share of the fleet that is rented."""
    gpus: int
    """The fleet. Where it is 0, the share that is rented says nothing."""
    band: tuple[Decimal, Decimal] | None
    """What may be asked for an hour, from and to."""
    soft_limit: Decimal | None
    """Above this there is no idle pay."""
    rented_epoch: Decimal | None
    """Emission to a rented GPU, per epoch."""
    idle_epoch: Decimal | None
    """Pay for an idle one, per epoch."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The idle GPUs of nodes of one size that are paid for."""

    path: str
    cap: int
    waiting: int
    """How many there are already."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What is paid for of a family of models. Its prices are not those of each model in it, and are not read."""

    path: str
    name: str
    buckets: Mapping[int, Bucket]
    """By the number of GPUs of a node."""


def machines(http: Http, base: str) -> tuple[Sequence[Machine], Reply]:
    """The models. Raises Transient or Refused."""
    reply = http.get(f"{base}/api/machines", timeout=_PATIENCE)
    return read_machines(http.network, reply.json), reply


def capacity(http: Http, base: str) -> Sequence[Capacity]:
    """The idle capacity that is paid for. Raises Transient or Refused."""
    return read_capacity(http.network, http.get(f"{base}/api/machines/capacity", timeout=_PATIENCE).json)


def read_machines(network: str, json: object) -> Sequence[Machine]:
    """The models of an answer, each once. Raises Transient where it makes no sense."""
    return _once([(row, _machine(row)) for row in _rows(Field(network, "machines:", json))])


def read_capacity(network: str, json: object) -> Sequence[Capacity]:
    """The families of an answer, each once. Raises Transient where it makes no sense."""
    return _once([(row, _capacity(row)) for row in _rows(Field(network, "capacity:", json))])


def _rows(answer: Field) -> Sequence[Field]:
    rows = answer.items()
    if not 1 <= len(rows) <= _MODELS:
        raise answer.wrong(f"1 to {_MODELS} rows")
    return rows


def _once(rows: Sequence[tuple[Field, T]]) -> Sequence[T]:
    """Each GPU once. A row that comes twice is one row; two that contradict each other are none to be believed."""
    known: dict[frozenset[str], tuple[Field, T]] = {}
    for row, read in rows:
        first, _ = known.setdefault(words(read.name), (row, read))
        if first.value != row.value:
            raise row.wrong(f"what {first.path} says of {read.name!a}")
    return [read for _, read in known.values()]


def _machine(row: Field) -> Machine:
    least, most = (row.member(name).number_or_none(0, _MOST_PRICE) for name in ("p_min", "p_max"))
    known = row.member("estimates_available").flag()
    paid, idle = (row.member(f"usd_per_epoch_{state}").number_or_none(0, _MOST_PRICE) for state in ("rented", "unrented"))
    return Machine(
        path=row.path,
        name=row.member("name").text(),
        price=row.member("price").number_or_none(0, _MOST_PRICE),
        rented=row.member("rental_rate").number_or_none(0, 1),
        gpus=row.member("total_gpu_count").count(0, _MOST_GPUS),
        band=None if least is None or most is None else (least, most),
        soft_limit=row.member("soft_price_limit").number_or_none(0, _MOST_PRICE),
        rented_epoch=paid if known else None,
        idle_epoch=idle if known else None,
    )


def _capacity(row: Field) -> Capacity:
    buckets = row.member("buckets")
    if not isinstance(buckets.value, dict) or len(buckets.value) > _SIZES:
        raise buckets.wrong("an object with the sizes of nodes")
    sizes = {Field(row.network, f"{buckets.path} key", size).count(0, _SIZES): buckets.member(size) for size in buckets.value}
    return Capacity(row.path, row.member("base_model").text(), {size: _bucket(each) for size, each in sizes.items()})


def _bucket(row: Field) -> Bucket:
    return Bucket(row.path, row.member("max_cap").count(0, _MOST_GPUS), row.member("unrented_count").count(0, _MOST_GPUS))

"""What the console API of Akash says, and nothing else: every figure is checked here, none is turned into money.

All of it is public and needs no key. The API works its prices out at most every 15 minutes, and has been seen to take 16 s for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from autopilot.errors import Transient
from autopilot.kit.http import Http, Reply
from autopilot.kit.prices import OwnPrice
from autopilot.kit.reading import Field

T = TypeVar("T")
Kind = tuple[str, str]
"""Vendor and model."""
PATIENCE = timedelta(seconds=45)
"""For one try: nearly three times the slowest answer that was seen."""
PAGE = 100
"""The most deployments that one answer may hold."""
PAGES = 5
"""Deployments beyond these would cost a host's budget of requests for a figure of the second rank."""
_NOT_FOUND = 404
_NO_BLOCK = {"From block not found", "To block not found"}

LEAST_ASK, MOST_ASK = Decimal("0.01"), Decimal(100)
"""USD per GPU-hour. The API rounds to cents, so less than one is none; the dearest GPU of 2026 is leased for a tenth of the upper bound."""
_CENT = Decimal("0.01")
_MOST_GPUS = 1_000_000
"""The network had 248 in 2026. A count that wrapped below zero, as inventories have shown, has 20 digits."""
_MOST_PER_BLOCK = Decimal(10**9)
"""Millionths of a token: a thousand tokens every six seconds."""
_MOST_EARNED = Decimal(10**14)
"""Millionths of a token or a dollar: a third of all AKT that there is."""
_LEAST_AKT, _MOST_AKT = Decimal("0.001"), Decimal(1000)
"""USD. It was worth 0.16 at the least and 8 at the most; less is the slip of a sum."""
_SLIP = Decimal("1e-9")
"""Of a sum: the API adds up in binary fractions."""
_RAM = re.compile(r"([0-9]{1,4}) ?Gi?B?", re.IGNORECASE)
_BRIEFS = {"sxm": "sxm", "pci": "pcie"}


@dataclass(frozen=True, slots=True)
class Asks:
    """USD per GPU-hour, over one bid of each provider: what is asked, not what is paid."""

    least: Decimal
    most: Decimal
    median: Decimal
    weighted: Decimal
    """By the GPUs that each provider has."""


@dataclass(frozen=True, slots=True)
class GpuRow:
    """What is said of one model with one memory size and one interface."""

    kind: Kind
    ram: str
    interface: str
    total: int
    """GPUs of the providers that are online."""
    available: int
    asks: Asks | None
    """None where nobody made a usable bid."""
    path: str = field(compare=False)

    @property
    def leased(self) -> int:
        """GPUs at work."""
        return self.total - self.available

    @property
    def ram_gib(self) -> int | None:
        """The memory; None where it is not said in GiB."""
        found = _RAM.fullmatch(self.ram)
        return int(found[1]) if found else None

    @property
    def family(self) -> str:
        """``sxm`` or ``pcie`` where the interface begins so, in whatever case; else what it says, which may be nothing."""
        return _BRIEFS.get(self.interface[:3].lower(), self.interface.lower())

    @property
    def variant(self) -> Hashable:
        """What sets it apart from other variants of its model, whoever spelled the interface."""
        return self.kind, self.ram_gib or self.ram, self.family


@dataclass(frozen=True, slots=True)
class Lease:
    """One active lease on GPUs of a provider."""

    id: tuple[str, str, int, int]
    """Owner, deployment, group and order."""
    denom: str
    per_block: Decimal
    """Millionths of a token, for all that the tenant has, processor and memory included."""
    gpus: int
    path: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Provider:
    """What is known of a provider's GPUs."""

    kinds: frozenset[Kind]
    gpus: int


@dataclass(frozen=True, slots=True)
class Earnings:
    """What a provider's leases came to in a span of days, block by block, withdrawn or not; in tokens."""

    act: Decimal
    """With what older leases pay in USDC: the API adds the two up, and tells their sum under both names."""
    akt: Decimal
    usd: Decimal
    """Both, by the price of AKT that the network has for each day; where it has none, it takes nothing for it."""

    @property
    def usd_per_akt(self) -> Decimal | None:
        """The price of AKT that is in the sum, over one day that of its day; None where there is none in it."""
        rest = self.usd - self.act
        return rest / self.akt if self.akt and rest >= self.akt * _LEAST_AKT else None


@dataclass(frozen=True, slots=True)
class Day:
    """How many GPUs of a model there were on a day, UTC, and how many were leased."""

    date: datetime
    total: int
    leased: int


def gpu_rows(answer: Field, kinds: Collection[Kind]) -> Sequence[GpuRow]:
    """The rows of these kinds. Others are not read beyond their name: some provider's broken inventory is not our concern."""
    models = answer.member("models")
    if not models.items():
        raise models.wrong("models: a network without a single GPU is a broken index")
    named = [(row, (_name(row.member("vendor")), _name(row.member("model")))) for row in models.items()]
    rows = [_gpu_row(row, kind) for row, kind in named if kind in kinds]
    return _once(models, rows, lambda row: (row.kind, row.ram, row.interface))


def _name(name: Field) -> str:
    return "".join(name.text().lower().split())


def _gpu_row(row: Field, kind: Kind) -> GpuRow:
    availability, price = row.member("availability"), row.member("price")
    total = availability.member("total").count(0, _MOST_GPUS)
    available = availability.member("available").count(0, total)
    asks = None if price.absent else _asks(price)
    return GpuRow(kind, row.member("ram").text(), row.member("interface").text(), total, available, asks, row.path)


def _asks(price: Field) -> Asks:
    """The four figures agree with each other to a cent, or something was mixed up."""
    if price.member("currency").text() != "USD":
        raise price.member("currency").wrong("USD")
    least = price.member("min").number(LEAST_ASK, MOST_ASK)
    most = price.member("max").number(least, MOST_ASK)
    median, weighted = (price.member(name).number(least - _CENT, most + _CENT) for name in ("med", "weightedAverage"))
    return Asks(least, most, median, weighted)


def leases(answer: Field, address: str) -> Sequence[Lease]:
    """A provider's active leases that hold GPUs, from one page of its deployments."""
    found = [
        _lease(deployment, lease)
        for deployment in answer.member("deployments").items()
        for lease in deployment.member("leases").items()
        if lease.member("provider").text() == address and lease.member("status").text() == "active"
    ]
    return [lease for lease in _once(answer, found, lambda lease: lease.id) if lease.gpus]


def _lease(deployment: Field, lease: Field) -> Lease:
    names = (lease.member("gseq").count(0, _MOST_GPUS), lease.member("oseq").count(0, _MOST_GPUS))
    number = (deployment.member("owner").text(), deployment.member("dseq").text(), *names)
    per_block, gpus = lease.member("price").number(0, _MOST_PER_BLOCK), lease.member("resources").member("gpu").count(0, _MOST_GPUS)
    return Lease(number, deployment.member("denom").text(), per_block, gpus, lease.path)


def provider(answer: Field) -> Provider:
    """Its GPU models and how many GPUs it has, leased or not."""
    gpu, models = answer.member("stats").member("gpu"), answer.member("gpuModels").items()
    kinds = frozenset((_name(each.member("vendor")), _name(each.member("model"))) for each in models)
    return Provider(kinds, sum(gpu.member(name).count(0, _MOST_GPUS) for name in ("active", "available", "pending")))


def earnings(answer: Field) -> Earnings:
    """Sums in whole tokens and dollars (akash-network/console, ``provider-earnings.service.ts``). Raises Transient."""
    sums = answer.member("earnings")
    names = ("totalUActEarned", "totalUUsdcEarned", "totalUAktEarned", "totalUUsdEarned")
    act, usdc, akt, usd = (sums.member(name).number(0, _MOST_EARNED) / 10**6 for name in names)
    if usdc not in {0, act}:
        raise sums.member("totalUUsdcEarned").wrong("what totalUActEarned is, or nothing")
    if not act - _SLIP * act <= usd <= act + akt * _MOST_AKT + _SLIP * act:
        raise sums.member("totalUUsdEarned").wrong(f"the worth of {act} ACT and {akt} AKT")
    return Earnings(act, akt, usd)


def days(answer: Field, kind: Kind) -> Sequence[Day]:
    """The days of one kind. The ``gpuUtilization`` is not read: it comes as a number or as text, and the counts say it."""
    named = [(row, (_name(row.member("vendor")), _name(row.member("model")))) for row in answer.items()]
    return _once(answer, [_day(row) for row, each in named if each == kind], lambda day: day.date)


def _day(row: Field) -> Day:
    total = row.member("totalGpus").count(0, _MOST_GPUS)
    return Day(row.member("date").day(), total, row.member("leasedGpus").count(0, total))


def _once(answer: Field, rows: Sequence[T], name: Callable[[T], Hashable]) -> Sequence[T]:
    """Each row once. Raises Transient where two rows of one name contradict each other."""
    kept: dict[Hashable, T] = {}
    for row in rows:
        if kept.setdefault(name(row), row) != row:
            raise Transient(answer.network, f"{answer.path} says two things of one: {ascii(name(row))[:120]}")
    return list(kept.values())


class Console:
    """The console API. Every call raises Transient or Refused, and returns what was said and when."""

    def __init__(self, http: Http, base: str) -> None:
        self._http = http
        self._base = base.rstrip("/")

    def gpu_prices(self, kinds: Collection[Kind]) -> tuple[Sequence[GpuRow], Reply]:
        """What is asked for GPUs of these kinds, and how many are leased."""
        reply = self._get("/v1/gpu-prices")
        return gpu_rows(self._field("gpu-prices", reply), kinds), reply

    def akt(self) -> OwnPrice:
        """The price of AKT as the chain's own oracle has it. Of the other figures in this answer, none is kept up."""
        reply = self._get("/v1/market-data")
        usd = self._field("market-data", reply).member("price").number(Decimal("1e-9"), 10**6)
        return OwnPrice(usd, reply.seen_at, "akash oracle")

    def provider(self, address: str) -> Provider:
        """One provider."""
        reply = self._get(f"/v1/providers/{address}", accept=(_NOT_FOUND,))
        if reply.status == _NOT_FOUND:
            raise self._unknown(address)
        return provider(self._field("providers", reply))

    def leases(self, address: str) -> tuple[Sequence[Lease], Reply]:
        """A provider's active leases that hold GPUs; a page at a time, as a rule there is one."""
        found: dict[Hashable, Lease] = {}
        for page in range(PAGES):
            reply = self._get(f"/v1/providers/{address}/deployments/{page * PAGE}/{PAGE}", {"status": "active"})
            answer = self._field(f"deployments[{page}]" if page else "deployments", reply)
            found |= {lease.id: lease for lease in leases(answer, address)}  # a page moves on while the one before is read
            if answer.member("total").count(0, _MOST_GPUS) <= (page + 1) * PAGE:
                return list(found.values()), reply
        raise Transient(self._http.network, f"{address} has more than {PAGES * PAGE} active deployments, which is more than is read")

    def earnings(self, address: str, first: datetime, end: datetime) -> Earnings | None:
        """What a provider earned from the start of one day to that of another, exclusive.

        None where the API has not come so far in the chain: it counts from the first block of the one day to that of the other.
        """
        asked = {"from": f"{first:%Y-%m-%d}", "to": f"{end:%Y-%m-%d}"}
        reply = self._get(f"/v1/provider-earnings/{address}", asked, accept=(_NOT_FOUND,))
        answer = self._field("provider-earnings", reply)
        if reply.status != _NOT_FOUND:
            return earnings(answer)
        if answer.member("message").text() in _NO_BLOCK:
            return None
        raise self._unknown(address)

    def days(self, kind: Kind) -> Sequence[Day]:
        """The history of one model. Unfiltered, the answer would hold every model since the beginning."""
        reply = self._get("/v1/gpu-breakdown", {"vendor": kind[0], "model": kind[1]})
        return days(self._field("gpu-breakdown", reply), kind)

    def _unknown(self, address: str) -> Transient:
        return Transient(self._http.network, f"it knows no provider {address}: look at 'provider' in the configuration")

    def _get(self, path: str, asked: Mapping[str, str] | None = None, accept: Collection[int] = ()) -> Reply:
        return self._http.get(self._base + path, params=asked, timeout=PATIENCE, accept=accept)

    def _field(self, name: str, reply: Reply) -> Field:
        return Field(self._http.network, f"{name}:", reply.json)

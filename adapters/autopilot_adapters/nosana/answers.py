"""What the routes of Nosana's HTTP API answer: read, checked, and named. Every reader raises Nonsense.

Sources of the fields: the packages @nosana/types and @nosana/kit 2.1, and nosana-ci/indexer for ``jobs``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from autopilot_adapters.nosana.codec import MOST_SECONDS
from autopilot_adapters.nosana.names import gpus_of
from autopilot_adapters.nosana.reading import Nonsense, address, listed, member, number, text, whole

MOST_NOS_PER_SECOND = Decimal(10)
"""As in ``codec.MOST_PRICE``; somebody who writes micro-NOS here is above it."""
LEAST_NOS_PER_SECOND = Decimal("1e-6")
"""The chain counts whole micro-NOS."""
_MOST_PRICE = int(MOST_NOS_PER_SECOND / LEAST_NOS_PER_SECOND)
_MOST_USD_PER_HOUR = Decimal(1000)
"""For a node. Eight H100 are paid 18 $."""
_MOST_NODES = 10**6
_MOST_JOBS = 10**10
_MOST_SECONDS = Decimal(10**14)
_MOST_MONEY = Decimal(10**12)
_LAST_INSTANT = 10**11
_LONGEST_MEAN = 60 * 24 * 3600
"""Seconds. What is longer is no mean of jobs."""
Wanted = Callable[[Sequence[str]], bool]
"""Whether a market with these GPUs matters to whoever asks."""


@dataclass(frozen=True, slots=True)
class Pay:
    """What a market pays a node while it works. None is a price that the market does not have."""

    reward: Decimal | None
    """NOS a second to the host. Nothing is taken off it."""
    charge: Decimal | None
    """NOS a second from the client: the reward and the network fee on top of it."""
    usd: Decimal | None
    """USD an hour to the host, as the backend reckoned it at some instant."""
    bonus: Decimal | None = None
    """USD a day at most for being there; nothing, wherever it was seen. Who gets how much of it is not known."""

    @property
    def usd_per_nos(self) -> Decimal | None:
        """The price of NOS that the market's own two figures imply."""
        return self.usd / (self.reward * 3600) if self.usd and self.reward else None


@dataclass(frozen=True, slots=True)
class Market:
    """One market: GPUs of a model, at one price."""

    path: str
    """Where in the answer it stands: ``markets:[3]``."""
    address: str
    slug: str
    name: str
    tier: str
    """``PREMIUM``, ``COMMUNITY`` or ``OTHER``."""
    gpu_types: tuple[str, ...]
    gpus: int
    """In one node; the pay is for all of them."""
    pay: Pay | None = None
    """None where the market is only remembered."""


@dataclass(frozen=True, slots=True)
class Past:
    """The jobs of some time that are over, added up."""

    jobs: int
    seconds: Decimal
    usd: Decimal

    @property
    def mean(self) -> timedelta | None:
        """How long one ran; None where there was none."""
        return timedelta(seconds=float(self.seconds / self.jobs)) if self.jobs and self.seconds else None


@dataclass(frozen=True, slots=True)
class NodeSpecs:
    """What is known about a node: its market, and the job that it runs."""

    market: str | None
    job: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is over."""

    address: str
    market: str
    start: datetime
    end: datetime
    timeout: timedelta
    price: Decimal
    """NOS a second to the host."""
    usd_per_hour: Decimal | None
    """To the host, at the price of NOS then. None until the backend has reckoned it: a job with a price is not worth nothing."""

    @property
    def paid(self) -> timedelta:
        """The time that was paid: up to the timeout."""
        return min(self.end - self.start, self.timeout)


def markets(json: Any, wanted: Wanted) -> Sequence[Market]:
    """``GET /markets/``. Raises Nonsense."""
    found: dict[str, tuple[Any, Market]] = {}
    for index, row in enumerate(listed(json, "markets:")):
        path = f"markets:[{index}]"
        matters = wanted(_gpu_types(row, path))
        try:
            each = priced_market(row, path)
            _check_alone(row, each, [twin for twin in found.values() if twin[1].address == each.address or twin[1].slug == each.slug])
        except Nonsense:
            if matters:
                raise
        else:
            found[each.address] = (row, each)
    return [each for _, each in found.values()]


def _check_alone(row: Any, market: Market, twins: Sequence[tuple[Any, Market]]) -> None:
    for said, twin in twins:
        if said != row:
            raise Nonsense(f"{market.path} has the address or the slug of {twin.path}, and says something else")


def priced_market(row: Any, path: str) -> Market:
    """One row, with what it pays. Raises Nonsense."""
    reward, charge = (
        _optional(member(row, field, path), f"{path}.{field}", MOST_NOS_PER_SECOND)
        for field in ("nos_reward_per_second", "nos_job_price_per_second")
    )
    if reward is not None and charge is not None and reward > charge:
        raise Nonsense(f"{path}.nos_reward_per_second is {reward:f}, more than the {charge:f} that the client pays")
    if reward and reward < LEAST_NOS_PER_SECOND:
        raise Nonsense(f"{path}.nos_reward_per_second is {reward:g}, less than the chain can pay")
    usd = _optional(row.get("usd_reward_per_hour"), f"{path}.usd_reward_per_hour", _MOST_USD_PER_HOUR)
    bonus = _optional(row.get("max_usd_uptime_reward_per_day"), f"{path}.max_usd_uptime_reward_per_day", _MOST_USD_PER_HOUR * 24)
    return replace(market(row, path), pay=Pay(reward, charge, usd, bonus))


def market(row: Any, path: str) -> Market:
    """What a market is, without what it pays. Raises Nonsense."""
    name, slug, tier = (text(member(row, field, path), f"{path}.{field}") for field in ("name", "slug", "type"))
    where = address(member(row, "address", path), f"{path}.address")
    return Market(path, where, slug, name, tier, _gpu_types(row, path), gpus_of(name, slug))


def _gpu_types(row: Any, path: str) -> tuple[str, ...]:
    types = listed(member(row, "gpu_types", path), f"{path}.gpu_types")
    return tuple(text(each, f"{path}.gpu_types[{index}]") for index, each in enumerate(types))


def _optional(value: Any, where: str, most: Decimal) -> Decimal | None:
    return None if value is None else number(value, where, most)


def running(json: Any) -> Mapping[str, int]:
    """``GET /jobs/running``. Raises Nonsense, also for a network in which nothing runs: that is an index that lost its database."""
    if not isinstance(json, dict) or not json:
        raise Nonsense("running: names no market in which a job runs")
    counts = {market: member(each, "running", f"running:{market[:50]!a}") for market, each in json.items()}
    return {market: whole(count, f"running:{market[:50]!a}.running", _MOST_NODES) for market, count in counts.items()}


def past(json: Any) -> Mapping[str, Past]:
    """``GET /jobs/stats``, grouped by market or not. Raises Nonsense."""
    rows = {"": (json, "stats:")}
    grouped = json.get("markets") if isinstance(json, dict) else None
    for index, row in enumerate(listed(grouped, "stats:markets") if grouped is not None else ()):
        path = f"stats:markets[{index}]"
        rows[text(member(row, "market", path), f"{path}.market")] = (row, path)
    return {market: _past(row, path) for market, (row, path) in rows.items()}


def _past(row: Any, path: str) -> Past:
    jobs = whole(member(row, "completed", path), f"{path}.completed", _MOST_JOBS)
    seconds = number(member(row, "duration", path), f"{path}.duration", _MOST_SECONDS)
    usd = number(member(row, "usdReward", path), f"{path}.usdReward", _MOST_MONEY)
    if seconds > jobs * _LONGEST_MEAN:
        raise Nonsense(f"{path}.duration is {seconds:f} s for {jobs} jobs")
    return Past(jobs, seconds, usd)


def everywhere(json: Any) -> tuple[int, int]:
    """``GET /stats/nodes-country``, added up: running and waiting. Raises Nonsense."""
    sums = {"running": 0, "queue": 0}
    for index, row in enumerate(listed(member(json, "data", "nodes-country:"), "nodes-country:data")):
        path = f"nodes-country:data[{index}]"
        for field in sums:
            sums[field] += whole(member(row, field, path), f"{path}.{field}", _MOST_NODES)
    if not sums["running"]:
        raise Nonsense("nodes-country:data names no node that works")
    return sums["running"], sums["queue"]


def specs(json: Any) -> NodeSpecs:
    """``GET /nodes/{node}/specs``. Raises Nonsense."""
    found = {field: member(json, field, "specs:") for field in ("marketAddress", "jobAddress")}
    market, job = (None if each is None else address(each, f"specs:{field}") for field, each in found.items())
    return NodeSpecs(market, job)


def jobs(json: Any) -> Sequence[Job]:
    """``GET /jobs``. Raises Nonsense."""
    rows = listed(member(json, "jobs", "jobs:"), "jobs:jobs")
    return [job(row, f"jobs:jobs[{index}]") for index, row in enumerate(rows)]


def job(row: Any, path: str) -> Job:
    """One job. Raises Nonsense."""
    start, end = (whole(member(row, field, path), f"{path}.{field}", _LAST_INSTANT) for field in ("timeStart", "timeEnd"))
    price = whole(member(row, "price", path), f"{path}.price", _MOST_PRICE) * LEAST_NOS_PER_SECOND
    usd = _optional(member(row, "usdRewardPerHour", path), f"{path}.usdRewardPerHour", _MOST_USD_PER_HOUR)
    return Job(
        address=address(member(row, "address", path), f"{path}.address"),
        market=address(member(row, "market", path), f"{path}.market"),
        start=datetime.fromtimestamp(start, UTC),
        end=datetime.fromtimestamp(end, UTC),
        timeout=timedelta(seconds=whole(member(row, "timeout", path), f"{path}.timeout", MOST_SECONDS)),
        price=price,
        usd_per_hour=usd if usd or not price else None,
    )

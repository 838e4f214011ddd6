"""The same about subnets from taostats.io, for whoever has a key and no node: three requests for each subnet.

The free tier allows about five requests a minute, so they are kept twelve seconds apart. It says neither what is burned, nor whether
TAO still flows into the pool, nor what is minted; the adapter says so wherever it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import starmap
from urllib.parse import urlsplit

from autopilot.errors import Transient
from autopilot.kit.http import Http
from autopilot.kit.reading import Field
from autopilot_adapters.bittensor.figures import rao
from autopilot_adapters.bittensor.wire import MOST_ALPHA, MOST_BURN, MOST_EMISSION, MOST_PRICE, SWAP_FEE, Look, Miner, Step, Subnet, Wanted

STALE = timedelta(hours=3)
_AHEAD = timedelta(minutes=5)
_APART = timedelta(seconds=12)
_PATIENCE = timedelta(seconds=60)
_MOST_BLOCK = 2**32
_U16 = 65535
_PATHS = ("metagraph", "dtao/pool", "subnet")


class Taostats:
    """Subnets by one host, with a key."""

    def __init__(self, http: Http, base: str, key: str, now: Callable[[], datetime]) -> None:
        self._http = http
        self._base = base
        self._headers = {"authorization": key}
        self._now = now
        http.keep_apart(urlsplit(base).hostname or "", _APART)

    def subnets(self, wanted: Sequence[Wanted]) -> list[Subnet | None]:
        """The subnets in order, None for one that does not exist. Raises Transient or Refused."""
        questions = [(path, each) for each in wanted for path in _PATHS]
        with ThreadPoolExecutor(len(questions)) as pool:
            answers = list(pool.map(lambda question: self._rows(*question), questions))
        triples = zip(wanted, *(answers[start :: len(_PATHS)] for start in range(len(_PATHS))), strict=True)
        return list(starmap(self._subnet, triples))

    def _rows(self, path: str, wanted: Wanted) -> Sequence[Field]:
        params = {"netuid": str(wanted.netuid)} | (_identity(wanted) if path == "metagraph" else {})
        reply = self._http.get(f"{self._base}/api/{path}/latest/v1", params=params, headers=self._headers, timeout=_PATIENCE)
        data = Field(self._http.network, f"taostats/{path}:", reply.json).member("data")
        rows = [row for row in data.items() if row.member("netuid").count(0, _U16) == wanted.netuid]
        found = [row for row in rows if path != "metagraph" or _is(row, wanted)]
        if len(found) > 1 or (data.items() and not found):
            raise Transient(self._http.network, f"{data.path} has {len(found)} rows of what was asked for, among {len(data.items())}")
        return found

    def _subnet(self, wanted: Wanted, uids: Sequence[Field], pools: Sequence[Field], subnets: Sequence[Field]) -> Subnet | None:
        if not subnets:
            return None
        if not pools:
            raise Transient(self._http.network, f"taostats knows no pool of subnet {wanted.netuid}")
        (subnet,), (pool,) = subnets, pools
        owner = subnet.member("owner")
        look = self._look(subnet)
        immunity = subnet.member("immunity_period").count(0, _U16)
        return Subnet(
            netuid=wanted.netuid,
            source=f"{self._base}, block {look.block}",
            fields=_fields(subnet.path, pool.path, uids[0].path if uids else ""),
            look=look,
            before=None,
            tempo=max(1, subnet.member("tempo").count(0, _U16)),
            immunity=immunity,
            burn=rao(subnet.member("neuron_registration_cost"), MOST_BURN),
            open=subnet.member("registration_allowed").flag(),
            price=pool.member("price").number(0, MOST_PRICE),
            alpha_in=rao(pool.member("alpha_in_pool"), MOST_ALPHA),
            tao_in=rao(pool.member("total_tao"), MOST_ALPHA),
            swap_fee=SWAP_FEE,
            minted=None,
            burned=None,
            enabled=None,
            owners=frozenset() if owner.value is None else frozenset({owner.member("ss58").text()}),
            miner=_miner(uids[0], immunity) if uids else None,
        )

    def _look(self, row: Field) -> Look:
        at, block = row.member("timestamp").instant(), row.member("block_number").count(0, _MOST_BLOCK)
        since = row.member("blocks_since_last_step").count(0, _MOST_BLOCK)
        if not self._now() - STALE <= at <= self._now() + _AHEAD:
            raise row.member("timestamp").wrong(f"of the last {STALE.total_seconds() / 3600:.0f} hours")
        if since > block:
            raise row.member("blocks_since_last_step").wrong(f"{block} at most")
        return Look(block, at, Step(block - since, None))


def _identity(wanted: Wanted) -> dict[str, str]:
    return {"hotkey": wanted.hotkey} if wanted.hotkey else {"uid": str(wanted.uid)}


def _is(row: Field, wanted: Wanted) -> bool:
    """Whether a row is about the miner."""
    if wanted.hotkey:
        return row.member("hotkey").member("ss58").text() == wanted.hotkey
    return row.member("uid").count(0, _U16) == wanted.uid


def _miner(row: Field, immunity: int) -> Miner:
    return Miner(
        uid=row.member("uid").count(0, _U16),
        hotkey=row.member("hotkey").member("ss58").text(),
        coldkey=row.member("coldkey").member("ss58").text(),
        emission=rao(row.member("emission"), MOST_EMISSION),
        dividends=row.member("dividends").number(0, 1) > 0,
        immune_until=row.member("registered_at_block").count(0, _MOST_BLOCK) + immunity,
    )


def _fields(subnet: str, pool: str, uid: str) -> dict[str, tuple[str, ...]]:
    """Where each figure is read from."""
    return {
        "epoch": tuple(f"{subnet}.{name}" for name in ("tempo", "block_number", "timestamp", "blocks_since_last_step")),
        "emission": (f"{uid}.emission",),
        "price": (f"{pool}.price",),
        "pool": (f"{pool}.alpha_in_pool", f"{pool}.total_tao"),
        "fee": (),
        "burned": (),
        "minted": (),
    }

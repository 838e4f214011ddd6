"""What the statistics of the Render Network say: the work of each weekly epoch, wallet by wallet, and what the epoch paid for it.

The file is public, undocumented and rewritten about once a day. It holds several products in one list, told apart by ``channel``; only
``node_operator`` is the work of render nodes. OctaneBench-hours stand in it from epoch 76 on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from autopilot.errors import Transient
from autopilot.kit.http import Http, Reply
from autopilot.kit.reading import Field

FILE = "liability-epochs-data"
SIZE = 32 * 1024 * 1024
"""The file grows by some 40 kB a week, and would not reach this in a lifetime of GPUs."""
_CHANNEL = "node_operator"
_UNIT = 10**8
"""RENDER has eight decimals on Solana, and amounts are counted in the smallest."""
_LEAST_PAID, _MOST_PAID = 100 * _UNIT, 10**6 * _UNIT
"""For the work of one epoch. It was 47,435 RENDER once and 15,000 later; beyond these, a unit was mixed up."""
_MOST_OBH = 10**8
"""Of one wallet in one epoch. The whole network never did 63 million."""
_LEAST_PER_OBH, _MOST_PER_OBH = Decimal("0.00001"), Decimal("0.01")
"""RENDER. Seen in 2025: 0.00024 to 0.0017. More means that wallets are missing from the list, and would promise too much."""
_LEAST_SPAN, _MOST_SPAN = timedelta(days=6), timedelta(days=8)
"""A week; early ones drifted by some hours."""
_MOST_EPOCHS = 100_000


@dataclass(frozen=True, slots=True)
class Epoch:
    """One closed week of render work."""

    number: int
    end: datetime
    paid: Decimal
    """RENDER that all wallets share for their work."""
    work: Mapping[str, Decimal]
    """OctaneBench-hours by wallet."""
    path: str = field(compare=False)
    row: Any = field(repr=False, compare=False)
    """As the network wrote it, to be kept."""

    @property
    def obh(self) -> Decimal:
        """OctaneBench-hours of all wallets."""
        return sum(self.work.values(), Decimal(0))

    @property
    def per_obh(self) -> Decimal:
        """RENDER for one OctaneBench-hour, the mean over all tiers."""
        return self.paid / self.obh


@dataclass(frozen=True, slots=True)
class _Head:
    number: int
    start: datetime
    end: datetime
    row: Field


def closed_epochs(answer: Field, now: datetime, count: int) -> Sequence[Epoch]:
    """The newest epochs that are over and whose work is published, oldest first, at most ``count`` and at least one.

    Raises Transient, naming the field, for anything else; above all where one is missing in between.
    """
    if isinstance(answer.value, dict) and answer.value.get("success", True) is not True:
        raise answer.member("success").wrong("true")
    rows = answer.member("data").member("epochs")
    heads = [_head(row) for row in rows.items() if row.member("channel").value == _CHANNEL]
    over = [head for head in _once(heads) if head.end <= now and head.row.member("metadataBySolKey").members()]
    if not over:
        raise rows.wrong(f"a list with closed epochs of the channel {_CHANNEL}")
    newest = sorted(over, key=lambda head: head.number)[-count:]
    for before, after in pairwise(newest):
        if after.number != before.number + 1 or after.end <= before.end:
            raise Transient(answer.network, f"{rows.path} goes from epoch {before.number} to epoch {after.number}: its list has a hole")
    return [_epoch(head) for head in newest]


def _head(row: Field) -> _Head:
    number = row.member("epochId").count(0, _MOST_EPOCHS)
    return _Head(number, row.member("start").instant(), row.member("end").instant(), row)


def _once(heads: Sequence[_Head]) -> Sequence[_Head]:
    """Each epoch once. Raises Transient where two rows of one epoch contradict each other."""
    kept: dict[int, _Head] = {}
    for head in heads:
        if kept.setdefault(head.number, head).row.value != head.row.value:
            raise Transient(
                head.row.network, f"{head.row.path} says something else of epoch {head.number} than {kept[head.number].row.path}"
            )
    return list(kept.values())


def _epoch(head: _Head) -> Epoch:
    row = head.row
    if not _LEAST_SPAN <= head.end - head.start <= _MOST_SPAN:
        raise row.member("end").wrong(f"a week after {head.start:%Y-%m-%d}")
    paid = Decimal(row.member("amountDue").count(_LEAST_PAID, _MOST_PAID)) / _UNIT
    wallets = row.member("metadataBySolKey")
    work = {wallet: entry.member("obhUsed").number(0, _MOST_OBH) for wallet, entry in wallets.members().items()}
    epoch = Epoch(head.number, head.end, paid, work, row.path, row.value)
    if not epoch.obh * _LEAST_PER_OBH <= paid <= epoch.obh * _MOST_PER_OBH:
        listed = f"{epoch.obh} OctaneBench-hours of {len(work)} wallets share {paid} RENDER"
        raise Transient(row.network, f"{wallets.path} cannot be whole: {listed}")
    return epoch


def statistics(http: Http, url: str, origin: str) -> Reply:
    """The file. ``origin`` is the site to claim to come from, where the server wants that; empty for none."""
    headers = {"Origin": origin, "Referer": f"{origin}/"} if origin else {}
    return http.get(url, headers=headers, most=SIZE)

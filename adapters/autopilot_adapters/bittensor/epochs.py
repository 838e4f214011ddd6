"""How long an epoch really takes: measured from two looks at a subnet's clock.

Runtimes differ (a period of tempo + 1 blocks before spec 425, of tempo since), owners may trigger an epoch early and the chain may defer
one, so the rule only serves until a measurement is there. Emission of the last epoch belongs to the length of the last epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from autopilot.errors import Transient
from autopilot_adapters.bittensor.figures import plain
from autopilot_adapters.bittensor.wire import BLOCK_SECONDS, Look, Subnet

_LEAST_BLOCKS = 100
"""Fewer give no block time worth the name: one late block would be a per cent."""
_LEAST_SECONDS, _MOST_SECONDS = Decimal(3), Decimal(60)
"""Of a block on average. Beyond these the clock or the block number is wrong, or the chain stands still."""
_LONGEST = 2 * 50_400
"""Blocks of an epoch: twice the longest that the chain allows."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The length of a subnet's last epoch."""

    blocks: Decimal
    block_seconds: Decimal
    text: str
    """How it is known."""
    inputs: tuple[str, ...]

    @property
    def hours(self) -> Decimal:
        return self.blocks * self.block_seconds / 3600

    def span(self, blocks: Decimal) -> timedelta:
        """How long so many blocks take."""
        return timedelta(seconds=float(blocks * self.block_seconds))


class EpochMeter:
    """Remembers the last look at each subnet, so that the next one can measure."""

    def __init__(self, network: str) -> None:
        self._network = network
        self._looks: dict[int, Look] = {}
        self._lengths: dict[tuple[int, int], Decimal] = {}

    def measure(self, subnet: Subnet) -> Epoch:
        """The epoch that ended last. Raises Transient where the clock says the impossible."""
        looks = [look for look in (subnet.before, self._looks.get(subnet.netuid)) if look and look.block < subnet.look.block]
        blocks, how = self._blocks(subnet, looks)
        seconds, clock = self._seconds(subnet.look, looks)
        self._looks[subnet.netuid] = subnet.look
        text = f"the last epoch took {plain(blocks)} blocks ({how}) of {plain(seconds)} s ({clock})"
        return Epoch(blocks, seconds, f"{text}: {plain(blocks * seconds / 3600)} h", subnet.fields["epoch"])

    def _blocks(self, subnet: Subnet, looks: list[Look]) -> tuple[Decimal, str]:
        now = subnet.look.step
        for look in sorted(looks, key=lambda look: look.step.block, reverse=True):
            between, epochs = now.block - look.step.block, _epochs(look, subnet)
            if between > 0 and epochs > 0:
                length = Decimal(between) / epochs
                if not 1 <= length <= _LONGEST:
                    raise Transient(self._network, f"subnet {subnet.netuid}: an epoch of {plain(length)} blocks is none")
                self._lengths = {key: known for key, known in self._lengths.items() if key[0] != subnet.netuid}
                self._lengths[subnet.netuid, now.block] = length
                return length, f"measured to block {now.block}"
        if known := self._lengths.get((subnet.netuid, now.block)):
            return known, f"measured to block {now.block}"
        return Decimal(subnet.tempo), "by the tempo, not measured yet"

    def _seconds(self, now: Look, looks: list[Look]) -> tuple[Decimal, str]:
        older = min(looks, key=lambda look: look.block, default=now)
        blocks = now.block - older.block
        if blocks < _LEAST_BLOCKS:
            return BLOCK_SECONDS, "as the chain means it, not measured yet"
        seconds = Decimal((now.at - older.at) // timedelta(milliseconds=1)) / 1000 / blocks
        if not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
            raise Transient(self._network, f"Timestamp.Now: {blocks} blocks in {now.at - older.at} cannot be")
        return seconds, f"measured over {blocks} blocks"


def _epochs(older: Look, subnet: Subnet) -> int:
    """How many epochs there were between two looks; where nobody counts them, as many as the tempo has room for."""
    now = subnet.look.step
    if now.index is not None and older.step.index is not None:
        return now.index - older.step.index
    return round((now.block - older.step.block) / subnet.tempo)

"""What own UIDs were given, epoch by epoch, as the chain tells it: alpha, credited as stake, and money only once it is sold.

The chain knows the emission of the last epoch alone, so what is told is what the polls have seen: an epoch is 72 minutes long as a rule,
and one in which nobody polled is not told, ever. Its worth is that at the pool's price for small amounts, before what selling costs. So
nothing here is settled.

Rent and idle pay of lium are not told: its portal's ledger wants a hotkey's signature. Nor is what taostats says: it tells the emission
and the epoch of different blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from autopilot.errors import Transient
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.node import NativeAmount, Payout
from autopilot.units import Usd
from autopilot_adapters.bittensor.figures import plain
from autopilot_adapters.bittensor.miner_rates import MOST_RATE, Sighting, unpaid
from autopilot_adapters.bittensor.settings import MinerSettings

_NOBODY = DeviceId("")


class EpochPayouts:
    """The last epoch of every own UID, as it was last seen. It asks nobody."""

    def __init__(
        self, network: NetworkId, miners: Sequence[MinerSettings], devices: Sequence[DeviceId], seen: Callable[[int], Sighting | None]
    ) -> None:
        """``seen`` is what the last poll saw of a subnet."""
        self._network = network
        self._miners = miners
        self._devices = devices
        self._seen = seen

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """Those whose epoch ended after the instant. Raises Transient for what is beyond belief."""
        return [payout for miner in self._miners for payout in self._of(miner) if payout.end > since]

    def _of(self, miner: MinerSettings) -> Iterator[Payout]:
        sight = self._seen(miner.netuid)
        if sight is None or sight.subnet.miner is None or unpaid(sight.subnet):
            return
        subnet, uid = sight.subnet, sight.subnet.miner
        step = subnet.look.step.block
        if uid.immune_until - subnet.immunity > step:  # what the UID was given then went to who had it before us
            return
        usd = uid.emission * subnet.price * sight.tao.usd
        if usd > MOST_RATE * sight.epoch.hours:
            raise Transient(self._network, f"{plain(uid.emission)} alpha of subnet {miner.netuid} for {plain(usd)} $ is beyond belief")
        end = subnet.look.at - sight.epoch.span(Decimal(subnet.look.block - step))
        native = NativeAmount(f"alpha of SN{miner.netuid}", uid.emission, subnet.price * sight.tao.usd)
        ident, venue = f"SN{miner.netuid}/{uid.hotkey}/{step}", Venue(self._network, str(miner.netuid))
        whole = Payout(ident, venue, _NOBODY, end - sight.epoch.span(sight.epoch.blocks), end, Usd.of(usd), native, settled=False)
        yield from self._shared(whole, miner.gpus or len(self._devices))

    def _shared(self, whole: Payout, gpus: int) -> Sequence[Payout]:
        """Among our devices, less what other rigs of the same UID earned; in one where nobody knows which of our GPUs mine."""
        ours = len(self._devices)
        if gpus < ours:
            return [whole]
        if whole.native and gpus > ours:
            part = Decimal(ours) / gpus
            native = replace(whole.native, amount=(whole.native.amount * part).quantize(Decimal("1e-9")))
            whole = replace(whole, amount=Usd.of(native.amount * native.usd_per_token), native=native)
        return whole.among(self._devices)

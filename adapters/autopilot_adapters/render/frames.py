"""The venue ``render``: frames, paid by the OctaneBench-hour, and being available for them.

``score x utilisation x RENDER per OctaneBench-hour x USD per RENDER``, plus availability pay. Work is paid after the fact from a fixed sum
for each weekly epoch, so what an hour of it earns is known only when its epoch is over, and has swung sevenfold within months: hence a
median of closed epochs, and ``ESTIMATE``. Node operators pay no fee: the 5 % that OTOY keeps are the customer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median

from autopilot.kit.redaction import shown as address
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.market import Answer, NoQuote, Working
from autopilot.units import Share
from autopilot_adapters.render.client import registry_score
from autopilot_adapters.render.estimate import LIFE, WEEK, Occupied, Pay, Unquoted, estimated, figure, shown
from autopilot_adapters.render.names import SCORES, plain
from autopilot_adapters.render.settings import RenderSettings
from autopilot_adapters.render.stats import Known
from autopilot_adapters.render.utilisation import logged, published, told
from autopilot_adapters.render.wire import Epoch

_LEAST_MEMORY = 7
"""GiB: the client wants 8 GB, and NVML shows some of those cards as a little less."""
_WEIGHTS = {2: 2, 3: 1}
"""By tier: in tier 2, 100 OctaneBench-hours are a credit, in tier 3 it takes 200. The payouts of 2025 show the same two levels."""


def tier_pay(mean: Decimal, weight: Decimal | int, mean_weight: Decimal) -> Decimal:
    """RENDER per OctaneBench-hour in a tier, from the mean over all work and what all work weighs in the mean."""
    return mean * weight / mean_weight


def busy_pay(score: Decimal, per_obh: Decimal) -> Decimal:
    """RENDER of an hour of rendering, in which a GPU does as many OctaneBench-hours as its score. No rate: nobody renders every hour."""
    return score * per_obh


def idle_pay(weekly: Decimal, gpus: int, busy: Share) -> Decimal:
    """RENDER of an idle hour, from what a node with so many GPUs is paid a week for being available the rest of the time."""
    return weekly / (WEEK * gpus) / Decimal(busy.complement().count) * Share.per_unit


@dataclass(frozen=True, slots=True)
class Work:
    """What one OctaneBench-hour of this rig pays, in RENDER."""

    per_obh: Decimal
    workings: tuple[Working, ...]
    source: str
    as_of: datetime
    until: datetime


def own_work(per_obh: Decimal, now: datetime) -> Work:
    """As the configuration has it."""
    line = f"RENDER per OctaneBench-hour: {shown(per_obh)}, as configured"
    return Work(per_obh, (Working(line),), "RENDER per OctaneBench-hour as configured", now, now + LIFE)


def published_work(known: Known, settings: RenderSettings, now: datetime) -> Work:
    """The median of the closed epochs, in the tier. Raises Unquoted when the newest is too old to say anything about today."""
    epochs = known.epochs[-settings.epochs :]
    newest, until = known.newest, known.newest.end + settings.keeps
    broken = f"; the file could not be read since {known.read_at:%Y-%m-%d %H:%M} UTC: {known.trouble}" if known.trouble else ""
    if now >= until:
        closed = f"epoch {newest.number}, which ended on {newest.end:%Y-%m-%d}, {(now - newest.end).days} days ago"
        raise Unquoted(f"the last pay that is known is of {closed}: too old to reckon with{broken}")
    mean = figure(median(epoch.per_obh for epoch in epochs))
    per_obh = figure(tier_pay(mean, _WEIGHTS[settings.tier], settings.mean_weight))
    source = f"{address(settings.stats_url)}: epochs {epochs[0].number} to {newest.number}, which ended on {newest.end:%Y-%m-%d}{broken}"
    as_of = known.read_at if known.trouble else now
    return Work(per_obh, (*_epoch_workings(epochs, mean), _tier_working(mean, per_obh, settings)), source, as_of, until)


def _epoch_workings(epochs: Sequence[Epoch], mean: Decimal) -> tuple[Working, ...]:
    rows = "liability-epochs-data:data.epochs[*]"
    chosen = tuple(f"{rows}.{name}" for name in ("channel", "epochId", "start", "end", "metadataBySolKey"))
    each = (
        Working(
            f"epoch {epoch.number}: {shown(epoch.paid)} RENDER / {shown(epoch.obh)} OctaneBench-hours = {shown(figure(epoch.per_obh))}",
            (f"{epoch.path}.amountDue", f"{epoch.path}.metadataBySolKey"),
        )
        for epoch in epochs
    )
    return (*each, Working(f"median of the last {len(epochs)} closed epochs: {shown(mean)} RENDER per OctaneBench-hour", chosen))


def _tier_working(mean: Decimal, per_obh: Decimal, settings: RenderSettings) -> Working:
    weight, of = _WEIGHTS[settings.tier], shown(settings.mean_weight)
    return Working(f"tier {settings.tier} weighs {weight}, all work {of} in the mean: {shown(mean)} x {weight} / {of} = {shown(per_obh)}")


class Frames:
    """Answers for the venue. ``devices`` are those of the rig, which the client takes together."""

    def __init__(self, network: NetworkId, settings: RenderSettings, devices: Sequence[Device]) -> None:
        self.venue = Venue(network)
        self._settings = settings
        self._gpus = max(len(devices), 1)
        self._models = {plain(device.model) for device in devices}

    def without(self) -> str:
        """What has to be configured before anything can be said; empty where enough is."""
        if self._settings.measured:
            return ""
        how = "'utilisation', or 'log' (the client's rndr_log.txt), or 'wallet' with 'wallet_score'"
        return f"Render does not publish how much a node works: set {how} in [networks.{self.venue.network}]"

    def answers(self, devices: Sequence[Device], price: TokenPrice, known: Known | None, now: datetime) -> Sequence[Answer]:
        """One for each device. Raises Transient."""
        try:
            work, occupied = self._work(known, now), self._occupied(known, now)
        except Unquoted as why:
            return [NoQuote(self.venue, device.id, now, str(why)) for device in devices]
        return [self._answer(device, work, occupied, price, now) for device in devices]

    def _answer(self, device: Device, work: Work, occupied: Occupied, price: TokenPrice, now: datetime) -> Answer:
        try:
            pay = self._pay(device, work, occupied.share)
        except Unquoted as why:
            return NoQuote(self.venue, device.id, now, str(why))
        return estimated(self.venue, device, pay, occupied, price, now)

    def _work(self, known: Known | None, now: datetime) -> Work:
        if self._settings.render_per_obh is not None:
            return own_work(self._settings.render_per_obh, now)
        if known is None:
            raise AssertionError  # the settings say when the statistics are needed
        return published_work(known, self._settings, now)

    def _occupied(self, known: Known | None, now: datetime) -> Occupied:
        if self._settings.utilisation is not None:
            return told(self._settings.utilisation)
        if self._settings.log is not None:
            return logged(self.venue.network, self._settings.log, self._settings, now)
        if known is None:
            raise AssertionError
        return published(known.epochs[-self._settings.epochs :], self._settings)

    def _pay(self, device: Device, work: Work, share: Share) -> Pay:
        if 0 < device.memory_gib < _LEAST_MEMORY:
            raise Unquoted(f"Render wants 8 GB of memory, and {device.model} has {device.memory_gib}")
        score, origin = self._score(device)
        busy, idle = busy_pay(score, work.per_obh), idle_pay(self._settings.availability or Decimal(0), self._gpus, share)
        line = f"an hour of work: OctaneBench {shown(score)} ({origin}) x {shown(work.per_obh)} = {shown(figure(busy))} RENDER"
        workings = (*work.workings, Working(line), self._availability(idle, share))
        return Pay(busy, idle, workings, work.source, work.as_of, work.until)

    def _availability(self, idle: Decimal, share: Share) -> Working:
        weekly = self._settings.availability
        if weekly is None:
            return Working("an hour of waiting: availability pay is not configured, and counted as nothing")
        sums = f"{shown(weekly)} RENDER a week / {WEEK} h / {self._gpus} GPU / {share.complement()} idle = {shown(figure(idle))} RENDER"
        return Working(f"an hour of waiting: {sums}")

    def _score(self, device: Device) -> tuple[Decimal, str]:
        """The best word on the GPU's OctaneBench, and whose it is. Raises Unquoted for a GPU that nobody has measured."""
        model = plain(device.model)
        if model in self._settings.scores:
            return self._settings.scores[model], "as configured"
        node = registry_score() if self._models == {model} else None
        if node is not None:
            return figure(node / self._gpus), f"the client's benchmark, {shown(node)} / {self._gpus} GPU"
        if model in SCORES:
            return SCORES[model], "a known point"
        where = f"[networks.{self.venue.network}.scores]"
        raise Unquoted(f"no OctaneBench score of {device.model} is known: set '{model}' in {where}, or run the client's benchmark")

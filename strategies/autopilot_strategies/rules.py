"""What the open-source mining switchers do: the rivals of a backtest, rebuilt from their formulas.

The fields of ``Rainbow``, ``Nemos``, ``NiceHash`` and ``MindMiner`` are one table of parameters, with the values that the programs
ship. Those mean wall-clock time and were tuned for rounds of 34 to 90 seconds. On hourly rates that is not what their authors
watched, so each rule has a second form, ``…Ticks``, where one shipped round is one tick of ours, an hour: only spans differ.

A venue's price is the expected rate of its quote, less what serving adds to the power bill. A venue that offers nothing is no
candidate, and neither lock nor bonus protects it; one that did not answer is not left. The first placement from idle is the best by
the rule's own valuation, if that is above zero. No rule goes idle.

What is wrong with a rule is part of it, and its class says what that is. Left out is what an hourly rate cannot feed: benchmarks,
fees of pools and miners, pool size and luck, factors for stale data, spike filters.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import ClassVar, Self

from autopilot.model.device import IDLE, Device
from autopilot.model.history import History
from autopilot.model.kernel import Alarm, Kernel
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.units import HOUR, Share, micros
from autopilot_strategies.choice import Choice, Lead, decide_each, net_lead
from autopilot_strategies.contest import Contest, contest
from autopilot_strategies.kernels import Kept, Rounds, choose_for_rig, choose_mindminer, choose_nemos, choose_rainbow, share_gained
from autopilot_strategies.memory import accepting, averaging


def _span(span: timedelta) -> float:
    """As a kernel counts it, in microseconds."""
    return float(micros(span))


@dataclass(frozen=True, slots=True)
class _Rule:
    """What the rules share. Raises ValueError for a span that is not longer than nothing, and for a negative count."""

    learns: ClassVar[bool] = False
    name: ClassVar[str]

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, timedelta) and value <= timedelta(0):
                msg = f"{self.name}.{each.name} must be longer than nothing, not {value}"
                raise ValueError(msg)
            if isinstance(value, int) and value < 0:
                msg = f"{self.name}.{each.name} must not be negative, not {value}"
                raise ValueError(msg)

    @property
    def kernel(self) -> Kernel:
        """How one device is decided upon."""
        raise NotImplementedError

    def decide(self, view: View) -> Decision:
        """What the program would do with every device at this instant."""
        kernel = self.kernel
        return decide_each(view, self.name, lambda device: self._settle(contest(view, device, kernel)))

    def fit(self, history: History) -> Self:  # noqa: ARG002
        """Nothing is learned: what a rule averages, it reads from the view's history."""
        return self

    def _settle(self, case: Contest | Choice) -> Choice:
        if isinstance(case, Choice):
            return case
        return case.leave() if case.won else case.stay()


@dataclass(frozen=True, slots=True)
class Rainbow(_Rule):
    """RainbowMiner 5.0: smoothed prices, a doubt about rivals that fades after a switch, and a bonus for staying.

    This is its choice between miners. A rival counts as its live price times one less the doubt, the present venue as its live
    price times one plus the hysteresis. Power is subtracted after that, so the bonus helps a venue that loses money as well.
    """

    name: ClassVar[str] = "rainbow"
    interval: timedelta = timedelta(seconds=60)
    """One round. The doubt fades by whole rounds."""
    minimum_intervals: int = 1
    """Rounds after a switch in which the present venue counts a hundredfold."""
    prevention: int = 2
    """The doubt fades so many times slower; none takes it away."""
    decay: Share = Share.of("0.9")
    """What a round leaves of the doubt, before it is slowed."""
    hysteresis: Share = Share.of("0.03")
    """What staying counts more."""
    live_window: timedelta = timedelta(minutes=10)
    """Of the average that is the live price."""
    stable_window: timedelta = timedelta(weeks=1)
    """Of the averages that give the margin of error."""

    @property
    def kernel(self) -> Kernel:
        lock = self.interval * self.minimum_intervals
        setting = Rounds(_span(self.interval), _span(lock), self.prevention, float(self.decay), float(self.hysteresis))
        return Kernel(choose_rainbow, setting, averaging(self.live_window, self.stable_window))


@dataclass(frozen=True, slots=True)
class RainbowTicks(Rainbow):
    """The same, with an hour for a round."""

    name: ClassVar[str] = "rainbow-ticks"
    interval: timedelta = HOUR
    live_window: timedelta = 10 * HOUR
    stable_window: timedelta = 10_080 * HOUR


@dataclass(frozen=True, slots=True)
class Nemos(_Rule):
    """UG-Miner 6.8, the successor of NemosMiner: the present venue counts a tenth more, and is kept for a whole cycle.

    The bonus multiplies the net price, so a loss counts as a larger one: a venue that loses money is left the sooner the more
    it loses, even for one that loses more. The program also weighs a price by its accuracy, one less its weekly fluctuation;
    that is left out, as no formula of the fluctuation is at hand.
    """

    name: ClassVar[str] = "nemos"
    interval: timedelta = timedelta(seconds=90)
    """One cycle."""
    minimum_cycles: int = 1
    """Cycles after a switch in which a venue is not left while it offers anything."""
    bonus: Share = Share.of("0.1")
    """What staying counts more."""

    @property
    def kernel(self) -> Kernel:
        bonus = float(self.bonus)
        return Kernel(choose_nemos, Kept(_span(self.interval * self.minimum_cycles), bonus), alarm=Alarm(net_lead, bonus))


@dataclass(frozen=True, slots=True)
class NemosTicks(Nemos):
    """The same, with an hour for a cycle."""

    name: ClassVar[str] = "nemos-ticks"
    interval: timedelta = HOUR


@dataclass(frozen=True, slots=True)
class NiceHash(_Rule):
    """NiceHash Miner of 2023: for each device the highest accepted price, if the rig as a whole gains enough by all that.

    So one GPU of six equal ones needs six times the lead to move alone, and one that gains a lot takes along all that gain a
    little. The rig is every device that may be moved and whose venue answered; it is not tested where it earns nothing. A rate
    stands for an hour of samples: in wall-clock form it confirms itself, and the accepted price is the last one.
    """

    name: ClassVar[str] = "nicehash"
    interval: timedelta = timedelta(seconds=44.5)
    """From one sample to the next; the program draws 34 to 55 seconds."""
    least_samples: int = 2
    """The fewest that confirm a rise, of what the program calls stable."""
    most_samples: int = 3
    lead: Share = Share.of("0.02")
    """What the whole rig must gain."""

    def __post_init__(self) -> None:
        _Rule.__post_init__(self)
        if self.most_samples < self.least_samples:
            msg = f"{self.name}.most_samples must not be less than least_samples: {self.most_samples} < {self.least_samples}"
            raise ValueError(msg)

    def decide(self, view: View) -> Decision:
        """The best for every device, or all stay. A device that is idle has nowhere to stay, and goes in any case."""
        kernel = self.kernel
        cases = {device.id: contest(view, device, kernel) for device in view.free()}
        contests = [case for case in cases.values() if isinstance(case, Contest)]
        old = sum(each.case.own_price for each in contests)
        gain = share_gained(old, sum(max(each.case.own_price, each.case.price) for each in contests))

        def choose(device: Device) -> Choice:
            case = cases[device.id]
            if gain >= float(self.lead) or isinstance(case, Choice) or not case.won or case.here == IDLE:
                return self._settle(case)
            rig = f"the whole rig would gain {100 * gain:.3g} %, {100 * float(self.lead):.3g} % are needed"
            return case.stay(f"{case.best} has {case.case.price:.4g}, but {rig}")

        return decide_each(view, self.name, choose)

    @property
    def kernel(self) -> Kernel:
        """Of a device that is the whole rig, or of any in a rig of equal ones."""
        samples = max(HOUR // self.interval, 1)
        return Kernel(choose_for_rig, Lead(float(self.lead)), accepting(samples, self.least_samples, self.most_samples))


@dataclass(frozen=True, slots=True)
class NiceHashTicks(NiceHash):
    """The same, with an hour from one sample to the next."""

    name: ClassVar[str] = "nicehash-ticks"
    interval: timedelta = HOUR


@dataclass(frozen=True, slots=True)
class MindMiner(_Rule):
    """MindMiner of September 2025: the best when it leads by enough, or when the present venue was kept for long enough.

    The lead is not looked at where the present price is not above zero: such a venue is kept until its time is over. In
    wall-clock form it is over after every hour, and the rule just follows the best.
    """

    name: ClassVar[str] = "mindminer"
    lead: Share = Share.of("0.05")
    """What the best must pay more."""
    timeout: timedelta = timedelta(minutes=12)
    """From then on any lead is enough."""

    @property
    def kernel(self) -> Kernel:
        return Kernel(choose_mindminer, Kept(_span(self.timeout), float(self.lead)), alarm=Alarm(net_lead, 0.0))


@dataclass(frozen=True, slots=True)
class MindMinerTicks(MindMiner):
    """The same, with an hour for each minute."""

    name: ClassVar[str] = "mindminer-ticks"
    timeout: timedelta = 12 * HOUR


rainbow, rainbow_ticks = Rainbow, RainbowTicks
nemos, nemos_ticks = Nemos, NemosTicks
nicehash, nicehash_ticks = NiceHash, NiceHashTicks
mindminer, mindminer_ticks = MindMiner, MindMinerTicks

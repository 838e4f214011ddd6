"""What a strategy remembers of a venue's rates: folds over the history, of which each rate is visited once.

The steps are plain functions of numbers, as ``autopilot.model.kernel`` has them. Every memory begins with ``as_of``, the instant of the
newest rate that went in; before the first one that is ``NEVER``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from autopilot.model.device import Device
from autopilot.model.kernel import NEVER, Recall, chance_at, instant
from autopilot.model.view import View
from autopilot.units import micros
from autopilot_strategies.choice import Sight


class Nothing(NamedTuple):
    """The setting of what has no parameter."""


@dataclass(frozen=True, slots=True)
class Remembering:
    """A recall as a step of a fold."""

    recall: Recall

    def __call__(self, state: Any, as_of: datetime, rate: float | None) -> Any:
        if rate is None:
            return state
        before = self.recall.empty if state is None else state
        return self.recall.take(self.recall.setting, before, instant(as_of), rate, chance_at(as_of))


def remembered(view: View, device: Device, sight: Sight, recall: Recall) -> Sequence[Any]:
    """What is remembered of each place, with the quote as the newest rate, which the history need not have yet."""
    step = Remembering(recall)
    memories = [recall.empty]
    for venue in sight.venues[1:]:
        memory = view.history.fold(venue, device.model, step) or recall.empty
        quote = view.quote(venue, device)
        if quote is not None and memory.as_of < instant(quote.as_of):
            memory = step(memory, quote.as_of, float(quote.expected))
        memories.append(memory)
    return memories


class Windows(NamedTuple):
    """The spans of RainbowMiner's averages, in microseconds."""

    live: float
    stable: float


class Average(NamedTuple):
    """What RainbowMiner keeps of a price. Rates are USD per hour."""

    as_of: float
    covered: float
    """The span that the rates stand for, in microseconds."""
    live: float
    """The mean over the short window."""
    stable: float
    """The mean over the long window."""
    error: float
    """The margin of error: the long mean of how far each rate was from the long mean before it, as a share of that."""


def average(setting: Windows, memory: Average, as_of: float, rate: float, _chance: int) -> Average:
    """RainbowMiner's averages: a plain mean until one window is covered, an exponential one from then on.

    A new rate weighs min((Δt/window) / min(covered/window, 1), 1), which is Δt / min(covered, window), at most one.
    """
    if memory.as_of == NEVER:
        return Average(as_of, 0.0, rate, rate, 0.0)
    elapsed = as_of - memory.as_of
    before = memory.covered or elapsed  # the first rate is taken to stand for as long as the second
    covered = before + elapsed
    live = min(elapsed / min(covered, setting.live), 1.0)
    stable = min(elapsed / min(covered, setting.stable), 1.0)
    whole = 1.0 if rate > 0 else 0.0
    error = abs(rate - memory.stable) / memory.stable if memory.stable > 0 else whole
    return Average(
        as_of,
        covered,
        memory.live + live * (rate - memory.live),
        memory.stable + stable * (rate - memory.stable),
        memory.error + stable * (error - memory.error),
    )


_NO_AVERAGE = Average(NEVER, 0.0, 0.0, 0.0, 0.0)


def averaging(live: timedelta, stable: timedelta) -> Recall:
    """RainbowMiner's averages over a short and a long window."""
    return Recall(average, Windows(float(micros(live)), float(micros(stable))), _NO_AVERAGE)


class Samples(NamedTuple):
    """How NiceHash Miner looks at a price."""

    each: float
    """How many samples a rate stands for."""
    least: float
    """The fewest that confirm a rise."""
    most: float


class Accepted(NamedTuple):
    """What NiceHash Miner keeps of a price."""

    as_of: float
    price: float
    """The one it acts upon, in USD per hour."""
    above: float
    """How many samples in a row were higher, up to the newest."""


def accept(setting: Samples, memory: Accepted, as_of: float, rate: float, chance: int) -> Accepted:
    """NiceHash Miner's price: a fall is believed at once, a rise when enough samples in a row were above the accepted price."""
    above = memory.above + setting.each if memory.as_of != NEVER and rate > memory.price else 0.0
    if above == 0 or above >= enough(setting, chance):
        return Accepted(as_of, rate, 0.0)
    return Accepted(as_of, memory.price, above)


def enough(setting: Samples, chance: int) -> float:
    """How many samples confirm a rise. The program draws that at every check; here the instant decides."""
    return setting.least + chance % (setting.most - setting.least + 1)


_NOT_ACCEPTED = Accepted(NEVER, 0.0, 0.0)


def accepting(samples: int, least: int, most: int) -> Recall:
    """NiceHash Miner's price, where a rate stands for so many samples."""
    return Recall(accept, Samples(float(samples), float(least), float(most)), _NOT_ACCEPTED)

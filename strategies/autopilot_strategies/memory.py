"""What a rule remembers of a venue's price: folds over the history, of which each rate is visited once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar
from zlib import crc32

from autopilot.model.market import Quote
from autopilot_strategies.contest import Seat


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a venue's price. Rates are USD per hour."""

    as_of: datetime
    """Of the newest rate that went in."""


_S = TypeVar("_S", bound=Seen)


class Memory(Generic[_S]):
    """A fold over the rates of a venue. An hour without a rate leaves it as it was."""

    __slots__ = ()

    def __call__(self, state: _S | None, as_of: datetime, rate: float | None) -> _S | None:
        return state if rate is None else self.take(state, as_of, rate)

    def take(self, state: _S | None, as_of: datetime, rate: float) -> _S:
        """The memory after one more rate."""
        raise NotImplementedError

    def at(self, seat: Seat, quote: Quote) -> _S:
        """The memory with the quote as its newest rate, which the history need not have yet."""
        state = seat.view.history.fold(quote.venue, seat.device.model, self)
        if state is None or state.as_of < quote.as_of:
            return self.take(state, quote.as_of, float(quote.expected))
        return state


@dataclass(frozen=True, slots=True)
class Average(Seen):
    """What RainbowMiner keeps of a price."""

    covered: timedelta
    """The span that the rates stand for."""
    live: float
    """The mean over the short window."""
    stable: float
    """The mean over the long window."""
    error: float
    """The margin of error: the long mean of how far each rate was from the long mean before it, as a share of that."""


@dataclass(frozen=True, slots=True)
class Averaging(Memory[Average]):
    """RainbowMiner's averages: a plain mean until one window is covered, an exponential one from then on.

    A new rate weighs min((Δt/window) / min(covered/window, 1), 1), which is Δt / min(covered, window), at most one.
    """

    live: timedelta
    """The short window."""
    stable: timedelta
    """The long window."""

    def take(self, state: Average | None, as_of: datetime, rate: float) -> Average:
        if state is None:
            return Average(as_of, timedelta(0), rate, rate, 0.0)
        elapsed = as_of - state.as_of
        covered = (state.covered or elapsed) + elapsed  # the first rate is taken to stand for as long as the second
        live = min(elapsed / min(covered, self.live), 1.0)
        stable = min(elapsed / min(covered, self.stable), 1.0)
        error = abs(rate - state.stable) / state.stable if state.stable > 0 else float(rate > 0)
        return Average(
            as_of,
            covered,
            state.live + live * (rate - state.live),
            state.stable + stable * (rate - state.stable),
            state.error + stable * (error - state.error),
        )


@dataclass(frozen=True, slots=True)
class Accepted(Seen):
    """What NiceHash Miner keeps of a price."""

    price: float
    """The one it acts upon."""
    above: int
    """How many samples in a row were higher, up to the newest."""


@dataclass(frozen=True, slots=True)
class Accepting(Memory[Accepted]):
    """NiceHash Miner's price: a fall is believed at once, a rise when enough samples in a row were above the accepted price.

    How many are enough, the program draws at every check. Here the checksum of the instant decides: as good as random, yet the
    same history gives the same price on any machine and in every replay.
    """

    samples: int
    """How many of them a rate stands for."""
    least: int
    most: int

    def take(self, state: Accepted | None, as_of: datetime, rate: float) -> Accepted:
        above = state.above + self.samples if state and rate > state.price else 0
        if state is None or above == 0 or above >= self._enough(as_of):
            return Accepted(as_of, rate, 0)
        return Accepted(as_of, state.price, above)

    def _enough(self, as_of: datetime) -> int:
        draw = crc32(int(as_of.timestamp()).to_bytes(8, "big", signed=True))
        return self.least + draw % (self.most - self.least + 1)

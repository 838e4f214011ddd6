"""Which price of a token to trust, given what the sources say: pure arithmetic, no I/O.

- Two sources that lie within 5 % of each other agree; their median is the price, and it is *confirmed*. It may jump.
- Sources that disagree: the lowest, unconfirmed. A wrong price that is too low lets an hour pass by; one that is too high moves a GPU.
- A price without such support that lies more than 25 % from the last good one is *held back*: the last good one stays. When the same
  new level has been said three times, at least five minutes apart, it is the true one: a filter that never lets go is a defect too.
- Nothing that is older than an hour, not positive or beyond all bounds counts. The last good price stands in for three hours,
  and holds others back for a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

AGREE = Decimal("1.05")
JUMP = Decimal("0.25")
CONFIRMATIONS = 3
BETWEEN_CONFIRMATIONS = timedelta(minutes=5)
STALE = timedelta(hours=1)
KEEPS = timedelta(hours=3)
FORGETS = timedelta(days=1)
_AHEAD = timedelta(minutes=5)
"""By so much the clock of a source may be ahead of ours."""
_LEAST, _MOST = Decimal("1e-9"), Decimal(10**6)
"""Dollars. Beyond these, a unit was mixed up."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one source says that a token costs."""

    usd: Decimal
    as_of: datetime
    source: str

    def problem(self, now: datetime) -> str:
        """Why this counts for nothing; empty where it counts."""
        if not (self.usd.is_finite() and _LEAST <= self.usd <= _MOST):
            return f"{self.source} says {self.usd:.6g} $, which is no price"
        if not now - STALE <= self.as_of <= now + _AHEAD:
            return f"{self.source} speaks of {self.as_of:%Y-%m-%d %H:%M} UTC"
        return ""


class OwnPrice(Said):
    """What the network that pays says that its token costs: counted as one source."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """What a token is worth, and who says so."""

    token: str
    """``AKT``, ``NOS``, ``RENDER``, ``TAO``."""
    usd: Decimal
    as_of: datetime
    """Of the oldest among the sources that were used."""
    source: str
    """For a person: ``coingecko 0.5438, kraken 0.5441: median of 2``."""
    confirmed: bool
    """By a second source."""


@dataclass(frozen=True, slots=True)
class Level:
    """A price that was held back, and how often it was said."""

    usd: Decimal
    times: int
    at: datetime
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a token from one look to the next."""

    good: TokenPrice | None = None
    """The last one that was trusted."""
    pending: Level | None = None


def settled(said: Sequence[Said], now: datetime) -> bool:
    """Whether two sources agree already, so that no other needs to be asked."""
    return bool(_majority([each for each in said if not each.problem(now)]))


def weigh(token: str, said: Sequence[Said], known: Known, now: datetime) -> tuple[TokenPrice | None, Known]:
    """The price to use, None where there is none to trust, and what to remember of this look."""
    usable = sorted((each for each in said if not each.problem(now)), key=lambda each: each.usd)
    together = _majority(usable)
    if together:
        return _trusted(_price(token, together, f"median of {len(together)}", confirmed=True))
    if not usable:
        return _held(known, "nobody says anything of use", now)
    split = "no second source" if len(usable) == 1 else "they disagree, so the lowest"
    good = known.good
    if good is None or abs(now - good.as_of) > FORGETS or _near(usable[0].usd, good.usd):
        return _trusted(_price(token, usable, split))
    pending = _counted(usable[0], known.pending, now)
    if pending.times >= CONFIRMATIONS:
        return _trusted(_price(token, usable, f"{split}, said {pending.times} times"))
    near = [each for each in usable if _near(each.usd, good.usd)]
    if near:
        price = _price(token, near, f"the lowest near the last good price; {_listed(usable[:1])} is held back")
        return price, Known(price, pending)
    return _held(Known(good, pending), f"{_listed(usable)} held back, said {pending.times} of {CONFIRMATIONS} times", now)


def _majority(said: Sequence[Said]) -> list[Said]:
    """At least two sources, and more than half, that lie within 5 % of each other; empty where there are none."""
    groups = [[each for each in said if lowest.usd <= each.usd <= lowest.usd * AGREE] for lowest in said]
    largest = max(groups, key=len, default=[])
    return largest if len(largest) > 1 and 2 * len(largest) > len(said) else []


def _price(token: str, used: Sequence[Said], why: str, *, confirmed: bool = False) -> TokenPrice:
    """Of sources that agree the median; else the first, which is the lowest."""
    usd = median([each.usd for each in used]) if confirmed else used[0].usd
    as_of = min(each.as_of for each in (used if confirmed else used[:1]))
    return TokenPrice(token, usd, as_of, f"{_listed(used)}: {why}", confirmed)


def _trusted(price: TokenPrice) -> tuple[TokenPrice, Known]:
    return price, Known(price)


def _held(known: Known, why: str, now: datetime) -> tuple[TokenPrice | None, Known]:
    """The last good price, while it may stand in."""
    good = known.good
    if good is None or not now - KEEPS <= good.as_of <= now + _AHEAD:
        return None, known
    return replace(good, source=f"last good of {good.as_of:%H:%M} UTC, {good.usd:.6g} ({why})", confirmed=False), known


def _counted(lowest: Said, pending: Level | None, now: datetime) -> Level:
    """How often this level was said; an answer that is no newer than the one before counts once."""
    if pending is None or not _near(lowest.usd, pending.usd):
        return Level(lowest.usd, 1, now, lowest.as_of)
    if now - pending.at < BETWEEN_CONFIRMATIONS or lowest.as_of <= pending.as_of:
        return pending
    return Level(lowest.usd, pending.times + 1, now, lowest.as_of)


def _near(usd: Decimal, level: Decimal) -> bool:
    return abs(usd - level) <= JUMP * level


def _listed(said: Sequence[Said]) -> str:
    return ", ".join(f"{each.source} {each.usd:.6g}" for each in said)

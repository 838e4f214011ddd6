"""What a venue would pay, and how we know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from autopilot.model.device import DeviceId, Venue
from autopilot.units import ALL, NONE, Share, UsdPerHour

NO_QUOTE_LIFE = timedelta(hours=2)
"""How long a NoQuote counts: one missed hourly poll is forgiven."""


class Basis(StrEnum):
    """How a rate is known, from the firmest to the softest."""

    REALISED = "realised"
    """Paid out to somebody, as seen on a chain or in an account."""
    ADMINISTERED = "administered"
    """Set by the network and paid to whoever serves."""
    ASK = "ask"
    """What somebody asks for; nobody has to pay it."""
    ATTRIBUTED = "attributed"
    """A share of a known sum, given out by a rule."""
    ESTIMATE = "estimate"
    """Computed from other figures; the source says which."""


@dataclass(frozen=True, slots=True)
class NativePrice:
    """The rate before it became dollars, kept for the record."""

    token: str
    per_hour: Decimal
    usd_per_token: Decimal
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Fee:
    """A share of the gross rate that somebody keeps: a network's cut, a pool's, a tax on chain."""

    name: str
    share: Share


@dataclass(frozen=True, slots=True)
class Working:
    """One line of the arithmetic from what a network said to the expected rate."""

    text: str
    """For a person: ``asks of 5 providers, weighted average: 0.40 $/h``."""
    inputs: tuple[str, ...] = ()
    """The fields of the answer that this line used, as JSON paths: ``gpu-prices:models[3].price.weightedAverage``."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many more GPUs of this rig a venue takes at its rate, and how the pay falls from one to the next.

    All GPUs of the rig that are there count, whatever their model. Raises ValueError for less than no place.
    """

    places: int | None = None
    """How many still fit, beside those that are there or on their way; None where no limit is known."""
    fall: Share = NONE
    """By which share each further GPU earns less than the one before; the quoted rate is that of the first."""

    def __post_init__(self) -> None:
        if self.places is not None and self.places < 0:
            msg = f"a venue cannot have less than no place: {self.places}"
            raise ValueError(msg)


ROOMY = Room()
"""No limit, and the same pay for each: where nothing else is known."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a venue would pay for a device now.

    Raises ValueError where it contradicts itself: a negative rate, a naive time, ``as_of`` after ``seen_at`` or an
    expiry that is not later.
    """

    venue: Venue
    device: DeviceId
    gross: UsdPerHour
    """While a job runs, before fees."""
    as_of: datetime
    """The instant that the figure describes."""
    seen_at: datetime
    """The instant at which we learned it."""
    expires: datetime
    """From here on it is too old to act upon."""
    basis: Basis
    source: str
    """Where it came from, for a person: an endpoint, a file and line, a chain and block."""
    idle: UsdPerHour = UsdPerHour(0)
    """While waiting for a job."""
    occupancy: Share = ALL
    """The share of the hour that is expected to be paid."""
    job_length: timedelta | None = None
    fees: tuple[Fee, ...] = ()
    native: NativePrice | None = None
    workings: tuple[Working, ...] = ()
    """How the figures above came about, line by line."""
    room: Room = ROOMY
    """For how many GPUs of this rig it holds."""

    def __post_init__(self) -> None:
        if self.gross.count < 0 or self.idle.count < 0:
            msg = f"{self.venue}: a quote cannot be negative: {self.gross}, idle {self.idle}"
            raise ValueError(msg)
        if self.as_of.tzinfo is None or self.seen_at.tzinfo is None or self.expires.tzinfo is None:
            msg = f"{self.venue}: a quote's times must carry a zone"
            raise ValueError(msg)
        if not self.as_of <= self.seen_at < self.expires:
            msg = f"{self.venue}: a quote must have as_of <= seen_at < expires: {self.as_of}, {self.seen_at}, {self.expires}"
            raise ValueError(msg)

    @property
    def busy(self) -> UsdPerHour:
        """While a job runs, after fees."""
        busy = self.gross
        for fee in self.fees:
            busy = busy - self.gross.scaled(fee.share)
        return busy

    @property
    def expected(self) -> UsdPerHour:
        """Gross for the occupied share of the hour, idle pay for the rest, after fees; before power."""
        if self.occupancy is ALL:
            return self.busy
        return self.busy.scaled(self.occupancy) + self.idle.scaled(self.occupancy.complement())

    def age(self, now: datetime) -> timedelta:
        """How old the figure is, not how long ago we asked."""
        return now - self.as_of

    def usable(self, now: datetime) -> bool:
        """Whether it may still be acted upon."""
        return now < self.expires


@dataclass(frozen=True, slots=True)
class NoQuote:
    """The network was asked, answered, and pays this device nothing that it can name; the reason says why.

    A network that gave no answer at all raises ``Transient`` instead: then the last quote counts until it expires.
    """

    venue: Venue
    device: DeviceId
    seen_at: datetime
    reason: str
    as_of: datetime | None = None
    """The instant that the answer describes, where that is not the instant we asked."""

    def usable(self, now: datetime) -> bool:
        """Whether "nothing to earn here" may still be acted upon: silence after it is silence again."""
        return now < self.seen_at + NO_QUOTE_LIFE


Answer = Quote | NoQuote


@dataclass(frozen=True, slots=True)
class Silence:
    """One venue of a network gave no answer, while others of it did: nothing is known anew, and its last quotes count until they expire.

    Where the whole network is silent, its adapter raises ``Transient`` instead.
    """

    venue: Venue
    reason: str


@dataclass(frozen=True, slots=True)
class PastRate:
    """What a venue paid a GPU model in an hour that is over, as the network itself published it."""

    venue: Venue
    model: str
    hour: datetime
    """Its start, UTC."""
    rate: UsdPerHour | None
    """The expected rate; None where it is known to be missing."""

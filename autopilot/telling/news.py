"""What is news, and what was told before: pure functions over what the state file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from autopilot.notices import Topic

GRACE = timedelta(minutes=10)
"""A trouble that is back within this time was never over: after a start, nobody knows yet who is silent."""


@dataclass(frozen=True, slots=True)
class News:
    """Something that somebody may want to know."""

    topic: Topic
    sentence: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong now."""

    news: News
    patience: timedelta = timedelta(0)
    """How long it must last to be told."""
    over: str = ""
    """What is said when it is over; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A trouble that lasts."""

    since: datetime
    topic: Topic
    over: str = ""
    told: bool = False
    gone: datetime | None = None
    """When it was first not seen any more; None while it is."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What was told, and what is still to be told. It outlives the daemon."""

    event: int
    """The number of the last event of the journal that was looked at."""
    day: date
    """The last day whose digest was made."""
    standing: Mapping[str, Standing] = field(default_factory=dict)
    """The troubles of now, each by its own key."""
    outbox: tuple[str, ...] = ()
    """Sentences that no service has taken yet."""
    dropped: int = 0
    """How many had no room there."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the state file says at an instant, as far as anybody is told of it."""

    at: datetime
    event: int
    """The number of the journal's last event."""
    day: date
    """The day whose digest is due."""
    happened: tuple[News, ...] = ()
    """Since the event that the memory ends with."""
    troubles: Mapping[str, Trouble] = field(default_factory=dict)


def news(before: Memory, look: Look) -> tuple[tuple[News, ...], Memory]:
    """What has happened, begun to last or ended since; and the memory with it. The digest is not among it: its day is."""
    standing = {**{key: _away(each, look.at) for key, each in before.standing.items()}, **_present(before, look)}
    ripe = [key for key, each in standing.items() if _ripe(each, look.troubles.get(key), look.at)]
    over = [key for key, each in standing.items() if each.gone is not None and look.at - each.gone >= GRACE]
    begun = [look.troubles[key].news for key in ripe]
    ended = [News(standing[key].topic, standing[key].over) for key in over if standing[key].told and standing[key].over]
    after = {key: replace(each, told=each.told or key in ripe) for key, each in standing.items() if key not in over}
    return (*look.happened, *begun, *ended), replace(before, event=look.event, day=look.day, standing=after)


def _present(before: Memory, look: Look) -> dict[str, Standing]:
    new = {key: Standing(look.at, trouble.news.topic) for key, trouble in look.troubles.items()}
    return {key: replace(before.standing.get(key, new[key]), over=each.over, gone=None) for key, each in look.troubles.items()}


def _away(standing: Standing, at: datetime) -> Standing:
    return replace(standing, gone=standing.gone or at)


def _ripe(standing: Standing, trouble: Trouble | None, at: datetime) -> bool:
    return trouble is not None and not standing.told and at - standing.since >= trouble.patience

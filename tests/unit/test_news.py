"""What is news: each thing is told once, when it is ripe, and nothing is told that was told before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from autopilot.notices import Topic
from autopilot.telling.news import GRACE, Look, Memory, News, Trouble, news
from autopilot.telling.teller import packed, restored

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 3, 1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SILENT = Trouble(News(Topic.SILENT, "akash gives no answer"), 3 * HOUR, "akash answers again")
FENCED = Trouble(News(Topic.STRANDED, "GPU-0 is fenced"))


def told(looks: list[tuple[timedelta, dict[str, Trouble]]], memory: Memory | None = None) -> list[tuple[timedelta, str]]:
    """What is told, and when, by one who looks so; between two looks, the memory is on the disk."""
    said, kept = [], memory or Memory(0, DAY)
    for after, troubles in looks:
        fresh, kept = news(kept, Look(NOW + after, 0, DAY, (), troubles))
        said += [(after, each.sentence) for each in fresh]
        kept = restored(packed(kept)) or kept
    return said


def test_a_trouble_is_told_once_when_it_has_lasted() -> None:
    """Not before, and not again, however long it lasts."""
    looks = [(hour * HOUR, {"silent akash": SILENT}) for hour in range(24)]

    assert [(3 * HOUR, "akash gives no answer")] == told(looks)


def test_the_end_of_a_trouble_is_told_to_whom_its_beginning_was() -> None:
    """Once it has been away for a while; one that was never told ends in silence."""
    long = [(hour * HOUR, {"silent akash": SILENT}) for hour in range(4)]
    short = long[:3]
    calm: list[tuple[timedelta, dict[str, Trouble]]] = [(4 * HOUR + minute * MINUTE, {}) for minute in range(15)]

    assert [(3 * HOUR, "akash gives no answer"), (4 * HOUR + GRACE, "akash answers again")] == told(long + calm)
    assert [] == told(short + calm)


def test_a_restart_is_no_end() -> None:
    """For its first minutes a daemon knows of no silent network: what was told is not told again."""
    looks = [(hour * HOUR, {"silent akash": SILENT}) for hour in range(4)]
    looks += [
        (4 * HOUR, {}),
        (4 * HOUR + 5 * MINUTE, {}),
        (4 * HOUR + 9 * MINUTE, {"silent akash": SILENT}),
        (9 * HOUR, {"silent akash": SILENT}),
    ]

    assert [(3 * HOUR, "akash gives no answer")] == told(looks)


def test_what_comes_back_after_its_end_is_news_again() -> None:
    """It was over, and begins anew."""
    fenced = {"fence 0": FENCED}

    assert [timedelta(0), HOUR] == [at for at, _ in told([(timedelta(0), fenced), (MINUTE, {}), (20 * MINUTE, {}), (HOUR, fenced)])]


def test_what_happened_is_told_as_it_is() -> None:
    """And the memory ends with its last event."""
    moved = News(Topic.SWITCH, "GPU-0 moved")
    fresh, after = news(Memory(3, DAY), Look(NOW, 9, DAY, (moved,)))

    assert ((moved,), 9) == (fresh, after.event)


@pytest.mark.parametrize("gone", [None, NOW])
def test_the_memory_is_kept_as_it_is(gone: datetime | None) -> None:
    """What is written is what is read; nothing is read where nothing was kept."""
    _, memory = news(Memory(3, DAY, {}, ("one", "two"), 4), Look(NOW, 5, DAY, (), {"silent akash": SILENT}))
    if gone:
        _, memory = news(memory, Look(gone, 5, DAY))

    assert memory == restored(packed(memory))
    assert None is restored(None)

"""What a look at one thing finds, and how all looks are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial

from autopilot.clock import stopwatch
from autopilot.daemon.fanout import beside
from autopilot.errors import AutopilotError
from autopilot.units import span_text

SOON = timedelta(seconds=20)
"""For a look that needs nobody's answer from afar."""


class Verdict(StrEnum):
    """How it is."""

    OK = "ok"
    WARN = "warn"
    """It flies, and somebody should know."""
    BAD = "bad"
    """It does not fly, or not for long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result."""

    about: str
    verdict: Verdict
    words: str
    remedy: str = ""
    """What a person can do; empty where all is well."""

    def told(self, clean: Callable[[str], str]) -> Finding:
        """The same without secrets."""
        return replace(self, words=clean(self.words), remedy=clean(self.remedy))


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at, and how long that may take."""

    about: str
    look: Callable[[], Iterable[Finding]]
    limit: timedelta = SOON


def ok(about: str, words: str) -> Finding:
    """All is well."""
    return Finding(about, Verdict.OK, words)


def warn(about: str, words: str, remedy: str) -> Finding:
    """It flies, and somebody should know."""
    return Finding(about, Verdict.WARN, words, remedy)


def bad(about: str, words: str, remedy: str) -> Finding:
    """It does not fly, or not for long."""
    return Finding(about, Verdict.BAD, words, remedy)


def examine(checks: Sequence[Check]) -> Iterator[Finding]:
    """Take all looks at once; what they find, in their order. One that fails or takes too long is a finding too, and stops no other."""
    begun = stopwatch()
    looks = [(check, beside(partial(_taken, check))) for check in checks]
    for check, look in looks:
        left = check.limit.total_seconds() - (stopwatch() - begun)
        try:
            yield from look.result(max(left, 0.0))
        except Late:
            yield bad(check.about, f"no answer within {span_text(check.limit)}", "see what holds it up, then run doctor again")
        except AutopilotError as error:
            yield bad(check.about, *parted(str(error)))
        except Exception as error:  # noqa: BLE001  # a look may meet anything on a stranger's host
            yield bad(check.about, f"could not be looked at: {type(error).__name__}: {error}", "send a report: autopilot doctor --bundle")


def _taken(check: Check) -> list[Finding]:
    return list(check.look())


def parted(message: str) -> tuple[str, str]:
    """What is wrong, and the remedy: our errors put it after the last semicolon."""
    words, found, remedy = message.rpartition("; ")
    return (words, remedy) if found else (message, "mend that, then run doctor again")

"""What switching cost, by where it led."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from statistics import median

from autopilot.dashboard.trips import Trip
from autopilot.dashboard.words import money, span
from autopilot.model.switch import State
from autopilot.report.shapes import Part, Table
from autopilot.units import Usd

_COLUMNS = ("to", "switches", "drain", "dark", "fees $", "ended otherwise")
_WORDS = "Medians of what was measured of the switches that settled, and the fees that were booked."
_NONE = "Nothing was switched, so nothing was measured."


def part(flights: Mapping[str, Sequence[Trip]]) -> Part:
    """By strategy, where there are several."""
    several = len(flights) > 1
    rows = [(name, *row) if several else row for name, made in flights.items() for row in _rows(made)]
    table = Table(("strategy", *_COLUMNS) if several else _COLUMNS, rows, words=1 + several, filtered=several)
    return Part("What switching cost", [_WORDS if rows else _NONE], tables=[table] if rows else [])


def _rows(made: Sequence[Trip]) -> Iterator[tuple[str, ...]]:
    targets: dict[str, list[Trip]] = defaultdict(list)
    for each in made:
        targets[str(each.switch.target)].append(each)
    for target, own in sorted(targets.items()):
        settled = [each for each in own if each.switch.state is State.SETTLED]
        fees = [each.fee for each in own if each.fee is not None]
        yield (
            *(target, f"{len(own):,}"),
            _median(each.spent(State.DRAINING) for each in settled),
            _median(each.dark for each in settled),
            money(sum(fees, Usd(0)), 3) if fees else "none booked",
            f"{sum(each.switch.state.over for each in own) - len(settled):,}",
        )


def _median(spans: Iterable[timedelta]) -> str:
    seconds = [each.total_seconds() for each in spans]
    return span(timedelta(seconds=median(seconds))) if seconds else "not known"

"""How a decision about a GPU is printed: its sentence, its candidates with their figures, and what each figure rests upon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from autopilot.cli.tables import Row
from autopilot.dashboard.marks import QUIET, Column, head, row
from autopilot.dashboard.reasons import Candidate, Reasons
from autopilot.dashboard.trips import Seen
from autopilot.dashboard.words import counted, money, plain, span
from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.units import HOUR, UsdPerHour, micros

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

_FIGURES = ("quoted", "hired", "net", "forecast", "switch $", "dark", "back in", "moves at")
_GAP = 2
"""Blanks between two columns."""
_LEAST_VENUE = 8
_HEAD = ("at", "gpu", "device", "model", "here", "strategy", "target", "veto")
_CANDIDATE = (
    "venue",
    "quoted_usd_per_hour",
    "occupancy_share",
    "believed_usd_per_hour",
    "net_usd_per_hour",
    "forecast_net_usd_per_hour",
    "drain_seconds",
    "dark_seconds",
    "cash_usd",
    "switch_cost_usd",
    "pays_back_hours",
    "starts_seen",
    "start_median_seconds",
    "moves_at_usd_per_hour",
    "moves_at_known",
    "evidence",
)
COLUMNS = (*_HEAD, *_CANDIDATE)


@dataclass(frozen=True, slots=True)
class Told:
    """A decision about one device, and what else is known of it."""

    reasons: Reasons
    starts: Mapping[tuple[Venue, DeviceId], Seen]
    """How long coming up took, up to the decision."""
    tips: Mapping[Venue, UsdPerHour | None] | None = None
    """At which quoted rate the strategy would decide otherwise; None where nobody looked for it, and for a venue where no rate would do."""
    foreseen: Mapping[Venue, UsdPerHour] = field(default_factory=dict)
    """What the strategy expects of the venues over the time that it plans for, net of power, where it looks ahead and was asked."""
    words: tuple[str, ...] = ()
    """What the strategy says its answers rest upon."""
    asked: bool = False
    """Whether the strategy was asked again, rather than the record."""

    def as_json(self) -> dict[str, Any]:
        """What is not known is null."""
        each = self.reasons
        return {
            **_head(each),
            "since": each.since.isoformat(),
            "lesson": each.lesson,
            "sentence": each.sentence,
            "asked_about": not each.fixed,
            "asked_again": self.asked,
            "candidates": [_candidate(candidate, self) for candidate in each.candidates],
            "strategy_says": list(self.words),
        }


def as_rows(each: Told) -> Iterator[Row]:
    """One for each candidate."""
    for candidate in each.reasons.candidates:
        yield {**_head(each.reasons), **_candidate(candidate, each)}


def _head(each: Reasons) -> dict[str, Any]:
    return {
        "at": each.at.isoformat(),
        "gpu": each.device.label,
        "device": each.device.id,
        "model": each.device.model,
        "here": str(each.here),
        "strategy": each.strategy,
        "target": str(each.target),
        "veto": each.veto or None,
    }


def _candidate(candidate: Candidate, each: Told) -> dict[str, Any]:
    cost, seen, tips = candidate.cost, each.starts.get((candidate.venue, each.reasons.device.id)), each.tips or {}
    figures = (
        str(candidate.venue),
        _float(candidate.quoted),
        _float(candidate.hired),
        _float(candidate.believed),
        _float(candidate.net),
        _float(each.foreseen.get(candidate.venue)),
        cost and cost.exit.drain.total_seconds(),
        cost and cost.dark.total_seconds(),
        _float(cost and cost.cash),
        _float(candidate.loss),
        candidate.pays_back and candidate.pays_back / HOUR,
        seen.times if seen else 0,
        seen and seen.median.total_seconds(),
        _float(tips.get(candidate.venue)),
        candidate.venue in tips,
        candidate.evidence,
    )
    return dict(zip(_CANDIDATE, figures, strict=True))


def _float(quantity: Any) -> float | None:
    return None if quantity is None else float(quantity)


def show(every: Sequence[Told]) -> None:
    """On the terminal: a decision after the other, each as wide as there is room."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for number, each in enumerate(every):
        if number:
            console.print()
        console.print(*page(each), sep="\n")
    for line in every[0].words if len(every) == 1 else ():
        console.print(Text(plain(line), QUIET), soft_wrap=True)
    if any(each.tips is None and not each.reasons.fixed for each in every):
        console.print(Text("--ask finds the rates at which it would have been decided otherwise; they are not on record", QUIET))


def page(each: Told) -> Iterator[RenderableType]:
    """One decision about one device, from its sentence to the evidence of every candidate."""
    from rich.text import Text

    reasons = each.reasons
    lesson = f", lesson {reasons.lesson}" if reasons.lesson else ""
    stay = span(reasons.at - reasons.since)
    head = f" {plain(reasons.device.model)} at {plain(str(reasons.here))} for {stay}"
    yield Text.assemble((reasons.device.label, "bold"), head)
    yield Text(f"{reasons.at:%Y-%m-%d %H:%M:%S} UTC, {plain(reasons.strategy)}{lesson}", QUIET)
    if reasons.fixed and not _moves(reasons):
        yield Text("It could not be moved then, and the strategy was not asked about it.", "yellow")
    else:
        yield Text(plain(reasons.sentence.removeprefix(f"{reasons.device.label}: ")), "bold" if _moves(reasons) else "")
    if reasons.veto:
        yield Text(f"held back: {plain(reasons.veto)}", "yellow")
    yield _Candidates(each)
    yield Text("\n").join(_evidence(candidate, each) for candidate in reasons.candidates)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """A line for each venue. Where they do not all fit, the venues' names are cut, and never a figure."""

    told: Told

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        figures = _figures(self.told)
        lines = [list(_cells(candidate, self.told, figures)) for candidate in self.told.reasons.candidates]
        widest = [max(len(name), *(cell.cell_len for cell in cells)) for name, *cells in zip(("venue", *figures), *lines, strict=True)]
        room = options.max_width - sum(width + _GAP for width in widest[1:])
        columns = [Column("venue", max(_LEAST_VENUE, min(widest[0], room)))]
        columns += [Column(name, width, right=True) for name, width in zip(figures, widest[1:], strict=True)]
        yield Text()
        yield head(columns, _GAP)
        yield from (row(columns, line, _GAP) for line in lines)
        yield Text()


def _figures(each: Told) -> tuple[str, ...]:
    """The columns that have something in them."""
    jobs = any(candidate.hired is not None for candidate in each.reasons.candidates)
    shown = {"hired": jobs, "forecast": bool(each.foreseen), "moves at": each.tips is not None}
    return tuple(name for name in _FIGURES if shown.get(name, True))


def _moves(reasons: Reasons) -> bool:
    return reasons.target != reasons.here


def _cells(candidate: Candidate, each: Told, figures: Sequence[str]) -> Iterator[Text]:
    """The venue, and these figures of it."""
    from rich.text import Text

    reasons = each.reasons
    here, there = candidate.venue == reasons.here, candidate.venue == reasons.target and _moves(reasons)
    yield Text(f"{'→ ' if there else '● ' if here else '  '}{plain(str(candidate.venue))}", "bold" if here or there else "")
    figured = {
        "quoted": _rate(candidate.quoted),
        "hired": "–" if candidate.hired is None else f"{float(candidate.hired):.0%}",
        "net": _rate(candidate.net),
        "forecast": "" if candidate.venue == IDLE else _rate(each.foreseen.get(candidate.venue)),
        "switch $": "" if here else "?" if candidate.loss is None else money(candidate.loss, 3),
        "dark": "" if candidate.cost is None else span(candidate.cost.dark),
        "back in": "" if here or candidate.net is None else "never" if candidate.pays_back is None else _hours(candidate.pays_back),
        "moves at": _tip(candidate, each.tips or {}, here=here),
    }
    yield from (Text(figured[name]) for name in figures)


def _tip(candidate: Candidate, tips: Mapping[Venue, UsdPerHour | None], *, here: bool) -> str:
    """At which quoted rate: from it on, it would come here; below it, it would leave."""
    if candidate.venue == IDLE:
        return ""
    if candidate.venue not in tips or candidate.quoted is None:
        return "?"
    rate = tips[candidate.venue]
    return "none" if rate is None else f"{'<' if here else '≥'} {float(rate):.4f}"


def _rate(rate: UsdPerHour | None) -> str:
    return "?" if rate is None else money(rate, 4)


def _hours(time: timedelta) -> str:
    return span(time) if time < 100 * HOUR else f"{micros(time) / micros(24 * HOUR):,.0f} d"


def _evidence(candidate: Candidate, each: Told) -> Text:
    """What the rate and the cost rest upon."""
    from rich.text import Text

    line = Text.assemble((plain(str(candidate.venue)), "bold"), f": {plain(candidate.evidence)}")
    cost, seen = candidate.cost, each.starts.get((candidate.venue, each.reasons.device.id))
    if cost is not None and candidate.venue != IDLE:
        drain = f"{span(cost.exit.drain)} of drain, " if cost.exit.drain else ""
        own = f" and by its own {counted(seen.times, 'start')} there, of {span(seen.median)} in the median" if seen else ""
        line.append(f"; going there: {drain}{span(cost.dark)} dark, {money(cost.cash, 3)} $, by what its adapter says{own}")
        if cost.exit.identity:
            line.append(f"; leaving may lose: {plain(cost.exit.identity)}")
    return line

"""What a backtest says: regret against perfect foresight, dollars per GPU and day, moves and dark hours."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopilot.backtest.runner import Course, Flight, Terms
from autopilot.store.raterow import zulu
from autopilot.units import HOUR

if TYPE_CHECKING:
    from rich.table import Table

    from autopilot.backtest.oracle import OracleResult


@dataclass(frozen=True, slots=True)
class Result:
    """All that one command has computed."""

    file: str
    course: Course
    terms: Terms
    oracle: OracleResult
    """Of one device; in a market of jobs the informed bound of all."""
    flights: Sequence[Flight]

    @property
    def oracle_net(self) -> float:
        """USD over all devices."""
        return self.oracle.net_usd * self.terms.gpus / self.oracle.devices

    @property
    def oracle_moves(self) -> int:
        """Over all devices."""
        return self.oracle.moves * self.terms.gpus // self.oracle.devices

    def share(self, flight: Flight) -> float | None:
        """A strategy's net over the oracle's; None where perfect foresight earns nothing."""
        return float(flight.totals.net) / self.oracle_net if self.oracle_net > 0 else None

    def per_gpu_day(self, net: float) -> float:
        """USD per GPU and day."""
        return net * 24 / (self.terms.gpus * self.course.hours)


def as_json(result: Result) -> dict[str, Any]:
    """The result as the command gives it out. Numbers are not rounded."""
    course, terms = result.course, result.terms
    return {
        "panel": {
            "file": result.file,
            "hours": course.hours,
            "networks": list(course.panel.networks),
            "gpu": course.panel.gpu,
            "start": zulu(course.start),
            "end": zulu(course.end),
        },
        "costs": {"downtime_hours": terms.downtime / HOUR, "fee_usd": float(terms.fee)},
        "oracle": {"net_usd": result.oracle_net, "moves": result.oracle_moves} | ({"kind": "informed"} if course.jobs else {}),
        "strategies": [_strategy(result, flight) for flight in result.flights],
    }


def _strategy(result: Result, flight: Flight) -> dict[str, Any]:
    totals = flight.totals
    net = float(totals.net)
    return {
        "name": flight.name,
        "net_usd": net,
        "gross_usd": float(totals.paid),
        "power_usd": float(totals.power),
        "fee_usd": float(totals.fees),
        "share": result.share(flight),
        "moves": flight.moves,
        "dark_hours": totals.dark / HOUR,
        "usd_per_gpu_day": result.per_gpu_day(net),
        "seconds": flight.seconds,
    }


def as_table(result: Result) -> Table:
    """The result for a person: the best first, the oracle above them. Narrow enough for 80 columns, and folded rather than cut below."""
    from rich import box
    from rich.table import Table

    course, terms = result.course, result.terms
    title = f"{course.panel.gpu} x {terms.gpus}, {zulu(course.start)} to {zulu(course.end)}, {course.hours} h, dark {terms.downtime}"
    best = "the informed bound" if course.jobs else "perfect foresight"
    caption = f"regret: the share of what {best} would have netted that was missed"
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for name in ("strategy", "net $", "regret", "$/GPU-day", "moves", "dark h", "fees $", "power $", "s"):
        table.add_column(name, justify="left" if name == "strategy" else "right", overflow="fold")
    oracle = result.oracle_net
    table.add_row(best, f"{oracle:,.2f}", "", f"{result.per_gpu_day(oracle):.3f}", f"{result.oracle_moves:,}")
    table.add_section()
    for flight in sorted(result.flights, key=lambda flight: flight.totals.net, reverse=True):
        table.add_row(*_row(result, flight))
    return table


def _row(result: Result, flight: Flight) -> list[str]:
    totals, share = flight.totals, result.share(flight)
    return [
        flight.name,
        f"{float(totals.net):,.2f}",
        "-" if share is None else f"{1 - share:.2%}",
        f"{result.per_gpu_day(float(totals.net)):.3f}",
        f"{flight.moves:,}",
        f"{totals.dark / HOUR:,.1f}",
        f"{float(totals.fees):,.2f}",
        f"{float(totals.power):,.2f}",
        f"{flight.seconds:.1f}",
    ]


def write_decisions(folder: Path, flight: Flight, course: Course) -> None:
    """``NAME.csv``: one row for every scored hour and device, with the venue that it is on or on its way to."""
    with (folder / f"{flight.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("timestamp", "device", "network"))
        for index in range(course.hours):
            hour = zulu(course.start + index * HOUR)
            writer.writerows((hour, device, venues[index].network) for device, venues in flight.placements.items())

"""The options that say what is flown: the rates, the hours to score, and what moving and running cost there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli import options
from autopilot.errors import ConfigError
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

if TYPE_CHECKING:
    from autopilot.backtest.runner import Course, Terms
    from autopilot.guards import Guard
    from autopilot.model.power import PowerPrice
    from autopilot.sim.panel import Panel

RatesArgument = Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet: timestamp,network,gpu,usd_per_hour.")]
StartOption = Annotated[str | None, typer.Option(help="First hour to score: ISO 8601 with its zone. Earlier rows are history.")]
EndOption = Annotated[str | None, typer.Option(help="End of the hours to score, exclusive: ISO 8601 with its zone.")]
GpuOption = Annotated[str | None, typer.Option(help="The GPU model, where the file has several.")]
GpusOption = Annotated[int, typer.Option(help="How many GPUs of that model.")]
DowntimeOption = Annotated[str, typer.Option(help="How long a GPU earns nothing while it moves, with its unit.")]
FeeOption = Annotated[str, typer.Option(help="What a move costs, in USD.")]
LagOption = Annotated[int, typer.Option(help="How many hours late a rate is known.")]
PowerOption = Annotated[str, typer.Option(help="What a GPU draws at a venue, in watts.")]
IdlePowerOption = Annotated[str, typer.Option(help="What a GPU draws while it is dark or idle, in watts.")]
TariffOption = Annotated[str, typer.Option(help="What power costs: USD per kWh, or a CSV file with timestamp,usd_per_kwh.")]
NoiseOption = Annotated[float, typer.Option(help="The error of the rates that strategies see: its standard deviation, as a share of them.")]
GuardsOption = Annotated[Path | None, typer.Option(help="Fly with the guards of this configuration. Default: with none.")]
JsonOption = Annotated[str | None, typer.Option("--json", help="Write the result as JSON to this file; - is stdout.")]


@dataclass(frozen=True, slots=True)
class Span:
    """The hours to score, as asked for; None is the panel's own."""

    start: datetime | str | None
    end: datetime | str | None

    @classmethod
    def of(cls, start: str | None, end: str | None) -> Span:
        """As written. Raises ConfigError."""
        return cls(start and options.at("--start", start), end and options.at("--end", end))

    def within(self, panel: Panel) -> tuple[datetime, datetime]:
        """The first hour and the end of those that the panel has. Raises ConfigError where there is none."""
        first = _hour_from(self.start, panel.start) if isinstance(self.start, datetime) else panel.start
        last = _hour_from(self.end, panel.start) if isinstance(self.end, datetime) else panel.end
        first, last = max(first, panel.start), min(last, panel.end)
        if first >= last:
            raise ConfigError(f"--start and --end leave no hour of the file, which has {panel.start} to {panel.end}")
        return first, last


def _hour_from(at: datetime, origin: datetime) -> datetime:
    """The first full hour that is not earlier."""
    return at + (origin - at) % HOUR


def terms_of(downtime: str, fee: str, lag: int, gpus: int, power: str, idle_power: str, config: Path | None) -> Terms:
    """What a move costs and what is known, as written; the tariff is still to come. Raises ConfigError."""
    from autopilot.backtest.runner import Terms
    from autopilot.model.power import Draw

    options.at_least("--gpus", gpus, 1)
    options.at_least("--lag", lag, 0)
    return Terms(
        options.span("--downtime", downtime),
        options.amount("--fee", fee, Usd),
        lag,
        gpus,
        Draw(options.amount("--power", power, Watts), options.amount("--idle-power", idle_power, Watts)),
        guards=_guards(config),
    )


def _guards(config: Path | None) -> Sequence[Guard]:
    if config is None:
        return ()
    from autopilot.guards import chosen
    from autopilot.settings import load

    return chosen(load(config).guards)


def course_of(path: Path, gpu: str | None, span: Span, noise: float, seed: int) -> Course:
    """The rates of one GPU model in the hours to score. Raises ConfigError, DataError."""
    from autopilot.backtest.runner import Course
    from autopilot.cli.progress import reading
    from autopilot.sim.panel import noisy, read_panel

    with reading(path) as progress:
        panel = read_panel(path, gpu, progress)
    start, end = span.within(panel)
    return Course(panel, noisy(panel, noise, seed) if noise else panel.rates, start, end)


def tariff_of(written: str, course: Course) -> PowerPrice:
    """One price, or those in a file. Raises ConfigError, DataError."""
    from autopilot.model.power import PowerPrice
    from autopilot.sim.tariff import read_tariff

    try:
        return PowerPrice(UsdPerKwh.of(written.removesuffix(UsdPerKwh.symbol).strip()))
    except ValueError:
        return read_tariff(Path(written), course.start, course.end)

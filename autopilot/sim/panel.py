"""A panel: the rates of one GPU model at every network, hour by hour without a gap."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat
from math import inf, nan
from pathlib import Path
from typing import TYPE_CHECKING

from autopilot.errors import ConfigError, DataError, did_you_mean
from autopilot.store.ratefile import Progress, read_rates
from autopilot.store.raterow import BadRow, BadRows, RateRow, duplicate, shown, zulu
from autopilot.units import HOUR

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_SECONDS = 3600
_MOST_CELLS = 50_000_000
"""400 MB of floats: a thousand networks over five years. More than that is a wrong timestamp."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Row t is the hour ``[start + t h, start + (t + 1) h)``, column k is ``networks[k]``; the arrays cannot be written to."""

    start: datetime
    """The first hour, UTC."""
    gpu: str
    networks: tuple[str, ...]
    """Sorted."""
    rates: Floats
    """USD an hour, whole nano-dollars as floats; NaN where the rate is missing."""
    occupancy: Floats | None = None
    """0 to 1, NaN where it is not known. None, as the two below, where no row knows it."""
    idle: Floats | None = None
    """USD an hour while waiting."""
    job_hours: Floats | None = None

    def __post_init__(self) -> None:
        for values in (self.rates, self.occupancy, self.idle, self.job_hours):
            if values is not None:
                values.flags.writeable = False

    @property
    def hours(self) -> int:
        """How many hours it has, missing ones included."""
        return len(self.rates)

    @property
    def end(self) -> datetime:
        """The end of the last hour."""
        return self.at(self.hours)

    def at(self, index: int) -> datetime:
        """The start of the hour with this index."""
        return self.start + index * HOUR


def read_panel(path: Path, gpu: str | None = None, progress: Progress | None = None) -> Panel:
    """The panel of one GPU model, from the first to the last hour that the file names for any model.

    Raises DataError for a file that cannot be used: a bad row, a duplicate, years between its rows. Raises ConfigError where
    the file has several models and none was chosen, or not the one that was.
    """
    cells = _Cells(path)
    bad = BadRows()
    for row in read_rates(path, progress):
        if isinstance(row, BadRow):
            bad.add(row)
        else:
            cells.add(row)
    if bad.count:
        raise bad.refusal(path, "Correct them, or drop them with `autopilot rates import --skip-bad` and `autopilot rates export`")
    return cells.panel(gpu)


def noisy(panel: Panel, sd: float, seed: int) -> Floats:
    """The rates with a log-normal error of mean one and this standard deviation, drawn for each hour and network.

    With ``s**2 = ln(1 + sd**2)`` the error is ``exp(s z - s**2 / 2)`` for a standard normal z. Raises ConfigError for an sd
    that is negative or not finite.
    """
    import numpy as np

    if not 0 <= sd < inf:
        raise ConfigError(f"the noise is a standard deviation from 0 up, not {sd}")
    variance = np.log1p(sd * sd)
    errors = np.random.default_rng(seed).standard_normal(panel.rates.shape)
    noise: Floats = np.exp(np.sqrt(variance) * errors - variance / 2)
    return panel.rates * noise


class _Column:
    """The values of one kind, row by row. It takes memory only from its first value on: most files lack most kinds."""

    def __init__(self) -> None:
        self.values = array("d")

    def put(self, index: int, value: float) -> None:
        if len(self.values) < index:
            self.values.extend(repeat(nan, index - len(self.values)))
        self.values.append(value)

    def spread(self, places: NDArray[np.int64], cells: int) -> Floats:
        """Every value at its place among so many cells, NaN elsewhere. The rows are used up: their memory is needed."""
        import numpy as np

        spread = np.full(cells, nan)
        spread[places[: len(self.values)]] = self.values
        self.values = array("d")
        return spread


class _Cells:
    """The rows of a file as plain arrays, 32 bytes for a row, in whatever order they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hours = array("q")
        self._series = array("q")
        self._lines = array("q")
        self._names: dict[tuple[str, str], int] = {}
        self._rates, self._occupancy, self._idle, self._job_hours = _Column(), _Column(), _Column(), _Column()

    def add(self, row: RateRow) -> None:
        """Keep the row."""
        index = len(self._hours)
        self._hours.append(int(row.hour.timestamp()) // _HOUR_SECONDS)
        self._series.append(self._names.setdefault((row.gpu, row.network), len(self._names)))
        self._lines.append(row.line)
        if row.rate is not None:
            self._rates.put(index, float(row.rate))
        if row.occupancy is not None:
            self._occupancy.put(index, float(row.occupancy))
        if row.idle is not None:
            self._idle.put(index, float(row.idle))
        if row.job_length is not None:
            self._job_hours.put(index, row.job_length / HOUR)

    def panel(self, gpu: str | None) -> Panel:
        """Every hour of one GPU model, of all networks that have it. Once only: the rows are used up."""
        import numpy as np

        chosen = self._choose(gpu)
        names = {network: series for (model, network), series in sorted(self._names.items()) if model == chosen}
        columns = list(names.values())
        first, hours = self._span()
        places = np.frombuffer(self._hours, np.int64)
        places -= first
        places *= len(self._names)
        places += np.frombuffer(self._series, np.int64)
        cells = hours * len(self._names)
        self._refuse_duplicates(places, first, cells)

        def table(column: _Column) -> Floats:
            return column.spread(places, cells).reshape(hours, -1)[:, columns]

        extras = (self._occupancy, self._idle, self._job_hours)
        start = _EPOCH + first * HOUR
        return Panel(start, chosen, tuple(names), table(self._rates), *(table(each) if each.values else None for each in extras))

    def _choose(self, gpu: str | None) -> str:
        models = sorted({model for model, _ in self._names})
        if gpu is None and len(models) > 1:
            listed = ", ".join(shown(model) for model in models[:12])
            raise ConfigError(f"{self._path}: it has rates of several GPU models; choose one with --gpu: {listed}")
        if gpu is not None and gpu not in models:
            raise ConfigError(f"{self._path}: it has no rates of {shown(gpu)}; {did_you_mean(gpu, models)}")
        return models[0] if gpu is None else gpu

    def _span(self) -> tuple[int, int]:
        """The first hour since 1970, and how many there are. Raises DataError where no machine could hold them."""
        first, last = min(self._hours), max(self._hours)
        hours = last - first + 1
        if hours * len(self._names) > _MOST_CELLS:
            ends = " to ".join(f"{zulu(_EPOCH + hour * HOUR)} (line {self._line(hour)})" for hour in (first, last))
            raise DataError(
                f"{self._path}: {ends} with {len(self._names):,} networks are {hours * len(self._names):,} cells, more than"
                f" {_MOST_CELLS:,}. Correct the timestamps, or cut the file"
            )
        return first, hours

    def _line(self, hour: int) -> int:
        return self._lines[self._hours.index(hour)]

    def _refuse_duplicates(self, places: NDArray[np.int64], first: int, cells: int) -> None:
        import numpy as np

        taken = np.zeros(cells, bool)
        taken[places] = True
        if np.count_nonzero(taken) == len(places):
            return
        order = np.argsort(places, kind="stable")
        again = order[1:][np.diff(places[order]) == 0].min()
        before = int(np.flatnonzero(places == places[again])[0])
        gpu, network = list(self._names)[self._series[again]]
        hour = _EPOCH + (first + int(places[again]) // len(self._names)) * HOUR
        raise duplicate(self._path, (self._lines[before], self._lines[again]), (hour, network, gpu))

"""Figures for Prometheus, read from the state file when they are asked for: between two scrapes nothing is done.

docs/metrics.md explains each. What is not known has no sample: it is not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from autopilot.clock import Clock
from autopilot.dashboard.reading import Reader
from autopilot.dashboard.snapshot import DeviceNow, Heartbeat, Snapshot
from autopilot.errors import ConfigError, StoreError
from autopilot.model.device import IDLE, Venue
from autopilot.model.switch import State
from autopilot.notices import MetricsSettings
from autopilot.store.figures import Figures
from autopilot.store.ledger import Kind
from autopilot.store.store import Store
from autopilot.units import HOUR

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

STATES = ("serving", "switching", "idle", "fenced")
_DEVICE = ["device", "gpu", "model"]
"""Its UUID, its label, and its model."""
Sample = tuple[list[str], float]


class Figuring:
    """What is asked on every scrape. A state file that cannot be read gives ``autopilot_up 0``, and a scrape that succeeds."""

    def __init__(self, state: Path, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._kept: Kept | None = None
        self._one_at_a_time = Lock()

    def describe(self) -> Iterable[Metric]:
        """Nothing is read before somebody asks."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of them, as of now."""
        with self._one_at_a_time:
            try:
                metrics = [*self._current().metrics(self._clock.now())]
            except StoreError:
                self._forget()
                metrics = []
        yield from metrics
        yield _gauge("up", "Whether the state file can be read.", [], [([], bool(metrics))])

    def _current(self) -> Kept:
        """The state file as it was opened before; opened anew where another one lies there now. Raises StoreError."""
        if self._kept is None or self._kept.file != file_at(self._state):
            self._forget()
            self._kept = Kept(self._state)
        return self._kept

    def _forget(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def close(self) -> None:
        """Let the state file go."""
        with self._one_at_a_time:
            self._forget()


class Kept:
    """An open state file, with what was read of it already. Raises StoreError where there is none."""

    def __init__(self, path: Path) -> None:
        self.file = file_at(path)
        self._store = Store.read_only(path)
        self._reader = Reader(self._store, money=False)
        self._figures = Figures(self._store.connection)

    def close(self) -> None:
        """Close it."""
        self._store.close()

    def metrics(self, at: datetime) -> Iterator[Metric]:
        """Every metric but ``up``, as of an instant. Raises StoreError."""
        snapshot = self._reader.read(at)
        if snapshot.heartbeat is not None:
            yield from _life(snapshot.heartbeat)
            yield from _networks(snapshot.heartbeat, {venue.network for venue in snapshot.market})
        yield from _devices(snapshot)
        yield from _gpus(snapshot)
        yield from _switches(snapshot)
        yield from _quotes(self._figures, at)
        yield from _money(self._figures, at)


def file_at(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _life(beat: Heartbeat) -> Iterator[Metric]:
    labels = {"version": version("yield-autopilot"), "strategy": beat.strategy, "live": str(beat.live).lower()}
    yield _gauge("build_info", "What flies; the value is always 1.", list(labels), [(list(labels.values()), 1)])
    yield _gauge("heartbeat_timestamp_seconds", "When the last tick went well, in Unix time.", [], [([], beat.at.timestamp())])
    yield _gauge("start_timestamp_seconds", "When the daemon was started, in Unix time.", [], [([], beat.started_at.timestamp())])


def _networks(beat: Heartbeat, seen: Iterable[str]) -> Iterator[Metric]:
    names = sorted({*seen, *beat.silent, *beat.quarantine})
    for name, text, which in (
        ("network_silent", "1 where a network gave no answer to the last poll.", beat.silent),
        ("network_quarantined", "1 where a network is not asked any more: a human must look.", beat.quarantine),
    ):
        yield _gauge(name, text, ["network"], [([network], network in which) for network in names])


def _devices(snapshot: Snapshot) -> Iterator[Metric]:
    rows = snapshot.devices
    income = [([*_named(row), str(row.venue)], float(row.rate)) for row in rows if row.rate is not None]
    text = "What a GPU earns now after power, by our estimate; no sample where the rate of its venue is not known."
    yield _gauge("device_income_usd_per_hour", text, [*_DEVICE, "venue"], income)
    states = [([*_named(row), state], _state(row) == state) for row in rows for state in STATES]
    yield _gauge("device_state", "1 for the state that a GPU is in.", [*_DEVICE, "state"], states)


def _named(row: DeviceNow) -> list[str]:
    return [row.device.id, row.device.label, row.device.model]


def _state(row: DeviceNow) -> str:
    if row.fence:
        return "fenced"
    return "switching" if row.switch else "idle" if row.venue == IDLE else "serving"


def _gpus(snapshot: Snapshot) -> Iterator[Metric]:
    """Of the GPUs that can be measured."""
    gauges = [(_named(row), row.gauge) for row in snapshot.devices if row.gauge is not None]
    watts = [(name, float(gauge.draw)) for name, gauge in gauges if gauge.draw is not None]
    celsius = [(name, float(gauge.temperature)) for name, gauge in gauges if gauge.temperature is not None]
    yield _gauge("gpu_power_watts", "What a GPU draws.", _DEVICE, watts)
    yield _gauge("gpu_temperature_celsius", "How hot a GPU is.", _DEVICE, celsius)
    yield _gauge("gpu_seen", "0 where a GPU cannot be read.", _DEVICE, [(name, not gauge.ailment) for name, gauge in gauges])


def _switches(snapshot: Snapshot) -> Iterator[Metric]:
    ends = [([state.value], snapshot.endings.get(state, 0)) for state in State if state.over]
    yield _counter("switches", "Switches that are over, by how they ended.", ["end"], ends)
    yield _gauge("switches_open", "Switches under way.", [], [([], sum(row.switch is not None for row in snapshot.devices))])


def _quotes(figures: Figures, at: datetime) -> Iterator[Metric]:
    labels = ["network", "venue", "model"]
    quotes = list(figures.quotes(at - 24 * HOUR, at))
    rates = [(_offered(each.venue, each.model), float(each.expected)) for each in quotes if each.expected is not None]
    ages = [(_offered(each.venue, each.model), (at - each.seen_at).total_seconds()) for each in quotes]
    text = "What a venue is expected to pay a GPU of a model, before power; no sample where it offers nothing, or too long ago."
    yield _gauge("quote_usd_per_hour", text, labels, rates)
    yield _gauge("quote_age_seconds", "How old the newest answer of a venue is; none from 24 hours on.", labels, ages)


def _offered(venue: Venue, model: str) -> list[str]:
    return [venue.network, str(venue), model]


def _money(figures: Figures, at: datetime) -> Iterator[Metric]:
    sums = list(figures.booked(at))
    money = [([kind.value, network], float(amount)) for kind, network, amount, _ in sums if kind is not Kind.DARK]
    dark = [([network], length.total_seconds()) for kind, network, _, length in sums if kind is Kind.DARK]
    yield _counter("ledger_usd", "The ledger, by kind and network; power and fees are positive.", ["kind", "network"], money)
    yield _counter("dark_seconds", "Time in which GPUs earned nothing because of a switch.", ["network"], dark)


def _gauge(name: str, text: str, labels: list[str], samples: Iterable[Sample]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return _filled(GaugeMetricFamily(f"autopilot_{name}", text, labels=labels), samples)


def _counter(name: str, text: str, labels: list[str], samples: Iterable[Sample]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    return _filled(CounterMetricFamily(f"autopilot_{name}", text, labels=labels), samples)


def _filled(family: Any, samples: Iterable[Sample]) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, float(value))
    filled: Metric = family
    return filled


def require_client() -> None:
    """Raises ConfigError where the library is missing."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError:
        raise ConfigError('metrics need the Prometheus client: pip install "yield-autopilot[metrics]"') from None


def registry(figuring: Figuring) -> CollectorRegistry:
    """All that is served: these metrics, and none of the process's own."""
    from prometheus_client import CollectorRegistry

    served = CollectorRegistry(auto_describe=False)
    served.register(figuring)
    return served


def serve(settings: MetricsSettings, state: Path, clock: Clock) -> Callable[[], None]:
    """Answer on the configured address, until what is given back is called. Raises ConfigError where that cannot be."""
    require_client()
    from prometheus_client import start_http_server

    host, port = settings.address
    figuring = Figuring(state, clock)
    try:
        server, thread = start_http_server(port, host, registry(figuring))
    except OSError as error:
        raise ConfigError(f"metrics.listen: {settings.listen}: {error.strerror or error}; choose another address") from None

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()
        figuring.close()

    return end

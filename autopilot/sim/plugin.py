"""The simulator as an adapter of the configuration: ``[networks.akash]`` with ``adapter = "simulator"``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field

from autopilot.kit import Kit
from autopilot.kit.fields import ShareField, SpanField, Table, UsdField
from autopilot.model.market import Room
from autopilot.sim.adapter import SimNetwork
from autopilot.sim.market import FluidMarket, Tape
from autopilot.sim.node import Manner, Memory
from autopilot.units import NONE, Usd


class SimulatorSettings(Table):
    """A network that does not exist."""

    rates: Path | None = None
    """A file of rates to replay at its own dates; without one the market is generated."""
    seed: int = 7
    """Of the market, the boot times and the faults."""
    boot: SpanField = timedelta(minutes=5)
    drain: SpanField = timedelta(0)
    fee: UsdField = Usd(0)
    jitter: float = Field(default=0.0, ge=0, lt=1)
    faults: float = Field(default=0.0, ge=0, le=1)
    places: int | None = Field(default=None, ge=0)
    """How many GPUs of the rig it pays; without a number, all."""
    fall: ShareField = NONE
    """By which share each further one earns less than the one before."""


class Simulator:
    """Makes simulated networks."""

    Settings = SimulatorSettings

    def __call__(self, settings: SimulatorSettings, kit: Kit) -> SimNetwork:
        """The network of this name, with its nodes remembered in a file of the kit's folder. Raises DataError for bad rates."""
        models = sorted({device.model for device in kit.devices})
        rooms = {kit.network: Room(settings.places, settings.fall)}
        market = FluidMarket({model: _tape(settings, model, kit.clock.now()) for model in models}, rooms=rooms)
        manner = Manner(settings.boot, settings.drain, settings.jitter, settings.faults, settings.seed)
        memory = Memory(kit.folder / f"simulated-{kit.network}.json")
        return SimNetwork(kit.network, kit.clock, market, kit.devices, manner, settings.fee, memory, silent=True)


def _tape(settings: SimulatorSettings, model: str, now: datetime) -> Tape:
    from autopilot.sim.generator import generated_panel
    from autopilot.sim.panel import read_panel

    if settings.rates is not None:
        panel = read_panel(settings.rates, model)
    else:
        # A year's turn starts the market anew; within it, it is the same for every start of the daemon.
        start = datetime(now.year - 1, 12, 1, tzinfo=UTC)
        hours = (now - start) // timedelta(hours=1) + 24 * 62
        panel = generated_panel(settings.seed, start, hours, model)
    return Tape(panel, panel.rates)


simulated_network = Simulator()

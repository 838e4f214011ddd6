"""``autopilot demo``: the daemon's own loop on a simulated rig, before your eyes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli import options
from autopilot.errors import ConfigError

if TYPE_CHECKING:
    from autopilot.demo.outcome import Outcome
    from autopilot.demo.world import Scene

_RIG = "4 x RTX 4090, 2 x H100"
_COUNTS = (4, 2)
"""How many GPUs of the first and the second model of a recorded file."""
_DAYS, _DAYS_LIVE = 14, 120
_MOST_SECONDS = 7 * 86_400.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    seed: Annotated[int, typer.Option(help="The same seed gives the same market, boot times and faults.")] = 7,
    gpus: Annotated[str | None, typer.Option(help=f"The rig. Default: '{_RIG}'; with --rates, GPUs of the file's models.")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help=f"How many days to fly. Default: {_DAYS}, and {_DAYS_LIVE} on a screen.")
    ] = None,
    speed: Annotated[str, typer.Option(help="The simulated time that goes by in a second on the screen, with its unit.")] = "30m",
    rates: Annotated[
        Path | None, typer.Option(help="Replay recorded rates: CSV, CSV.gz or Parquet with timestamp,network,gpu,usd_per_hour.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Keep the state file here. Default: it is removed at the end.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="No screen: fly as fast as possible, then print the result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Like --headless, with the result as JSON.")] = False,
) -> None:
    """Fly a simulated rig over simulated networks. It needs no account, no GPU and no configuration. Ctrl-C ends it."""
    seconds = options.span("--speed", speed).total_seconds()
    if not 0 < seconds <= _MOST_SECONDS:
        raise ConfigError(f"--speed: {speed} a second is nothing to look at; write 30m, up to 7d")
    headless = headless or as_json or not _screen()
    scene = _scene(seed, gpus, days or (_DAYS if headless else _DAYS_LIVE), rates)
    with _state(state) as path:
        outcome = _fly(scene, path, seconds, headless=headless, kept=state is not None)
    _tell(outcome, as_json=as_json)


def _screen() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _scene(seed: int, gpus: str | None, days: int, rates: Path | None) -> Scene:
    from autopilot.cli.progress import reading
    from autopilot.daemon.gpus import simulated_devices
    from autopilot.demo.world import generated, recorded, recorded_models

    if rates is not None and gpus is None:
        written = [f"{count} x {model}" for count, model in zip(_COUNTS, recorded_models(rates), strict=False)]
    else:
        written = (gpus or _RIG).split(",")
    devices = simulated_devices(tuple(written), "--gpus")
    if rates is None:
        return generated(devices, days, seed)
    with reading(rates) as progress:
        return recorded(rates, devices, days, seed, progress)


@contextmanager
def _state(path: Path | None) -> Iterator[Path]:
    """A new state file, gone at the end where nobody asked to keep it."""
    from tempfile import TemporaryDirectory

    if path is None:
        with TemporaryDirectory(prefix="autopilot-demo-") as folder:
            yield Path(folder) / "autopilot.db"
        return
    if path.exists():
        raise ConfigError(f"--state: {path} is there already, and a demo begins anew; name a new file")
    yield path


def _fly(scene: Scene, path: Path, speed: float, *, headless: bool, kept: bool) -> Outcome:
    import logging

    from autopilot.cli.progress import counting
    from autopilot.demo.flight import Flight
    from autopilot.demo.live import stoppable, watch
    from autopilot.store.store import Store
    from autopilot.units import HOUR

    # What goes wrong in a simulated world is on the screen and in the journal, and not between the two.
    logging.getLogger("autopilot").addHandler(logging.NullHandler())
    with closing(Store.open(path)) as store, stoppable() as stopped:
        flight = Flight(scene, store, speed)
        if headless:
            with counting("flying", (scene.end - scene.start) // HOUR) as on_hour:
                flight.fly(stopped, on_hour)
        else:
            watch(flight, path, speed, stopped)
        return flight.land(kept=kept)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(outcome.as_json(), indent=2))
        return
    from rich.console import Console

    console = Console()
    console.print(outcome.as_table())
    for line in outcome.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)

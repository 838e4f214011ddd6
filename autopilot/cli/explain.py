"""``autopilot explain`` and ``plan``: why a GPU is where it is, what would be decided now, and the arithmetic of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autopilot.cli import options
from autopilot.cli.options import ConfigOption, JsonFlag, StateOption
from autopilot.cli.state import looked_at
from autopilot.cli.tables import CsvFlag
from autopilot.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from autopilot.cli.reasons import Told
    from autopilot.contracts import NamedStrategy, Scope
    from autopilot.dashboard.reasons import Reasons
    from autopilot.model.device import NetworkId, Venue
    from autopilot.model.view import View
    from autopilot.settings import Settings
    from autopilot.store.journal import Ruling
    from autopilot.store.store import Store
    from autopilot.units import UsdPerHour

_GpuArgument = Annotated[str | None, typer.Argument(metavar="GPU", help="A GPU, by its label or UUID. Default: all.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(explain)
    app.command()(plan)


def explain(
    gpu: _GpuArgument = None,
    *,
    at: Annotated[str | None, typer.Option(help="The last decision at or before this time: ISO 8601 with its zone.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many decisions, the newest first.")] = 1,
    again: Annotated[
        bool, typer.Option("--ask", help="Ask the strategy again at which rates it would have moved. It takes seconds.")
    ] = False,
    state: StateOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Say why each GPU is where it is: a recorded decision with its candidates, costs and vetoes, by what was known then."""
    until = at and options.at("--at", at)
    with looked_at(state, config) as (store, now):
        found = [_told(store, ruling, gpu, again=again) for ruling in islice(_rulings(store, until or now, gpu), last)]
    if not found:
        raise ConfigError(f"nothing was decided{f' up to {at}' if at else ' yet'}; `autopilot run` decides after its first poll")
    _print([each for told in found for each in told], as_json=as_json, as_csv=as_csv)


def plan(
    gpu: _GpuArgument = None,
    *,
    state: StateOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Say what would be decided now, by the newest rates in the state file, and at which rates it would be otherwise. Nothing is moved."""
    from autopilot.backtest.planning import planned
    from autopilot.guards import RigScope, chosen
    from autopilot.settings import load

    settings = load(config)
    with looked_at(state, config) as (store, now):
        scopes = _scopes(settings, store)
        made = planned(store, now, (*chosen(settings.guards, settings.limits.limits()), RigScope(scopes)), scopes)
        if made is None:
            raise ConfigError("nothing was decided yet, so nothing is known to plan with; `autopilot run` decides after its first poll")
        told = _asked(store, made.ruling, gpu, made.strategy, made.view)
    _print(told, as_json=as_json, as_csv=as_csv)


def _scopes(settings: Settings, store: Store) -> dict[NetworkId, Scope]:
    """How much of a rig each network takes that is configured. Nobody is asked for anything. Raises ConfigError."""
    from contextlib import ExitStack

    from autopilot.clock import SystemClock
    from autopilot.daemon.rig import make_adapters
    from autopilot.store.context import unpack_devices

    devices = unpack_devices(store.journal.newest_context())
    with ExitStack() as closing:
        adapters = make_adapters(settings, SystemClock(), devices, closing) if settings.networks and devices else {}
        return {network: adapter.scope for network, adapter in adapters.items()}


def _rulings(store: Store, until: Any, gpu: str | None) -> Iterator[Ruling]:
    """The decisions, newest first; with a GPU, those in which it could be moved. Raises ConfigError where there is no such GPU."""
    for ruling in store.journal.newest_rulings(until):
        if gpu is None or _named(gpu, ruling.context) not in ruling.context["fixed"]:
            yield ruling


def _named(gpu: str, context: Mapping[str, Any]) -> str:
    """The id of a GPU. Raises ConfigError."""
    from autopilot.model.device import Device, DeviceId

    labels: dict[str, str] = {ident: Device(DeviceId(ident), model, index=index).label for ident, model, *_, index in context["devices"]}
    found = next((ident for ident, label in labels.items() if gpu in (ident, label)), None)
    if found is None:
        raise ConfigError(f"no GPU is called {gpu!r}; {did_you_mean(gpu, sorted(labels.values()))}")
    return found


def _told(store: Store, ruling: Ruling, gpu: str | None, *, again: bool) -> list[Told]:
    from autopilot.cli.reasons import Told
    from autopilot.dashboard.reasons import reasons, recalled
    from autopilot.dashboard.trips import starts

    if again:
        from autopilot.backtest.replay import recall

        typer.echo(f"asking {ruling.strategy['name']} again, once it has learned what it knew then …", err=True)
        return _asked(store, ruling, gpu, *recall(store, ruling))
    chosen, tips = _chosen(reasons(ruling, recalled(store.rates, ruling)), gpu), store.tips.of(ruling.at)
    seen = starts(store, ruling.at, [each.device.id for each in chosen])
    return [Told(each, seen, tips.get(each.device.id)) for each in chosen]


def _asked(store: Store, ruling: Ruling, gpu: str | None, strategy: NamedStrategy, view: View) -> list[Told]:
    """With the rates at which the strategy would decide otherwise, and what it says of itself."""
    from autopilot.cli.reasons import Told
    from autopilot.contracts import Explains
    from autopilot.dashboard.reasons import reasons
    from autopilot.dashboard.trips import starts
    from autopilot.pilot.tipping import Tipper

    chosen, telling = _chosen(reasons(ruling, view), gpu), strategy.strategy
    tipper, seen = Tipper(strategy, view), starts(store, ruling.at, [each.device.id for each in chosen])
    words = tuple(telling.explain(view)) if isinstance(telling, Explains) else ()

    def tips(each: Reasons) -> dict[Venue, UsdPerHour | None]:
        return {candidate.venue: tipper.rate(each.device, candidate.venue) for candidate in each.candidates if not each.fixed}

    def foreseen(each: Reasons) -> Mapping[Venue, UsdPerHour]:
        return telling.foreseen(view, each.device) if isinstance(telling, Explains) and not each.fixed else {}

    return [Told(each, seen, tips(each), foreseen(each), words, asked=True) for each in chosen]


def _chosen(every: Iterator[Reasons], gpu: str | None) -> list[Reasons]:
    return [each for each in every if gpu in (None, each.device.label, each.device.id)]


def _print(told: list[Told], *, as_json: bool, as_csv: bool) -> None:
    from autopilot.cli.reasons import COLUMNS, as_rows, show
    from autopilot.cli.tables import print_csv, print_json

    if as_json:
        print_json([each.as_json() for each in told])
    elif as_csv:
        print_csv(COLUMNS, [row for each in told for row in as_rows(each)])
    else:
        show(told)

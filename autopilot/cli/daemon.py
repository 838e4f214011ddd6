"""The daemon's commands: ``run``, ``check`` and ``lift``."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli.options import ConfigOption, StateOption
from autopilot.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from autopilot.daemon.survey import Offer
    from autopilot.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(check)
    app.command()(lift)


def run(
    config: ConfigOption = None,
    state: StateOption = None,
    live: Annotated[
        bool, typer.Option("--live", help="Start and stop nodes. Without it, everything is decided and written down, and nothing is moved.")
    ] = False,
) -> None:
    """Fly the rig, headless, until SIGTERM or SIGINT. SIGHUP reads the configuration again. Nodes run on when it ends."""
    from autopilot.daemon.rig import require
    from autopilot.daemon.service import Daemon
    from autopilot.telling.beside import beside
    from autopilot.telling.beside import require as require_telling

    _log_to_stderr()
    settings = _settings(config, state)
    require(settings)
    require_telling(settings)
    Daemon(config, settings, live=live, beside=beside).run()


def check(
    config: ConfigOption = None,
    show: Annotated[bool, typer.Option("--show", help="Print the whole configuration in force, defaults included.")] = False,
) -> None:
    """Say whether the configuration can be flown: every key, every plugin, and one read-only question to each network."""
    import json

    from autopilot.kit.redaction import masked
    from autopilot.telling.beside import require

    settings = _settings(config, None)
    if show:
        typer.echo(json.dumps(masked(json.loads(settings.model_dump_json())), indent=2))
    require(settings)
    problems = _ask_networks(settings)
    typer.echo(f"strategy {settings.strategy}; state in {settings.state}; {'good to fly' if not problems else 'not good to fly'}")
    if problems:
        raise ConfigError("; ".join(problems))


def lift(
    gpu: Annotated[str, typer.Argument(help="The fenced GPU: its label as `autopilot status` shows it, or its UUID.")],
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Say that a human has looked at a fenced GPU, so that it may be moved again. A daemon that is running hears it too."""
    from contextlib import closing

    from autopilot.clock import SystemClock
    from autopilot.store.store import Store

    path = _settings(config, state).state
    Store.read_only(path).close()  # a state file that is not there must not be made here
    with closing(Store.open(path)) as store:
        fenced = store.journal.fences()
        labels = {label: device for device, label in store.journal.labels().items()}
        device = labels.get(gpu, gpu)
        found = next((each for each in fenced if each == device), None)
        if found is None:
            raise ConfigError(f"{gpu!r} is not fenced; {did_you_mean(gpu, [*fenced, *labels]) if fenced else 'no GPU is'}")
        store.journal.lift(found, SystemClock().now())
    typer.echo(f"{gpu} is free again; it was fenced: {fenced[found]}")


def _settings(config: Path | None, state: Path | None) -> Settings:
    from autopilot.settings import load

    settings = load(config)
    return settings.model_copy(update={"state": state}) if state else settings


def _ask_networks(settings: Settings) -> list[str]:
    """What each network would mean for each GPU model, a line each on stdout; what is wrong is returned. Nothing is written anywhere."""
    from autopilot.clock import SystemClock
    from autopilot.daemon.survey import survey, tariff
    from autopilot.doctor.networks import asking

    clock = SystemClock()
    with ExitStack() as held:
        devices, adapters = asking(settings, clock, held)
        *_, found = survey(adapters, devices, settings.power.draw(), tariff(settings), clock.now(), settings.daemon.answer)
    for line in dict.fromkeys(map(_meaning, found.offers)):
        typer.echo(line)
    return [f"{venue}: no answer: {why}" for venue, why in found.silent.items()]


def _meaning(offer: Offer) -> str:
    """What one answer would mean for one GPU."""
    from autopilot.dashboard.words import plain
    from autopilot.model.market import Quote

    quote = offer.answer
    place = plain(f"{quote.venue}: {offer.device.model}")
    if not isinstance(quote, Quote):
        return plain(f"{place}: nothing to earn: {quote.reason}")
    return f"{place}: {quote.expected:.4f} expected ({quote.basis}), {quote.expected - offer.power:.4f} after power"


def _log_to_stderr() -> None:
    import logging

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.ERROR)

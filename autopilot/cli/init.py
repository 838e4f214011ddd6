"""``autopilot init``: from nothing to a configuration. It asks only what no machine can find out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli.options import amount
from autopilot.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from autopilot.cli.proposals import Proposal
    from autopilot.contracts import Conditions
    from autopilot.daemon.survey import Survey
    from autopilot.model.device import Device
    from autopilot.model.gpu import Census

_ANSWER = timedelta(seconds=40)
"""For the slowest network; the longest known needs 16 s when its cache is cold."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("autopilot.toml"),
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Write an example with GPUs that do not exist, to try everything without risk.")
    ] = False,
    price: Annotated[str | None, typer.Option("--price", help='What power costs, e.g. "0.30 $/kWh".')] = None,
    networks: Annotated[
        str | None, typer.Option("--networks", help="The networks to fly, with commas between them. Default: all that take these GPUs.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the networks what they pay.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask no question: take every default.")] = False,
) -> None:
    """Write a commented configuration for the GPUs of this host."""
    from autopilot.cli.proposals import text

    _check_free(path)
    price = None if price is None else _price(price)
    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    census = None if simulated else _census()
    rig = census.devices if census else ()
    if census is not None and not rig:
        _offer_simulated(census, asks=asks)
    if networks is not None and not rig:
        raise ConfigError("--networks: the simulated GPUs have networks of their own; leave it out")
    if asks and price is None:
        price = typer.prompt("What does a kWh cost you, in $", default="0.12", value_proc=_price)
    proposals = _proposals(census, price, offline=offline) if census and rig else []
    chosen = _chosen(networks, proposals, asks=asks)
    if rig and not chosen:
        typer.echo("No network takes these GPUs, so the example with simulated ones is written.")
    _write(path, text(rig=rig if chosen else (), price=price, networks=chosen, proposals=proposals))
    there = "" if path == Path("autopilot.toml") else f" --config {path}"
    typer.echo(f"{path} is written. Next:\n\n    autopilot check{there}\n    autopilot run{there}\n")


def _check_free(path: Path) -> None:
    """Before anybody is asked anything. Raises ConfigError."""
    if path.exists():
        raise ConfigError(f"{path} exists already, and is left as it is; name another file")


def _write(path: Path, content: str) -> None:
    _check_free(path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; choose a folder that this user may write") from None


def _price(written: str) -> str:
    """What power costs, with its unit. Raises ConfigError; at a prompt, it is asked again."""
    from autopilot.units import UsdPerKwh

    try:
        return str(amount("--price", written, UsdPerKwh))
    except ConfigError as error:
        raise typer.BadParameter(str(error).removeprefix("--price: ")) from None


def _census() -> Census:
    """What the driver finds on this host."""
    from contextlib import closing

    from autopilot.daemon.gauge import Gauge
    from autopilot.gpu import Nvml

    with closing(Nvml()) as probe:
        census = Gauge(probe).census()
    if census.devices:
        typer.echo(f"This host has {', '.join(f'{device.label} {device.model}' for device in census.devices)}.")
    return census


def _offer_simulated(census: Census, *, asks: bool) -> None:
    """What stands in the way of real GPUs. Raises Exit where the person wants to mend that first."""
    typer.echo(f"No GPU to fly: {'; '.join(each.remedy for each in census.ailments) or 'the driver knows of none'}.")
    if not asks:
        typer.echo("So the example with simulated GPUs is written.")
    if asks and not typer.confirm("Write an example with simulated GPUs, to try everything without risk?", default=True):
        raise typer.Exit(1)


def _proposals(census: Census, price: str | None, *, offline: bool) -> list[Proposal]:
    """What each network would pay for these GPUs; a table of it is printed."""
    from functools import partial

    from autopilot.cli.proposals import propose
    from autopilot.plugins import conditions_of, networks_without_settings

    names = networks_without_settings()
    found = _unasked(names) if offline else _survey(census.devices, names, price)
    proposals = propose(found, census.devices, {name: conditions_of(name) for name in names}, partial(_lacks, census))
    _print(proposals)
    return proposals


def _unasked(names: Sequence[str]) -> Survey:
    """Nobody's answer."""
    from autopilot.clock import SystemClock
    from autopilot.daemon.survey import Survey
    from autopilot.model.device import NetworkId, Venue
    from autopilot.model.power import Draw
    from autopilot.units import UsdPerKwh

    return Survey(SystemClock().now(), [], {Venue(NetworkId(name)): "it was not asked" for name in names}, Draw(), UsdPerKwh(0))


def _survey(devices: Sequence[Device], names: Sequence[str], price: str | None) -> Survey:
    """One read-only question to each network. Nothing is written anywhere."""
    from tempfile import TemporaryDirectory

    from autopilot.clock import SystemClock
    from autopilot.daemon.rig import make_adapters
    from autopilot.daemon.survey import survey
    from autopilot.model.power import Draw, PowerPrice
    from autopilot.settings import Settings
    from autopilot.units import UsdPerKwh, Watts

    typer.echo("Asking the networks what they pay ...")
    clock = SystemClock()
    draw = Draw(max((device.power_limit for device in devices), default=Watts(0)), Watts(0))
    power = PowerPrice(UsdPerKwh.of((price or "0.12").removesuffix(UsdPerKwh.symbol).strip()))
    with ExitStack() as held:
        folder = held.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
        settings = Settings.model_construct(state=Path(folder) / "init.db", networks={name: {} for name in names})
        adapters = make_adapters(settings, clock, tuple(devices), held)
        *_, found = survey(adapters, devices, draw, power, clock.now(), _ANSWER)
    return found


def _lacks(census: Census, device: Device, told: Conditions) -> str:
    """What a GPU or its host lacks, in words; empty where nothing is missing that can be looked up."""
    from autopilot.cli.proposals import this_system
    from autopilot.daemon.gpus import free_disk
    from autopilot.pilot.eligibility import Host, lacks

    here = this_system()
    if told.systems and here not in told.systems:
        return f"its program runs on {' or '.join(told.systems)}, and this host is {here}"
    return lacks(device, Host(census.driver, free_disk), told.needs)


def _print(proposals: Sequence[Proposal]) -> None:
    from rich.console import Console
    from rich.text import Text

    from autopilot.cli.proposals import words
    from autopilot.cli.tables import table

    shown = table("", "network", "GPU", "$ a day", "remark", figures=("$ a day",))
    for each in proposals:
        pay = "–" if each.refusal else "?" if each.usd_a_day is None else str(each.usd_a_day)
        remark = words(each) if each.refusal else words(each).partition("; ")[2]
        shown.add_row(Text(each.network), Text(each.model), pay, Text(remark))
    Console().print(shown)


def _chosen(written: str | None, proposals: Sequence[Proposal], *, asks: bool) -> list[str]:
    """The networks to fly, of those that are proposed. Raises ConfigError for one that is not known."""
    from autopilot.cli.proposals import willing

    known, may = {each.network for each in proposals}, willing(proposals)
    if not proposals:
        return []
    if written is None and asks and len(may) > 1:
        written = str(typer.prompt("Which of them, with commas", default=", ".join(may)))
    names = may if written is None else [name.strip() for name in written.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise ConfigError(f"--networks: {name!r} cannot be had without settings; {did_you_mean(name, known)}")
    return list(dict.fromkeys(names))

"""``autopilot rates`` by itself: what every network would pay for this rig now, and where the figures come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from autopilot.errors import ConfigError, did_you_mean
from autopilot.units import Share, UsdPerHour, span_text

if TYPE_CHECKING:
    from rich.table import Table

    from autopilot.contracts import Adapter
    from autopilot.daemon.survey import Offer, Survey
    from autopilot.model.device import Device, NetworkId
    from autopilot.model.experience import Experience
    from autopilot.model.market import Room
    from autopilot.settings import Settings
    from autopilot.store.store import Store

_TREND = 24
"""Hours of the past that the trend shows."""
_COLUMNS = ("GPU", "venue", "gross", "hired", "expected", "power", "net", "basis", "age")
_WIDE = 110
"""Columns of a terminal that have room for the trend as well."""
_KEPT = timedelta(days=1)
"""No quote counts for longer."""
_Trends = Mapping[tuple[str, str], Sequence["float | None"]]
"""The last expected rates by venue and model, oldest first."""


def show(config: Path | None, gpu: str | None, explain: str | None, *, as_json: bool) -> None:
    """Ask, and print the table, the arithmetic of one network, or JSON."""
    from autopilot.settings import load

    settings = load(config)
    if not settings.networks:
        from autopilot.plugins import networks_without_settings

        settings = settings.model_copy(update={"networks": {name: {} for name in networks_without_settings()}})
    with asked(settings, gpu, shown=explain is None and not as_json) as (found, trends):
        if explain is not None:
            _explain(found, explain, settings)
        elif as_json:
            typer.echo(json.dumps([_as_json(offer, found) for offer in found.offers] + _silent(found), indent=2))
        else:
            _print(found, trends)


@contextmanager
def asked(settings: Settings, gpu: str | None, *, shown: bool) -> Iterator[tuple[Survey, _Trends]]:
    """The answers of every network for the rig, or for one GPU of a model, and the trends of the state file.

    A network that gives no answer is shown with its last quotes from there, for as long as they count. Where they are ``shown``, a person
    at a terminal sees the answers as they come in.
    """
    from autopilot.clock import SystemClock
    from autopilot.daemon.rig import make_adapters
    from autopilot.daemon.survey import survey, tariff, with_last_good
    from autopilot.store.store import Store

    clock = SystemClock()
    devices = rig(settings, gpu)
    with ExitStack() as held:
        adapters = make_adapters(settings, clock, devices, held)
        with _growing(shown=shown) as grow:
            for found in survey(adapters, devices, settings.power.draw(), tariff(settings), clock.now(), settings.daemon.answer):
                grow(found)
        if not settings.state.exists():
            yield found, {}
            return
        with closing(Store.read_only(settings.state)) as store:
            remembered = store.rates.answers(after=found.at - _KEPT)
            yield with_last_good(found, remembered, devices), _trends(store)


@contextmanager
def _growing(*, shown: bool) -> Iterator[Callable[[Survey], None]]:
    """Draws each survey in the place of the one before it; nothing of it stays, and nothing is drawn where nobody looks."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console()
    if not (shown and console.is_terminal):
        yield lambda _: None
        return
    with Live(console=console, transient=True) as live:
        yield lambda found: live.update(Group(_table(found, {}, console.width), Text(f"asking {', '.join(sorted(found.awaited))} …")))


def rig(settings: Settings, gpu: str | None) -> tuple[Device, ...]:
    """The GPUs to ask for: those of the configuration, or one of a model. Raises ConfigError where there is none."""
    from autopilot.daemon.gpus import find
    from autopilot.model.device import Device, DeviceId

    if gpu is not None:
        return (Device(DeviceId("any"), gpu),)
    try:
        with ExitStack() as held:
            return find(settings, None, held).devices
    except ConfigError as error:
        raise ConfigError(f'no GPU to ask for: name a model, e.g. --gpu "RTX 4090"; {error}') from None


def network_of(adapters: Mapping[NetworkId, Adapter], name: str) -> Adapter:
    """The adapter of a network by its name. Raises ConfigError."""
    for network, adapter in adapters.items():
        if network == name:
            return adapter
    raise ConfigError(f"no network is called {name!r}; {did_you_mean(name, adapters)}")


def _trends(store: Store) -> _Trends:
    """The last rates of each venue and model that the state file remembers."""
    past: dict[tuple[str, str], list[float | None]] = {}
    for venue, model, rate in store.rates.latest(_TREND):
        past.setdefault((str(venue), model), []).append(None if rate is None else float(rate))
    return past


def _print(found: Survey, trends: _Trends) -> None:
    """The table; below it, a line for each venue and network that has no quote, with its reason."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    console.print(_table(found, trends, console.width))
    for line in dict.fromkeys(_missing(found)):
        console.print(Text(line))


def _table(found: Survey, trends: _Trends, width: int) -> Table:
    """The quotes as a table, equal ones of equal GPUs once."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = (*_COLUMNS, "trend") if width >= _WIDE else _COLUMNS
    table = Table(
        title=f"What one GPU would earn, $/h, {found.at:%Y-%m-%d %H:%M} UTC", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for name in shown:
        named = name in ("GPU", "venue")
        table.add_column(name, justify="left" if named or name in ("basis", "trend") else "right", no_wrap=not named, overflow="fold")
    rows = {tuple(_cells(offer, found)): offer for offer in reversed(found.offers) if offer.net is not None}
    for cells, offer in reversed(rows.items()):
        table.add_row(*map(Text, cells), *([_trend(offer, trends)] if len(shown) > len(cells) else []))
    return table


def _cells(offer: Offer, found: Survey) -> Iterator[str]:
    from autopilot.dashboard.words import plain, span
    from autopilot.model.market import Quote

    quote = offer.answer
    yield plain(offer.device.model)
    yield plain(str(quote.venue))
    if isinstance(quote, Quote):
        yield f"{float(quote.gross):.3f}"
        yield f"{float(quote.occupancy):.0%}"
        yield f"{float(quote.expected):.3f}"
        yield f"{float(offer.power):.3f}"
        yield f"{float(quote.expected - offer.power):.3f}"
        yield quote.basis.value
        yield span(quote.age(found.at))


def _missing(found: Survey) -> Iterator[str]:
    """Why there is no rate, for every venue and network that has none."""
    from autopilot.dashboard.words import plain
    from autopilot.model.device import Venue
    from autopilot.model.market import NoQuote

    for offer in found.offers:
        if isinstance(offer.answer, NoQuote):
            yield plain(f"{offer.device.model} at {offer.answer.venue}: no rate: {offer.answer.reason}")
    for silent, why in found.silent.items():
        kept = "; its last rates still count" if any(silent in (venue, Venue(venue.network)) for venue in found.kept) else ""
        yield plain(f"{silent}: no answer: {why}{kept}")


def _trend(offer: Offer, trends: Mapping[tuple[str, str], Sequence[float | None]]) -> Any:
    from autopilot.dashboard.marks import trend

    values = trends.get((str(offer.answer.venue), offer.device.model), [])
    known = [value for value in values if value is not None]
    return trend(values, min(known, default=0.0), max(known, default=1.0), "")


def _explain(found: Survey, network: str, settings: Settings) -> None:
    """The whole arithmetic of one network, line by line, from what it said to what would be left."""
    from autopilot.dashboard.words import plain

    if network not in settings.networks:
        raise ConfigError(f"no network is called {network!r}; {did_you_mean(network, settings.networks)}")
    for silent, why in found.silent.items():
        if silent.network == network:
            typer.echo(f"{silent}: no answer: {why}")
    experience = _experience(settings, found)
    for offer in found.offers:
        if offer.answer.venue.network == network:
            for line in explained(offer, found, experience):
                typer.echo(plain(line))


def _experience(settings: Settings, found: Survey) -> Experience:
    """What the rig has seen of being hired and paid, as the state file has it; nothing where there is none."""
    from dataclasses import replace

    from autopilot.model.experience import Experience
    from autopilot.occupancy import known
    from autopilot.store.context import unpack_realised
    from autopilot.store.store import Store

    if not settings.state.exists():
        return Experience()
    with closing(Store.read_only(settings.state)) as store:
        seen = known(store.experience.tallies(), store.experience.odds(), found.at)
        return replace(seen, realised=unpack_realised(store.journal.newest_context()))


def explained(offer: Offer, found: Survey, experience: Experience) -> Iterator[str]:
    """The arithmetic of one offer, line by line."""
    from autopilot import occupancy, realised
    from autopilot.model.market import Quote

    quote = offer.answer
    yield f"{offer.device.label} {offer.device.model} at {quote.venue}"
    if not isinstance(quote, Quote):
        yield f"  nothing to earn: {quote.reason}"
        return
    yield f"  source: {quote.source}, as of {quote.as_of:%Y-%m-%d %H:%M} UTC, {quote.basis}, counts until {quote.expires:%H:%M}"
    for working in quote.workings:
        yield f"  {working.text}" + (f"   [{', '.join(working.inputs)}]" if working.inputs else "")
    fees = sum(fee.share.count for fee in quote.fees)
    yield f"  busy {_rate(quote.gross)} less fees of {fees / Share.per_unit:.2%}, paid {float(quote.occupancy):.2%} of the time"
    yield f"  waiting {_rate(quote.idle)} the rest; expected {_rate(quote.expected)}"
    if occupancy.for_jobs(quote):
        belief = occupancy.believed(quote, experience, offer.device)
        yield f"  {belief.evidence}; believed to earn {_rate(UsdPerHour.nearest(belief.rate))}"
    yield f"  {realised.said(experience.realised.get((quote.venue, offer.device.model)))}"
    yield f"  power {_rate(offer.power)}; net {_rate(quote.expected - offer.power)}"
    yield f"  {_roomed(quote.room)}"
    yield f"  the figure is {span_text(timedelta(seconds=quote.age(found.at) // timedelta(seconds=1)))} old"


def _roomed(room: Room) -> str:
    places = "no limit to the GPUs of yours" if room.places is None else f"room for {room.places} more of your GPUs"
    pay = f"each further one earns {float(room.fall):.2%} less than the one before" if room.fall else "all are paid alike"
    return f"{places}; {pay}"


def _rate(rate: UsdPerHour) -> str:
    return f"{float(rate):.6f} $/h"


def _as_json(offer: Offer, found: Survey) -> dict[str, Any]:
    from autopilot.model.market import Quote

    quote, device = offer.answer, offer.device
    head = {"device": device.id, "model": device.model, "network": quote.venue.network, "market": quote.venue.market}
    if not isinstance(quote, Quote):
        return {**head, "reason": quote.reason}
    return {
        **head,
        "gross_usd_per_hour": float(quote.gross),
        "idle_usd_per_hour": float(quote.idle),
        "occupancy": float(quote.occupancy),
        "expected_usd_per_hour": float(quote.expected),
        "power_usd_per_hour": float(offer.power),
        "net_usd_per_hour": float(quote.expected - offer.power),
        "basis": quote.basis.value,
        "as_of": quote.as_of.isoformat(),
        "expires": quote.expires.isoformat(),
        "age_seconds": quote.age(found.at).total_seconds(),
        "source": quote.source,
        "workings": [{"text": working.text, "inputs": list(working.inputs)} for working in quote.workings],
    }


def _silent(found: Survey) -> list[dict[str, Any]]:
    named = ((venue, {"market": venue.market} if venue.market else {}) for venue in found.silent)
    return [{"network": venue.network, **market, "no_answer": found.silent[venue]} for venue, market in named]

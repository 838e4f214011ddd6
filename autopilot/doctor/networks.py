"""The networks: one read-only question to each, with the credentials that it was given, and one look at its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from autopilot.clock import Clock
from autopilot.contracts import Adapter
from autopilot.daemon.rig import make_adapters, make_pilot
from autopilot.doctor.finding import Check, Finding, bad, ok, warn
from autopilot.errors import AdapterError, Refused
from autopilot.kit.http import Http
from autopilot.model.device import IDLE, Device, NetworkId
from autopilot.model.market import Quote, Silence
from autopilot.model.node import Phase
from autopilot.settings import Settings
from autopilot.store.store import Store

_A_DAY = timedelta(days=1)


def asking(
    settings: Settings, clock: Clock, held: ExitStack, http: Http | None = None
) -> tuple[Sequence[Device], Mapping[NetworkId, Adapter]]:
    """The GPUs and the networks of a configuration that can be flown, to be asked; nothing is written beside the state file.

    Raises ConfigError for what cannot fly.
    """
    folder = held.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
    apart = settings.model_copy(update={"state": Path(folder) / settings.state.name})
    devices = tuple(make_pilot(apart, clock, Store.in_memory(), held, live=False).world.devices)
    return devices, make_adapters(apart, clock, devices, held, http)


def checks(adapters: Mapping[NetworkId, Adapter], devices: Sequence[Device], clock: Clock, answer: timedelta) -> Iterator[Check]:
    """One for each network."""
    for network, adapter in adapters.items():
        if network != IDLE.network:
            yield Check(network, partial(_network, adapter, devices, clock), answer)


def _network(adapter: Adapter, devices: Sequence[Device], clock: Clock) -> Iterator[Finding]:
    """Its rates, what it paid lately where it tells that, and whether its nodes can be looked at."""
    name = adapter.network
    try:
        yield from _rates(adapter, devices)
        if adapter.payouts is not None:
            adapter.payouts.payouts(clock.now() - _A_DAY)
    except Refused as error:
        yield bad(name, _words(name, error), f"give [networks.{name}] the right key or address; what it says stands there")
    except AdapterError as error:
        yield bad(name, _words(name, error), "see whether this host reaches it; the last quotes count until they expire")
    yield from _nodes(adapter, devices)


def _rates(adapter: Adapter, devices: Sequence[Device]) -> Iterator[Finding]:
    answers = adapter.rates.quotes(devices)
    name, models = adapter.network, {device.id: device.model for device in devices}
    for silence in (each for each in answers if isinstance(each, Silence)):
        yield warn(name, f"{silence.venue}: {silence.reason}", "it is asked again with every poll")
    quotes = [each for each in answers if isinstance(each, Quote)]
    best = {models[quote.device]: quote for quote in sorted(quotes, key=lambda quote: quote.expected) if quote.device in models}
    if best:
        yield ok(name, ", ".join(f"{model} {float(quote.expected):.4f} $/h" for model, quote in sorted(best.items())))
        return
    reasons = dict.fromkeys(each.reason for each in answers if not isinstance(each, Quote | Silence))
    if reasons:
        yield warn(name, f"nothing to earn: {'; '.join(reasons)}", "it is left alone until it quotes; `autopilot check` names every GPU")


def _nodes(adapter: Adapter, devices: Sequence[Device]) -> Iterator[Finding]:
    """Only what cannot be looked at is told: where the nodes are is for `autopilot status`."""
    name, told = adapter.network, set()
    for device in devices:
        try:
            seen = adapter.node.observe(device)
            trouble = seen.note.removeprefix(f"{name}: ") if seen.phase is Phase.UNKNOWN else ""
        except AdapterError as error:
            trouble = _words(name, error)
        if trouble and trouble not in told:
            told.add(trouble)
            yield bad(name, f"its node cannot be looked at: {trouble}", f"mend what runs it, or [networks.{name}.node]")


def _words(network: NetworkId, error: AdapterError) -> str:
    return str(error).removeprefix(f"{network}: ")

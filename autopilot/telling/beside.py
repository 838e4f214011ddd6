"""What goes on beside a flight, as configured."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack

from autopilot.clock import Clock
from autopilot.errors import AutopilotError
from autopilot.settings import Settings
from autopilot.store.store import Store
from autopilot.telling.aside import Aside
from autopilot.telling.metrics import require_client, serve
from autopilot.telling.ping import Ping
from autopilot.telling.services import Services
from autopilot.telling.teller import Teller

log = logging.getLogger(__name__)


def require(settings: Settings) -> None:
    """Raises ConfigError where what is configured cannot be: a library is missing, or an address is none."""
    if settings.notify.urls:
        Services(settings.notify.urls)
    if settings.metrics.listen:
        require_client()


def beside(settings: Settings, clock: Clock, closing: ExitStack) -> Callable[[], None]:
    """Begin it all; what is given back says that a tick went well. What cannot begin is a line in the log: the rig earns on."""
    asked: list[Callable[[], None]] = []
    for begin in (_telling, _pinging, _serving):
        try:
            asked += begin(settings, clock, closing)
        except AutopilotError as error:
            log.error("%s; the flight goes on without it", error)  # noqa: TRY400  # one line, no traceback

    def heard() -> None:
        for ask in asked:
            ask()

    return heard


def _telling(settings: Settings, _: Clock, closing: ExitStack) -> list[Callable[[], None]]:
    if not settings.notify.urls:
        return []
    services = Services(settings.notify.urls)
    store = Store.open(settings.state)
    closing.callback(store.close)
    return [_aside("telling", Teller(store, settings.notify, services.send).look, closing)]


def _pinging(settings: Settings, _: Clock, closing: ExitStack) -> list[Callable[[], None]]:
    if not settings.notify.ping.get_secret_value():
        return []
    return [_aside("ping", Ping(settings.notify.ping).go, closing)]


def _serving(settings: Settings, clock: Clock, closing: ExitStack) -> list[Callable[[], None]]:
    if settings.metrics.listen:
        closing.callback(serve(settings.metrics, settings.state, clock))
    return []


def _aside(name: str, work: Callable[[], None], closing: ExitStack) -> Callable[[], None]:
    aside = Aside(name, work)
    closing.callback(aside.close)
    return aside.ask

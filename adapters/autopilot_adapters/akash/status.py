"""What our own provider says of itself, on its port 8443, without a key."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from autopilot.clock import Clock
from autopilot.errors import ConfigError, Transient
from autopilot.kit.http import Http
from autopilot.kit.reading import Field

if TYPE_CHECKING:
    import httpx

_PATIENCE = timedelta(seconds=10)
_BUDGET = 2000
"""Requests an hour. It is our own."""
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Status:
    """Two counts that must be nothing before a provider may go."""

    leases: int
    """Deployments that it keeps. One that was won and waits for its manifest is not among them."""
    orders: int
    """Orders that it is bidding on."""


class ProviderStatus:
    """Asks our provider. It signs its certificate itself, so that is compared with a copy, or not looked at."""

    def __init__(self, network: str, clock: Clock, url: str, certificate: Path | None, provider: str) -> None:
        self._http = Http(clock, network=network, transport=_transport(certificate), budget=_BUDGET)
        self._url = url
        self._provider = provider

    def look(self) -> Status:
        """The counts. Raises Transient or Refused, also while it starts and has no counts yet, and where another provider answers."""
        said = Field(self._http.network, "status:", self._http.get(self._url, timeout=_PATIENCE).json)
        if said.member("address").text() != self._provider:
            raise said.member("address").wrong(f"our provider {self._provider}")
        cluster, bids = said.member("cluster"), said.member("bidengine")
        if cluster.absent or bids.absent:
            raise Transient(self._http.network, f"{self._url}: the provider is starting, and knows nothing of its leases yet")
        return Status(cluster.member("leases").count(0, _MOST), bids.member("orders").count(0, _MOST))

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()


def _transport(certificate: Path | None) -> httpx.BaseTransport:
    import httpx

    context = ssl.create_default_context()
    context.check_hostname = False  # a provider is asked at an address that its certificate does not name
    if certificate is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        try:
            context.load_verify_locations(certificate.expanduser())
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{certificate} is no certificate: {error}: save the provider's own there, as PEM") from None
    return httpx.HTTPTransport(verify=context)

"""Services that take messages, by Apprise. What their addresses carry is never shown: neither in logs nor in errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import SecretStr

from autopilot.errors import ConfigError

log = logging.getLogger(__name__)

TITLE = "Yield Autopilot"


class Services:
    """All to whom a message goes. Raises ConfigError where Apprise is missing, or does not know an address."""

    def __init__(self, urls: Sequence[SecretStr]) -> None:
        apprise = _apprise()
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it writes addresses and answers
        # With a limit of its own it sends in a pool of threads, which Python waits for when it ends; ours is not waited for.
        asset = apprise.AppriseAsset(service_timeout=0)
        self._services: list[tuple[str, Any]] = []
        for number, url in enumerate(urls, start=1):
            kind = _kind(url)
            service = apprise.Apprise(asset=asset)
            if not service.add(url.get_secret_value()):
                raise ConfigError(
                    f"notify.urls: number {number}, a {kind!r} one, is no address that Apprise knows; see its list of services"
                )
            self._services.append((kind, service))

    def __repr__(self) -> str:
        return f"Services({', '.join(kind for kind, _ in self._services)})"

    def send(self, text: str) -> bool:
        """Whether anybody took it. Who did not is named in the log."""
        outcomes = list(self.outcomes(text))
        for kind, took in outcomes:
            if not took:
                log.warning("a message was not taken by %s", kind)
        return any(took for _, took in outcomes)

    def outcomes(self, text: str) -> Iterator[tuple[str, bool]]:
        """Send it, and say for each service whether it took it."""
        for kind, service in self._services:
            yield kind, _sent(service, text)


def _sent(service: Any, text: str) -> bool:
    try:
        return bool(service.notify(body=text, title=TITLE, body_format="text"))
    except Exception:  # noqa: BLE001  # a plugin's error may hold its address
        return False


def _kind(url: SecretStr) -> str:
    """What an address begins with, which is all of it that may be shown; nothing of one that has no such beginning."""
    kind, separator, _ = url.get_secret_value().partition("://")
    return kind if separator and kind.isalnum() else "nameless"


def _apprise() -> Any:
    try:
        import apprise
    except ImportError:
        raise ConfigError('messages need Apprise: pip install "yield-autopilot[notify]"') from None
    return apprise


def body_of(outbox: Sequence[str], dropped: int) -> str:
    """One message of all that is to be told."""
    return "\n".join([*([f"{dropped} earlier messages were too many"] if dropped else []), *outbox])

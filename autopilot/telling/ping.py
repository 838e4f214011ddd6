"""A sign of life for a dead man's switch: who stops hearing it raises the alarm."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pydantic import SecretStr

from autopilot.clock import stopwatch

log = logging.getLogger(__name__)

_EVERY = 60.0
"""Seconds between two, at least."""
_PATIENCE = 10.0
"""Seconds that one may take to connect, and to answer."""


class Ping:
    """Asks for an address, at most once a minute. A failure is a line in the log, once until it works again."""

    def __init__(self, url: SecretStr, watch: Callable[[], float] = stopwatch) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # at INFO it writes every address with its keys
        self._url = url
        self._watch = watch
        self._free_at = watch()
        self._trouble = ""

    def go(self) -> None:
        """Ask, if a minute has passed."""
        if self._watch() < self._free_at:
            return
        self._free_at = self._watch() + _EVERY
        trouble = asked(self._url.get_secret_value())
        if trouble and not self._trouble:
            log.warning("the ping is not heard: %s", trouble)
        elif self._trouble and not trouble:
            log.info("the ping is heard again")
        self._trouble = trouble


def asked(url: str) -> str:
    """What went wrong, without the address; empty where nothing did."""
    import httpx

    try:
        status = httpx.get(url, timeout=_PATIENCE, follow_redirects=True).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
    return "" if status < 400 else f"status {status}"  # noqa: PLR2004  # from here on, HTTP speaks of errors

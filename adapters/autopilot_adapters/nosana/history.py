"""What a market's pay of today was worth at the past prices of NOS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from autopilot.kit.candles import at_past_prices
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device
from autopilot.model.market import Answer, PastRate, Quote


class NosanaHistory:
    """An *estimate*: markets pay in NOS and change that seldom, so the price of NOS is nearly all that moved.

    Nosana publishes neither its past pay nor its past queues: today's are taken for all hours. It costs one look at the markets
    and one request for the prices, which reach 90 days back.
    """

    def __init__(self, quotes: Callable[[Sequence[Device]], Sequence[Answer]], tokens: Tokens) -> None:
        self._quotes = quotes
        self._tokens = tokens

    def hours(self, devices: Sequence[Device], since: datetime) -> Sequence[PastRate]:
        """Every market that takes the devices, hour by hour, from an instant on. Raises Transient or Refused."""
        now = [answer for answer in self._quotes(devices) if isinstance(answer, Quote)]
        if not now:
            return []
        models = {device.id: device.model for device in devices}
        return list(at_past_prices(now, models, self._tokens.past("NOS", since)))

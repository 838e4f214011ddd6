"""What Render has paid: transfers of RENDER to the own wallet, seen on Solana.

Nobody publishes what the network owes a wallet: its statistics tell the work of each, and what all are due together. Nor does anybody
publish from which address it pays, so that is a setting; what others send to the wallet is no pay. A payout is for the work of a week
that closed before, of all GPUs that work for the wallet, wherever they are: no hour and no device of it is known, so it belongs to none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.clock import Clock
from autopilot.errors import AdapterError, Transient
from autopilot.kit.candles import REACH, Candle
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.node import NativeAmount, Payout
from autopilot.units import Usd, hour_start
from autopilot_adapters.render.estimate import TOKEN
from autopilot_adapters.render.settings import PayoutSettings
from autopilot_adapters.render.transfers import Sent, Solana

_NOBODY = DeviceId("")
_AT_ONCE = 20
"""Transactions that are looked at for one question: public endpoints are slow to forgive. What is left over is told the next time."""
_STALE = timedelta(days=1)
_MOST_WORTH = Decimal(10**6)
"""USD. The whole network shares some 50,000 a week."""


class WalletPayouts:
    """Remembers what it has looked at: a transaction never changes."""

    def __init__(self, network: NetworkId, http: Http, tokens: Tokens, clock: Clock, settings: PayoutSettings) -> None:
        self._venue = Venue(network)
        self._solana = Solana(http, settings.rpc_url.get_secret_value())
        self._tokens = tokens
        self._clock = clock
        self._wallet = settings.wallet
        self._payers = settings.payers
        self._looked: dict[str, Decimal | None] = {}
        self._told: dict[str, Payout] = {}

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """Those of the last 90 days that were sent after the instant, oldest first. Raises Transient or Refused."""
        start = max(since, self._clock.now() - REACH)
        sent = {each.signature: each for account in self._solana.accounts(self._wallet) for each in self._solana.sent(account)}
        new = sorted((each for each in sent.values() if each.at > start), key=lambda each: (each.at, each.signature))
        paid = self._look(new)
        self._price([each for each in paid if each.signature not in self._told], start)
        return [self._told[each.signature] for each in paid if each.signature in self._told]

    def _look(self, sent: Sequence[Sent]) -> Sequence[Sent]:
        """Those that are pay, and were sent before the first that is still to be looked at: a second may hold several."""
        for each in [each for each in sent if each.signature not in self._looked][:_AT_ONCE]:
            self._looked[each.signature] = self._solana.received(each.signature, self._wallet, self._payers)
        left = next((each.at for each in sent if each.signature not in self._looked), None)
        return [each for each in sent if self._looked.get(each.signature) is not None and (left is None or each.at < left)]

    def _price(self, unpriced: Sequence[Sent], start: datetime) -> None:
        """By the price at the end of the hour before; for as long as that is not known, it and all later ones are not told."""
        past = self._past(start) if unpriced else ()
        for each in unpriced:
            amount, price = self._looked[each.signature], _price_at(past, each.at)
            if price is None or amount is None:
                return
            if amount * price > _MOST_WORTH:
                raise Transient(self._venue.network, f"{each.signature} moved {amount:f} RENDER at {price:f} $, which is beyond belief")
            native = NativeAmount(TOKEN, amount, price)
            self._told[each.signature] = Payout(each.signature, self._venue, _NOBODY, each.at, each.at, Usd.of(amount * price), native)

    def _past(self, start: datetime) -> Sequence[Candle]:
        try:
            return self._tokens.past(TOKEN, start - _STALE)
        except AdapterError as error:
            raise Transient(self._venue.network, f"what a payout in RENDER was worth is not known: {error}") from None


def _price_at(past: Sequence[Candle], at: datetime) -> Decimal | None:
    """None where the last price is more than a day older."""
    before = [candle for candle in past if candle.hour < hour_start(at)]
    return before[-1].usd if before and at - before[-1].hour <= _STALE else None

"""A wallet on Solana, its transactions, and what RENDER was worth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.model.node import Payout
from autopilot.sim.clock import SimClock
from autopilot_adapters.render.adapter import Render
from autopilot_adapters.render.payouts import WalletPayouts
from autopilot_adapters.render.settings import RenderSettings
from autopilot_adapters.render.transfers import MINT

NOW = datetime(2025, 10, 31, 1, 30, tzinfo=UTC)
DAY = timedelta(days=1)
OURS, PAYER, OTHER, ACCOUNT = ("11111111111111111111111111111111"[:-1] + letter for letter in "ABCD")
KEY = "k3y0f7he9rpc1pr0vider5abcdef"
SETTINGS = {"wallet": OURS, "payers": [PAYER], "rpc_url": f"https://rpc.example.com/{KEY}"}


def balances(**tokens: float) -> list[dict[str, Any]]:
    """As a transaction lists them, in RENDER; and one in another token."""
    owners = {"ours": OURS, "payer": PAYER, "other": OTHER}
    rows = [(owners[name], MINT, round(amount * 10**8)) for name, amount in tokens.items()]
    rows.append((OURS, "nosXBVoaCTtYdLvKY6Csb4AC8JCdQKKAaWYtx2ZMoo7", 7))
    return [{"accountIndex": 1, "mint": mint, "owner": owner, "uiTokenAmount": {"amount": f"{amount}"}} for owner, mint, amount in rows]


def moved(before: list[dict[str, Any]], after: list[dict[str, Any]], err: Any = None) -> dict[str, Any]:
    """A transaction."""
    return {"blockTime": 1, "meta": {"err": err, "preTokenBalances": before, "postTokenBalances": after}}


PAY = moved(balances(payer=500), balances(payer=380, ours=20.5, other=99.5))


class World:
    """An endpoint of Solana and CoinGecko. Transactions by signature, with the hours since they were sent."""

    def __init__(self, **transactions: tuple[float, Any]) -> None:
        self.clock = SimClock(NOW)
        self.transactions = transactions
        self.accounts = [{"pubkey": ACCOUNT}]
        self.prices = [[int((NOW - timedelta(hours=hour)).timestamp() * 1000), 2.0 + hour] for hour in range(100, 0, -1)]
        self.chart = 200
        self.error: Any = None
        self.asked: list[str] = []

    def serve(self, request: httpx.Request) -> httpx.Response:
        """Either host."""
        if request.url.host == "api.coingecko.com":
            self.asked.append("chart")
            return httpx.Response(self.chart, json={"prices": self.prices})
        asked = json.loads(request.content)
        self.asked.append(asked["method"])
        body = {"error": self.error} if self.error else {"result": self.result(asked["method"], asked["params"])}
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, **body})

    def result(self, method: str, params: Sequence[Any]) -> Any:
        """What a method gives."""
        if method == "getTokenAccountsByOwner":
            return {"value": self.accounts} if params[:2] == [OURS, {"mint": MINT}] else {"value": []}
        if method == "getTransaction":
            return self.transactions[params[0]][1]
        times = {name: int((NOW - timedelta(hours=hours)).timestamp()) for name, (hours, _) in self.transactions.items()}
        return [{"signature": name, "err": None, "blockTime": at} for name, at in sorted(times.items(), key=lambda each: -each[1])]

    def source(self, folder: Path) -> WalletPayouts:
        """The adapter's."""
        http = Http(self.clock, network="render", transport=httpx.MockTransport(self.serve))
        kit = Kit(NetworkId("render"), self.clock, [Device(DeviceId("gpu-0"), "RTX 4090")], folder, http, Tokens(http, self.clock))
        source = Render(RenderSettings.model_validate({"payouts": SETTINGS}), kit).payouts

        assert source
        return source

    def told(self, folder: Path) -> Sequence[Payout]:
        """Of the last week."""
        return self.source(folder).payouts(NOW - 7 * DAY)

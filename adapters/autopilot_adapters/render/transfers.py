"""RENDER that came into a wallet, as Solana's JSON-RPC tells it: the token accounts of the wallet, their transactions, what each moved.

Sources: Solana's documents of ``getTokenAccountsByOwner``, ``getSignaturesForAddress`` and ``getTransaction``. A transfer names token
accounts and not the wallet, so the accounts are what must be asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from autopilot.errors import Transient
from autopilot.kit.http import Http
from autopilot.kit.reading import Field
from autopilot.kit.redaction import hide, secrets_of

MINT = "rndrizKT3MK1iimdxRdWabcF7Zg7AR5T4nud4EkHBof"
_UNIT = Decimal("1e-8")
_MOST = 10**17
"""A thousand million RENDER, in their smallest part: more than there are."""
_MOST_ROWS = 1000
"""Of one answer: the newest; the server gives no more."""
_LAST_INSTANT = 10**11


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that touched one of the wallet's token accounts."""

    signature: str
    at: datetime


class Solana:
    """One endpoint. Every call raises Transient or Refused."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = url

    def accounts(self, wallet: str) -> Sequence[str]:
        """The wallet's accounts of RENDER; none before it was ever paid."""
        found = self._ask("getTokenAccountsByOwner", [wallet, {"mint": MINT}, {"encoding": "jsonParsed"}])
        return [row.member("pubkey").text() for row in found.member("value").items()]

    def sent(self, account: str) -> Sequence[Sent]:
        """Its newest transactions that succeeded, newest first."""
        rows = self._ask("getSignaturesForAddress", [account, {"limit": _MOST_ROWS}]).items()
        done = [row for row in rows if row.member("err").absent and not row.member("blockTime").absent]
        return [Sent(row.member("signature").text(), _instant(row.member("blockTime"))) for row in done]

    def received(self, signature: str, wallet: str, payers: Collection[str]) -> Decimal | None:
        """RENDER that the payers sent to the wallet; none where others did, or where it went the other way.

        Raises Transient where the endpoint does not have the transaction yet.
        """
        asked = {"encoding": "jsonParsed", "maxSupportedTransactionVersion": 0}
        meta = self._ask("getTransaction", [signature, asked]).member("meta")
        if not meta.member("err").absent:
            return None
        moved = _moved(meta)
        gained, given = moved.get(wallet, 0), -sum(moved.get(payer, 0) for payer in payers)
        return gained * _UNIT if 0 < gained <= given else None

    def _ask(self, method: str, params: Sequence[Any]) -> Field:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = Field(self._http.network, f"{method}:", self._http.post(self._url, asked, repeatable=True).json)
        if isinstance(answer.value, dict) and answer.value.get("error") is not None:
            told = hide(ascii(answer.value["error"]), secrets_of(self._url, {}))
            raise Transient(self._http.network, f"{method}: the endpoint answers with an error: {told[:120]}")
        return answer.member("result")


def _moved(meta: Field) -> Mapping[str, int]:
    """By how much the RENDER of each owner became more, in its smallest part."""
    moved: dict[str, int] = {}
    for name, sign in (("preTokenBalances", -1), ("postTokenBalances", 1)):
        for row in meta.member(name).items():
            if row.member("mint").value == MINT:
                owner = row.member("owner").text()
                moved[owner] = moved.get(owner, 0) + sign * row.member("uiTokenAmount").member("amount").count(0, _MOST)
    return moved


def _instant(field: Field) -> datetime:
    return datetime.fromtimestamp(field.count(0, _LAST_INSTANT), UTC)

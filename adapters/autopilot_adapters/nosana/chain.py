"""Nosana's accounts, read straight from Solana by JSON-RPC.

The public endpoint answers 429 quickly, ``getProgramAccounts`` first of all: calls are few, go out one at a time, and wait for the next
poll where it says no. A provider's address may carry a key, so it is a secret.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import base58

from autopilot.errors import Transient
from autopilot.kit.http import Http
from autopilot.kit.redaction import hide, secrets_of, shown
from autopilot_adapters.nosana import codec
from autopilot_adapters.nosana.reading import Nonsense, Told, listed, member, whole

RPC = "https://api.mainnet-beta.solana.com"
_MOST_ROWS = 20_000
_MOST_SLOT = 10**12
_PATIENCE = timedelta(seconds=15)
_QUEUED_OR_RUNNING = bytes([0])
_AS_BYTES = {"encoding": "base64", "commitment": "confirmed"}
"""Without a commitment Solana answers of a block that is final, some 13 s ago: a job that was given since then would not be seen."""

T = TypeVar("T")


Accounts = Mapping[str, codec.MarketAccount | None]
"""By address; None where the chain has no account there."""


class Chain:
    """The questions that are asked of the chain. Each raises Transient or Refused."""

    def __init__(self, http: Http, url: str = RPC) -> None:
        self._http = http
        self._url = url
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return f"Chain({shown(self._url)!r})"

    def markets(self, addresses: Sequence[str]) -> Told[Accounts]:
        """The accounts of these markets, in one call: some fifty exist, and a hundred fit."""
        asked = [list(addresses), _AS_BYTES]
        (accounts, slot), seen_at = self._call("getMultipleAccounts", asked, _market_accounts(addresses))
        return Told(accounts, seen_at, f"Solana's block {slot}")

    def runs(self) -> Told[Sequence[codec.RunAccount]]:
        """Every job that runs, in one call.

        That nothing runs in the whole network is no answer: then the endpoint has lost sight of the accounts.
        """
        runs, seen_at = self._accounts(codec.JOBS_PROGRAM, codec.RUN, codec.run_account)
        if not runs:
            raise Transient(self._http.network, f"{shown(self._url)} knows of no job that runs in the whole network")
        return Told(list(runs.values()), seen_at, "Solana")

    def jobs(self, addresses: Sequence[str]) -> Mapping[str, codec.JobAccount]:
        """These jobs, a hundred at most, in one call; one that the chain does not know is left out."""

        def read(result: Any) -> Mapping[str, codec.JobAccount]:
            rows = zip(addresses, _values(result, len(addresses)), strict=True)
            return {address: codec.job_account(_data(row, codec.JOBS_PROGRAM)) for address, row in rows if row is not None}

        return self._call("getMultipleAccounts", [list(addresses), _AS_BYTES], read)[0]

    def running(self, markets: Sequence[str]) -> Told[Mapping[str, int]]:
        """How many jobs run in each of the markets: those that a run account points at. One call, and one more for each market."""
        runs = self.runs()
        of_runs = {run.job for run in runs.value}
        counts = {}
        for market in markets:
            found = {codec.JOB_MARKET_AT: base58.b58decode(market), codec.JOB_STATE_AT: _QUEUED_OR_RUNNING}
            jobs, _ = self._accounts(codec.JOBS_PROGRAM, codec.JOB, codec.job_account, found)
            counts[market] = sum(1 for address, job in jobs.items() if address in of_runs and job.market == market)
        return Told(counts, runs.seen_at, "Solana")

    def xnos(self, node: str) -> int:
        """What the node has staked, in micro-xNOS; nothing where it has no stake account."""
        found = {codec.STAKE_AUTHORITY_AT: base58.b58decode(node)}
        stakes, _ = self._accounts(codec.STAKING_PROGRAM, codec.STAKE, codec.stake_account, found)
        return sum(stake.xnos for stake in stakes.values() if stake.authority == node)

    def _accounts(
        self, program: str, kind: codec.Kind, decode: Callable[[bytes], T], found: Mapping[int, bytes] | None = None
    ) -> tuple[Mapping[str, T], datetime]:
        """All accounts of a kind that hold these bytes at these places."""
        marks = {0: kind.mark, **{at: base58.b58encode(value).decode() for at, value in (found or {}).items()}}
        filters = [{"memcmp": {"offset": at, "bytes": mark}} for at, mark in marks.items()]

        def read(result: Any) -> Mapping[str, T]:
            rows = listed(result, "getProgramAccounts:")
            if len(rows) > _MOST_ROWS:
                raise Nonsense(f"getProgramAccounts: has {len(rows)} accounts")
            return {str(member(row, "pubkey", "account")): decode(_data(member(row, "account", "account"), program)) for row in rows}

        return self._call("getProgramAccounts", [program, {**_AS_BYTES, "filters": filters}], read)

    def _call(self, method: str, params: Sequence[Any], read: Callable[[Any], T]) -> tuple[T, datetime]:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        with self._turn:
            reply = self._http.post(self._url, asked, timeout=_PATIENCE, repeatable=True)
        try:
            return read(_result(reply.json)), reply.seen_at
        except Nonsense as error:
            told = hide(str(error), secrets_of(self._url, {}))
            raise Transient(self._http.network, f"{shown(self._url)} {method}: {told}") from None


def _result(json: Any) -> Any:
    """What was asked for. Errors come with HTTP 200: -32005 says that the node is behind or asked too often."""
    if isinstance(json, dict) and json.get("error") is not None:
        error = json["error"]
        code, message = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
        raise Nonsense(f"error {code!a:.20}: {message!a:.120}")
    return member(json, "result", "the answer")


def _market_accounts(addresses: Sequence[str]) -> Callable[[Any], tuple[Accounts, int]]:
    def read(result: Any) -> tuple[Accounts, int]:
        slot = whole(member(member(result, "context", "result"), "slot", "context"), "context.slot", _MOST_SLOT)
        rows = _values(result, len(addresses))
        if all(row is None for row in rows):
            raise Nonsense("none of the markets is on this chain: is rpc_url one of Solana's mainnet?")
        found = (None if row is None else codec.market_account(_data(row, codec.JOBS_PROGRAM)) for row in rows)
        return dict(zip(addresses, found, strict=True)), slot

    return read


def _values(result: Any, asked: int) -> list[Any]:
    rows = listed(member(result, "value", "result"), "value")
    if len(rows) != asked:
        raise Nonsense(f"{len(rows)} accounts for {asked} addresses")
    return rows


def _data(account: Any, program: str) -> bytes:
    owner, data = member(account, "owner", "account"), member(account, "data", "account")
    if owner != program:
        raise Nonsense(f"an account belongs to {owner!a:.60}, not to {program}")
    if not (isinstance(data, list) and len(data) == 2 and data[1] == "base64" and isinstance(data[0], str)):  # noqa: PLR2004
        raise Nonsense(f"account.data is {data!a:.40}, no bytes in base64")
    try:
        return base64.b64decode(data[0], validate=True)
    except (binascii.Error, ValueError):
        raise Nonsense(f"account.data is {data[0]!a:.40}, no base64") from None

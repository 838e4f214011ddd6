"""What every network owes and pays, summed up from the ledger. What nobody told is None, and never zero."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from autopilot.model.device import IDLE
from autopilot.store.ledger import Kind
from autopilot.store.schema import instant, stamp
from autopilot.store.store import Store
from autopilot.units import Usd

_AT = "CASE kind WHEN 'paid' THEN \"end\" WHEN 'reported' THEN start ELSE hour END"
"""Earnings, costs and dark time belong to their hour, and what is owed for a day to that day; what was paid, to the end of its work."""
_WITHIN = f"FROM ledger WHERE {_AT} >= ? AND {_AT} < ?"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What was paid, or reported, in one token or in a network's credits."""

    token: str
    amount: Decimal
    usd_then: Usd
    """At the price of each payout's time."""
    kind: Kind = Kind.PAID
    """Paid or reported. What was reported may have been paid since, and then stands under both."""


@dataclass(frozen=True, slots=True)
class Account:
    """One network over a span of time."""

    network: str
    day: str
    """The day in UTC, where accounts are kept by the day; else empty."""
    accrued: Usd | None
    """Our estimate. None where nothing was ever known of a rate."""
    reported: Usd | None
    """What the network says it owes; None where it reports nothing."""
    paid: Usd | None
    """None where no payout was told, seen or entered."""
    power: Usd | None
    """None where no draw is known."""
    fees: Usd
    dark: timedelta
    tokens: tuple[Tokens, ...] = ()
    payouts: int = 0
    refs: tuple[str, ...] = ()
    """Their ids, where accounts are kept by the day: hashes of transactions, jobs, or what a person entered."""

    @property
    def net(self) -> Usd | None:
        """Paid, or accrued where no payout is known, less fees and power as far as they are known; None where neither is."""
        income = self.paid if self.paid is not None else Usd(0) if self.idle else self.accrued
        return None if income is None else income - self.fees - (self.power or Usd(0))

    @property
    def idle(self) -> bool:
        """Whether it stands for the time at no network, of which nobody tells or pays anything."""
        return self.network == IDLE.network


class _Sum(NamedTuple):
    amount: Usd
    span: timedelta
    rows: int


class _Paid(NamedTuple):
    refs: list[str]
    tokens: dict[tuple[Kind, str], Tokens]


@dataclass(frozen=True, slots=True)
class Span:
    """From one instant to another, exclusive; None is as far as there is anything."""

    start: datetime | None = None
    end: datetime | None = None

    def rows(self) -> tuple[str, tuple[str, ...]]:
        """Those of the ledger, with the instants that they are compared with. Of all of them, none is."""
        if self.start is None and self.end is None:
            return "FROM ledger WHERE true", ()
        return _WITHIN, (stamp(self.start) if self.start else "", stamp(self.end) if self.end else "~")


def accounts(store: Store, span: Span, *, daily: bool = False) -> list[Account]:
    """One for each network, or for each day and network, in this order."""
    day = f"substr({_AT}, 1, 10)" if daily else "''"
    within, stamps = span.rows()
    # Without the day, these are groups in the order of the rows themselves: a year of them is then summed up as it is read.
    rows = store.connection.execute(
        f"SELECT {day}, network, kind, sum(amount_nanos), sum(micros), count(*) {within} GROUP BY kind, network{', 1' if daily else ''}",
        stamps,
    )
    sums: dict[tuple[str, str], dict[Kind, _Sum]] = defaultdict(dict)
    for at, network, kind, nanos, micros, count in rows:
        sums[at, network][Kind(kind)] = _Sum(Usd(nanos), timedelta(microseconds=micros), count)
    paid = _paid(store, span, day, refs=daily)
    return [_account(key, sums[key], paid.get(key, _Paid([], {}))) for key in sorted(sums)]


def _account(key: tuple[str, str], sums: Mapping[Kind, _Sum], paid: _Paid) -> Account:
    money = {kind: each.amount for kind, each in sums.items()}
    nothing = _Sum(Usd(0), timedelta(0), 0)
    return Account(
        key[1],
        key[0],
        money.get(Kind.EARNED),
        money.get(Kind.REPORTED),
        money.get(Kind.PAID),
        money.get(Kind.POWER),
        money.get(Kind.FEE, Usd(0)),
        sums.get(Kind.DARK, nothing).span,
        tuple(paid.tokens.values()),
        sums.get(Kind.PAID, nothing).rows,
        tuple(paid.refs),
    )


def _paid(store: Store, span: Span, day: str, *, refs: bool) -> dict[tuple[str, str], _Paid]:
    """The payouts one by one, where their ids are wanted, or else those in tokens: a year has tens of thousands."""
    which = "(kind = 'paid' OR token IS NOT NULL)" if refs else "token IS NOT NULL"  # of the latter there is an index
    within, stamps = span.rows()
    rows = store.connection.execute(
        f'SELECT {day}, network, kind, ref, amount_nanos, token, token_amount {within} AND {which} ORDER BY kind, "end", ref', stamps
    )
    found: dict[tuple[str, str], _Paid] = {}
    for at, network, name, ref, nanos, token, amount in rows:
        own, kind = found.setdefault((at, network), _Paid([], {})), Kind(name)
        if refs and kind is Kind.PAID:
            own.refs.append(ref)
        if token is not None:
            known = own.tokens.get((kind, token), Tokens(token, Decimal(0), Usd(0), kind))
            own.tokens[kind, token] = replace(known, amount=known.amount + Decimal(amount), usd_then=known.usd_then + Usd(nanos))
    return found


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """The newest price of a token that is on record."""

    usd: Decimal
    as_of: datetime


def newest_price(store: Store, network: str, token: str) -> TokenPrice | None:
    """From the network's quotes and payouts in this token; None where there was none."""
    known = [price for price in (_quoted(store, network, token), _paid_at(store, network, token)) if price is not None]
    return max(known, key=lambda price: price.as_of, default=None)


def _quoted(store: Store, network: str, token: str) -> TokenPrice | None:
    rows = store.connection.execute(
        "SELECT detail FROM quotes WHERE network = ? AND detail LIKE '%\"native\"%' ORDER BY id DESC LIMIT 100", (network,)
    )
    for (detail,) in rows:
        name, _, usd, as_of = json.loads(detail)["native"]
        if name == token:
            return TokenPrice(Decimal(usd), instant(as_of))
    return None


def _paid_at(store: Store, network: str, token: str) -> TokenPrice | None:
    row = store.connection.execute(
        'SELECT usd_per_token, "end" FROM ledger WHERE kind IN (?, ?) AND network = ? AND token = ? ORDER BY "end" DESC LIMIT 1',
        (Kind.PAID, Kind.REPORTED, network, token),
    ).fetchone()
    return row and TokenPrice(Decimal(row[0]), instant(row[1]))

"""``autopilot ledger``: what was earned by our estimate, what the networks report and pay, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autopilot.cli import options
from autopilot.cli.options import ConfigOption, JsonFlag, StateOption
from autopilot.cli.state import looked_at, state_of
from autopilot.cli.tables import CsvFlag, Row
from autopilot.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.text import Text

    from autopilot.model.node import Payout
    from autopilot.store.accounts import Account, Span, TokenPrice
    from autopilot.store.store import Store

app = typer.Typer(
    help="What was earned, reported and paid, and what it cost; add payouts, export for the tax office.", rich_markup_mode=None
)

_SinceOption = Annotated[str | None, typer.Option(help="From this time on: ISO 8601 with its zone.")]
_UntilOption = Annotated[str | None, typer.Option(help="Up to this time, exclusive: ISO 8601 with its zone.")]
_ReportedFlag = Annotated[bool, typer.Option("--reported", help="The network says that it owes this; it is not paid yet.")]
_MONEY = ("accrued", "reported", "paid", "power", "fees", "net")
COLUMNS = (
    *("network", "accrued_usd", "reported_usd", "paid_usd", "power_usd", "fees_usd", "net_usd", "net_is_of", "dark_hours"),
    *("payouts", "token", "token_is", "token_amount", "token_usd_then", "token_usd_now", "token_price_as_of"),
)
_FILE = ("network", "amount_usd", "at", "ref", "token", "token_amount")


@app.callback(invoke_without_command=True)
def ledger(
    context: typer.Context,
    *,
    since: _SinceOption = None,
    until: _UntilOption = None,
    state: StateOption = None,
    config: ConfigOption = None,
    as_json: JsonFlag = False,
    as_csv: CsvFlag = False,
) -> None:
    """Show, for each network, what accrued by our estimate, what it reports and pays, power, fees, dark time, and paid against quoted."""
    if context.invoked_subcommand is not None:
        return
    from autopilot.cli.tables import print_csv, print_json
    from autopilot.store.accounts import accounts

    span = _span(since, until)
    with looked_at(state, config) as (store, now):
        every = accounts(store, span)
        prices = _prices(store, every)
        known = _learned(store)
    if as_json:
        print_json({"at": now.isoformat(), "networks": [_row(each, prices) for each in every], "paid_of_quoted": known})
    elif as_csv:
        print_csv(COLUMNS, [_row(each, prices) for each in every])
    else:
        _show(every, prices, known)


@app.command("add")
def add(
    network: Annotated[str, typer.Argument(help="The network that paid.")],
    amount: Annotated[str, typer.Argument(help="What it was worth at the time, in USD.")],
    *,
    at: Annotated[str, typer.Option(help="When it was paid: ISO 8601 with its zone.")],
    ref: Annotated[str | None, typer.Option(help="The transaction's hash, or whatever names the payout.")] = None,
    token: Annotated[str | None, typer.Option(help="What it was paid in, e.g. '12.5 NOS'.")] = None,
    reported: _ReportedFlag = False,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Book a payout that you saw, of a network that does not tell its payouts itself. Twice with the same --ref is once."""
    number, _, name = (token or "").partition(" ")
    row = {"network": network, "amount_usd": amount, "at": at, "ref": ref or "", "token": name.strip(), "token_amount": number}
    if token is not None and not name.strip():
        raise ConfigError(f"--token: {token!r} has no amount and name; write '12.5 NOS'")
    _book(state or state_of(config), [_payout(row, "ledger add", settled=not reported)])


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV: network,amount_usd,at,ref and, if you like, token,token_amount.")],
    *,
    reported: _ReportedFlag = False,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Book the payouts of a file: all of them or none, and twice is the same as once."""
    import csv

    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in _FILE[:3] if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{file}: has no column {' and '.join(missing)}; the columns are {','.join(_FILE)}")
            payouts = [_payout(row, f"{file}, line {number}", settled=not reported) for number, row in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read: {error}") from None
    _book(state or state_of(config), payouts)


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="What to write: a .csv.")],
    *,
    since: _SinceOption = None,
    until: _UntilOption = None,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Write one row a day (UTC) and network, with the ids of the payouts: for the tax office."""
    from autopilot.store.exports import export_ledger

    with looked_at(state, config) as (store, _):
        count = export_ledger(store, out, _span(since, until))
    typer.echo(f"{out}: {count:,} rows")


def _span(since: str | None, until: str | None) -> Span:
    from autopilot.store.accounts import Span

    return Span(options.at("--since", since) if since else None, options.at("--until", until) if until else None)


def _payout(row: Mapping[str, str | None], where: str, *, settled: bool) -> Payout:
    """Raises ConfigError, which says where. What has no name of its own is named by when and how much it was."""
    from autopilot.model.device import DeviceId, NetworkId, Venue
    from autopilot.model.node import NativeAmount, Payout
    from autopilot.units import Usd

    told = {name: (row.get(name) or "").strip() for name in _FILE}
    if not told["network"]:
        raise ConfigError(f"{where}: a payout needs the network that paid it")
    amount, at = options.amount(f"{where}: amount", told["amount_usd"], Usd), options.at(f"{where}: at", told["at"])
    native = None
    if told["token"]:
        tokens = options.number(f"{where}: token", told["token_amount"])
        native = NativeAmount(told["token"], tokens, Decimal(amount.count).scaleb(-9) / tokens)
    ref = told["ref"] or f"{at:%Y-%m-%dT%H:%M:%SZ} {float(amount):g} $"
    return Payout(ref, Venue(NetworkId(told["network"])), DeviceId(""), at, at, amount, native, settled)


def _book(path: Path, payouts: Sequence[Payout]) -> None:
    """In one short transaction, which the daemon's own wait for. Raises StoreError where there is no state file."""
    from autopilot.store.store import Store

    Store.read_only(path).close()  # a mistyped name must not make a new file
    with closing(Store.open(path)) as store, store.atomic():
        new = {each.id: each for each in payouts if not store.ledger.knows(each.venue.network, each.id, settled=each.settled)}
        store.ledger.paid(new.values())
    again = len(payouts) - len(new)
    typer.echo(f"{len(new)} booked" + (f", {again} there already" if again else ""))


def _prices(store: Store, every: Sequence[Account]) -> dict[tuple[str, str], TokenPrice | None]:
    from autopilot.store.accounts import newest_price

    return {(each.network, paid.token): newest_price(store, each.network, paid.token) for each in every for paid in each.tokens}


def _learned(store: Store) -> list[dict[str, Any]]:
    """What each venue pays of what it quotes, with the interval that two standard errors make."""
    from autopilot.realised import SURE, factor
    from autopilot.store.context import unpack_realised

    return [
        {
            "venue": str(venue),
            "model": model,
            "ratio": known.ratio,
            "low": known.ratio - SURE * known.error,
            "high": known.ratio + SURE * known.error,
            "hours": known.hours,
            "counted_as": factor(known),
        }
        for (venue, model), known in sorted(unpack_realised(store.journal.newest_context()).items())
    ]


def _row(each: Account, prices: Mapping[tuple[str, str], TokenPrice | None]) -> Row:
    """As JSON and CSV have it. What nobody told is null."""
    now = [prices[each.network, paid.token] for paid in each.tokens]
    figures = {
        "network": each.network,
        "accrued_usd": _float(each.accrued),
        "reported_usd": _float(each.reported),
        "paid_usd": _float(each.paid),
        "power_usd": _float(each.power),
        "fees_usd": float(each.fees),
        "net_usd": _float(each.net),
        "net_is_of": "paid" if each.paid is not None else "accrued" if each.accrued is not None else None,
        "dark_hours": each.dark.total_seconds() / 3600,
        "payouts": each.payouts,
        "token": [paid.token for paid in each.tokens],
        "token_is": [paid.kind.value for paid in each.tokens],
        "token_amount": [f"{paid.amount:f}" for paid in each.tokens],
        "token_usd_then": [float(paid.usd_then) for paid in each.tokens],
        "token_usd_now": [price and float(price.usd * paid.amount) for price, paid in zip(now, each.tokens, strict=True)],
        "token_price_as_of": [price and price.as_of.isoformat() for price in now],
    }
    return {name: figures[name] for name in COLUMNS}


def _float(amount: Any) -> float | None:
    return None if amount is None else float(amount)


def _show(every: Sequence[Account], prices: Mapping[tuple[str, str], TokenPrice | None], known: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console

    from autopilot.cli.tables import table
    from autopilot.dashboard.marks import QUIET
    from autopilot.dashboard.words import plain

    if not every:
        typer.echo("nothing is booked in that time; `autopilot run` books, and `autopilot ledger add` takes what you saw paid")
        return
    console = Console(highlight=False)
    money = table("What the networks owe and pay, $", "network", *_MONEY, "dark", figures=(*_MONEY, "dark"))
    for each in every:
        money.add_row(*_cells(each))
    console.print(money)
    for line in (*_tokens(every, prices), "net: paid, or where no payout is known accrued (~), less power and fees"):
        console.print(line, style=QUIET, markup=False)
    if known:
        names = ("paid/quoted", "95 %", "hours", "counted as")
        ratios = table("What was paid of what was quoted for the same hours", "venue", "GPU", *names, figures=names)
        for own in known:
            interval = f"{own['low']:.3f}–{own['high']:.3f}"
            counted = f"{own['counted_as']:.3f}" if own["counted_as"] != 1.0 else "quoted"
            ratios.add_row(plain(own["venue"]), plain(own["model"]), f"{own['ratio']:.3f}", interval, f"{own['hours']:.0f}", counted)
        console.print(ratios)


def _cells(each: Account) -> Iterator[Text]:
    from rich.text import Text

    from autopilot.dashboard.marks import QUIET
    from autopilot.dashboard.words import money, plain, span

    yield Text(plain(each.network))
    told = ((each.accrued, "unknown"), (each.reported, "not reported"), (each.paid, "not reported"), (each.power, "unknown"))
    for amount, missing in told:
        yield Text("–" if each.idle else missing, QUIET) if amount is None else Text(money(amount))
    yield Text(money(each.fees))
    yield (
        Text("unknown", QUIET)
        if each.net is None
        else Text(f"{'' if each.paid is not None or each.idle else '~'}{money(each.net)}", "bold")
    )
    yield Text(span(each.dark))


def _tokens(every: Sequence[Account], prices: Mapping[tuple[str, str], TokenPrice | None]) -> Iterator[str]:
    """What was paid or reported in tokens or credits: then, and at the newest price on record."""
    from autopilot.dashboard.words import money, plain

    for each in every:
        for paid in each.tokens:
            price = prices[each.network, paid.token]
            now = (
                "today's price is not known"
                if price is None
                else (f"{money(price.usd * paid.amount)} $ at the price of {price.as_of:%Y-%m-%d %H:%M} UTC")
            )
            yield plain(f"{each.network}: {paid.amount:f} {paid.token} were {money(paid.usd_then)} $ when {paid.kind}; {now}")

"""The page of the real rig, by its state file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from autopilot.dashboard.pulse import pulse, troubles
from autopilot.dashboard.reading import read
from autopilot.dashboard.reasons import recalled
from autopilot.dashboard.snapshot import DeviceNow, Snapshot
from autopilot.dashboard.trips import Trip, trips
from autopilot.dashboard.words import counted, money, span
from autopilot.errors import ConfigError
from autopilot.model.device import IDLE
from autopilot.model.switch import State
from autopilot.model.view import View
from autopilot.report import occupancies, switch_costs
from autopilot.report.drawing import allocation, bars, colours, lines, market, undrawn
from autopilot.report.recorded import Recorded, Terms, foreseen, recorded, stayed
from autopilot.report.records import instants, marks, net_curve, strips
from autopilot.report.shapes import DARK, Curve, Page, Part, Table
from autopilot.store.accounts import Account, Span, accounts
from autopilot.store.journal import Arrival
from autopilot.store.ledger import Kind
from autopilot.store.store import Store
from autopilot.units import HOUR, Usd, divide_rounded, hour_start

_RIG = "the rig"
_BEST = "perfect foresight"
_STAYED = "without a move"
_FACTORS = (0.5, 1, 2, 4)


@dataclass(frozen=True, slots=True)
class _Life:
    """What the state file has of the hours that are told."""

    start: datetime
    end: datetime
    """A full hour, as the start is: what is not over is not told."""
    snapshot: Snapshot
    view: View
    made: Sequence[Trip]
    arrivals: Sequence[Arrival]
    seen: Recorded
    net: Curve
    paid: Curve | None
    """None where no payout was seen or entered."""
    booked: Sequence[Account]

    @property
    def hours(self) -> int:
        """How many are told."""
        return (self.end - self.start) // HOUR

    @property
    def terms(self) -> Terms | None:
        """The median dark time of its own switches, and the mean of the fees that were booked; None where none has settled."""
        settled = [each for each in self.made if each.switch.state is State.SETTLED]
        if not settled:
            return None
        fees = [each.fee or Usd(0) for each in settled]
        return Terms(
            timedelta(seconds=median(each.dark.total_seconds() for each in settled)),
            Usd(divide_rounded(sum(fees, Usd(0)).count, len(fees))),
        )


def page(store: Store, now: datetime, since: datetime) -> Page:
    """All that is known of the rig from an instant on. Raises ConfigError where that is nothing, StoreError."""
    life = _life(store, now, since)
    held = _held(life)
    days = f"{life.start:%Y-%m-%d %H:%M} to {life.end:%Y-%m-%d %H:%M} UTC"
    beat = life.snapshot.heartbeat
    how = "" if beat is None else f" Flown by {beat.strategy}{'' if beat.live else ', dry: nothing was moved'}."
    return Page(
        f"{counted(len(life.view.devices), 'GPU')}, {span(life.end - life.start)}",
        f"{days}, from {store.connection.path}.{how} All amounts are USD, all times UTC.",
        list(_summary(life, held)),
        [
            _present(life.snapshot),
            _books(life.booked),
            *_earnings(life, held),
            *_places(life),
            switch_costs.part({_RIG: life.made}),
            occupancies.part({_RIG: store}),
            _other_terms(life),
        ],
        gpus=[device.label for device in life.view.devices],
    )


def _life(store: Store, now: datetime, since: datetime) -> _Life:
    ruling = next(store.journal.newest_rulings(), None)
    arrivals = store.journal.arrivals()
    first = next(store.journal.rulings(), None)
    if ruling is None or first is None:
        raise ConfigError("nothing was decided yet, so there is nothing to report; `autopilot run` decides after its first poll")
    start, end = hour_start(max(since, min([first.at, *(each.at for each in arrivals[:1])]))), hour_start(now)
    if start >= end:
        raise ConfigError("not one full hour has passed since then; try again later, or an earlier --since")
    at = instants(start, end)
    booked = accounts(store, Span(start, end))
    paid = any(each.paid is not None for each in booked)
    made = [each for each in trips(store, now) if start <= each.switch.opened_at < end]
    return _Life(
        start,
        end,
        read(store, now),
        recalled(store.rates, ruling),
        made,
        arrivals,
        recorded(store, start, (end - start) // HOUR),
        net_curve(store, "net, by our own estimate", Kind.EARNED, at),
        net_curve(store, "net, by what was paid", Kind.PAID, at) if paid else None,
        booked,
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """What the rig is held against; None where it is not known."""

    stayed: Curve | None
    best: Curve | None


def _held(life: _Life) -> _Held:
    at = [moment for moment, _ in life.net.points]
    still = stayed(life.seen, life.arrivals, life.view)
    best = foreseen(life.seen, life.view, life.terms) if life.terms else None
    return _Held(_reference(_STAYED, at, still), _reference(_BEST, at, best))


def _reference(name: str, at: Sequence[datetime], sums: Sequence[float] | None) -> Curve | None:
    return None if sums is None else Curve(name, [(moment, sums[(moment - at[0]) // HOUR]) for moment in at], reference=True)


def _last(curve: Curve) -> float:
    return curve.points[-1][1] or 0.0


def _summary(life: _Life, held: _Held) -> Iterator[str]:
    net = _last(life.net)
    each = money(net * 24 / (life.hours * len(life.view.devices)), 3)
    told = "no payout was seen or entered" if life.paid is None else f"by what was paid, {money(_last(life.paid))} USD"
    yield f"Net {money(net)} USD by our own estimate, {each} USD a GPU and day; {told}."
    still, best = held.stayed, held.best
    moved = "What it would have been without a move is not known"
    if still is not None:
        moved = f"Without a move it would have been about {money(_last(still))} USD"
    missed = (
        "" if best is None or _last(best) <= 0 else f"; about {money(100 * (1 - net / _last(best)), 1)} % of perfect foresight was missed"
    )
    yield f"{moved}{missed}."
    dark = sum((each.dark for each in life.booked), timedelta(0))
    words = next(troubles(life.snapshot.heartbeat), "")
    yield f"{counted(len(life.made), 'switch', 'switches')}, {money(dark / HOUR, 1)} h dark. {words or pulse(life.snapshot)[0]}."


def _present(snapshot: Snapshot) -> Part:
    table = Table(("GPU", "model", "venue", "since", "$/h net"), [_device(each) for each in snapshot.devices], words=3)
    return Part("Now", [f"At {snapshot.at:%Y-%m-%d %H:%M}.", *troubles(snapshot.heartbeat)], tables=[table])


def _device(each: DeviceNow) -> tuple[str, ...]:
    venue = (
        f"fenced: {each.fence}"
        if each.fence
        else f"to {each.switch.switch.target}: {each.switch.switch.state}"
        if each.switch
        else each.venue
    )
    since = "not known" if each.since is None else f"{each.since:%Y-%m-%d %H:%M}"
    return each.device.label, each.device.model, str(venue), since, "not known" if each.rate is None else money(each.rate, 3)


def _books(booked: Sequence[Account]) -> Part:
    columns = ("network", "accrued $", "reported $", "paid $", "power $", "fees $", "dark h", "net $")
    words = "Accrued is our own estimate; net is what was paid, or where no payout is known what accrued, less fees and power."
    return Part("The books", [words], tables=[Table(columns, [_account(each) for each in booked])])


def _account(each: Account) -> tuple[str, ...]:
    sums = (each.accrued, each.reported, each.paid, each.power, each.fees)
    told = ("–" if amount is None else money(amount) for amount in sums)
    return each.network, *told, money(each.dark / HOUR, 1), "not known" if each.net is None else money(each.net)


def _earnings(life: _Life, held: _Held) -> Iterator[Part]:
    words = ["Net of fees and power, summed up over time. Without a move: every GPU where it was first, by the rates that were quoted."]
    if life.paid is None:
        words.append("No payout was seen or entered: the line of what was paid is missing, not zero.")
    if held.stayed is None:
        words.append("What it would have been without a move is not known: of a GPU, where it was first, or what was paid there.")
    unknown = (
        "Perfect foresight is not known: no switch has settled, so nobody knows what a move takes here; or a GPU has no recorded rate."
    )
    if life.terms and held.best:
        took = f"{span(life.terms.downtime)} dark and {money(life.terms.fee, 3)} USD"
        words.append(f"Perfect foresight is an estimate: by the rates that were quoted, a move taking what it took on average, {took}.")
    else:
        words.append(unknown)
    drawn = [curve for curve in (life.net, life.paid, held.stayed, held.best) if curve]
    yield Part("Earnings, USD", words, lines(drawn))
    if held.best is None:
        yield Part("Regret over time, USD", [unknown])
        return
    pairs = zip(held.best.points, life.net.points, strict=True)
    missed = Curve(_RIG, [(at, (best or 0) - (net or 0)) for (at, best), (_, net) in pairs])
    yield Part("Regret over time, USD", ["What perfect foresight had netted more by then."], lines([missed]))


def _places(life: _Life) -> Iterator[Part]:
    seen = [str(venue) for venue, _ in life.seen.shown]
    been = [str(each.venue) for each in life.arrivals] + [str(each.switch.target) for each in life.made]
    painted = colours([*sorted({*seen, *been} - {str(IDLE)}), str(IDLE), DARK])
    within = (life.start, life.end)
    drawn = list(strips(life.arrivals, life.made, life.view.devices, "", within))
    words = "Which venue each GPU was at. Where nothing is drawn, nobody knows."
    yield Part("Where the GPUs were", [words], allocation(drawn, painted, within), venues=list(painted.items()))
    moves = list(marks(life.made, {device.id: device for device in life.view.devices}, ""))
    words = (
        "The expected rates before power, and each switch when it was opened, in the colour of where it leads. Point at one for its reason."
    )
    rates = life.seen.rates()
    yield Part("Rates and moves, USD an hour", [words, *undrawn(rates, moves)], market(rates, moves, painted))


def _other_terms(life: _Life) -> Part:
    """Only of perfect foresight: what the strategy would have done, none but a backtest can tell."""
    heading, words = (
        "On other terms, USD",
        "What the strategy would have netted with another downtime or lead is not known: nobody flew that.",
    )
    if life.terms is None or not life.terms.downtime:
        return Part(heading, [words])
    sums = [foreseen(life.seen, life.view, Terms(life.terms.downtime * factor, life.terms.fee)) for factor in _FACTORS]
    nets = [each[-1] if each else None for each in sums]
    told = "Perfect foresight with shorter and longer downtimes: how much of the market's worth is lost to switching."
    cases = [span(life.terms.downtime * factor) for factor in _FACTORS]
    table = Table(("", *cases), [(_BEST, *("not known" if net is None else money(net) for net in nets))])
    return Part(heading, [told, words], bars(cases, {_BEST: nets}, colours([_BEST])), [table])

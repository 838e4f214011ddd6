"""What the networks pay of what they quote is learned from the ledger, acted upon, journalled, and found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from autopilot.backtest.replay import replay
from autopilot.backtest.runner import Course, Flight, Terms, fly
from autopilot.cli.live_rates import explained
from autopilot.daemon.survey import Offer, Survey
from autopilot.model.device import DeviceId, Venue
from autopilot.model.experience import Experience, Realised
from autopilot.model.market import Quote
from autopilot.model.node import Payout
from autopilot.model.power import Draw
from autopilot.plugins import make_strategy
from autopilot.realised import factor, said
from autopilot.sim.panel import Panel
from autopilot.store.context import unpack_realised
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, START, device, venue, view
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Share, Usd, UsdPerHour, UsdPerKwh
from autopilot_strategies.hiring import believed

AKASH, NOSANA, GPU = venue("akash"), venue("nosana"), device()
KNOWN = Realised(0.7, 0.02, 300.0)


def course(paid: float) -> Course:
    """Three weeks, of which two are scored: akash quotes a tenth more than nosana, and pays this part of it."""
    random = np.random.default_rng(3)
    shown = np.array([0.44, 0.40]) * np.exp(random.normal(0, 0.01, (21 * 24, 2)))
    panel = Panel(START, MODEL, ("akash", "nosana"), shown * [paid, 1.0])
    return Course(panel, shown, panel.at(7 * 24), panel.end)


def flown(paid: float) -> Flight:
    """By the default strategy."""
    return fly(course(paid), Terms(downtime=timedelta(minutes=30)), make_strategy("forecast", {}))


@pytest.fixture(scope="module")
def cheated() -> Flight:
    """Akash pays 70 % of its quotes."""
    return flown(0.7)


def last_week(flight: Flight) -> list[Venue]:
    """Where the device was."""
    return flight.placements[DeviceId("gpu-0")][-168:]


def test_a_network_that_pays_less_than_it_quotes_is_left(cheated: Flight) -> None:
    """It looks better until it has paid; then the device goes where more is paid, and stays."""
    assert cheated.placements[DeviceId("gpu-0")][:24] == [AKASH] * 24
    assert last_week(cheated) == [NOSANA] * 168


def test_a_network_that_keeps_its_word_is_not() -> None:
    """The same quotes, paid in full."""
    assert last_week(flown(1.0)) == [AKASH] * 168


def test_the_decisions_can_be_made_again(cheated: Flight) -> None:
    """From the journal alone, to the last word."""
    again = list(replay(cheated.store))

    assert len(again) == course(0.7).hours
    assert all(each.same for each in again)


class Till:
    """Pays all that is over a part of what a device was quoted: by the hour and at once, or by longer spans and late."""

    def __init__(self, fleet: Fleet, share: str, span: timedelta = HOUR, late: timedelta = timedelta(0)) -> None:
        self._fleet, self._span, self._late = fleet, span, late
        self._amount = Usd.of(share) * (span // HOUR)

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """All spans from the first poll on."""
        spans = (self._fleet.clock.now() - self._late - START) // self._span
        starts = [START + number * self._span for number in range(spans)]
        return [Payout(f"{at}", AKASH, GPU.id, at, at + self._span, self._amount) for at in starts if at + self._span > since]


def served(share: str | None, hours: int = 60, restart: int = 0) -> Fleet:
    """A device at akash, which quotes 0.40 $/h and pays this much of it, or does not tell."""
    fleet = Fleet("akash")
    fleet.sites["akash"].payouts = Till(fleet, share) if share else None
    fleet.wish("akash")
    for hour in range(hours):
        fleet.decide()
        if restart and hour % restart == 0:
            fleet.restart()
            fleet.decide()
        fleet.later(HOUR)
    return fleet


def test_what_is_learned_is_in_the_view() -> None:
    """Of the hours that are known to be paid for; a network that does not tell what it paid has no ratio."""
    told = served("0.30").wishes.views[-1].experience.realised
    silent = served(None).wishes.views[-1].experience.realised

    assert told[AKASH, MODEL].ratio == pytest.approx(0.75, abs=0.01)
    assert told[AKASH, MODEL].hours == pytest.approx(54, abs=1)
    assert {} == silent


def test_a_restart_knows_the_same() -> None:
    """However often it happens, every view is the same."""
    steady, restarted = ({view.now: view.experience for view in served("0.30", restart=often).wishes.views} for often in (0, 7))

    assert steady == restarted


@pytest.mark.parametrize(
    ("span", "late"), [(1, 20), (1, 40), (24, 0), (24, 20), (60, 0)], ids=["a day", "two days", "by the day", "both", "by 60 h"]
)
def test_who_pays_late_is_known_a_day_later(span: int, late: int) -> None:
    """However late within three days, and for however many hours at once: all that was paid is found, by the next day."""
    fleet = Fleet("akash")
    fleet.sites["akash"].payouts = Till(fleet, "0.30", span * HOUR, late * HOUR)
    fleet.wish("akash")
    for _ in range(200):
        fleet.decide()
        fleet.later(HOUR)
    known = fleet.wishes.views[-1].experience.realised[AKASH, MODEL]

    assert known.ratio == pytest.approx(0.75, abs=0.01)
    assert 200 >= known.hours > 0.97 * (200 - span - late - 30)


def test_a_payout_for_too_long_a_span_is_no_evidence() -> None:
    """A job of a week that is paid in full at its end tells no hours apart: its own are left out, before a restart and after it."""
    fleet = Fleet("akash")
    job = Payout("job", AKASH, GPU.id, START, START + 168 * HOUR, Usd.of("0.30") * 168)
    hourly = Till(fleet, "0.30")

    def payouts(since: datetime) -> Sequence[Payout]:
        told = [each for each in hourly.payouts(since) if each.start >= job.end]
        return [job, *told] if since < job.end <= fleet.clock.now() else told

    fleet.sites["akash"].payouts = SimpleNamespace(payouts=payouts)
    fleet.wish("akash")
    for _ in range(230):
        fleet.decide()
        fleet.later(HOUR)
    steady = fleet.wishes.views[-1].experience.realised[AKASH, MODEL]
    fleet.restart()
    fleet.decide()
    restarted = fleet.wishes.views[-1].experience.realised[AKASH, MODEL]

    assert [0.75, 0.75] == [pytest.approx(each.ratio) for each in (steady, restarted)]
    assert max(steady.hours, restarted.hours) <= 230 - 168


def test_hours_that_are_not_paid_yet_do_not_count() -> None:
    """Who pays late pays nonetheless: after the last payout nobody knows."""
    fleet = served("0.40", 40)
    fleet.sites["akash"].payouts = None
    for _ in range(40):
        fleet.decide()
        fleet.later(HOUR)
    known = fleet.wishes.views[-1].experience.realised[AKASH, MODEL]

    assert known.hours < 40
    assert factor(known) == 1.0


def test_a_venue_that_pays_by_the_job_is_believed_by_as_much_less() -> None:
    """What it is worth by the odds of being hired, times what it pays of what was agreed; and it is said why."""
    seen = view({"akash": ["0.40"]})
    quotes = {key: replace(quote, occupancy=Share.of("0.5")) for key, quote in seen.quotes.items() if isinstance(quote, Quote)}
    plain = replace(seen, quotes=quotes)
    short = replace(plain, experience=Experience(realised={(AKASH, MODEL): KNOWN}))
    before, after = believed(plain, GPU, AKASH), believed(short, GPU, AKASH)

    assert before is not None
    assert after is not None
    assert after.rate == pytest.approx(before.rate * factor(KNOWN))
    assert after.evidence == f"{before.evidence}, {said(KNOWN)}"


def test_rates_explain_says_what_was_paid() -> None:
    """As the newest decision knew it, or that nobody knows."""
    fleet = served("0.30")
    known = unpack_realised(fleet.store.journal.newest_context())
    offer = Offer(GPU, fleet.wishes.views[-1].quotes[AKASH, GPU.id], UsdPerHour(0))
    lines = [list(explained(offer, Survey(START, [offer], {}, Draw(), UsdPerKwh(0)), Experience(realised=each))) for each in (known, {})]

    assert fleet.wishes.views[-1].experience.realised == known
    assert f"  {said(known[AKASH, MODEL])}" in lines[0]
    assert f"  {said(None)}" in lines[1]
    assert {} == Store.in_memory().journal.newest_context()

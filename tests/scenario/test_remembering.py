"""What guards are told of the past is counted from the ledger and the journal alone."""

from __future__ import annotations

from datetime import timedelta

from autopilot.guards import DailyLoss, Presence, Uptime
from autopilot.model.market import Basis
from autopilot.model.plan import EntryCost
from autopilot.pilot.remembering import Memory
from autopilot.sim.node import Manner
from autopilot.store.ledger import Entry, Kind
from autopilot.testing.views import START
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Share, Usd

BOOT = timedelta(minutes=5)


def flown() -> Fleet:
    """A device that has earned 0.40 $ at akash, after five minutes of boot."""
    fleet = Fleet("akash", "nosana", manner=Manner(boot=BOOT))
    fleet.wish("akash")
    fleet.decide()
    fleet.fly(HOUR + BOOT)
    return fleet


def test_what_the_last_day_made_is_known() -> None:
    """Income, less what dark time would have brought: five minutes at 0.40 an hour. Two days later it is no longer of the last day."""
    fleet = flown()
    memory = Memory(fleet.pilot.world)

    assert Usd.of("0.40") == fleet.store.ledger.sums(START)[fleet.devices[0].id, Kind.EARNED][0]
    assert Usd.nearest(0.40 - 0.40 * 5 / 60) == memory.day()
    fleet.later(timedelta(days=2))

    assert Usd(0) == memory.day()


def test_uptime_is_counted_from_the_journal() -> None:
    """Since a device first came, and for thirty days at most."""
    fleet = flown()
    memory, gpu = Memory(fleet.pilot.world), fleet.devices[0].id
    for name in ("nosana", "akash"):
        fleet.wish(name)
        fleet.decide()
        fleet.fly(HOUR)
    there = memory.presence(gpu, fleet.venue("akash"))

    assert there.span - (HOUR + BOOT) <= there.there < there.span
    assert timedelta(0) == memory.presence(gpu, fleet.venue("render")).span
    fleet.later(timedelta(days=40))

    assert Presence(timedelta(days=30), timedelta(days=30)) == memory.presence(gpu, fleet.venue("akash"))


def test_guards_look_at_the_record_when_a_pilot_asks_them() -> None:
    """The reason is in the device's sentence, and with the decision in the journal."""
    fleet = flown()
    fleet.sites["akash"].entry = EntryCost(boot=BOOT, uptime=Share.of("0.99"))
    fleet.guards = [Uptime(HOUR)]
    fleet.restart()
    fleet.wish("nosana")

    assert "held back: akash wants 99.0% uptime, and 1h10m away would make it" in fleet.decide()
    assert "akash wants 99.0% uptime" in str(list(fleet.store.journal.rulings())[-1].vetoes)
    fleet.guards = [DailyLoss(Usd.of("0.01"))]
    now = fleet.clock.now()
    fee = Entry(now, now, fleet.devices[0].id, fleet.venue("akash"), Kind.FEE, Usd.of(2), Basis.ESTIMATE)
    fleet.store.ledger.book([fee])
    fleet.restart()

    assert "held back: the last 24 h came to -" in fleet.decide()

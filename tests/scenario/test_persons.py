"""What persons ask for goes before what the strategy wants, whoever flies when, and for as long as it was asked."""

from __future__ import annotations

from datetime import timedelta

from autopilot.backtest.replay import replay
from autopilot.errors import NodeFault
from autopilot.guards import Dwell
from autopilot.model.device import IDLE, NetworkId, Venue
from autopilot.model.node import Lease, Observation, Phase
from autopilot.model.order import Bounds, Order
from autopilot.model.switch import State
from autopilot.pilot import Pilot
from autopilot.pilot.ordering import Authority
from autopilot.pilot.wishing import Pausing, Placements, Wishing
from autopilot.plugins import make_strategy
from autopilot.sim.node import Manner
from autopilot.store.wishes import Want, Wish
from autopilot.testing.views import START
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR

MINUTE = timedelta(minutes=1)
BOOT = 5 * MINUTE


class Owner:
    """Somebody who wants a GPU, from one instant on."""

    def __init__(self) -> None:
        self.wants = False

    def bounds(self, now: object, placements: Placements) -> Bounds:  # noqa: ARG002
        """All of them."""
        return Bounds({gpu: Order(IDLE, "its owner is on it") for gpu in placements if self.wants})


class Rig(Fleet):
    """A fleet that persons may ask for things. Its strategy wants every device at akash, and they are there."""

    owner: Authority | None = None

    def __init__(self, *names: str, gpus: int = 1, drain: timedelta = timedelta(0)) -> None:
        super().__init__(*names, gpus=gpus, manner=Manner(boot=BOOT, drain=drain))
        for gpu in range(gpus):
            self.wish("akash", gpu)
        self.decide()
        self.fly(HOUR / 2)

    def restart(self, *, live: bool = True) -> Pilot:
        """As the daemon's rig has them: a pause goes first, then the GPUs themselves, then all other wishes."""
        networks = [*(site.network for site in self.sites.values()), IDLE.network]
        self.authorities = (Pausing(self.store), *([self.owner] if self.owner else []), Wishing(self.store, networks))
        return super().restart(live=live)

    def want(self, want: Want, name: str = "", gpu: int | None = 0, lasts: timedelta | None = None) -> int:
        """A row, as a command writes it."""
        now = self.clock.now()
        ident = None if gpu is None else self.devices[gpu].id
        return self.store.wishes.add(Wish(want, now, ident, self.venue(name) if name else None, lasts and now + lasts))

    def take_back(self, number: int) -> None:
        """As ``autopilot resume`` does."""
        self.store.wishes.end(number, self.clock.now(), "taken back")

    def outcome(self, number: int) -> str:
        """How a wish ended; empty while it stands."""
        return next((wish.outcome for wish in self.store.wishes.ended(START) if wish.number == number), "")

    def hours(self, count: float) -> None:
        """Decide every hour, and tick in between."""
        for _ in range(int(count)):
            self.decide()
            self.fly(HOUR)


def test_a_pause_finishes_what_is_under_way_and_begins_nothing() -> None:
    """Neither for the strategy, nor for another wish, nor for an owner. Money is booked all the while."""
    rig = Rig("akash", "nosana", "render", gpus=2)
    owner = rig.owner = Owner()
    rig.restart()
    rig.wish("nosana")
    rig.decide()
    number = rig.want(Want.PAUSE, gpu=None)
    rig.want(Want.PIN, "render", 1)
    owner.wants = True
    rig.fly(HOUR)
    for site in rig.sites.values():
        site.told.clear()
    earned = rig.store.ledger.totals().earned
    rig.restart()
    rig.hours(3)

    assert ["nosana", "akash"] == [str(rig.at(gpu)) for gpu in (0, 1)]
    assert rig.tick().endswith("paused by a person until `autopilot resume`")
    assert [] == [verb for site in rig.sites.values() for verb in site.told]
    assert rig.store.ledger.totals().earned > earned
    owner.wants = False
    rig.take_back(number)
    rig.hours(1)

    assert "render" == str(rig.at(1))


def test_a_pause_ends_by_itself() -> None:
    """At the instant that was named: then the strategy has the rig again."""
    rig = Rig("akash", "nosana")
    rig.want(Want.PAUSE, gpu=None, lasts=2 * HOUR)
    rig.wish("nosana")
    rig.hours(1)

    assert "akash" == str(rig.at())
    rig.hours(2)

    assert "nosana" == str(rig.at())


def test_a_held_gpu_stays_and_the_others_do_not() -> None:
    """Held where it is, across a restart; and replay decides the same from the record."""
    rig = Rig("akash", "nosana", gpus=2)
    number = rig.want(Want.HOLD)
    rig.wish("nosana", 0)
    rig.wish("nosana", 1)
    rig.hours(1)
    rig.restart()
    rig.hours(1)

    assert ["akash", "nosana"] == [str(rig.at(gpu)) for gpu in (0, 1)]
    assert "GPU-0: held by a person until `autopilot resume`" == rig.tick()
    rig.take_back(number)
    rig.hours(1)

    assert "nosana" == str(rig.at(0))


def test_a_pin_brings_a_gpu_there_and_keeps_it_there() -> None:
    """Past guards that hold for a strategy alone, and past a restart in the middle of the switch."""
    rig = Rig("akash", "nosana")
    rig.guards = [Dwell(24 * HOUR)]
    rig.restart()
    rig.want(Want.PIN, "nosana", lasts=6 * HOUR)
    rig.tick()
    rig.restart()
    rig.hours(3)

    assert "nosana" == str(rig.at())
    assert "GPU-0: pinned to nosana by a person until 2026-01-01 06:30 UTC" == rig.tick()
    rig.guards = []
    rig.restart()
    rig.hours(5)

    assert "akash" == str(rig.at())


def switches_to(rig: Rig, name: str) -> list[State]:
    """How the switches to a venue ended, or where they are."""
    return [switch.state for switch in rig.store.journal.switches() if switch.target == rig.venue(name)]


def test_a_pin_to_a_venue_that_does_not_come_up_is_tried_once_an_hour() -> None:
    """And not at every tick: the GPU earns where it is in the meantime."""
    rig = Rig("akash", "nosana")
    rig.sites["nosana"].deaf = NodeFault(rig.sites["nosana"].network, "no image")
    rig.want(Want.PIN, "nosana")
    rig.fly(HOUR / 2)

    assert [State.REVERTED] == switches_to(rig, "nosana")
    assert "pinned to nosana by a person until `autopilot resume`; tried again at 01:" in rig.tick()
    assert "no image" in rig.tick()
    rig.fly(HOUR)

    assert 2 == len(switches_to(rig, "nosana"))
    rig.sites["nosana"].deaf = None
    rig.fly(2 * HOUR)

    assert "nosana" == str(rig.at())


def test_a_move_is_made_once() -> None:
    """Then the wish is done, and the strategy decides again."""
    rig = Rig("akash", "nosana")
    number = rig.want(Want.MOVE, "nosana")
    rig.tick()
    rig.restart()
    rig.fly(2 * BOOT)

    assert ("nosana", "done") == (str(rig.at()), rig.outcome(number))
    rig.hours(1)

    assert "akash" == str(rig.at())


def test_a_move_that_fails_is_not_made_again() -> None:
    """What went wrong is told with it; so is a network that is not there."""
    rig = Rig("akash", "nosana")
    rig.sites["nosana"].deaf = NodeFault(rig.sites["nosana"].network, "no image")
    number = rig.want(Want.MOVE, "nosana")
    rig.fly(3 * HOUR)

    assert [State.REVERTED] == switches_to(rig, "nosana")
    assert "failed: it ended reverted, nosana is broken: nosana: no image" == rig.outcome(number)
    nowhere = rig.store.wishes.add(Wish(Want.MOVE, rig.clock.now(), rig.devices[0].id, Venue(NetworkId("salad"))))
    rig.tick()

    assert "refused: salad is not configured" == rig.outcome(nowhere)


def test_a_move_that_cannot_be_begun_is_given_up() -> None:
    """After six hours that this daemon could have tried, with the reason; the time of a pause is not counted."""
    rig = Rig("akash", "nosana")
    owner = rig.owner = Owner()
    owner.wants = True
    rig.restart()
    pause = rig.want(Want.PAUSE, gpu=None)
    number = rig.want(Want.MOVE, "nosana")
    rig.fly(7 * HOUR)

    assert not rig.outcome(number)
    rig.take_back(pause)
    rig.fly(7 * HOUR)

    assert "given up after 6h: GPU-0: its owner is on it" == rig.outcome(number)
    assert IDLE == rig.at()


def test_a_banned_venue_is_left_and_not_gone_to() -> None:
    """Work that may not be broken is finished first. When the ban is over, the strategy may send the GPU there again."""
    rig = Rig("akash", "nosana")
    lease = Lease("job", rig.clock.now())
    rig.sites["akash"].seen = lambda each: Observation(each.id, rig.venue("akash"), Phase.BUSY, rig.clock.now(), (lease,))
    rig.want(Want.BAN, "akash", gpu=None, lasts=3 * HOUR)
    rig.hours(1)

    assert "akash" == str(rig.at())
    assert "1 job to finish" in rig.tick()
    rig.sites["akash"].seen = None
    rig.hours(1)

    assert IDLE == rig.at()
    rig.restart()
    rig.hours(2)

    assert "akash" == str(rig.at())


def test_a_ban_turns_back_who_is_on_the_way_and_lets_go_who_leaves() -> None:
    """One drains towards the banned venue, the other away from it."""
    rig = Rig("akash", "nosana", gpus=2, drain=HOUR)
    rig.wish("nosana", 0)
    rig.hours(2)
    rig.wish("akash", 0)
    rig.wish("nosana", 1)
    rig.decide()
    rig.want(Want.BAN, "nosana", 1)
    rig.want(Want.BAN, "nosana", 0)
    rig.fly(2 * HOUR)

    assert ["akash", "akash"] == [str(rig.at(gpu)) for gpu in (0, 1)]
    assert State.REVERTED is rig.store.journal.latest(rig.devices[1].id).state  # type: ignore[union-attr]


def test_a_gpu_that_is_pinned_to_a_banned_venue_waits() -> None:
    """It idles rather than being there, and goes back when the ban is over."""
    rig = Rig("akash", "nosana")
    rig.want(Want.PIN, "akash")
    rig.want(Want.BAN, "akash", lasts=2 * HOUR)
    rig.hours(1)

    assert IDLE == rig.at()
    assert "pinned to akash by a person until `autopilot resume`; akash is banned by a person until 2026-01-01 02:30 UTC" in rig.tick()
    rig.hours(2)

    assert "akash" == str(rig.at())


def test_what_is_decided_under_wishes_is_decided_again_by_a_replay() -> None:
    """Devices that are held and venues that are closed are on record with the decision."""
    rig = Rig("akash", "nosana", "render", gpus=2)
    rig.sites["nosana"].rate, rig.sites["render"].rate = "0.90", "0.80"
    rig.store.connection.execute("DELETE FROM decisions")
    rig.want(Want.HOLD, gpu=0)
    rig.want(Want.BAN, "nosana", gpu=None)
    rig.pilot = Pilot(rig.pilot.world, make_strategy("greedy", {}), (), rig.authorities)
    rig.hours(2)

    assert ["akash", "render"] == [str(rig.at(gpu)) for gpu in (0, 1)]
    again = list(replay(rig.store))
    assert again
    assert all(each.same for each in again)

"""Guards that look at what is on record, at what a venue was promised, and at the GPU itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from autopilot.guards import BusyLease, Case, DailyLoss, Guard, Heat, Identity, OwnerPresent, Presence, Uptime
from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.gpu import Ailment, Condition, GpuState, Reading
from autopilot.model.node import Lease
from autopilot.model.plan import EntryCost, ExitCost, Move
from autopilot.model.view import View
from autopilot.testing.views import device, venue, view
from autopilot.units import HOUR, Share, Usd

AKASH, NOSANA = venue("akash"), venue("nosana")
GPU = device().id
MOVE, TO_IDLE = Move(GPU, AKASH, NOSANA), Move(GPU, AKASH, IDLE)
DAY = 24 * HOUR
NEVER = Presence(timedelta(0), timedelta(0))


@dataclass
class Known:
    """What a test puts on record."""

    made: Usd = Usd(0)
    been: Presence = NEVER
    states: Mapping[DeviceId, GpuState] = field(default_factory=dict)

    def day(self) -> Usd:
        """As it was put."""
        return self.made

    def presence(self, device: DeviceId, venue: Venue) -> Presence:  # noqa: ARG002
        """As it was put."""
        return self.been

    def gpu(self, device: DeviceId) -> GpuState | None:
        """As it was put."""
        return self.states.get(device)


def seen(entry: EntryCost | None = None) -> View:
    """A device at akash, where nosana pays a tenth of a dollar more."""
    return view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash", entry=entry)


def veto(guard: Guard, view: View, known: Known | None, move: Move = MOVE) -> str | None:
    """What a guard says of a move."""
    return guard.veto(Case(move, (move,), view, device(), (), known))


def reading(heat: int | None) -> GpuState:
    """A GPU of a temperature."""
    return GpuState(Reading(GPU, None, None, None, heat, None, None, ()))


def working(until: datetime | None, *, breakable: bool = False) -> View:
    """A device whose only lease ends at an instant."""
    calm = seen()
    place = calm.placements[GPU]
    lease = Lease("a", calm.now - HOUR, until, breakable)
    return replace(calm, placements={GPU: replace(place, seen=replace(place.seen, leases=(lease,)))})


def test_a_rig_that_lost_too_much_makes_no_move_that_costs() -> None:
    """In 24 hours: neither boot nor fee is risked any more. A free move, and going idle, are."""
    guard, slow = DailyLoss(Usd.of(5)), seen(EntryCost(boot=HOUR))
    lost = Known(made=Usd.of("-5.01"))

    assert veto(guard, slow, Known(made=Usd.of("-4.99"))) is None
    assert "the last 24 h came to -5.01 $, dark time reckoned in: at -5 $ nothing is moved that costs" == veto(guard, slow, lost)
    assert veto(guard, seen(EntryCost(fee=Usd(1))), lost) is not None
    assert veto(guard, seen(), lost) is None
    assert veto(guard, slow, lost, TO_IDLE) is None
    assert veto(guard, slow, None) is None


def test_a_registration_is_not_lost_by_leaving() -> None:
    """The reason says what is at stake, and what would allow it."""
    leaving = replace(seen(), exits={GPU: ExitCost(forfeits=Usd.of(150), identity="UID 2 of subnet 4 is not immune")})

    assert "UID 2 of subnet 4 is not immune; guards.lose_registrations would allow it" == veto(Identity(), leaving, None)
    assert veto(Identity(), leaving, None, TO_IDLE) is not None
    assert veto(Identity(), seen(), None) is None


def test_work_that_outlasts_a_drain_is_not_drained() -> None:
    """It would only turn back in the end, and have taken no new work for all that time."""
    guard = BusyLease(6 * HOUR)
    now = seen().now

    assert "its work may not be broken, and is to last 6h1m more, where a drain may last 6h" == veto(
        guard, working(now + 6 * HOUR + timedelta(seconds=61)), None
    )
    assert veto(guard, working(now + 6 * HOUR), None) is None
    assert veto(guard, working(now + 9 * HOUR, breakable=True), None) is None
    assert veto(guard, seen(), None) is None


def test_where_the_end_of_work_is_not_known_the_network_says_what_to_expect() -> None:
    """Its exit cost is all that there is."""
    endless = replace(working(None), exits={GPU: ExitCost(drain=DAY)})

    assert "is to last 1d more" in (veto(BusyLease(6 * HOUR), endless, None) or "")
    assert veto(BusyLease(DAY), endless, None) is None


def test_promised_uptime_is_kept_and_what_that_costs_is_said() -> None:
    """99 % of 100 hours leave one hour to be away; at least that is spent on the way and there."""
    guard, counted = Uptime(HOUR / 2), seen(EntryCost(boot=HOUR / 4, uptime=Share.of("0.99")))
    young = Known(been=Presence(50 * HOUR, 50 * HOUR))

    assert veto(guard, counted, Known(been=Presence(99 * HOUR, 99 * HOUR))) is None
    assert "akash wants 99.0% uptime, and 1h away would make it 98.0%; it may go in 2d1h, and waiting costs 4.9 $" == veto(
        guard, counted, young
    )
    assert "away would make it 98.5%" in (veto(guard, counted, young, TO_IDLE) or "")
    assert veto(guard, seen(), young) is None
    assert veto(guard, counted, None) is None


def test_uptime_that_is_broken_already_keeps_nobody() -> None:
    """There is nothing left to keep; and where all the time is promised, no wait is long enough."""
    guard, counted = Uptime(HOUR), seen(EntryCost(uptime=Share.of("0.99")))
    always = seen(EntryCost(uptime=Share.of(1)))

    assert veto(guard, counted, Known(been=Presence(50 * HOUR, 60 * HOUR))) is None
    assert "akash wants 100.0% uptime, and 1h away would make it 98.0%" == veto(guard, always, Known(been=Presence(49 * HOUR, 49 * HOUR)))


def test_nothing_is_started_on_a_gpu_that_its_owner_uses() -> None:
    """Not even by a person's order; it may always go idle."""
    known = Known(states={GPU: replace(reading(40), owner="its owner is on it with game (7)")})

    assert OwnerPresent.absolute
    assert "its owner is on it with game (7)" == veto(OwnerPresent(), seen(), known)
    assert veto(OwnerPresent(), seen(), known, TO_IDLE) is None
    assert veto(OwnerPresent(), seen(), Known(states={GPU: reading(40)})) is None


@pytest.mark.parametrize("state", [None, reading(None), reading(83), GpuState(Ailment(Condition.LOST, "it fell off the bus"))])
def test_a_gpu_that_is_not_known_to_be_hot_may_be_started_on(state: GpuState | None) -> None:
    """Heat that nobody tells holds nothing back; a GPU that cannot be seen is no matter of heat."""
    assert veto(Heat(83), seen(), Known(states={GPU: state} if state else {})) is None


def test_nothing_is_started_on_a_gpu_that_is_too_hot() -> None:
    """Not even by a person's order; idle cools it."""
    known = Known(states={GPU: reading(84)})

    assert Heat.absolute
    assert "it has 84 °C, and nothing is started on it above 83 °C" == veto(Heat(83), seen(), known)
    assert veto(Heat(83), seen(), known, TO_IDLE) is None

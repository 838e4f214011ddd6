"""The simulator of hires passes the suites of real adapters too: its leases come and go, and no verb means anything else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from autopilot.contracts import Adapter, NodeDriver, RateSource
from autopilot.errors import NodeFault
from autopilot.model.device import Venue
from autopilot.model.market import Basis, NoQuote, Quote
from autopilot.model.node import Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.sim.clock import SimClock
from autopilot.sim.hazards import Walk
from autopilot.sim.jobs_network import JobsNetwork
from autopilot.sim.jobs_node import JobsMarket, JobsMemory
from autopilot.sim.jobs_setting import Jobs, Moves, Place, Setting
from autopilot.sim.jobs_tape import setting_tape
from autopilot.testing.views import START, device
from autopilot.units import HOUR, Usd, UsdPerHour
from shared.simulated import NOSANA, SimulatedNodeContract, SimulatedRatesContract

MINUTE = timedelta(minutes=1)
STILL = Walk(sd=0.0, half_life=HOUR)
PLACES = {
    "hired often": Place(name="nosana", pay=0.33, occupancy=0.9, job=20 * MINUTE, idle=0.02),
    "hired seldom": Place(name="nosana", pay=0.33, occupancy=0.01, job=20 * MINUTE),
    "hired for long": Place(name="nosana", pay=0.33, occupancy=0.9, job=2 * HOUR),
}


def market(place: Place = PLACES["hired often"], *, queue: timedelta = timedelta(0), jobs: Jobs | None = None) -> JobsMarket:
    """Five days of one venue that never changes."""
    moves = Moves(pay=STILL, network=STILL, rig=STILL, queue=queue)
    setting = Setting(world=(place,), moves=moves, jobs=jobs or Jobs(), downtime=timedelta(0), fee=Usd(0), days=5)
    return JobsMarket(setting_tape(setting, seed=4, devices=2), START, setting.jobs)


def network(
    clock: SimClock, given: JobsMarket | None = None, boot: timedelta = 5 * MINUTE, memory: JobsMemory | None = None
) -> JobsNetwork:
    """It serves two devices."""
    return JobsNetwork(NOSANA, clock, given or market(), [device(0), device(1)], boot, Usd.of("0.01"), memory=memory)


class TestRateSource(SimulatedRatesContract):
    """In an hour of the tape, and after its end."""

    @pytest.fixture(params=[1, 500], ids=["a rate", "no rate"])
    def source(self, request: pytest.FixtureRequest) -> RateSource:
        """What is known at the end of each."""
        return network(SimClock(START + request.param * HOUR))


class TestNode(SimulatedNodeContract):
    """Nodes that are hired often, seldom and for long, with and without a boot."""

    @pytest.fixture(params=PLACES)
    def given(self, request: pytest.FixtureRequest) -> JobsMarket:
        """How the market hires."""
        return market(PLACES[request.param])

    @pytest.fixture(params=[timedelta(0), 5 * MINUTE], ids=str)
    def reopened(self, clock: SimClock, given: JobsMarket, request: pytest.FixtureRequest) -> Callable[[], NodeDriver]:
        """The host remembers."""
        memory = JobsMemory()
        return lambda: network(clock, given, request.param, memory).node

    @pytest.fixture
    def patience(self, clock: SimClock) -> Callable[[], object]:
        """Ten minutes, within an hour of which a short job ends."""
        return lambda: clock.move_to(clock.now() + 10 * MINUTE)


def test_the_simulator_is_an_adapter() -> None:
    """With every member that the contract names."""
    assert isinstance(network(SimClock(START)), Adapter)


def test_a_quote_says_what_the_public_is_told() -> None:
    """Gross while a job runs, an occupancy, idle pay and a job length; an ask, which nobody has to pay. Past the tape there is nothing."""
    clock = SimClock(START + 3 * HOUR)
    source, shown = network(clock), market().tape.shown
    (quote,) = source.quotes([device()])
    clock.move_to(START + 120 * HOUR)

    assert isinstance(quote, Quote)
    assert (UsdPerHour.of("0.33"), UsdPerHour.of("0.02"), Basis.ASK) == (quote.gross, quote.idle, quote.basis)
    assert (shown.occupancy[3, 0], timedelta(hours=shown.job_hours[3, 0])) == (float(quote.occupancy), quote.job_length)
    assert [NoQuote] == [type(answer) for answer in source.quotes([device()])]


def test_a_device_waits_and_is_hired_in_turn() -> None:
    """READY without a lease, BUSY with one that says what it pays and since when; its end is told where the setting says so."""
    for known in (False, True):
        clock = SimClock(START)
        node = network(clock, market(jobs=Jobs(end_known=known)), timedelta(0)).node
        node.start(device(), Venue(NOSANA))
        seen = []
        while (change := node.next_change(clock.now())) is not None and change < START + 10 * HOUR:
            seen.append((node.observe(device()), change))
            clock.move_to(change)
        phases = [look.phase for look, _ in seen]
        leases = [(look.leases[0], until) for look, until in seen if look.leases]

        assert [Phase.READY, Phase.BUSY] * (len(phases) // 2) == phases[: len(phases) // 2 * 2]
        assert len(leases) > 5
        assert all(lease.pays == UsdPerHour.of("0.33") and not lease.breakable for lease, _ in leases)
        assert [until if known else None for _, until in leases] == [lease.until for lease, _ in leases]


def test_payouts_are_what_was_earned() -> None:
    """Idle pay for the waits and the locked pay for the jobs; told twice they have the same names."""
    clock = SimClock(START)
    sim = network(clock, boot=timedelta(0))
    sim.node.start(device(), Venue(NOSANA))
    busy = timedelta(0)
    while (change := min(sim.node.next_change(clock.now()) or START + 48 * HOUR, START + 48 * HOUR)) > clock.now():
        busy += (change - clock.now()) if sim.node.observe(device()).leases else timedelta(0)
        clock.move_to(change)
    payouts = sim.payouts.payouts(START)
    earned = UsdPerHour.of("0.33") * busy + UsdPerHour.of("0.02") * (48 * HOUR - busy)

    assert float(earned) == pytest.approx(float(sum((payout.amount for payout in payouts), Usd(0))), rel=1e-6)
    assert len(payouts) == len({payout.id for payout in payouts})
    assert payouts == sim.payouts.payouts(START)
    assert all(payout.end > START + 40 * HOUR for payout in sim.payouts.payouts(START + 40 * HOUR))


def test_a_drain_lets_the_job_end_and_takes_no_other() -> None:
    """DRAINING with its lease until then, and empty from then on; nothing more happens by itself."""
    clock = SimClock(START)
    node = network(clock, boot=timedelta(0)).node
    node.start(device(), Venue(NOSANA))
    clock.move_to(node.next_change(clock.now()) or START)
    node.drain(device())
    with_job = node.observe(device())
    clock.move_to(node.next_change(clock.now()) or START)
    empty = node.observe(device())

    assert [(Phase.DRAINING, 1), (Phase.DRAINING, 0)] == [(seen.phase, len(seen.leases)) for seen in (with_job, empty)]
    assert node.next_change(clock.now()) is None


def test_a_wait_that_was_broken_off_counts() -> None:
    """Luck is exposure: whoever leaves for a day and comes back is hired after the rest of the wait, not after another one."""
    clock = SimClock(START)
    given = market(PLACES["hired seldom"])
    node = network(clock, given, timedelta(0)).node
    node.start(device(), Venue(NOSANA))
    due = node.next_change(START)
    assert due is not None
    assert due > START + HOUR
    clock.move_to(START + HOUR)
    node.stop(device())
    clock.move_to(START + 25 * HOUR)
    node.start(device(), Venue(NOSANA))

    assert node.next_change(clock.now()) == due + 24 * HOUR


def test_who_has_just_arrived_waits_behind_others() -> None:
    """With a queue the first hire comes later, by half of the queue where the hazard is steady."""
    hires = []
    for queue in (timedelta(0), 30 * MINUTE):
        node = network(SimClock(START), market(PLACES["hired seldom"], queue=queue), timedelta(0)).node
        node.start(device(), Venue(NOSANA))
        hires.append(node.next_change(START))
    assert hires[0] is not None

    assert hires[1] == hires[0] + 15 * MINUTE


def test_leaving_costs_what_is_left_of_the_job() -> None:
    """Nothing while it waits; the rest of a job whose end is known, and the forfeit where it may be broken; else what is expected."""
    clock = SimClock(START)
    lengths = {"exponential": Jobs(lengths="exponential"), "known": Jobs(end_known=True, breakable=True, forfeit=Usd.of("0.4"))}
    costs = {}
    for name, jobs in lengths.items():
        clock.move_to(START)
        given = market(jobs=jobs)
        sim = network(clock, given, timedelta(0))
        sim.node.start(device(), Venue(NOSANA))
        assert ExitCost() == sim.exit_cost(sim.node.observe(device()))
        clock.move_to(sim.node.next_change(START) or START)
        costs[name] = sim.exit_cost(sim.node.observe(device()))
    end = sim.node.next_change(clock.now())
    assert end is not None

    assert ExitCost(end - clock.now(), Usd.of("0.4")) == costs["known"]
    assert ExitCost(timedelta(hours=given.tape.shown.job_hours[0, 0])) == costs["exponential"]


def test_arriving_costs_the_boot_the_fee_and_half_the_queue() -> None:
    """The queue is dark in money: it serves, and is hired later by so much."""
    sim = network(SimClock(START), market(queue=HOUR))

    assert EntryCost(5 * MINUTE, ramp=30 * MINUTE, fee=Usd.of("0.01")) == sim.entry_cost(device(), Venue(NOSANA))


def test_there_is_one_venue() -> None:
    """Another market of the network is nobody's."""
    with pytest.raises(NodeFault, match="no nosana/gold"):
        network(SimClock(START)).node.start(device(), Venue(NOSANA, "gold"))

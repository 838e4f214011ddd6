"""The power may be cut at any write or verb: every switch ends, no device is ever held twice, and nothing that was written is lost.

The real pilot, machine, journal and simulated nodes; what survives a cut is what would survive it: the database as it was
committed, and the nodes with what they were told. The plug is pulled just before and just after every commit, every statement
outside of a transaction, and every verb.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations, count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from autopilot.model.switch import Limits, State, Switch
from autopilot.pilot import executing
from autopilot.sim.node import Manner, Service
from autopilot.switching import Command, Sight, Step, Verb, advance
from autopilot.testing.outages import Case, Lab
from autopilot.testing.views import device
from autopilot.units import HOUR

RATES = {"akash": "0.40", "nosana": "0.50", "render": "0.60"}
GPU = device()


def journey(case: Case) -> Lab:
    """From idle to akash, and then to nosana: what must hold on any journey is checked on the way."""
    lab = Lab(case, RATES)
    for name in ("akash", "nosana"):
        lab.fly(name)
    _check_services(lab)
    _check_books(lab)
    return lab


def _check_services(lab: Lab) -> None:
    """As the nodes remember it: no two services at one instant, and no job that may not be broken was cut."""
    services = [service for site in lab.fleet.sites.values() for service in site.memory.services.get(GPU.id, [])]
    for one, other in combinations(sorted(services, key=lambda service: service.started), 2):
        assert one.stopped is not None, f"{one} and {other}"
        assert one.stopped <= other.started, f"{one} and {other}"
    for service in services:
        assert not _cut_short(service), f"its last job was cut: {service}"


def _cut_short(service: Service) -> bool:
    serving = service.stopped is not None and service.ready is not None and service.ready <= service.stopped
    return serving and service.stopped is not None and (service.empty is None or service.empty > service.stopped)


def _check_books(lab: Lab) -> None:
    """Every switch that came to start paid its fee, once; and its states in the journal are a way through the machine."""
    journal = lab.fleet.store.journal
    started = [event.switch for event in journal.events() if event.after is State.STARTING and event.before is not State.STARTING]
    fees = [ref for (ref,) in lab.fleet.store.connection.execute("SELECT ref FROM ledger WHERE kind = 'fee'")]

    assert sorted(started) == sorted(fees)
    for switch in journal.switches():
        states = [event.after for event in journal.events() if event.switch == switch.id]
        before = [event.before for event in journal.events() if event.switch == switch.id]
        assert before[1:] == states[:-1], f"a state is missing: {before} {states}"
        assert switch.state is states[-1]


BOOTS = [timedelta(0), timedelta(seconds=40), timedelta(minutes=7), timedelta(minutes=28), HOUR]
MANNERS = st.builds(
    Manner,
    boot=st.sampled_from(BOOTS),
    drain=st.sampled_from([*BOOTS, 3 * HOUR]),
    jitter=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 3),
)
CUTS = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 7200).map(lambda seconds: timedelta(seconds=seconds))), min_size=1, max_size=6)
PACES = st.sampled_from([timedelta(seconds=50), timedelta(minutes=5), timedelta(minutes=20)])
CASES = st.builds(Case, st.tuples(MANNERS, MANNERS, MANNERS), CUTS.map(tuple), PACES)


def broken(case: Case, akash: float, nosana: float) -> Case:
    """The same case with nodes that come up only now and then, or never."""
    return replace(case, manners=(replace(case.manners[0], faults=akash), replace(case.manners[1], faults=nosana), case.manners[2]))


@settings(max_examples=200)
@given(CASES)
def test_an_outage_alone_turns_no_good_switch_back(case: Case) -> None:
    """Where every node does its part, both switches settle, however often and long the power is gone."""
    lab = journey(case)

    assert [State.SETTLED, State.SETTLED] == [switch.state for switch in lab.switches]
    assert ["nosana"] == lab.holding


@pytest.mark.parametrize("manner", [Manner(), Manner(boot=timedelta(minutes=7), drain=HOUR)], ids=["at once", "in its time"])
def test_a_cut_at_every_single_point(manner: Manner) -> None:
    """One after the other, each with two hours without power, until the journey is over before the plug is pulled."""
    for things in count():
        lab = journey(Case((manner,) * 3, ((things, 2 * HOUR),), timedelta(minutes=5)))

        assert [State.SETTLED, State.SETTLED] == [switch.state for switch in lab.switches], f"cut after {things}"
        if lab.plug.cuts:
            break
    assert things > 40


@given(CASES)
def test_a_node_that_never_comes_up_brings_the_device_back(case: Case) -> None:
    """Power cuts or not: the device serves again where it was, or waits for nobody where it came from idle."""
    lab = journey(broken(case, 0.0, 1.0))

    assert [State.SETTLED, State.REVERTED] == [switch.state for switch in lab.switches]
    assert ["akash"] == lab.holding


@given(CASES, st.sampled_from([0.3, 1.0]), st.sampled_from([0.3, 1.0]))
def test_every_switch_ends(case: Case, akash: float, nosana: float) -> None:
    """With nodes that come up only now and then, at either end."""
    lab = journey(broken(case, akash, nosana))

    assert all(switch.state.over for switch in lab.switches)


def trusting(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    """A planted bug: it skips STOPPING, and starts the target without looking at the source."""
    step = advance(switch, sight, now, limits)
    if step.switch.state is State.STOPPING:
        return Step(replace(step.switch, state=State.STARTING), None, step.why)
    if step.switch.state is State.STARTING:
        return Step(step.switch, Command(Verb.START, switch.target), step.why)
    return step


def patient(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    """A planted bug: it never gives up starting."""
    step = advance(switch, sight, now, limits)
    if (switch.state, step.switch.state) == (State.STARTING, State.REVERTING):
        return Step(switch, Command(Verb.START, switch.target), "it will come")
    return step


def forgetful(switch: Switch, now: datetime) -> Switch:  # noqa: ARG001
    """A planted bug: the time of an outage counts against the limits."""
    return switch


def careless(*_: object) -> None:
    """A planted bug: what a switch came to is not journalled before the next verb."""


@pytest.mark.parametrize(
    ("bugs", "faults", "complaint"),
    [
        ({"advance": trusting, "Executor._others": lambda *_: []}, 0.0, "hold the device"),
        ({"advance": patient}, 1.0, "it never ends"),
        ({"resume": forgetful}, 0.0, "SETTLED"),
        ({"Executor._enter": careless}, 0.0, "it never ends"),
    ],
    ids=["skips STOPPING", "never gives up", "counts outages", "acts before it writes"],
)
def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch, bugs: dict[str, Any], faults: float, complaint: str) -> None:
    """The test can fail: it finds each of these within its examples."""
    for name, bug in bugs.items():
        owner, _, member = name.rpartition(".")
        monkeypatch.setattr(getattr(executing, owner) if owner else executing, member, bug)

    @settings(max_examples=300, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
    @given(CASES)
    def search(case: Case) -> None:
        lab = journey(broken(case, 0.0, faults))
        if not faults:
            assert [State.SETTLED, State.SETTLED] == [switch.state for switch in lab.switches], "SETTLED"

    with pytest.raises(AssertionError, match=complaint):
        search()

"""The share of the hour that a node is hired, and the wait for its first job, are two sides of one thing."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from autopilot.units import ALL, NONE, Share
from autopilot_adapters.nosana.hire import LONGEST_WAIT, Crowd

HOUR = timedelta(hours=1)


crowds = st.builds(Crowd, st.integers(0, 500), st.integers(0, 500), st.just(0))


@given(crowds, st.integers(60, 10**6).map(lambda seconds: timedelta(seconds=seconds)))
def test_the_wait_and_the_occupancy_agree(crowd: Crowd, job: timedelta) -> None:
    """A wait and a job in turn keep a node busy for just the share that the crowd leaves it."""
    wait = crowd.wait(job)

    assert timedelta(0) <= wait <= LONGEST_WAIT
    if wait < LONGEST_WAIT:
        assert abs(job / (wait + job) - float(crowd.occupancy)) < 1e-4


@given(crowds, st.integers(1, 50))
def test_more_nodes_never_help(crowd: Crowd, more: int) -> None:
    """Nor do fewer jobs."""
    fuller = Crowd(crowd.running, crowd.nodes + more)

    assert fuller.occupancy <= crowd.occupancy
    assert fuller.wait(HOUR) >= crowd.wait(HOUR)


def test_jobs_that_wait_leave_nobody_idle() -> None:
    """The newcomer is hired at once, for all of the hour; several jobs that wait make no more than that."""
    crowd = Crowd(3, jobs=5)

    assert (ALL, timedelta(0)) == (crowd.occupancy, crowd.wait(HOUR))


def test_where_nothing_runs_nothing_is_expected() -> None:
    """And the wait has no end that could be told."""
    assert (NONE, LONGEST_WAIT) == (Crowd(0, 4).occupancy, Crowd(0, 4).wait(HOUR))


def test_a_node_that_is_there_is_not_counted_again() -> None:
    """At work, it waits for nobody; in the queue, only for those before it."""
    working, waiting = Crowd(3, 1, here=True, busy=True), Crowd(3, 1, here=True, before=0)

    assert Share.of("0.75") == working.occupancy == waiting.occupancy
    assert (timedelta(0), HOUR / 3) == (working.wait(HOUR), waiting.wait(HOUR))


@given(st.integers(1, 500), st.integers(0, 500), st.integers(2, 6))
def test_a_further_node_of_ours_earns_less_by_the_fall(running: int, waiting: int, ours: int) -> None:
    """What so many nodes are hired together, a node at a time: each adds less than the one before, by about the fall."""
    crowd = Crowd(running, waiting)
    together = [nodes * running / (running + waiting + nodes) for nodes in range(ours + 1)]
    added = [after - before for before, after in pairwise(together)]

    assert abs(added[1] / added[0] - (1 - float(crowd.fall))) < 1e-8
    assert all(after / before >= 1 - float(crowd.fall) - 1e-8 for before, after in pairwise(added))


def test_where_jobs_wait_for_nodes_the_pay_does_not_fall() -> None:
    """Each further node gets a job at once."""
    assert NONE == Crowd(3, jobs=5).fall

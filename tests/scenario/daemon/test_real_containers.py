"""A daemon that flies real containers while everything around it breaks: no GPU ever serves two, and no job is cut that a drain saves."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from autopilot.clock import stopwatch
from shared.needs import needed, unable
from wire import recount_of_nodes as recount
from wire.jumping_clock import Ahead
from wire.recount_of_nodes import Told

KILLS = 200
BUDGET = timedelta(minutes=10)
"""Of time for these kills. A machine that is slow makes fewer."""
SEED = 20
GPU = "SIM-0"
CALM = """
1.0 akash SIM-0 1.0 up
1.5 akash SIM-0 1.0 job
2.0 akash SIM-0 1.0 done
2.1 akash SIM-0 1.0 down
3.0 nosana SIM-0 3.0 up
3.5 nosana SIM-0 3.0 job
"""
"""A switch as it should be. The second node works still."""
THERE = Told("idle", "akash", "settled", frozenset({"draining", "starting", "settled"}))
ON = Told("akash", "nosana", "settled", frozenset({"draining", "stopping", "starting", "settled"}))


@pytest.fixture
def chaos(flights: Callable[[str], Any], tmp_path: Path) -> Iterator[Any]:
    """A rig of containers, a daemon to fly it, and what may happen to both."""
    needed("docker")
    from wire import chaos, engine, rig_of_containers

    if reason := engine.missing():
        unable(reason)
    with rig_of_containers.small_disk(tmp_path / "flight", 256), rig_of_containers.rig_of_containers(tmp_path, Random(SEED)) as rig:  # noqa: S311
        flight = flights("flight")
        flight.config.write_text(rig.config(), encoding="utf-8")
        yield chaos.Chaos(rig, flight, Ahead(tmp_path), SEED)
        flight.close()


def test_what_should_be_is_no_complaint() -> None:
    """Neither of the nodes, nor of the journal."""
    lines = recount.read(CALM.strip())

    assert [] == list(recount.shared(lines, GPU))
    assert (Counter(), []) == recount.cut(lines, GPU)
    assert "" == recount.told_otherwise([THERE, ON], recount.lives(lines, GPU))


@pytest.mark.parametrize(
    ("before", "after"),
    [("3.5 nosana SIM-0 3.0 job", "3.5 nosana SIM-0 3.0 two"), ("2.1 akash SIM-0 1.0 down", "3.1 akash SIM-0 1.0 down")],
    ids=["its lock was held", "it worked on"],
)
def test_two_nodes_on_a_gpu_are_noticed(before: str, after: str) -> None:
    """By the lock that the second found held, and without it by the times."""
    assert 1 == len(list(recount.shared(recount.read(CALM.strip().replace(before, after)), GPU)))


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("2.0 akash SIM-0 1.0 cut", ""),
        ("2.0 akash SIM-0 - removed", "removed by hand"),
        ("1.9 - - - died\n2.0 akash SIM-0 1.0 cut\n2.05 - - - back", "the engine died"),
        ("1.9 - - - died\n2.05 - - - back", "the engine died"),
        ("1.6 - - - died\n1.7 - - - back\n2.0 akash SIM-0 1.0 cut", ""),
        ("2.0 render SIM-0 - removed", ""),
    ],
    ids=["told to go", "removed", "engine stopped it", "engine killed it", "engine was back", "another was removed"],
)
def test_a_job_that_was_cut_has_its_cause(end: str, cause: str) -> None:
    """Where there is none but an order to go, a drain would have saved it."""
    lines = recount.read(CALM.strip().replace("2.0 akash SIM-0 1.0 done", end).replace("2.1 akash SIM-0 1.0 down\n", ""))
    causes, complaints = recount.cut(lines, GPU)

    assert (Counter([cause] if cause else []), not cause) == (causes, bool(complaints))


@pytest.mark.parametrize(
    "switches", [[THERE], [ON], [ON, THERE], [THERE, THERE, ON]], ids=["one unheard of", "the first unheard of", "order", "one too many"]
)
def test_a_journal_that_tells_another_story_is_noticed(switches: list[Told]) -> None:
    """Of fewer nodes than there were, of more, or in another order."""
    assert recount.told_otherwise(switches, recount.lives(recount.read(CALM.strip()), GPU))


def told(flight: Any, gpu: str) -> list[Told]:
    """The switches of a GPU by the journal, in the order in which they were opened."""
    entered: dict[str, set[str]] = {}
    for switch, after in flight.rows("SELECT switch, after FROM events ORDER BY id"):
        entered.setdefault(switch, set()).add(after)
    columns = "id, source_network, target_network, state"
    rows = flight.rows(f"SELECT {columns} FROM switches WHERE device = '{gpu}' ORDER BY rowid")  # noqa: S608
    return [Told(source, target, state, frozenset(entered[ident])) for ident, source, target, state in rows]


@pytest.mark.long
def test_whatever_happens_no_gpu_serves_two_and_no_job_is_lost(chaos: Any, record_property: Callable[[str, object], None]) -> None:
    """Two hundred times the daemon is killed, and all else fails now and then; counted from what the nodes wrote themselves."""
    from wire.rig_of_containers import GPUS

    began = stopwatch()
    while chaos.happened["daemon killed"] < KILLS and stopwatch() - began < BUDGET.total_seconds():
        chaos.life()
    took = stopwatch() - began
    chaos.calm()
    ended = chaos.flight.ended(signal.SIGTERM)
    lines = recount.read(chaos.rig.log.read_text(encoding="utf-8"))
    served = {gpu: recount.lives(lines, gpu) for gpu in GPUS}
    switches = {gpu: told(chaos.flight, gpu) for gpu in GPUS}
    ends = Counter(switch.state for each in switches.values() for switch in each)
    causes, complaints = recount.cut_of_all(lines, GPUS)
    done = sum(life.jobs for each in served.values() for life in each)
    record_property(f"in {took:.0f} s", dict(chaos.happened))
    record_property("switches", dict(ends))
    record_property("jobs", {"done": done, **causes})

    assert 0 == ended, chaos.flight.log
    assert [] == [moment for gpu in GPUS for moment in recount.shared(lines, gpu)]
    assert [] == complaints
    assert {} == {gpu: why for gpu in GPUS if (why := recount.told_otherwise(switches[gpu], served[gpu]))}
    assert {"settled", "reverted", "cleared"} >= set(ends)
    assert [] == chaos.flight.rows("SELECT * FROM fences")
    assert ends["settled"] > len(GPUS)
    assert done > ends["settled"]

"""The oracle of the fluid market against three other ways to find the best course, which share nothing with it.

``recount.best`` walks a graph of (hour, place, dark minutes left) in whole numbers; HiGHS solves the flow through the
graph of moves; and on small panels every course that there is gets its account.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from math import ceil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import coo_array

from autopilot.backtest.oracle import NOWHERE, Costs, OracleResult, oracle
from autopilot.units import Usd, Watts

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = ("a", "b", "c", "d")

DOWNTIMES = st.sampled_from([0, 1, 15, 30, 60, 61, 90, 120, 150, 240, 600])
CENTS = st.integers(0, 200).map(lambda cents: cents * 10_000_000)
PRICES = st.sampled_from(["0", "0.1", "0.333333333", "1.5", "-0.4"])


def see_all(panel: Any, terms: Any) -> OracleResult:
    """The oracle on a panel and terms of ``recount``."""
    networks = panel.networks
    rates = np.array([[hour.get(network, np.nan) for network in networks] for hour in panel.rates]) / 1e9
    prices = [terms.tariff if isinstance(terms.tariff, str) else terms.tariff[panel.time(hour)] for hour in range(len(rates))]
    costs = Costs(
        timedelta(minutes=terms.downtime),
        Usd.of(terms.fee),
        Watts.of(terms.power),
        Watts.of(terms.idle_power),
        np.array([float(price) for price in prices]),
    )
    return oracle(rates, costs)


def course(panel: Any, result: OracleResult) -> list[str]:
    """The path of the oracle by the names of the networks."""
    networks = panel.networks
    return ["idle" if column == NOWHERE else networks[column] for column in result.path]


def panels(recount: ModuleType, hours: int, venues: int) -> st.SearchStrategy[Any]:
    """Small panels with gaps; rates are whole cents, so ties are common."""
    hour = st.dictionaries(st.sampled_from(NAMES[:venues]), CENTS)
    return st.lists(hour, min_size=1, max_size=hours).filter(any).map(lambda rates: recount.Panel(NEW_YEAR, rates))


@st.composite
def conditions(draw: st.DrawFn, recount: ModuleType, hours: int) -> Any:
    """Terms with every kind of cost, the tariff flat or by the hour."""
    by_hour = {NEW_YEAR + hour * HOUR: draw(PRICES) for hour in range(hours)}
    return recount.Terms(
        draw(DOWNTIMES),
        draw(st.sampled_from(["0", "0.01", "0.5"])),
        draw(st.sampled_from([0, 300, 1000])),
        draw(st.sampled_from([0, 30, 1000])),
        draw(st.sampled_from(["0", "0.3"]) | st.just(by_hour)),
    )


def settings_of(recount: ModuleType, tariff: Mapping[datetime, str]) -> list[Any]:
    """Short and long dark times, with and without fees and power."""
    terms = recount.Terms
    return [
        terms(downtime=0),
        terms(downtime=0, fee="0.01", power=350, tariff="0.25"),
        terms(downtime=30),
        terms(downtime=30, fee="0.01", power=300, idle_power=30, tariff=tariff),
        terms(downtime=60, fee="0.05"),
        terms(downtime=150, power=450, idle_power=20, tariff=tariff),
        terms(downtime=240, fee="0.01"),
        terms(downtime=720, fee="0.3", power=250, tariff="0.12"),
    ]


def opening(recount: ModuleType, file: Path, hours: int) -> Any:
    """The first hours of a file, gaps included."""
    panel = recount.read_panel(file)
    return panel.cut(end=panel.start + hours * HOUR)


def test_longest_path_on_recorded_rates(rates_file: Path, tariff_file: Path, recount: ModuleType) -> None:
    """On three weeks of every recorded file the oracle nets what the longest path nets, to 1e-9, on any terms."""
    panel = opening(recount, rates_file, 504)
    every_terms = settings_of(recount, recount.read_tariff(tariff_file))
    expected = [recount.best(panel, terms) for terms in every_terms]
    actual = [see_all(panel, terms).net_usd for terms in every_terms]

    assert expected == pytest.approx(actual, rel=1e-9)


def test_linear_programme_on_recorded_rates(rates_file: Path, recount: ModuleType) -> None:
    """On four days of every recorded file the oracle nets the optimum of a linear programme, to 1e-9."""
    panel = opening(recount, rates_file, 96)
    every_terms = [recount.Terms(0, "0.01"), recount.Terms(30, "0", 300, 30, "0.2"), recount.Terms(150, "0.02", 300, 30, "0.2")]
    expected = [best_flow(panel, terms) for terms in every_terms]
    actual = [see_all(panel, terms).net_usd for terms in every_terms]

    assert expected == pytest.approx(actual, rel=1e-9)


def test_path_accounts_for_the_net(rates_file: Path, tariff_file: Path, recount: ModuleType) -> None:
    """The path is a course that a backtest could fly: its own account gives the oracle's net, parts and moves."""
    panel = opening(recount, rates_file, 504)
    for terms in settings_of(recount, recount.read_tariff(tariff_file)):
        result = see_all(panel, terms)
        told = recount.account(panel, {"gpu-0": course(panel, result)}, terms)

        assert (told.net, told.gross, told.fees, told.power) == pytest.approx(parts(result), rel=1e-9)
        assert told.moves == result.moves


@given(data=st.data())
def test_no_course_is_better(recount: ModuleType, data: st.DataObject) -> None:
    """The oracle nets exactly the best account among all courses of a small panel."""
    panel = data.draw(panels(recount, hours=5, venues=2))
    terms = data.draw(conditions(recount, hours=5))
    expected = max(accounts_of_all_courses(recount, panel, terms))

    assert expected == pytest.approx(see_all(panel, terms).net_usd, rel=1e-9, abs=1e-9)


@given(data=st.data())
def test_longest_path_on_any_panel(recount: ModuleType, data: st.DataObject) -> None:
    """Whatever the gaps, ties, costs and negative tariffs, net and path are those of a best course."""
    panel = data.draw(panels(recount, hours=40, venues=4))
    terms = data.draw(conditions(recount, hours=40))
    result = see_all(panel, terms)
    told = recount.account(panel, {"gpu-0": course(panel, result)}, terms)

    assert recount.best(panel, terms) == pytest.approx(result.net_usd, rel=1e-9, abs=1e-9)
    assert (told.net, told.gross, told.fees, told.power) == pytest.approx(parts(result), rel=1e-9, abs=1e-9)
    assert told.moves == result.moves


def test_equal_venues_are_no_reason_to_move(recount: ModuleType) -> None:
    """Where every venue pays the same and a move costs nothing, there is one move: out of idle."""
    panel = recount.Panel(NEW_YEAR, [dict.fromkeys(NAMES, 250_000_000)] * 50)
    result = see_all(panel, recount.Terms(downtime=0))

    assert (12.5, 1) == (result.net_usd, result.moves)


def test_dark_past_the_end(recount: ModuleType) -> None:
    """Where a move would be dark to the end of the panel or longer, perfect foresight stays idle."""
    panel = recount.Panel(NEW_YEAR, [{"a": 10**9}] * 12)
    for downtime in (720, 721, 60 * 24 * 365):
        result = see_all(panel, recount.Terms(downtime=downtime))

        assert (0.0, 0, ["idle"] * 12) == (result.net_usd, result.moves, course(panel, result))


def test_nothing_to_earn(recount: ModuleType) -> None:
    """Rates below the cost of power, or none at all, leave the device idle, and idle power is all it pays."""
    panel = recount.Panel(NEW_YEAR, [{"a": 50_000_000}, {}, {"a": 50_000_000}])
    result = see_all(panel, recount.Terms(0, "0", 300, 10, "0.2"))

    assert result.moves == 0
    assert (-0.006, 0, 0, 0.006) == pytest.approx(parts(result))


def test_going_idle_is_free(recount: ModuleType) -> None:
    """When a venue stops paying for its power, the device goes idle at once, without a fee and without dark time."""
    panel = recount.Panel(NEW_YEAR, [{"a": 10**9}] * 6 + [{}] * 2)
    result = see_all(panel, recount.Terms(150, "0.5", 1000, 0, "0.2"))

    assert ["a"] * 6 + ["idle"] * 2 == course(panel, result)
    assert (2.3, 3.5, 0.5, 0.7) == pytest.approx(parts(result))


def test_no_move_to_where_it_is(recount: ModuleType) -> None:
    """To be dark instead of lit through unpaid hours, and arrive at their end where one was, is no course.

    It stays and pays for power, and where the other venue is nearly as good it goes there.
    """
    for there, moves, net in ((0, 1, 2.2), (950_000_000, 2, 2.65)):
        panel = recount.Panel(NEW_YEAR, [{"a": 10**9, "b": 0}] * 3 + [{}, {}] + [{"a": 10**9, "b": there}] * 3)
        result = see_all(panel, recount.Terms(120, "0", 300, 0, "1"))

        assert moves == result.moves
        assert net == pytest.approx(result.net_usd)


def parts(result: OracleResult) -> tuple[float, float, float, float]:
    """Net, gross, fees and power."""
    return result.net_usd, result.gross_usd, result.fee_usd, result.power_usd


def accounts_of_all_courses(recount: ModuleType, panel: Any, terms: Any) -> list[float]:
    """The net of every course that the rules allow."""
    nets = []
    for places in product(("idle", *panel.networks), repeat=len(panel.rates)):
        try:
            nets.append(recount.account(panel, {"gpu-0": places}, terms).net)
        except ValueError:  # a change of place while dark
            continue
    return nets


def best_flow(panel: Any, terms: Any) -> float:
    """The most that one device can net, in USD: a unit of flow from idle in the first hour to the end of the panel.

    A node is an hour and a place; an edge is a stay, a going idle or a move, over the hours until the next decision.
    """
    places = ("idle", *panel.networks)
    hours, edges = range(len(panel.rates)), []
    for hour, here, there in product(hours, places, places):
        moves = there not in {"idle", here}
        until = hour + (max(ceil(terms.downtime / 60), 1) if moves else 1)
        edges.append((hour, here, until, there, gain(panel, terms, range(hour, min(until, len(hours))), there, moves=moves)))
    row = {node: index for index, node in enumerate(product(hours, places))}
    leaving = [(row[hour, here], column, 1.0) for column, (hour, here, *_) in enumerate(edges)]
    arriving = [(row[until, there], column, -1.0) for column, (_, _, until, there, _) in enumerate(edges) if until in hours]
    rows, columns, signs = zip(*leaving, *arriving, strict=True)
    flow = coo_array((signs, (rows, columns)), shape=(len(row), len(edges))).tocsr()
    source = np.zeros(len(row))
    source[row[0, "idle"]] = 1
    gains = np.array([edge[-1] for edge in edges])
    solution = linprog(-gains * 1e6, A_eq=flow, b_eq=source, method="highs")
    return float(gains @ solution.x)


def gain(panel: Any, terms: Any, hours: range, place: str, *, moves: bool) -> float:
    """What the hours bring in USD on a way to a place, or there."""
    dark = terms.downtime / 60 if moves else 0.0
    total = -float(terms.fee) if moves else 0.0
    for hour in hours:
        lit = 0.0 if place == "idle" else 1 - min(dark, 1)
        watts = terms.power * lit + terms.idle_power * (1 - lit)
        total += panel.rates[hour].get(place, 0) / 1e9 * lit - watts / 1000 * float(terms.tariff)
        dark = max(dark - 1, 0)
    return total

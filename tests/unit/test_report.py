"""What the pages say and draw is what was flown, and nothing in a name reaches the browser as more than words."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from autopilot.backtest.leads import leads
from autopilot.backtest.report import Result
from autopilot.backtest.runner import Course, Terms, fly, perfect
from autopilot.backtest.sensitivity import sensitivity
from autopilot.cli import report
from autopilot.errors import ConfigError
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import State
from autopilot.plugins import make_strategy
from autopilot.report import flown, lived
from autopilot.report.page import ready, rendered
from autopilot.report.records import laid, running, thinned
from autopilot.report.shapes import DARK, Page, Part, Piece
from autopilot.sim.node import Manner
from autopilot.sim.panel import Panel
from autopilot.store.store import Store
from autopilot.testing.views import START
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts
from shared.needs import needed

HOSTILE = "</script><script>owned()</script><img src=x onerror=owned()>&amp;'\""
TERMS = Terms(timedelta(minutes=90), Usd.of("0.01"), gpus=2, draw=Draw(Watts.of(300), Watts.of(20)), power=PowerPrice(UsdPerKwh.of("0.2")))


def course(*names: str, hours: int = 96, gpu: str = "A100") -> Course:
    """Rates that cross every day, one of them with a gap."""
    hour = np.arange(hours)
    rates = np.round([1 + 0.4 * np.sin(hour / 8 + index) for index in range(len(names))], 4).T
    rates[30:36, 0] = np.nan
    panel = Panel(datetime(2026, 1, 1, tzinfo=UTC), gpu, names, rates)
    return Course(panel, panel.rates, panel.start, panel.end)


@pytest.fixture(scope="module")
def result() -> Result:
    """Three strategies on two GPUs."""
    market = course("akash", "nosana", "render")
    flights = [fly(market, TERMS, make_strategy(name, {})) for name in ("stay", "greedy", "threshold")]
    return Result("rates.csv", market, TERMS, perfect(market, TERMS), flights)


def part(page: Page, heading: str) -> Part:
    """The one with this heading."""
    return next(each for each in page.parts if each.heading.partition(",")[0] == heading)


def traces(page: Page, heading: str) -> Mapping[str, Any]:
    """What is drawn there, by name."""
    figure = part(page, heading).figure
    assert figure is not None

    return {each["name"]: each for each in figure["data"]}


def test_the_lines_end_where_the_accounts_do(result: Result) -> None:
    """Earnings of each strategy and of perfect foresight, and what is between them, to the last point."""
    page = flown.page(result, flown.Tried())
    earned, missed = traces(page, "Earnings"), traces(page, "Regret over time")
    nets = {flight.name: float(flight.totals.net) for flight in result.flights}

    assert {**nets, "perfect foresight": result.oracle_net} == pytest.approx(
        {name: line["y"][-1] for name, line in earned.items()}, abs=1e-6
    )
    assert {name: result.oracle_net - net for name, net in nets.items()} == pytest.approx(
        {name: line["y"][-1] for name, line in missed.items()}, abs=1e-5
    )
    assert sorted(nets, key=lambda name: -nets[name]) == list(page.strategies)


def test_the_table_has_the_figures_of_the_command(result: Result) -> None:
    """To the digits that it shows, the best first, below perfect foresight."""
    rows = part(flown.page(result, flown.Tried()), "Results").tables[0].rows
    best = max(result.flights, key=lambda flight: flight.totals.net)
    share = result.share(best)
    assert share is not None

    assert ["perfect foresight", f"{result.oracle_net:,.2f}"] == list(rows[0][:2])
    assert [best.name, f"{float(best.totals.net):,.2f}", f"{100 * (1 - share):.2f} %"] == list(rows[1][:3])
    assert [f"{best.moves}", f"{best.totals.dark / HOUR:,.1f}"] == list(rows[1][4:6])


def test_every_strip_is_where_the_device_was(result: Result) -> None:
    """At the middle of each hour the strip shows the venue that was recorded, or that the device was dark on its way there."""
    drawn = traces(flown.page(result, flown.Tried()), "Where the GPUs were")
    flight = result.flights[1]
    strip = drawn["greedy · GPU-0"]
    placed = flight.placements[next(iter(flight.placements))]
    middle = [result.course.start + index * HOUR + HOUR / 2 for index in range(result.course.hours)]
    begun = [datetime.fromisoformat(base).replace(tzinfo=UTC) for base in strip["base"]]
    shown = [
        [name for at, long, name in zip(begun, strip["x"], strip["text"], strict=True) if at <= moment < at + long * HOUR / 3.6e6]
        for moment in middle
    ]
    dark = [index for index, names in enumerate(shown) if names == [DARK]]

    assert [[str(venue)] if index not in dark else [DARK] for index, venue in enumerate(placed)] == shown
    assert dark
    assert float(flight.totals.dark / HOUR) == pytest.approx(
        sum(long / 3.6e6 for each in ("GPU-0", "GPU-1") for long, name in _pieces(drawn[f"greedy · {each}"]) if name == DARK)
    )


def _pieces(strip: Mapping[str, Any]) -> list[tuple[int, str]]:
    return list(zip(strip["x"], strip["text"], strict=True))


def test_every_move_is_on_the_rate_that_it_led_to(result: Result) -> None:
    """With its reason, in the colour of that venue."""
    drawn = traces(flown.page(result, flown.Tried()), "Rates and moves")
    own = drawn["greedy · GPU-1"]
    switches = [each for each in result.flights[1].store.journal.switches() if each.device == list(result.flights[1].placements)[1]]
    rates = {name: dict(zip(drawn[name]["x"], drawn[name]["y"], strict=True)) for name in result.course.panel.networks}

    assert [f"{each.opened_at:%Y-%m-%d %H:%M:%S}" for each in switches] == own["x"]
    assert [rates[str(each.target)][at] for each, at in zip(switches, own["x"], strict=True)] == own["y"]
    assert [drawn[str(each.target)]["line"]["color"] for each in switches] == own["marker"]["color"]
    assert all("GPU-1" in told and "greedy" in told and len(told.split("<br>")) > 2 for told in own["hovertext"])


def test_other_terms_and_leads_are_those_that_were_tried(result: Result) -> None:
    """Shares by case, nets by lead; as given is as reported."""
    strategies = [make_strategy(name, {}) for name in ("stay", "greedy", "threshold")]
    small = replace(result, course=(market := course("akash", "nosana", hours=24)), terms=(terms := replace(TERMS, gpus=1)))
    small = replace(small, oracle=perfect(market, terms), flights=[fly(market, terms, each) for each in strategies])
    tried = flown.Tried(sensitivity(market, terms, strategies, [0.0] * 3), list(leads(small, strategies)))
    page = flown.page(small, tried)
    other, led = traces(page, "On other terms"), traces(page, "With other leads")
    shares = {flight.name: small.share(flight) for flight in small.flights}

    assert {name: 100 * share for name, share in shares.items() if share} == pytest.approx(
        {name: each["y"][0] for name, each in other.items()}, abs=1e-6
    )
    assert ["threshold"] == list(led)
    assert float(small.flights[2].totals.net) == pytest.approx(led["threshold"]["y"][led["threshold"]["x"].index("5%")], abs=1e-6)


def test_what_is_missing_is_said_and_not_drawn(result: Result) -> None:
    """Where the bound is only known as a sum there is no line of it, and no regret; untried terms have no bars."""
    page = flown.page(replace(result, oracle=replace(result.oracle, hourly=None)), flown.Tried())

    assert {"stay", "greedy", "threshold"} == set(traces(page, "Earnings"))
    assert [None, None, None] == [part(page, each).figure for each in ("Regret over time", "On other terms", "With other leads")]
    assert "only the sum is known" in part(page, "Earnings").words[1]
    assert [None] * 6 == traces(page, "Rates and moves")["akash"]["y"][30:36]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=40), st.integers(1, 30))
def test_a_running_sum_is_the_sum(amounts: list[int], points: int) -> None:
    """At the end of all, whatever the points."""
    at = [START + index * HOUR for index in range(points)] + [START + 40 * HOUR]
    sums = list(running([(START + index * HOUR, amount) for index, amount in enumerate(amounts)], at))

    assert sum(amounts) / 1e9 == pytest.approx(sums[-1])
    assert amounts[0] / 1e9 == sums[0]
    assert sums == sorted(sums)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=1200))
def test_laying_and_thinning_lose_no_time(lengths: list[tuple[int, bool]]) -> None:
    """Pieces follow one another without overlap, all time is covered, and there are never too many."""
    below, above, at = [], [], START
    for index, (length, dark) in enumerate(lengths):
        end = at + length * HOUR
        below.append(Piece(at, end, f"venue-{index % 3}"))
        above += [Piece(at, at + HOUR / 2, DARK)] if dark else []
        at = end
    whole = laid(below, above)
    few = thinned(whole, START, at)
    slack = timedelta(milliseconds=10)

    assert at - START == sum((each.end - each.start for each in whole), timedelta(0))
    assert sum(dark for _, dark in lengths) * HOUR / 2 == sum((each.end - each.start for each in whole if each.what == DARK), timedelta(0))
    assert all(earlier.end == later.start for earlier, later in pairwise(whole))
    assert len(few) <= 500
    assert abs(few[-1].end - at) < slack
    assert all(abs(earlier.end - later.start) < slack for earlier, later in pairwise(few))


def test_figures_are_what_the_library_takes(result: Result) -> None:
    """Every figure passes the schema of plotly itself."""
    figure = needed("plotly.graph_objects").Figure
    drawn = [each.figure for each in flown.page(result, flown.Tried()).parts if each.figure]
    made = [figure(data=each["data"], layout=each["layout"]) for each in drawn]

    assert [len(each["data"]) for each in drawn] == [len(each.data) for each in made]
    assert len(made) == 4


@pytest.fixture(scope="module")
def hostile() -> str:
    """A page where every name is an attack."""
    market = course(f"a{HOSTILE}", f"b{HOSTILE}", hours=24, gpu=f"gpu{HOSTILE}")
    flights = [fly(market, TERMS, replace(make_strategy(name, {}), name=f"{name}{HOSTILE}")) for name in ("greedy", "threshold")]
    found = Result(f"file{HOSTILE}", market, TERMS, perfect(market, TERMS), flights)
    return rendered(flown.page(found, flown.Tried()), "library")


def test_names_are_only_words(hostile: str) -> None:
    """No tag comes from a name: not in the text, not in an attribute, not in the data, and not in what plotly reads as HTML."""
    data = hostile.partition('id="figures">')[2].partition("</script>")[0]
    told = [text for figure in json.loads(data) for each in figure["data"] for text in (each["name"], *each.get("hovertext", ()))]

    assert 3 == hostile.count("<script")
    assert 0 == len(re.findall(r"<img|owned\(\)</|owned\(\)>", hostile))
    assert "<" not in data
    assert ["<b>", "</b>", "<br>"] == sorted(
        {tag for text in told for tag in re.findall(r"<[^>]*>", text)}, key=["<b>", "</b>", "<br>"].index
    )
    assert "default-src 'none'" in hostile


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """A rig of two GPUs that moved to nosana after a few hours, and has a state file."""
    world = Fleet("akash", "nosana", gpus=2, manner=Manner(boot=HOUR / 12), fee=Usd.of("0.02"), draw=Draw(Watts.of(330), Watts.of(30)))
    world.store = Store.open(tmp_path / "autopilot.db")
    world.restart()
    for name in ("akash", "nosana"):
        world.wish(name, 0)
        world.wish(name, 1)
        for _ in range(4):
            world.decide()
            world.fly(HOUR)
    devices = [[each.id, each.model, each.index] for each in world.devices]
    body = {"strategy": "wishes", "live": True, "tick_seconds": 15.0, "speed": 1.0, "by_hand": True, "devices": devices}
    with world.store.atomic():
        world.store.journal.beat(world.clock.now(), START, 1, {**body, "silent": {}, "quarantine": {}})
    return world


def test_the_rigs_page_has_the_figures_of_its_ledger(fleet: Fleet) -> None:
    """Net by our own estimate, held against staying and perfect foresight; what was never paid has no line, and is said."""
    page = lived.page(fleet.store, fleet.clock.now(), START - HOUR)
    earned = traces(page, "Earnings")
    totals = fleet.store.ledger.totals()

    assert ["net, by our own estimate", "without a move", "perfect foresight"] == list(earned)
    assert float(totals.expected_net) == pytest.approx(earned["net, by our own estimate"]["y"][-1], abs=1e-6)
    assert 8 * 2 * 0.4 == pytest.approx(earned["without a move"]["y"][-1], abs=0.2)
    assert earned["perfect foresight"]["y"][-1] >= earned["net, by our own estimate"]["y"][-1]
    assert any("No payout was seen or entered" in words for words in part(page, "Earnings").words)
    assert ["no payout was seen or entered."] == re.findall(r"no payout.*", page.summary[0])
    assert {"GPU-0", "GPU-1"} == set(page.gpus)
    assert 4 == sum(each.state is State.SETTLED for each in fleet.store.journal.switches())
    assert [["akash", "2"], ["nosana", "2"]] == [list(row[:2]) for row in part(page, "What switching cost").tables[0].rows]


def test_where_nothing_settled_foresight_is_not_known(tmp_path: Path) -> None:
    """Nobody knows what a move takes: no line, no regret, and a sentence instead. Where nothing was decided there is no page."""
    world = Fleet("akash", manner=Manner(boot=12 * HOUR))
    world.store = Store.open(tmp_path / "autopilot.db")
    world.restart()
    with pytest.raises(ConfigError, match="nothing was decided yet"):
        lived.page(world.store, world.clock.now(), START)
    world.wish("akash")
    world.decide()
    world.fly(2 * HOUR)
    devices = [[each.id, each.model, each.index] for each in world.devices]
    body = {"strategy": "wishes", "live": True, "tick_seconds": 15.0, "speed": 1.0, "by_hand": True, "devices": devices}
    with world.store.atomic():
        world.store.journal.beat(world.clock.now(), START, 1, {**body, "silent": {}, "quarantine": {}})
    page = lived.page(world.store, world.clock.now(), START - HOUR)

    assert "perfect foresight" not in traces(page, "Earnings")
    assert part(page, "Regret over time").figure is None
    assert "Perfect foresight is not known" in part(page, "Regret over time").words[0]


def test_the_command_writes_the_page(fleet: Fleet, tmp_path: Path) -> None:
    """One file that names no other place to load anything from."""
    needed("plotly")
    app = typer.Typer()
    report.register(app)
    out = tmp_path / "rig.html"
    told = CliRunner().invoke(app, [str(out), "--state", str(tmp_path / "autopilot.db")], catch_exceptions=False)
    text = out.read_text(encoding="utf-8")

    assert (0, f"{out}: written\n") == (told.exit_code, told.stderr)
    assert [] == re.findall(r"""<(?:script|link|img|iframe)[^>]+(?:src|href)="(?!data:)""", text)
    assert text.startswith("<!doctype html>")
    assert len(fleet.devices) == text.count('name="gpu"')


def test_what_stands_in_the_way_is_said_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is not there, and the extra that is not installed, with the line that installs it."""
    with pytest.raises(ConfigError, match="name a file in a folder that is there") as wrong:
        ready(tmp_path / "nowhere" / "page.html")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr("autopilot.report.page.find_spec", lambda _: None)
    with pytest.raises(ConfigError) as missing:
        ready(tmp_path / "page.html")

    assert 'a report needs plotly: pip install "yield-autopilot[report]"' == str(missing.value)
    assert str(wrong.value).startswith(str(tmp_path / "nowhere"))

"""`autopilot backtest --report`, as it is typed: the page that a real process writes, in a real browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.browser import Tab, chromium
from shared.needs import needed

pytestmark = pytest.mark.long

HEADINGS = [
    *("Results", "Earnings, USD", "Regret over time, USD", "Where the GPUs were", "Rates and moves, USD an hour", "What switching cost"),
    *("Occupancy", "On other terms, % of perfect foresight", "With other leads, USD"),
]
ALL_HEADINGS = "[...document.querySelectorAll('h2')].map(each => each.textContent)"
PLOTS = "[...document.querySelectorAll('.plot')]"


@dataclass(frozen=True)
class Written:
    """What the commands left behind."""

    page: Path
    said: str
    """On stderr."""
    net: dict[str, str]
    """By strategy, as the table on stdout has it."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Ten days of rates are generated, and three strategies fly two GPUs through them."""
    needed("plotly")
    folder = tmp_path_factory.mktemp("backtest")
    _autopilot(folder, "rates generate rates.csv --days 10 --seed 3")
    flown = _autopilot(folder, "backtest rates.csv --gpus 2 --strategy greedy threshold stay --report page.html")
    rows = [line.split() for line in flown.stdout.splitlines()]
    net = {row[0]: row[1] for row in rows if row and row[0] in ("greedy", "threshold", "stay")}
    return Written(folder / "page.html", flown.stderr, net)


def _autopilot(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autopilot", *words.split()]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser."""
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def test_the_command_says_where_the_page_is(written: Written) -> None:
    """On stderr: stdout is for the table."""
    assert "page.html: written\n" == written.said
    assert 3 == len(written.net)


@pytest.mark.parametrize("width", [1280, 390])
def test_every_section_is_drawn_without_a_complaint(tab: Tab, written: Written, width: int) -> None:
    """On a desk and on a phone: each section is there, each chart has something in it, and nothing is loaded."""
    tab.complaints.clear()
    tab.loaded.clear()
    tab.show(written.page, width)
    drawn = tab.run(f"{PLOTS}.map(plot => plot.querySelectorAll('path.js-line, .barlayer .point, .points path').length)")

    assert [] == tab.complaints
    assert [written.page.resolve().as_uri()] == tab.loaded
    assert HEADINGS == tab.run(ALL_HEADINGS)
    assert 6 == len(drawn)
    assert all(drawn)
    assert tab.run("document.documentElement.scrollWidth") <= width


def test_three_lines_say_who_earned_most_and_what_was_missed(tab: Tab, written: Written) -> None:
    """With the figures of the table that the command printed."""
    tab.show(written.page, 1280)
    first, second, third = tab.run("[...document.querySelectorAll('.summary li')].map(each => each.textContent)")
    best, last = (choose(written.net, key=lambda name: float(written.net[name].replace(",", ""))) for choose in (max, min))

    assert f"{best} earned most: {written.net[best]} USD net in 10.0 days with 2 GPUs" in first
    assert "Perfect foresight would have netted" in second
    assert f"The last of 3, {last}, netted {written.net[last]} USD" in third


def test_a_move_says_why_where_it_is_pointed_at(tab: Tab, written: Written) -> None:
    """From where to where, when, and the strategy's own words."""
    tab.show(written.page, 1280)
    tab.run(f"window.chart = {PLOTS}[3]; window.mark = chart.data.findIndex(each => each.mode === 'markers' && each.x.length)")
    tab.run("Plotly.Fx.hover(chart, [{curveNumber: mark, pointNumber: 0}])")
    tab.run("new Promise(done => setTimeout(done, 200))")
    said = tab.run("chart.querySelector('.hoverlayer').textContent")
    strategy = tab.run("chart.data[mark].meta.strategy")

    assert said.startswith(f"{strategy}, GPU-0: idle → ")
    assert "UTC" in said
    assert len(said.partition("UTC")[2]) > 20


def test_what_nobody_ticked_leaves_no_empty_chart(tab: Tab, written: Written) -> None:
    """Without a ticked strategy the regret has a sentence in its place; perfect foresight and other leads are shown all the same."""
    tab.show(written.page, 1280)
    boxes = "document.querySelectorAll('input[name=strategy]').forEach(box => box.click())"
    hidden = f"{PLOTS}.map(plot => plot.hidden)"
    widths = f"{PLOTS}.map(plot => plot.querySelector('.main-svg').clientWidth)"
    before = tab.run(widths)
    tab.run(boxes)

    assert [False, True, True, False, True, False] == tab.run(hidden)
    assert tab.run(f"{PLOTS}[1].nextElementSibling.checkVisibility()")
    tab.run(boxes)
    assert [False] * 6 == tab.run(hidden)
    assert before == tab.run(widths)


def test_the_leads_are_of_every_strategy_that_has_one(tab: Tab, written: Written) -> None:
    """A row with a figure for each lead, and the downtime is among the other terms."""
    tab.show(written.page, 1280)
    last = "[...document.querySelectorAll('section')].slice(-2)"
    tables = f"{last}.map(each => [...each.querySelectorAll('th, td')].map(cell => cell.textContent))"
    terms, led = tab.run(tables)

    assert {"as given", "downtime x0.5", "downtime x2", "downtime x4"} <= set(terms)
    assert ["strategy", "0%", "2%", "5%", "10%", "20%", "40%", "threshold"] == led[:8]
    assert 6 == len([float(cell.replace(",", "")) for cell in led[8:]])

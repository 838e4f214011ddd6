"""The page in a real browser: drawn without a complaint at any width, loading nothing, and its filter hides what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from autopilot.backtest.report import Result
from autopilot.backtest.runner import Course, Terms, fly, perfect
from autopilot.plugins import make_strategy
from autopilot.report.flown import Tried, page
from autopilot.report.page import write
from autopilot.sim.panel import Panel
from autopilot.units import Usd
from shared.browser import Tab, chromium
from shared.needs import needed

ATTACK = "</script><script>window.owned = 1</script><img src=x onerror='window.owned = 2'><b onmouseover=window.owned=3>"
SEEN = "plot => plot.data.filter(trace => trace.visible === true).map(trace => trace.meta.strategy + '/' + (trace.meta.gpu ?? ''))"
PLOTS = f"[...document.querySelectorAll('.plot')].map({SEEN})"
DRAWN = "[...document.querySelectorAll('.plot')].map(plot => plot.querySelectorAll('path.js-line, .barlayer .point, .points path').length)"
STRATEGIES = ("greedy", "stay", "threshold", "rainbow")


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser."""
    with chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def course(*names: str) -> Course:
    """Four days of rates that cross."""
    hour = np.arange(96)
    rates = np.round([1 + 0.4 * np.sin(hour / 8 + index) for index in range(len(names))], 4).T
    panel = Panel(datetime(2026, 1, 1, tzinfo=UTC), "A100", names, rates)
    return Course(panel, panel.rates, panel.start, panel.end)


def written(folder: Path, market: Course, spoilt: str = "") -> Path:
    """The page of four strategies on two GPUs, with something after each of their names."""
    needed("plotly")
    terms = Terms(timedelta(minutes=30), Usd.of("0.01"), gpus=2)
    flown = [fly(market, terms, replace(make_strategy(name, {}), name=f"{name}{spoilt}")) for name in STRATEGIES]
    out = folder / "page.html"
    write(page(Result(f"rates{spoilt}.csv", market, terms, perfect(market, terms), flown), Tried()), out)
    return out


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With harmless names."""
    return written(tmp_path_factory.mktemp("page"), course("akash", "nosana", "render"))


@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_drawn_without_a_complaint(tab: Tab, plain: Path, width: int) -> None:
    """On a desk and on a phone: every chart has something in it, nothing is wider than the screen, and nothing was loaded."""
    tab.complaints.clear()
    tab.loaded.clear()
    tab.show(plain, width)

    assert [] == tab.complaints
    assert [plain.resolve().as_uri()] == tab.loaded
    assert 4 == len(tab.run(DRAWN))
    assert all(tab.run(DRAWN))
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert all(0 < wide <= width for wide in tab.run("[...document.querySelectorAll('.main-svg')].map(each => each.clientWidth)"))


def clicked(tab: Tab, kind: str, name: str) -> list[set[str]]:
    """Click a box of the filter as a person does. What every chart shows then."""
    tab.run(f"[...document.querySelectorAll('input[name={kind}]')].find(box => box.value === {name!r}).click()")
    return [set(each) for each in tab.run(PLOTS)]


def test_the_filter_hides_and_shows(tab: Tab, plain: Path) -> None:
    """First the three best are seen; a strategy or a GPU that is unticked leaves every chart, and comes back."""
    tab.show(plain, 1280)
    best = tab.run("[...document.querySelectorAll('input[name=strategy]')].map(box => box.value)")
    before = [set(each) for each in tab.run(PLOTS)]
    three = {f"{name}/" for name in best[:3]}
    strips = {f"{name}/GPU-{number}" for name in best[:3] for number in range(2)}
    height = tab.run("document.querySelectorAll('.plot')[2].clientHeight")

    assert [three | {"/"}, three, strips, strips | {"/"}] == before
    after = clicked(tab, "strategy", best[0])

    assert [each - {seen for seen in each if seen.startswith(f"{best[0]}/")} for each in before] == after
    assert height - 2 * 26 == tab.run("document.querySelectorAll('.plot')[2].clientHeight")
    assert before == clicked(tab, "strategy", best[0])
    assert [before[0], before[1], {each for each in strips if "GPU-0" in each}] == clicked(tab, "gpu", "GPU-1")[:3]
    assert {f"{name}/" for name in best} | {"/"} == clicked(tab, "strategy", best[3])[0]
    rows = "[...document.querySelectorAll('tr[data-strategy]')].filter(row => !row.hidden).map(row => row.dataset.strategy)"
    assert set(best) == set(tab.run(rows))
    clicked(tab, "strategy", best[3])
    assert set(best[:3]) == set(tab.run(rows))


def test_a_name_runs_nothing(tab: Tab, tmp_path: Path) -> None:
    """Venues and strategies that are called like an attack are shown as such, also where they are pointed at, and do nothing."""
    attacked = written(tmp_path, course(f"a{ATTACK}", f"b{ATTACK}"), ATTACK)
    tab.complaints.clear()
    tab.show(attacked, 1280)
    tab.run("Plotly.Fx.hover(document.querySelectorAll('.plot')[3], [{curveNumber: 2, pointNumber: 0}])")
    tab.run("new Promise(done => setTimeout(done, 200))")

    assert [] == tab.complaints
    assert tab.run("window.owned") is None
    assert 3 == tab.run("document.scripts.length")
    assert 0 == tab.run("document.images.length")
    assert f"a{ATTACK}" in tab.run("document.querySelector('.venues').textContent")
    assert ATTACK in tab.run("document.querySelectorAll('.plot')[3].querySelector('.legend').textContent")


def test_the_driver_hears_complaints(tab: Tab, tmp_path: Path) -> None:
    """A page with a fault and a foreign image: both are noticed, or the tests above could not fail."""
    broken = tmp_path / "broken.html"
    broken.write_text("<img src='http://127.0.0.1:9/x.png'><script>throw new Error('a fault')</script>", encoding="utf-8")
    tab.complaints.clear()
    tab.loaded.clear()
    tab.show(broken, 1280)

    assert any("a fault" in each for each in tab.complaints)
    assert "http://127.0.0.1:9/x.png" in tab.loaded

"""The metrics say what the state file says, have good names, and are what the page and the dashboard promise."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autopilot.clock import stopwatch
from autopilot.sim.clock import SimClock
from autopilot.store.store import Store
from autopilot.telling.metrics import registry
from autopilot.testing.views import MODEL, START, answer, device
from autopilot.units import HOUR
from shared.metrics import PROMISED, QUERIES, fill
from shared.needs import needed, unable

NOW = START + 12 * HOUR
GPU = '{{device="gpu-{0}",gpu="GPU-{0}",model="RTX 4090"{1}}}'


def scraped(path: Path, at: datetime = NOW) -> str:
    """What a scrape gets."""
    page: bytes = needed("prometheus_client").generate_latest(registry(path, SimClock(at)))
    return page.decode()


def values(page: str, name: str) -> dict[str, float]:
    """The samples of one metric, by their labels."""
    found = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", page, flags=re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_every_promised_metric_is_there_and_no_other(store: Store, path: Path) -> None:
    """What docs/metrics.md lists is what a full state file gives."""
    fill(store, NOW)

    assert PROMISED == set(re.findall(r"^(autopilot_\w+?)[ {]", scraped(path), flags=re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("autopilot_up", {"": 1}),
        ("autopilot_heartbeat_timestamp_seconds", {"": (NOW - timedelta(seconds=5)).timestamp()}),
        ("autopilot_network_silent", {'{network="akash"}': 0, '{network="nosana"}': 1}),
        ("autopilot_gpu_power_watts", {GPU.format(0, ""): 320.5}),
        ("autopilot_gpu_temperature_celsius", {GPU.format(0, ""): 61}),
        ("autopilot_gpu_seen", {GPU.format(0, ""): 1, GPU.format(1, ""): 0}),
        (
            "autopilot_device_income_usd_per_hour",
            {GPU.format(0, ',venue="akash"'): 0.4, GPU.format(2, ',venue="akash"'): 0},
        ),
        ("autopilot_switches_total", {f'{{end="{end}"}}': end == "settled" for end in ("settled", "reverted", "cleared", "stranded")}),
        ("autopilot_switches_open", {"": 1}),
        ("autopilot_quote_usd_per_hour", {'{model="RTX 4090",network="akash",venue="akash"}': 0.4}),
        (
            "autopilot_quote_age_seconds",
            {f'{{model="RTX 4090",network="{name}",venue="{name}"}}': age for name, age in (("akash", 1800), ("nosana", 7200))},
        ),
        ("autopilot_ledger_usd_total", {'{kind="earned",network="akash"}': 3.5, '{kind="power",network="akash"}': 0.5}),
        ("autopilot_dark_seconds_total", {'{network="akash"}': 600}),
    ],
)
def test_a_metric_says_what_the_state_file_says(store: Store, path: Path, name: str, samples: dict[str, float]) -> None:
    """What is not known has no sample: the temperature of a GPU that tells none, a quote that has expired."""
    fill(store, NOW)

    assert samples == values(scraped(path), name)


def test_a_device_is_in_one_state(store: Store, path: Path) -> None:
    """Of all that there are, exactly one is 1."""
    fill(store, NOW)
    states = values(scraped(path), "autopilot_device_state")

    assert {GPU.format(*each) for each in ((0, ',state="serving"'), (1, ',state="fenced"'), (2, ',state="switching"'))} == {
        labels for labels, value in states.items() if value
    }
    assert 12 == len(states)


def test_without_a_state_file_a_scrape_says_so(tmp_path: Path) -> None:
    """It succeeds, and its one sample is that nothing can be read."""
    page = scraped(tmp_path / "none.db")

    assert {"": 0.0} == values(page, "autopilot_up")
    assert 1 == len([line for line in page.splitlines() if not line.startswith("#")])


def test_the_names_are_good(store: Store, path: Path) -> None:
    """By the judgement of Prometheus' own tool."""
    if shutil.which("promtool") is None:
        unable("promtool is not on this host; apt install prometheus")
    fill(store, NOW)
    judged = subprocess.run(
        ["promtool", "check", "metrics"],  # noqa: S607
        input=scraped(path),
        text=True,
        capture_output=True,
        check=False,
    )

    assert (0, "", "") == (judged.returncode, judged.stdout, judged.stderr)


@pytest.mark.parametrize("query", QUERIES)
def test_the_dashboard_asks_for_what_there_is(query: str) -> None:
    """Every metric in it is one of the page's, and every query has one."""
    names = set(re.findall(r"autopilot_\w+", query))

    assert names
    assert names <= PROMISED


def test_a_scrape_of_a_large_rig_is_quick(store: Store, path: Path) -> None:
    """64 GPUs, 12 venues, hourly answers of a day, and a quarter of a million rows of a ledger: a moment."""
    rig = [device(number) for number in range(64)]
    answers: list[tuple[Any, str]] = [
        (answer(f"n{name}", gpu, 0.4, NOW - hour * HOUR, NOW - hour * HOUR), MODEL)
        for hour in range(24)
        for name in range(12)
        for gpu in rig
    ]
    with store.atomic():
        fill(store, NOW)
        store.rates.record(answers)
        store.connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 250000) INSERT INTO ledger"
            " SELECT 'earned', 'akash', '', 'gpu-' || (i % 64), 'h' || (i / 64), '', 's', 'e', 3600000000, 400000000, 'estimate',"
            " NULL, NULL, NULL FROM n"
        )
    begun = stopwatch()
    page = scraped(path)
    took = stopwatch() - begun

    assert 14 <= len(values(page, "autopilot_quote_age_seconds"))
    assert took < 4

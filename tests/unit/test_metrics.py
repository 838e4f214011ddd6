"""The metrics say what the state file says, have good names, and are what the page and the dashboard promise."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from time import process_time

import pytest

from autopilot.model.market import Basis
from autopilot.model.node import Payout
from autopilot.sim.clock import SimClock
from autopilot.store.ledger import Entry, Kind
from autopilot.store.store import Store
from autopilot.telling.metrics import Figuring, registry
from autopilot.testing.views import MODEL, START, answer, device
from autopilot.units import HOUR, Usd
from shared.metrics import AKASH, GPUS, PROMISED, QUERIES, fill
from shared.needs import needed, unable

NOW = START + 12 * HOUR
GPU = '{{device="gpu-{0}",gpu="GPU-{0}",model="RTX 4090"{1}}}'


def scraped(path: Path, at: datetime = NOW) -> str:
    """What a scrape gets."""
    with closing(Figuring(path, SimClock(at))) as figuring:
        return asked(figuring)


def asked(figuring: Figuring) -> str:
    """The same of one that is asked again and again."""
    page: bytes = needed("prometheus_client").generate_latest(registry(figuring))
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


def test_what_is_booked_between_two_scrapes_is_in_the_second(store: Store, path: Path) -> None:
    """An hour that grows, and a payout for work of long ago: sums that are kept for a day miss neither of them."""
    fill(store, NOW)
    paid = Payout("tx", AKASH, GPUS[0].id, NOW - 900 * HOUR, NOW - 800 * HOUR, Usd.of("7"))
    with closing(Figuring(path, SimClock(NOW))) as figuring:
        asked(figuring)
        store.ledger.paid([paid])
        store.ledger.book([Entry(NOW - HOUR, NOW, GPUS[0].id, AKASH, Kind.EARNED, Usd.of("0.25"), Basis.ESTIMATE)])
        sums = values(asked(figuring), "autopilot_ledger_usd_total")

    assert {"earned": 3.75, "power": 0.5, "paid": 7.0} == {
        kind: sums[f'{{kind="{kind}",network="akash"}}'] for kind in ("earned", "power", "paid")
    }


def test_days_of_scrapes_come_to_what_one_comes_to(store: Store, path: Path) -> None:
    """The sums that are kept are brought up to date as days go by: nothing is counted twice, and nothing is lost."""
    fill(store, NOW)
    clock = SimClock(NOW)
    with closing(Figuring(path, clock)) as figuring:
        for _ in range(20):
            at = clock.now()
            store.ledger.book([Entry(at, at + 7 * HOUR, GPUS[0].id, AKASH, Kind.EARNED, Usd.of("0.25"), Basis.ESTIMATE)])
            clock.move_to(at + 7 * HOUR)
            sums = values(asked(figuring), "autopilot_ledger_usd_total")

    assert 3.5 + 20 * 0.25 == sums['{kind="earned",network="akash"}']


def test_another_file_at_its_place_is_read(store: Store, path: Path, tmp_path: Path) -> None:
    """The state file that was moved away is not, and a scrape between the two says that there is none."""
    fill(store, NOW)
    with closing(Figuring(path, SimClock(NOW))) as figuring:
        before = asked(figuring)
        path.rename(tmp_path / "old.db")
        between = asked(figuring)
        Store.open(path).close()
        after = asked(figuring)

    assert [1.0, 0.0, 1.0] == [values(page, "autopilot_up")[""] for page in (before, between, after)]
    assert 'network="akash"' not in after


def test_a_scrape_of_a_large_rig_is_quick(store: Store, path: Path) -> None:
    """64 GPUs, 12 venues, hourly answers of a day, and 128,000 bookings: half a second of work after the first one, which reads them all.

    What was polled and booked in between is in the second.
    """
    rig = [device(number) for number in range(64)]
    hours = [[(answer(f"n{name}", gpu, 0.4, at, at), MODEL) for name in range(12) for gpu in rig] for at in _last(NOW, 24)]
    with store.atomic():
        fill(store, NOW)
        for polled in hours[:-1]:
            store.rates.record(polled)
        store.connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 127999) INSERT INTO ledger"
            " SELECT 'earned', 'akash', '', 'gpu-' || (i / 2000),"
            " strftime('%Y-%m-%dT%H:00:00.000000+00:00', ?, '-' || (i % 2000) || ' hours'), '',"
            " 's', 'e', 3600000000, 400000000, 'estimate', NULL, NULL, NULL FROM n WHERE true"
            " ON CONFLICT DO UPDATE SET amount_nanos = amount_nanos + excluded.amount_nanos",
            (f"{NOW:%Y-%m-%d %H:00:00}",),
        )
    with closing(Figuring(path, SimClock(NOW))) as figuring:
        asked(figuring)
        store.rates.record(hours[-1])
        before = process_time()
        page = asked(figuring)
        took = process_time() - before

    assert 14 == len(values(page, "autopilot_quote_age_seconds"))
    assert 51_203.5 == pytest.approx(values(page, "autopilot_ledger_usd_total")['{kind="earned",network="akash"}'])
    assert took < 0.5


def _last(at: datetime, hours: int) -> list[datetime]:
    """So many, the oldest first."""
    return [at - hour * HOUR for hour in reversed(range(hours))]

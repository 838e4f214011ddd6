"""A real Prometheus reads along, and answers every question of the dashboard."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from autopilot.clock import SystemClock
from autopilot.notices import MetricsSettings
from autopilot.store.store import Store
from autopilot.telling.metrics import serve
from shared.metrics import PROMISED, QUERIES, fill
from shared.needs import needed, unable

PATIENCE = timedelta(seconds=60)
EVERY = {"scrape_interval": "200ms"}
UNTOLD = {'sum(increase(autopilot_ledger_usd_total{kind="paid"}[24h]))'}
"""Nothing was told to be paid: no series, and not zero."""


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[str]:
    """Where the metrics of a full state file are served."""
    needed("prometheus_client")
    state, listen = tmp_path / "autopilot.db", f"127.0.0.1:{_free_port()}"
    with closing(Store.open(state)) as store:
        fill(store, SystemClock().now())
    end = serve(MetricsSettings(listen=listen), state, SystemClock())
    yield listen
    end()


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Callable[[str], Any]]:
    """Asks a real one, which reads the target all the time."""
    config, listen = folder / "prometheus.yml", f"127.0.0.1:{_free_port()}"
    jobs = [{"job_name": "autopilot", "static_configs": [{"targets": [target]}]}]
    config.write_text(json.dumps({"global": EVERY, "scrape_configs": jobs}), encoding="utf-8")  # JSON is YAML
    flags = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={listen}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *flags], stdout=log, stderr=log)  # noqa: S607
    try:
        yield lambda query: httpx.get(f"http://{listen}/api/v1/query", params={"query": query}).json()
    finally:
        process.terminate()
        process.wait(PATIENCE.total_seconds())


def test_prometheus_answers_every_question_of_the_dashboard(tmp_path: Path, metrics: str) -> None:
    """It understands the metrics, and knows each that the page promises."""
    if shutil.which("prometheus") is None:
        unable("prometheus is not on this host; apt install prometheus")
    with prometheus(tmp_path, metrics) as ask:
        _wait_until(lambda: _told(ask, "count_over_time(autopilot_up[1m]) >= 3"))
        known = {each["metric"]["__name__"] for each in _told(ask, '{job="autopilot", __name__=~"autopilot_.*"}')}
        unanswered = {query for query in QUERIES if not _told(ask, query)}

    assert PROMISED == known
    assert UNTOLD == unanswered


def _told(ask: Callable[[str], Any], query: str) -> list[Any]:
    """The answer; a question that is not understood is an error."""
    try:
        answer = ask(query)
    except httpx.TransportError:
        return []  # it is not up yet
    assert "success" == answer["status"], answer.get("error")
    result: list[Any] = answer["data"]["result"]
    return result


def _wait_until(reached: Callable[[], object]) -> None:
    end = SystemClock().now() + PATIENCE
    while not reached():
        assert SystemClock().now() < end, "prometheus read nothing"
        SystemClock().wait(timedelta(milliseconds=100), Event())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])

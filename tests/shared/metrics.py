"""A state file with something in it for every metric."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from autopilot.model.market import Basis
from autopilot.model.plan import PlanId
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.store.journal import Arrival
from autopilot.store.ledger import Entry, Kind
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, answer, device, venue
from autopilot.units import HOUR, Usd

HOUSE = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((HOUSE / "examples/grafana/autopilot.json").read_text(encoding="utf-8"))
QUERIES: list[str] = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
PROMISED = set(re.findall(r"^\| `(autopilot_\w+)`", (HOUSE / "docs/metrics.md").read_text(encoding="utf-8"), flags=re.MULTILINE))
AKASH, NOSANA = venue("akash"), venue("nosana")
GPUS = [device(number) for number in range(3)]


def fill(store: Store, now: datetime) -> None:
    """Three GPUs: one serves akash, one is lost and fenced, one is on its way back to it; nosana is silent, and its quote has expired."""
    gauges = {GPUS[0].id: {"watts": 320.5, "celsius": 61}, GPUS[1].id: {"ailment": "lost", "remedy": "reboot"}}
    body = {
        "version": "1",
        "strategy": "stay",
        "live": True,
        "tick_seconds": 15.0,
        "speed": 1.0,
        "silent": {"nosana": "502"},
        "quarantine": {},
    }
    devices = [[gpu.id, MODEL, gpu.index] for gpu in GPUS]
    with store.atomic():
        store.journal.beat(now - timedelta(seconds=5), now - 3 * HOUR, 1, {**body, "devices": devices, "gpus": gauges})
        for gpu in GPUS:
            store.journal.arrive(Arrival(now - 2 * HOUR, gpu.id, AKASH, "found"))
        store.rates.record([(answer("akash", GPUS[0], "0.40", now - HOUR / 2, now - HOUR / 2), MODEL)])
        store.rates.record([(answer("nosana", GPUS[0], "0.50", now - 2 * HOUR, now - 2 * HOUR), MODEL)])
        for kind, amount, length in ((Kind.EARNED, "3.5", HOUR), (Kind.POWER, "0.5", HOUR), (Kind.DARK, "0", HOUR / 6)):
            store.ledger.book([Entry(now - length, now, GPUS[0].id, AKASH, kind, Usd.of(amount), Basis.ESTIMATE)])
        store.journal.fence(GPUS[1].id, now, "it is lost")
    _switch(store, "p/1", GPUS[0].id, State.SETTLED, now)
    _switch(store, "p/2", GPUS[2].id, State.REVERTING, now)


def _switch(store: Store, ident: str, gpu: Any, state: State, now: datetime) -> None:
    switch = Switch(SwitchId(ident), PlanId("p"), gpu, NOSANA, AKASH, State.DRAINING, now - HOUR, now - HOUR)
    store.journal.open(switch, "it pays")
    store.journal.change(replace(switch, state=state), State.DRAINING, "so it went")

"""Deciding again from the record: the same quotes and the same view must give the same decision."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autopilot.contracts import NamedStrategy
from autopilot.model.device import DeviceId, Venue
from autopilot.model.history import Record
from autopilot.model.market import Answer
from autopilot.pilot.deciding import ask, describe
from autopilot.plugins import make_strategy
from autopilot.store.context import unpack
from autopilot.store.journal import Ruling
from autopilot.store.store import Store


@dataclass(frozen=True, slots=True)
class Redecision:
    """A recorded decision and the one that is made now."""

    at: datetime
    recorded: Mapping[str, Any]
    now: Mapping[str, Any]

    @property
    def same(self) -> bool:
        """Whether both say the same, to the last word."""
        return self.recorded == self.now


def replay(store: Store) -> Iterator[Redecision]:
    """Every decision of a state file, made again. Raises ConfigError where a strategy is no longer installed."""
    record = Record()
    for venue, model, hour, rate in store.rates.hours():
        record.add_hour((venue, model), hour, rate)
    quotes: dict[tuple[Venue, DeviceId], Answer] = {}
    strategies: dict[str, NamedStrategy] = {}
    before = None
    for ruling in store.journal.rulings():
        for answer, model in store.rates.answers(before, ruling.at):
            quotes[answer.venue, answer.device] = answer
            record.learn(answer, model)
        before = ruling.at
        view = unpack(ruling.context, ruling.at, quotes, record.until_now())
        yield Redecision(ruling.at, ruling.decision, _plain(describe(ask(_strategy(ruling, strategies), view))))


def _strategy(ruling: Ruling, made: dict[str, NamedStrategy]) -> NamedStrategy:
    key = json.dumps(ruling.strategy, sort_keys=True)
    if key not in made:
        made[key] = make_strategy(ruling.strategy["name"], ruling.strategy["parameters"])
    return made[key]


def _plain(decision: Mapping[str, Any]) -> Any:
    """As it would come back from the journal."""
    return json.loads(json.dumps(decision))

"""What would be decided now, by the state file alone: the last decision's strategy and circumstances, and all that was heard since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from autopilot.backtest.replay import recall
from autopilot.contracts import NamedStrategy
from autopilot.guards import Guard
from autopilot.model.plan import Decision
from autopilot.model.view import View
from autopilot.pilot.deciding import ask, describe, judge
from autopilot.store.journal import Ruling
from autopilot.store.schema import stamp
from autopilot.store.store import Store
from autopilot.units import HOUR

_HEARD = 48 * HOUR
"""No answer counts for longer."""


class Planned(NamedTuple):
    """A decision that nobody will obey, with what it was based on."""

    ruling: Ruling
    strategy: NamedStrategy
    view: View
    decision: Decision


def planned(store: Store, now: datetime, guards: Sequence[Guard]) -> Planned | None:
    """What the strategy of the last decision would decide now; None where nothing was ever decided.

    Costs and hires are those of the last decision, at most one poll old. Guards that know the networks themselves are not asked.
    Raises StrategyError, ConfigError, StoreError.
    """
    last = next(store.journal.newest_rulings(), None)
    if last is None:
        return None
    context = {**last.context, **_since(store, last.context, now)}
    strategy, view = recall(store, last, replace(last, at=now, known=store.rates.last(), context=context))
    decision = ask(strategy, view)
    past = [switch for switch in store.journal.switches() if switch.state.over]
    verdict = judge(decision, view, guards, {device.id: [each for each in past if each.device == device.id] for device in view.devices})
    vetoes = {str(device): veto for device, veto in verdict.vetoes.items()}
    ruling = Ruling(now, last.strategy, context, describe(decision), vetoes, store.rates.last(), last.lesson)
    return Planned(ruling, strategy, view, decision)


def _since(store: Store, context: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What is another by now: where the devices are, which may be moved, and whose answer counts."""
    arrivals = {each.device: each for each in store.journal.arrivals()}
    newest = {(each.venue.network, each.venue.market, each.device): each for each, _ in store.rates.answers(now - _HEARD, now)}
    places = []
    for device, network, market, since, *seen in context["placements"]:
        arrival = arrivals.get(device)
        moved = arrival is not None and stamp(arrival.at) > since
        venue = (arrival.venue.network, arrival.venue.market, stamp(arrival.at)) if arrival and moved else (network, market, since)
        places.append([device, *venue, *(["ready", []] if moved else seen)])
    entries = []
    for network, market, device, _, *cost in context["entries"]:
        answer = newest.get((network, market, device))
        entries.append([network, market, device, answer is not None and answer.usable(now), *cost])
    fixed = {str(switch.device) for switch in store.journal.open_switches()} | {str(device) for device in store.journal.fences()}
    return {"placements": places, "entries": entries, "fixed": sorted(fixed)}

"""What would be decided now, by the state file alone: the last decision's strategy and circumstances, and all that was heard since."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from autopilot.backtest.replay import recall
from autopilot.contracts import NamedStrategy
from autopilot.guards import Closed, Guard
from autopilot.model.device import DeviceId, NetworkId
from autopilot.model.order import Bounds
from autopilot.model.plan import Decision, Move, Plan, PlanId
from autopilot.model.switch import Switch
from autopilot.model.view import View
from autopilot.pilot.deciding import ask, describe, judge
from autopilot.pilot.wishing import Pausing, Wishing
from autopilot.store.journal import Ruling
from autopilot.store.schema import stamp
from autopilot.store.store import Store
from autopilot.units import HOUR, Usd

_HEARD = 48 * HOUR
"""No answer counts for longer."""


class Planned(NamedTuple):
    """A decision that nobody will obey, with what it was based on."""

    ruling: Ruling
    strategy: NamedStrategy
    view: View
    decision: Decision


def planned(store: Store, now: datetime, guards: Sequence[Guard], networks: Collection[NetworkId] = ()) -> Planned | None:
    """What would be decided now, by persons first and then by the strategy of the last decision; None where nothing was ever decided.

    Costs and hires are those of the last decision, at most one poll old. What the GPUs themselves say is not asked, nor guards that know
    more than the state file does. ``networks`` are those that are configured. Raises StrategyError, ConfigError, StoreError.
    """
    last = next(store.journal.newest_rulings(), None)
    if last is None:
        return None
    context = {**last.context, **_since(store, last.context, now)}
    strategy, free = recall(store, last, replace(last, at=now, known=store.rates.last(), context=context))
    bounds = _bounds(store, free, {*networks, *(venue.network for venue, _ in free.entries)})
    view, past = _bounded(free, bounds), _past(store, free)
    decision = ask(strategy, view)
    vetoes = dict(judge(decision, view, (Closed(bounds.closed), *guards), past).vetoes)
    told, held = _ordered(free, bounds, guards, past)
    body = describe(decision)
    ruled = {**body, "moves": [*body.get("moves", ()), *told["moves"]], "notes": {**body["notes"], **told["notes"]}}
    against = {str(device): veto for device, veto in {**vetoes, **held}.items()}
    return Planned(Ruling(now, last.strategy, context, ruled, against, store.rates.last(), last.lesson), strategy, view, decision)


def _bounds(store: Store, view: View, networks: Collection[NetworkId]) -> Bounds:
    """What persons ask for at this instant."""
    return Pausing(store).bounds(view.now, view.placements).over(Wishing(store, networks).look(view.now, view.placements)[0])


def _bounded(view: View, bounds: Bounds) -> View:
    """As the pilot would show it: without the venues that are closed to a device, and with what persons ask for settled."""
    entries = {key: cost for key, cost in view.entries.items() if key not in bounds.closed or view.placements[key[1]].venue == key[0]}
    quotes = {key: answer for key, answer in view.quotes.items() if key in entries}
    return replace(view, entries=entries, quotes=quotes, fixed=view.fixed | bounds.held.keys() | bounds.orders.keys())


def _past(store: Store, view: View) -> dict[DeviceId, list[Switch]]:
    """The switches of each device that are over, oldest first."""
    every = {device.id: list(store.journal.newest_switches(device.id))[::-1] for device in view.devices}
    return {device: [switch for switch in switches if switch.state.over] for device, switches in every.items()}


def _ordered(
    view: View, bounds: Bounds, guards: Sequence[Guard], past: Mapping[DeviceId, Sequence[Switch]]
) -> tuple[dict[str, Any], dict[DeviceId, str]]:
    """The moves that persons order, as a decision tells them; and what keeps a device where it is, in words."""
    free = {device.id: device for device in view.free()}
    there = {device: order for device, order in bounds.orders.items() if view.placements[device].venue == order.target}
    orders = {device: order for device, order in bounds.orders.items() if device in free and device not in there}
    moves = tuple(Move(device, view.placements[device].venue, order.target) for device, order in orders.items())
    plan = Plan(PlanId("ordered"), view.now, moves, Usd(0), Usd(0), timedelta(0), "ordered")
    absolute = (Closed(bounds.closed), *(guard for guard in guards if guard.absolute))
    vetoes = judge(plan, view, absolute, past).vetoes
    notes = {device: f"{free[device].label}: {order.why}" for device, order in orders.items()}
    stays = {**bounds.held, **{device: order.why for device, order in there.items()}}
    return {"moves": describe(plan)["moves"], "notes": notes}, {**stays, **vetoes}


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

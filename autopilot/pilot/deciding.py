"""Asking the strategy, and checking its answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from autopilot.contracts import NamedStrategy
from autopilot.errors import StrategyError
from autopilot.guards import Case, Facts, Guard
from autopilot.model.device import Device, DeviceId
from autopilot.model.plan import Decision, Hold, Move, Plan
from autopilot.model.switch import Switch
from autopilot.model.view import View

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision and what the guards made of it."""

    decision: Decision
    allowed: tuple[Move, ...] = ()
    vetoes: Mapping[DeviceId, str] = field(default_factory=dict)


class Lapse(Hold):
    """A Hold because the strategy failed: it says nothing about any device."""

    __slots__ = ()


def ask(strategy: NamedStrategy, view: View) -> Decision:
    """The strategy's decision; a Lapse that says what went wrong where it raised or asked for something illegal."""
    try:
        decision = strategy.strategy.decide(view)
        check(decision, view)
    except StrategyError as error:
        log.error("strategy %s: %s", strategy.name, error)  # noqa: TRY400  # the message says it all
        return Lapse(view.now, f"{strategy.name}: {error}")
    except Exception as error:  # a stranger's strategy may raise anything; doubt means stay
        log.exception("strategy %s failed", strategy.name)
        return Lapse(view.now, f"{strategy.name} failed, so nothing moves: {type(error).__name__}: {error}")
    return decision


def check(decision: Decision, view: View) -> None:
    """Raises StrategyError unless every move is of a free device, once, from where it is to a venue that exists."""
    if not isinstance(decision, Plan | Hold):
        raise StrategyError(f"it answered {type(decision).__name__}, which is no decision")
    free = {device.id for device in view.free()}
    venues = {venue for venue, _ in view.entries}
    moved: set[DeviceId] = set()
    for move in decision.moves:
        if move.device not in free or move.device in moved:
            raise StrategyError(f"it moves {move.device}, which it may not move now")
        if move.source != view.placements[move.device].venue:
            raise StrategyError(f"it moves {move.device} from {move.source}, where it is not")
        if move.target not in venues:
            raise StrategyError(f"it moves {move.device} to {move.target}, which nobody knows")
        moved.add(move.device)
    json.dumps(describe(decision))  # what the journal cannot keep is no decision


def judge(
    decision: Decision,
    view: View,
    guards: Sequence[Guard],
    past: Mapping[DeviceId, Sequence[Switch]],
    under_way: Mapping[DeviceId, Move] = MappingProxyType({}),
    facts: Facts | None = None,
) -> Verdict:
    """Let every guard look at every move; the first veto counts. What is left is judged again: moves may belong together.

    The moves that are under way already were judged when they were opened: guards see them as they are, wherever the decision
    would have their devices now, and they are not made again.
    """
    devices: dict[DeviceId, Device] = {device.id: device for device in view.devices}
    vetoes: dict[DeviceId, str] = {}
    moves, before = tuple(move for move in decision.moves if move.device not in under_way), None
    while moves != before:
        for move in moves:
            case = Case(move, (*under_way.values(), *moves), view, devices[move.device], past.get(move.device, ()), facts)
            reasons = (guard.veto(case) for guard in guards)
            veto = next((reason for reason in reasons if reason), None)
            if veto:
                vetoes[move.device] = veto
        before, moves = moves, tuple(move for move in moves if move.device not in vetoes)
    return Verdict(decision, moves, vetoes)


def describe(decision: Decision) -> dict[str, Any]:
    """A decision as the journal keeps it."""
    common = {"reason": decision.reason, "notes": dict(decision.notes)}
    if isinstance(decision, Hold):
        return {"kind": "hold", **common}
    moves = [[m.device, m.source.network, m.source.market, m.target.network, m.target.market] for m in decision.moves]
    sums = {
        "gain_nanos": decision.gain.count,
        "cost_nanos": decision.cost.count,
        "horizon_seconds": decision.horizon.total_seconds(),
    }
    return {"kind": "plan", "id": decision.id, "moves": moves, **sums, **common}

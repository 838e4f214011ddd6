"""From one choice a device to one decision for the rig: what the built-in strategies share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.plan import Decision, Hold, Move, Plan, PlanId
from autopilot.model.view import View
from autopilot.units import Usd

_NOTHING = Usd(0)
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with one device, and why."""

    target: Venue
    """Where it should be; where it is, to stay."""
    why: str
    """Without the device's name: "stay at nosana (0.41 $/h)"."""
    gain: Usd = _NOTHING
    """Over the strategy's horizon, before the cost."""
    cost: Usd = _NOTHING


def decide_each(view: View, name: str, choose: Callable[[Device], Choice], horizon: timedelta = _NO_TIME) -> Decision:
    """Ask for every device that may be moved, each by itself, and put the answers together."""
    moves: list[Move] = []
    notes = {}
    gain = cost = _NOTHING
    for device in view.free():
        choice = choose(device)
        notes[device.id] = f"{device.label}: {choice.why}"
        here = view.venue(device)
        if choice.target != here:
            moves.append(Move(device.id, here, choice.target))
            gain, cost = gain + choice.gain, cost + choice.cost
    if not moves:
        return Hold(view.now, f"{name}: nothing to move", notes)
    reason = "; ".join(notes[move.device] for move in moves)
    return Plan(PlanId(f"{name}-{view.now:%Y%m%dT%H%M%S.%f}"), view.now, tuple(moves), gain, cost, horizon, reason, notes)


def highest(view: View, device: Device, lead: float) -> Choice:
    """To the highest last known rate, where it leads by a share of the present one; stay where too little is known.

    The present rate is zero when idle, and where the venue said that it offers nothing. A share of nothing is nothing: from
    there, anything leads.
    """
    here = view.venue(device)
    if not view.answered(here, device):
        return Choice(here, f"stay at {here}: it gave no answer, and leaving would be a guess")
    offers = view.offers(device)
    if not offers:
        return Choice(here, f"stay at {here}: no venue offers anything that is known")
    present = float(offers[here].expected) if here in offers else 0.0
    best, venue = present, here
    for candidate, quote in offers.items():
        rate = float(quote.expected)
        if rate > best or (venue == IDLE and rate >= best):
            best, venue = rate, candidate
    needed = present * (1 + lead)
    place = f"{here} ({present:.4g} $/h)"
    if venue == here:
        return Choice(here, f"stay at {place}: nothing is higher")
    if best < needed:
        return Choice(here, f"stay at {place}; {venue} has {best:.4g}, {needed:.4g} is needed")
    return Choice(venue, f"leave {place} for {venue} ({best:.4g} $/h), the highest now" + (f"; {needed:.4g} is needed" if lead else ""))

"""The arithmetic of a decision. Pure; every figure is a quantity with its unit."""

from __future__ import annotations

from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.view import View
from autopilot.units import UsdPerHour


def serving_power(view: View, device: Device) -> UsdPerHour:
    """What serving adds to the power bill at the price in force: the draw at work less the draw at rest."""
    draw = view.draws.get(device.id)
    if draw is None or draw.lit == draw.idle:
        return UsdPerHour(0)
    return (draw.lit - draw.idle) * view.power.at(view.now)


def net_rate(view: View, device: Device, venue: Venue) -> UsdPerHour:
    """What being at the venue earns an hour, over doing nothing: expected income less the power that serving adds.

    Idle is zero by definition. A venue that said it offers nothing earns nothing and still draws its power.
    """
    if venue == IDLE:
        return UsdPerHour(0)
    quote = view.quote(venue, device)
    income = quote.expected if quote else UsdPerHour(0)
    return income - serving_power(view, device)

"""The arithmetic of a decision. Pure; every figure is a quantity with its unit."""

from __future__ import annotations

from datetime import timedelta

from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.view import View
from autopilot.units import UsdPerHour, UsdPerKwh, Watts

_NO_TIME = timedelta(0)


def power_price(view: View, stay: timedelta = _NO_TIME) -> UsdPerKwh:
    """What power costs on average over a stay from now on; without one, the price in force."""
    return view.power.mean(view.now, view.now + stay) if stay > _NO_TIME else view.power.at(view.now)


def serving_watts(view: View, device: Device, venue: Venue) -> Watts:
    """What serving at the venue draws more than doing nothing. Idle draws nothing more."""
    draw = view.draws.get(device.id)
    return Watts(0) if draw is None else draw.at(venue) - draw.idle


def serving_power(view: View, device: Device, venue: Venue, stay: timedelta = _NO_TIME) -> UsdPerHour:
    """What serving at the venue adds to the power bill on average over a stay; without one, at the price in force."""
    watts = serving_watts(view, device, venue)
    return watts * power_price(view, stay) if watts else UsdPerHour(0)


def net_rate(view: View, device: Device, venue: Venue, stay: timedelta = _NO_TIME) -> UsdPerHour:
    """What being at the venue earns an hour, over doing nothing: expected income less the power that serving adds over a stay.

    Idle is zero by definition. A venue that said it offers nothing earns nothing and still draws its power.
    """
    if venue == IDLE:
        return UsdPerHour(0)
    quote = view.quote(venue, device)
    income = quote.expected if quote else UsdPerHour(0)
    return income - serving_power(view, device, venue, stay)

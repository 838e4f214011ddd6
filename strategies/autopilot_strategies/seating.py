"""All free devices placed at once, where venues have few places or pay each further GPU less (docs/market.md §4).

Each device by itself would go where the first one should. So what every venue is worth to every device over the same hours, by the
forecast or by what is learned of being hired there, goes into one exact assignment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from autopilot.belief import believed
from autopilot.economics import power_price, serving_watts
from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.market import ROOMY
from autopilot.model.view import View
from autopilot.units import HOUR
from autopilot_strategies.ballot import Ballot, elect, on_offer
from autopilot_strategies.capacity import Worth, assign
from autopilot_strategies.choice import Choice
from autopilot_strategies.engine import Engine
from autopilot_strategies.plans import braked

Worths = Mapping[Venue, Worth]
"""What each venue that a device may be at is worth to it."""


def limited(view: View) -> bool:
    """Whether any venue that a free device could be at has few places, or pays each further GPU less."""
    return any(quote.room != ROOMY for device in view.free() for quote in view.offers(device).values())


def forecast(ballot: Ballot, engine: Engine, hours: float) -> Worths:
    """By the forecast of the next hours, or by what the base rule looks at where the guard follows that.

    A device that may not leave yet is worth something only where it is.
    """
    factors, entry, here = np.array([ballot.factors]), engine.entry, ballot.place
    power = ballot.bill.power()
    decided, outlook = engine.ballot(factors, power)
    guarded = elect(engine, on_offer(ballot, decided)[0], here).guarded
    outlook, low = (engine.base(factors, power),) * 2 if guarded else (outlook, engine.low(factors, power))
    worths = {}
    for place, venue in enumerate(ballot.places):
        free = ballot.open[place] and not ballot.locked and not braked(outlook, low, entry, (here, place), hours)
        if place == here or free:
            net, drawn = outlook.mean(0, place, hours), ballot.bill.mean(place, hours)
            moving = 0.0 if place == here else entry.paid(place, net)
            worths[ballot.here if place == here else venue] = Worth(max(net + drawn, 0.0) * hours, drawn * hours + moving)
    return worths


def hired(view: View, device: Device, hours: float) -> Worths:
    """By what is believed of being hired. A job that could be broken is not."""
    here, price = view.venue(device), power_price(view, hours * HOUR)
    bound = any(lease.breakable for lease in view.placements[device.id].seen.leases)
    worths = {}
    for venue in [here] if bound else sorted({IDLE, here, *view.offers(device)}):
        belief, cost = believed(view, device, venue), view.cost(device, venue)
        rate, drawn = belief.rate if belief else 0.0, float(serving_watts(view, device, venue) * price)
        moving = 0.0 if venue == here else cost.dark / HOUR * max(rate - drawn, 0.0) + float(cost.cash)
        worths[venue] = Worth(max(rate, 0.0) * hours, drawn * hours + moving)
    return worths


def seat(view: View, worths: Mapping[DeviceId, Worths], hours: float) -> dict[DeviceId, Choice]:
    """Where each of these devices should be. Its sentence says too what one more GPU would add to the pay of each venue."""
    found = assign(view, {(device, venue): worth for device, own in worths.items() for venue, worth in own.items()})
    more = ", ".join(f"{pay:.3g} $ at {venue}" for venue, pay in sorted(found.marginal.items()) if venue != IDLE)
    return {
        device: replace(choice, why=f"{choice.why}; in {hours:.3g} h one more GPU would add {more or 'nothing'}")
        for device, choice in found.choices.items()
        if device in worths
    }

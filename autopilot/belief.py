"""What a venue is worth to a device, by all that was seen of it: how often it hires the rig, and what it pays of what it quotes."""

from __future__ import annotations

from dataclasses import replace

from autopilot import occupancy, realised
from autopilot.model.device import Device, Venue
from autopilot.model.view import View
from autopilot.occupancy import Belief


def believed(view: View, device: Device, venue: Venue, *, in_full: bool = False) -> Belief | None:
    """What the venue is worth to the device, by the job or not, less what it is known to pay less than it quotes.

    None where it offers nothing, or did not answer. ``in_full``, its evidence tells what is known of its pay where that does not count.
    """
    quote = view.quote(venue, device)
    if quote is None:
        return None
    belief, known = occupancy.believed(quote, view.experience, device), view.experience.realised.get((venue, device.model))
    share = realised.factor(known)
    if share == 1.0 and not in_full:
        return belief
    evidence = f"{belief.evidence}{', ' if share != 1.0 else '; '}{realised.said(known)}"
    return replace(belief, rate=belief.rate * share, evidence=evidence)

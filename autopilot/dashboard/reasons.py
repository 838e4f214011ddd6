"""Why a device is where it is: a recorded decision with its arithmetic, by what was known when it was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from autopilot import occupancy
from autopilot.belief import believed
from autopilot.economics import net_rate, serving_power
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.history import Record
from autopilot.model.market import NoQuote
from autopilot.model.plan import SwitchCost
from autopilot.model.view import View
from autopilot.store.context import answered, unpack
from autopilot.store.journal import Ruling
from autopilot.store.rates import RateBook
from autopilot.units import Share, Usd, UsdPerHour


@dataclass(frozen=True, slots=True)
class Candidate:
    """A venue that the device could be at, by what was known of it."""

    venue: Venue
    quoted: UsdPerHour | None
    """Expected, before power; None where it offered nothing, or nobody knew."""
    hired: Share | None
    """The published occupancy; None where it pays for every hour, or offers nothing."""
    believed: UsdPerHour | None
    """By our own hires and by what was paid of the quotes, before power."""
    net: UsdPerHour | None
    """The believed rate less the power that serving adds."""
    evidence: str
    """What that belief rests upon; where there is no rate, the reason."""
    cost: SwitchCost | None
    """Of going there; None where the device is there already."""
    loss: Usd | None
    """All of that cost, the dark time at the rate that it delays."""
    pays_back: timedelta | None
    """How long the lead must last to earn the cost back; None where it has no lead over where the device is."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """One decision about one device."""

    at: datetime
    device: Device
    here: Venue
    since: datetime
    strategy: str
    """Its name, and the parameters that were set."""
    lesson: int | None
    """The number of the lesson that it had learned; None where it was as configured."""
    sentence: str
    target: Venue
    """Where it was to be."""
    veto: str
    """Why a guard held it back; empty where none did."""
    fixed: bool
    """Whether the device could not be moved then, so that the strategy was not asked about it."""
    candidates: tuple[Candidate, ...]
    """The present venue first, then by what they earn; those that offer nothing last."""


def recalled(rates: RateBook, ruling: Ruling) -> View:
    """What the strategy was shown, but for the history, which takes longer to read. Raises StoreError."""
    return unpack(ruling.context, ruling.at, rates.newest(answered(ruling.context), ruling.known), Record().until_now())


def reasons(ruling: Ruling, view: View) -> Iterator[Reasons]:
    """The decision about every device, in the order in which people count them. Where the context speaks of a device, so do they."""
    decision = ruling.decision
    targets = {device: Venue(network, market) for device, _, _, network, market in decision.get("moves", ())}
    told = " ".join([ruling.strategy["name"], *(f"{key}={value}" for key, value in ruling.strategy["parameters"].items())])
    for device in sorted(view.devices, key=lambda each: (each.index is None, each.index, each.id)):
        placement = view.placements[device.id]
        yield Reasons(
            ruling.at,
            device,
            placement.venue,
            placement.since,
            told,
            ruling.lesson,
            decision["notes"].get(device.id) or f"{device.label}: {decision['reason']}",
            targets.get(device.id, placement.venue),
            ruling.vetoes.get(device.id, ""),
            device.id in view.fixed,
            tuple(sorted(_candidates(view, device), key=lambda each: _rank(each, placement.venue))),
        )


def _candidates(view: View, device: Device) -> Iterator[Candidate]:
    here = view.venue(device)
    venues = {venue for venue, owner in view.entries if owner == device.id} | {here}
    own = _believed(view, device, here)[0]
    present = own - serving_power(view, device, here) if own is not None else net_rate(view, device, here)
    for venue in sorted(venues):
        quote = view.quote(venue, device)
        rate, evidence = _believed(view, device, venue)
        net = None if rate is None else rate - serving_power(view, device, venue)
        cost = None if venue == here else view.cost(device, venue)
        yield Candidate(
            venue,
            UsdPerHour(0) if venue == IDLE else None if quote is None else quote.expected,
            quote.occupancy if quote and occupancy.for_jobs(quote) else None,
            rate,
            net,
            evidence,
            cost,
            None if cost is None or net is None else cost.loss(max(net, UsdPerHour(0))),
            None if cost is None or net is None else cost.pays_back(net - present, max(net, UsdPerHour(0))),
        )


def _believed(view: View, device: Device, venue: Venue) -> tuple[UsdPerHour | None, str]:
    """What it is believed to earn before power, and why so."""
    if venue == IDLE:
        return UsdPerHour(0), "earns nothing and costs nothing"
    belief = believed(view, device, venue, in_full=True)
    if belief is None:
        answer = view.quotes.get((venue, device.id))
        return None, f"offers nothing: {answer.reason}" if isinstance(answer, NoQuote) else "gave no answer that still counted"
    return UsdPerHour.nearest(belief.rate), belief.evidence


def _rank(candidate: Candidate, here: Venue) -> tuple[bool, bool, int, Venue]:
    net = candidate.net
    return candidate.venue != here, net is None, -net.count if net else 0, candidate.venue

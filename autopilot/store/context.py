"""A view without its rates, as the journal keeps it: with the rate book it is all that a decision was based on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from autopilot.errors import StoreError
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.experience import Experience, Odds, Realised, Tally
from autopilot.model.history import History, Key
from autopilot.model.market import Answer
from autopilot.model.node import Lease, Observation, Phase, Placement
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.model.power import Calendar, Draw, Period, PowerPrice
from autopilot.model.view import View
from autopilot.store.schema import instant, stamp
from autopilot.units import HOUR, Share, Usd, UsdPerHour, UsdPerKwh, Watts


def pack(view: View) -> dict[str, Any]:
    """The view as JSON can hold it. The instant of the last look is left out: a calm rig packs the same every hour."""
    return {
        "devices": [[d.id, d.model, d.memory_gib, d.power_limit.count, d.pci_id, d.index] for d in view.devices],
        "placements": [_placement(placement) for placement in view.placements.values()],
        "entries": [
            [*_venue(venue), device, (venue, device) in view.quotes, *_entry(cost)] for (venue, device), cost in view.entries.items()
        ],
        "exits": [[device, _seconds(cost.drain), cost.forfeits.count, cost.identity] for device, cost in view.exits.items()],
        "draws": [[device, *_draw(draw)] for device, draw in view.draws.items()],
        "power": _power(view),
        "fixed": sorted(view.fixed),
        "experience": _experience(view.experience),
        "realised": [[*_venue(venue), model, *each] for (venue, model), each in view.experience.realised.items()],
    }


def unpack(body: Mapping[str, Any], now: datetime, quotes: Mapping[tuple[Venue, DeviceId], Answer], history: History) -> View:
    """The view that was packed, with those of the newest quotes that counted at the time.

    Raises StoreError for what another version has packed.
    """
    try:
        return _unpack(body, now, quotes, history)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"a decision in the state file was recorded by another version, and cannot be read: {error}") from None


def answered(body: Mapping[str, Any]) -> set[tuple[Venue, DeviceId]]:
    """The venues whose answer for a device counted in a packed view."""
    return {(Venue(NetworkId(network), market), DeviceId(device)) for network, market, device, counted, *_ in body["entries"] if counted}


def _unpack(body: Mapping[str, Any], now: datetime, quotes: Mapping[tuple[Venue, DeviceId], Answer], history: History) -> View:
    counted = answered(body)
    return View(
        now,
        unpack_devices(body),
        {DeviceId(row[0]): _placed(row, now) for row in body["placements"]},
        {key: answer for key, answer in quotes.items() if key in counted},
        history,
        {(Venue(NetworkId(n), m), DeviceId(d)): _entry_cost(rest) for n, m, d, _, *rest in body["entries"]},
        {DeviceId(device): ExitCost(timedelta(seconds=drain), Usd(forfeits), lost) for device, drain, forfeits, lost in body["exits"]},
        {DeviceId(device): _drawn(rest) for device, *rest in body["draws"]},
        _tariff(*body["power"]),
        frozenset(DeviceId(device) for device in body["fixed"]),
        replace(_experienced(body.get("experience", ((), ()))), realised=unpack_realised(body)),
    )


_POWER_AHEAD = timedelta(days=2)
"""How much of a tariff that changes by the hour is kept with a decision: what a plan could have looked at."""


def unpack_devices(body: Mapping[str, Any]) -> tuple[Device, ...]:
    """The devices of a view that was packed; none where nothing was."""
    rows = body.get("devices", ())
    return tuple(Device(DeviceId(ident), model, memory, Watts(limit), pci, index) for ident, model, memory, limit, pci, index in rows)


def pack_entries(entries: Mapping[Key, EntryCost]) -> list[list[Any]]:
    """What arriving costs, by venue and model, as JSON can hold it."""
    return [[*_venue(venue), model, *_entry(cost)] for (venue, model), cost in entries.items()]


def unpack_entries(rows: Sequence[Sequence[Any]]) -> dict[Key, EntryCost]:
    """What was packed. Raises StoreError for what another version has packed."""
    try:
        return {(Venue(NetworkId(network), market), model): _entry_cost(rest) for network, market, model, *rest in rows}
    except (TypeError, ValueError) as error:
        raise StoreError(f"a lesson in the state file was recorded by another version, and cannot be read: {error}") from None


def _power(view: View) -> list[Any]:
    end = view.now + _POWER_AHEAD
    ahead = [[stamp(hour), price.count] for hour, price in view.power.hours.items() if view.now - HOUR < hour < end]
    return [view.power.flat.count, ahead, view.power.calendar and _calendar(view.power.calendar)]


def _calendar(calendar: Calendar) -> list[Any]:
    periods = [[sorted(each.days), each.start.isoformat(), each.end.isoformat(), each.price.count] for each in calendar.periods]
    return [calendar.zone.key, periods]


def _tariff(flat: int, hours: Sequence[Sequence[Any]], calendar: Sequence[Any] | None) -> PowerPrice:
    return PowerPrice(UsdPerKwh(flat), {instant(hour): UsdPerKwh(price) for hour, price in hours}, _weekly(*calendar) if calendar else None)


def _weekly(zone: str, periods: Sequence[Sequence[Any]]) -> Calendar:
    weekly = (Period(frozenset(days), time.fromisoformat(a), time.fromisoformat(b), UsdPerKwh(price)) for days, a, b, price in periods)
    return Calendar(ZoneInfo(zone), tuple(weekly))


def _draw(draw: Draw) -> list[Any]:
    return [draw.lit.count, draw.idle.count, [[*_venue(venue), watts.count] for venue, watts in draw.venues.items()]]


def _drawn(parts: Sequence[Any]) -> Draw:
    lit, idle, venues = parts
    return Draw(Watts(lit), Watts(idle), {Venue(NetworkId(n), m): Watts(watts) for n, m, watts in venues})


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


def _venue(venue: Venue) -> tuple[str, str]:
    return venue.network, venue.market


def _entry(cost: EntryCost) -> tuple[float, float, int, float, int | None]:
    uptime = None if cost.uptime is None else cost.uptime.count
    return _seconds(cost.boot), _seconds(cost.ramp), cost.fee.count, _seconds(cost.least_stay), uptime


def _entry_cost(parts: list[Any]) -> EntryCost:
    boot, ramp, fee, stay, uptime = parts
    asked = None if uptime is None else Share(uptime)
    return EntryCost(timedelta(seconds=boot), timedelta(seconds=ramp), Usd(fee), timedelta(seconds=stay), asked)


def _placement(placement: Placement) -> list[Any]:
    seen = placement.seen
    leases = [
        [lease.id, stamp(lease.since), lease.until and stamp(lease.until), lease.breakable, lease.pays and lease.pays.count]
        for lease in seen.leases
    ]
    return [placement.device, *_venue(placement.venue), stamp(placement.since), seen.phase.value, leases]


def _placed(row: list[Any], now: datetime) -> Placement:
    device, network, market, since, phase, leases = row
    venue = Venue(NetworkId(network), market)
    held = tuple(
        Lease(i, instant(start), until and instant(until), breakable, None if pays is None else UsdPerHour(pays))
        for i, start, until, breakable, pays in leases
    )
    return Placement(DeviceId(device), venue, instant(since), Observation(DeviceId(device), venue, Phase(phase), now, held))


def _experience(experience: Experience) -> list[list[Any]]:
    """As JSON keeps it, a float comes back to the last bit."""
    tallies = [
        [*_venue(venue), device, tally.model, tally.hires, tally.expected, tally.jobs, tally.hours]
        for (venue, device), tally in experience.tallies.items()
    ]
    odds = [[*_venue(venue), model, *each] for (venue, model), each in experience.odds.items()]
    return [tallies, odds]


def _experienced(parts: Sequence[Sequence[Any]]) -> Experience:
    tallies, odds = parts
    return Experience(
        {(Venue(NetworkId(n), m), DeviceId(device)): Tally(model, *sums) for n, m, device, model, *sums in tallies},
        {(Venue(NetworkId(n), m), model): Odds(*figures) for n, m, model, *figures in odds},
    )


def unpack_realised(body: Mapping[str, Any]) -> dict[Key, Realised]:
    """What a packed view knows of what is paid of the quotes; nothing in one that was packed before there was such knowledge."""
    return {(Venue(NetworkId(n), m), model): Realised(*figures) for n, m, model, *figures in body.get("realised", ())}

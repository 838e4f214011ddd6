"""What a flight has learned about being hired, by its last decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autopilot import occupancy
from autopilot.dashboard.reasons import recalled
from autopilot.model.market import Quote
from autopilot.report.shapes import Part, Table
from autopilot.store.store import Store

_COLUMNS = ("venue", "GPU", "evidence", "published", "learned")
_WORDS = "How much of the time a GPU is hired: as it is published, and as our own hires have it, by the last decision."
_NONE = "Nothing was learned about being hired: every venue that made an offer pays for every hour, or nothing was decided."


def part(flights: Mapping[str, Store]) -> Part:
    """By strategy, where there are several."""
    several = len(flights) > 1
    rows = [(name, *row) if several else row for name, store in flights.items() for row in _rows(store)]
    table = Table(("strategy", *_COLUMNS) if several else _COLUMNS, rows, words=3 + several, filtered=several)
    return Part("Occupancy", [_WORDS if rows else _NONE], tables=[table] if rows else [])


def _rows(store: Store) -> Iterator[tuple[str, ...]]:
    """One for each venue and GPU model: a market knows no other difference between devices."""
    ruling = next(store.journal.newest_rulings(), None)
    if ruling is None:
        return
    view = recalled(store.rates, ruling)
    devices = {device.id: device for device in view.devices}
    seen = set()
    for (venue, ident), quote in sorted(view.quotes.items(), key=lambda each: each[0]):
        device = devices.get(ident)
        if device and isinstance(quote, Quote) and occupancy.for_jobs(quote) and (venue, device.model) not in seen:
            seen.add((venue, device.model))
            belief = occupancy.believed(quote, view.experience, device)
            shares = (float(quote.occupancy), belief.load / (1 + belief.load))
            yield str(venue), device.model, belief.evidence, *(f"{share:.1%}" for share in shares)

"""The rate at which a strategy would decide otherwise, found by asking it: nothing is assumed of how it decides."""

from __future__ import annotations

import logging
import pickle
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import zip_longest

from autopilot.belief import believed
from autopilot.clock import stopwatch
from autopilot.contracts import NamedStrategy
from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.market import Quote
from autopilot.model.plan import Tips
from autopilot.model.view import View
from autopilot.pilot.deciding import ask
from autopilot.pilot.world import World
from autopilot.units import ALL, UsdPerHour

log = logging.getLogger(__name__)

PRECISE = Fraction(1, 1000)
"""How near, as a share, the rate that is named is to one at which the strategy decides as it did."""
_MOST = 16
"""Up to so many times the highest quote is looked."""
_LEAST = 1000
"""Nano-dollars an hour: nothing is looked for that is finer."""
_CALM = 60.0
"""Seconds after a decision: a start and its first lesson are over by then, and what was decided is no longer revised."""
_REST = 9
"""After a search nobody searches for so many times as long as it took: it is worth a tenth of a core, and no more."""


class Tipper:
    """Asks one strategy about one view, again and again, with another rate for one venue.

    What is supposed holds for all devices of a model, and for the newest hour of the history as well. Every question goes to a copy of the
    strategy: one that remembers what it computed must not remember what was only supposed.
    """

    def __init__(self, strategy: NamedStrategy, view: View) -> None:
        self._strategy = strategy
        self._copy = pickle.dumps(strategy.strategy)
        self._view = view
        self._known: dict[tuple[Venue, str, int], Mapping[DeviceId, Venue]] = {}

    def rate(self, device: Device, venue: Venue) -> UsdPerHour | None:
        """The quoted rate from which on the device would be moved to a venue; of the one it is at, the rate below which it would leave.

        None where no rate up to 16 times the highest one makes the difference, or the venue offers nothing to be changed. Where a strategy
        changes its mind more than once on the way, it is one of the rates at which it does.
        """
        quote = self._view.quote(venue, device)
        if quote is None or venue == IDLE:
            return None
        here = venue == self._view.venue(device)
        low, high = self._around(device, venue, quote.expected.count)
        if self._goes(device, venue, low) or not self._goes(device, venue, high):
            return None
        while high - low > max(int(high * PRECISE), _LEAST):
            middle = (low + high) // 2
            low, high = (low, middle) if self._goes(device, venue, middle) else (middle, high)
        return UsdPerHour(low if here else high)

    def _around(self, device: Device, venue: Venue, present: int) -> tuple[int, int]:
        """Two rates between which the difference is made, if any makes it: below the present one, or from it upwards in doubling steps."""
        most = _MOST * max(each.expected.count for each in self._view.offers(device).values())
        if not present or self._goes(device, venue, present):
            return 0, present or most
        high = present
        while high < most and not self._goes(device, venue, high):
            low, high = high, min(2 * high, most)
        return low, high

    def _goes(self, device: Device, venue: Venue, nanos: int) -> bool:
        """Whether the device would be at the venue after the decision."""
        key = (venue, device.model, nanos)
        if key not in self._known:
            view = supposing(self._view, venue, device.model, UsdPerHour(nanos))
            strategy = replace(self._strategy, strategy=pickle.loads(self._copy))  # noqa: S301  # of our own making, a moment ago
            self._known[key] = {move.device: move.target for move in ask(strategy, view).moves}
        return self._known[key].get(device.id, self._view.venue(device)) == venue


def supposing(view: View, venue: Venue, model: str, rate: UsdPerHour) -> View:
    """The view as it would be, had the venue quoted this expected rate to the devices of a model. Occupancy and fees stay as they are."""
    owners = {device.id for device in view.devices if device.model == model}
    quotes, history = dict(view.quotes), view.history
    for (place, owner), answer in view.quotes.items():
        if place == venue and owner in owners and isinstance(answer, Quote):
            quotes[place, owner] = raised = _raised(answer, rate)
            history = history.supposing(venue, model, answer.as_of, raised.expected)
    return replace(view, quotes=quotes, history=history)


def _raised(quote: Quote, rate: UsdPerHour) -> Quote:
    """The quote with all its rates in proportion; one that came to nothing is paid for every hour instead."""
    if not quote.expected.count:
        return replace(quote, gross=rate, idle=UsdPerHour(0), occupancy=ALL, fees=())
    share = Fraction(rate.count, quote.expected.count)
    return replace(quote, gross=UsdPerHour(round(quote.gross.count * share)), idle=UsdPerHour(round(quote.idle.count * share)))


def tips(strategy: NamedStrategy, view: View, search: timedelta) -> Tips:
    """Those of every device that could be moved, as far as they are found in a time: where it is first, then the best rivals.

    Devices for which the strategy answers the same are asked about once.
    """
    tipper, end = Tipper(strategy, view), stopwatch() + search.total_seconds()
    found: dict[DeviceId, dict[Venue, UsdPerHour | None]] = {device.id: {} for device in view.free()}
    for device, venue in _telling(view):
        if stopwatch() >= end:
            break
        found[device.id][venue] = tipper.rate(device, venue)
    return found


def _telling(view: View) -> Iterator[tuple[Device, Venue]]:
    """What is asked about, the most telling first: the next best venue of every device before the one after it of any."""
    ranks = zip_longest(*([(device, venue) for venue in _ranked(view, device)] for device in view.free()))
    return (each for rank in ranks for each in rank if each is not None)


def _ranked(view: View, device: Device) -> list[Venue]:
    """Where it is, and then the venues that offer something, the best first."""
    beliefs = {venue: believed(view, device, venue) for venue in view.offers(device)}
    rivals = [(-belief.rate, venue) for venue, belief in beliefs.items() if belief is not None and venue != view.venue(device)]
    return [view.venue(device), *(venue for _, venue in sorted(rivals))]


@dataclass(frozen=True, slots=True)
class _Search:
    """One that is under way."""

    at: datetime
    """Of the decision."""
    found: Future[Tips]
    began: float


class Tipping:
    """Has the rates found of the newest decision, and keeps them: one search at a time, once the decision has been obeyed for long.

    Nothing rests on it, so where it fails, nothing is lost but the rates.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._wanted: deque[tuple[NamedStrategy, View]] = deque(maxlen=1)
        self._under_way: _Search | None = None
        self._rests_until = 0.0
        self._trouble = ""
        """Why the last search failed; empty where it did not. The same is said once."""

    def want(self, strategy: NamedStrategy, view: View) -> None:
        """A decision was made. One that nothing could be moved by is passed over."""
        if self._world.probe is not None and any(True for _ in view.free()):
            if not self._wanted:
                self._rests_until = max(self._rests_until, stopwatch() + _CALM)
            self._wanted.append((strategy, view))

    def go_on(self) -> None:
        """Keep what was found since, and begin with what is wanted."""
        if self._under_way is not None and self._under_way.found.done():
            over, self._under_way = self._under_way, None
            self._rests_until = stopwatch() + _REST * (stopwatch() - over.began)
            self._keep(over)
        if self._under_way is None and self._wanted and self._world.probe is not None and stopwatch() >= self._rests_until:
            strategy, view = self._wanted.pop()
            self._under_way = _Search(view.now, self._world.probe(strategy, view), stopwatch())

    def _keep(self, over: _Search) -> None:
        try:
            found = over.found.result()
        except Exception as error:  # noqa: BLE001  # a stranger's strategy may raise anything
            if str(error) != self._trouble:
                log.warning("the rates at which it would have been decided otherwise were not found: %s", error)
            self._trouble = str(error)
            return
        self._trouble = ""
        with self._world.store.atomic():
            self._world.store.tips.note(over.at, found)

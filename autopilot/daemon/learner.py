"""What strategies are asked beside the ticks: to learn, and at which rates they would have decided otherwise."""

from __future__ import annotations

import logging
import pickle
from concurrent.futures import Future
from datetime import timedelta
from functools import partial

from autopilot.contracts import NamedStrategy, Strategy
from autopilot.daemon.errand import Errand
from autopilot.daemon.fanout import beside
from autopilot.model.history import History
from autopilot.model.plan import Tips
from autopilot.model.view import View
from autopilot.pilot.tipping import tips
from autopilot.pilot.world import in_turn

_PATIENCE = timedelta(minutes=30)
_SEARCH = timedelta(seconds=30)
"""How long the rates of one decision are looked for; those that are not found by then stay unknown."""
_TO_START = timedelta(minutes=1)
"""What a process may take besides."""


class Learner:
    """Fits one strategy at a time in a background process, which ends with this one, however this one ends."""

    def __init__(self, patience: timedelta = _PATIENCE) -> None:
        self._errand = Errand("learned", patience)

    def teach(self, strategy: Strategy, history: History) -> Future[Strategy]:
        """Begin a lesson. Its future raises StrategyError where it failed, took too long, or its process died."""
        return beside(partial(self._lesson, strategy, _packed(strategy), history))

    def close(self) -> None:
        """End the lesson that is under way, if there is one."""
        self._errand.close()

    def _lesson(self, strategy: Strategy, packed: Future[bytes], history: History) -> Strategy:
        wiser = self._errand.run(_learned, packed.result(), history)
        return strategy if wiser is None else wiser


class Prober:
    """Looks in the same way for the rates at which one decision at a time would have been another."""

    def __init__(self, search: timedelta = _SEARCH) -> None:
        self._search = search
        self._errand = Errand("looked for rates", search + _TO_START)

    def probe(self, strategy: NamedStrategy, view: View) -> Future[Tips]:
        """Begin to look. The future raises StrategyError where it failed, took too long, or its process died."""
        packed = _packed(strategy)
        return beside(lambda: self._errand.run(_probed, packed.result(), view, self._search))

    def close(self) -> None:
        """End the search that is under way, if there is one."""
        self._errand.close()


def _packed(strategy: Strategy | NamedStrategy) -> Future[bytes]:
    """Here and now: a strategy that decides meanwhile may change what it remembers."""
    return in_turn(lambda: pickle.dumps(strategy))


def _learned(packed: bytes, history: History) -> Strategy | None:
    """A wiser strategy; None where nothing was learned."""
    strategy: Strategy = pickle.loads(packed)  # noqa: S301  # the daemon wrote it
    wiser = strategy.fit(history)
    return None if wiser is strategy else wiser


def _probed(packed: bytes, view: View, search: timedelta) -> Tips:
    logging.disable()  # rates that never were may be too much for a strategy, and are tried by the hundred: what it says of them is no news
    return tips(pickle.loads(packed), view, search)  # noqa: S301  # the daemon wrote it

"""Asking every network what it would pay, and what it paid."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from autopilot.contracts import Adapter, PayoutSource
from autopilot.errors import Refused, Transient
from autopilot.model.device import IDLE, DeviceId, NetworkId, Venue
from autopilot.model.history import Record
from autopilot.model.market import Answer, Silence
from autopilot.model.node import Payout
from autopilot.pilot.asking import Round
from autopilot.pilot.world import World

log = logging.getLogger(__name__)

T = TypeVar("T")
_STRIKES = 3
"""An adapter that fails in a way that no contract names is left alone after so many times in a row."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Before the first payout of any network that we know."""


class Poller:
    """The newest answers, and everything that was ever answered.

    Asking is begun here and never waited for; what has come is taken in when the pilot says so, on the pilot's own thread.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.record = Record()
        self.fresh = False
        """Whether something was answered since the last decision."""
        self.answers: dict[tuple[Venue, DeviceId], Answer] = {}
        self.quarantine: dict[NetworkId, str] = {}
        """Networks that are not asked any more, and why: a human must look, and start the daemon again."""
        self._rates: Round[Answer | Silence] = Round(world.ask, world.patience)
        self._payouts: Round[Payout] = Round(world.ask, world.patience)
        self._untold: dict[NetworkId, str] = {}
        self._unpaid: dict[NetworkId, str] = {}
        self._strikes: dict[NetworkId, int] = {}
        self._paid_until: dict[NetworkId, datetime] = {}
        self._models = {device.id: device.model for device in world.devices}
        self._load()

    def _load(self) -> None:
        """What earlier runs and imports have learned."""
        for venue, model, hour, rate in self._world.store.rates.hours():
            self.record.add_hour((venue, model), hour, rate)
        for answer, model in self._world.store.rates.answers():
            self._learn(answer, model)

    def _learn(self, answer: Answer, model: str) -> None:
        self.answers[answer.venue, answer.device] = answer
        self.record.learn(answer, model)

    @property
    def silent(self) -> dict[NetworkId, str]:
        """Networks that gave no answer when they were last asked, or not for all of their venues, and why."""
        asked = dict(self._asked())
        unpaid = {network: f"it does not tell what it has paid: {why}" for network, why in self._unpaid.items()}
        return {network: why for network, why in {**unpaid, **self._untold}.items() if network in asked}

    @property
    def waits(self) -> bool:
        """Whether some network may still answer in time."""
        return bool(self._rates.awaited or self._payouts.awaited)

    def ripe(self, now: datetime) -> bool:
        """Whether there is news to decide upon: not as long as a network of which no rate counts may still answer in time."""
        awaited = self._rates.awaited
        return self.fresh and (not awaited or awaited <= {venue.network for venue, _ in self.usable(now)})

    @property
    def come(self) -> bool:
        """Whether there is anything to take in."""
        return self._rates.come or self._payouts.come

    def usable(self, now: datetime) -> dict[tuple[Venue, DeviceId], Answer]:
        """The newest answer of every venue, as long as it counts."""
        asked = dict(self._asked())
        return {key: answer for key, answer in self.answers.items() if answer.usable(now) and key[0].network in asked}

    def poll(self) -> None:
        """Ask every network for its rates. One that fails keeps its last answers until they expire, and is named in ``silent``."""
        self._rates.begin({network: partial(self._quotes, adapter) for network, adapter in self._asked() if network != IDLE.network})
        self.take()

    def collect(self) -> None:
        """Ask every network that tells what it has paid since the last payout we know of."""
        sources = {network: adapter.payouts for network, adapter in self._asked()}
        questions = {network: partial(_paid, network, told, self._paid_up_to(network)) for network, told in sources.items() if told}
        self._payouts.begin(questions)
        self.take()

    def take(self) -> None:
        """Take in all that has come until now: payouts are booked, answers recorded."""
        self._book(list(self._good(self._payouts, self._unpaid)))
        told = list(self._good(self._rates, self._untold))
        for each in told:
            if isinstance(each, Silence):
                known = self._untold.get(each.venue.network)
                self._untold[each.venue.network] = f"{known}; {_named(each)}" if known else _named(each)
        self._record([(each, self._models[each.device]) for each in told if not isinstance(each, Silence)])

    def _record(self, answers: Sequence[tuple[Answer, str]]) -> None:
        if not answers:
            return
        with self._world.store.atomic():
            self._world.store.rates.record(answers)
        for answer, model in answers:
            self._learn(answer, model)
        self.fresh = True

    def _book(self, paid: Sequence[Payout]) -> None:
        if not paid:
            return
        with self._world.store.atomic():
            self._world.store.ledger.paid(paid)
        for payout in paid:
            if not payout.settled:  # it is told again when it is paid
                continue
            network = payout.venue.network
            self._paid_until[network] = max(payout.end, self._last_payout(network))

    def _asked(self) -> list[tuple[NetworkId, Adapter]]:
        return [(network, adapter) for network, adapter in self._world.adapters.items() if network not in self.quarantine]

    def _paid_up_to(self, network: NetworkId) -> datetime:
        """A payout that says it is of the future hides none that is to come."""
        return min(self._last_payout(network), self._world.clock.now())

    def _last_payout(self, network: NetworkId) -> datetime:
        if network not in self._paid_until:
            self._paid_until[network] = self._world.store.ledger.last_payout(network) or _LONG_AGO
        return self._paid_until[network]

    def _quotes(self, adapter: Adapter) -> Sequence[Answer | Silence]:
        """What a network answers. One that speaks of what it was not asked is not believed."""
        answers = list(adapter.rates.quotes(self._world.devices))
        for answer in answers:
            strange = not isinstance(answer, Silence) and answer.device not in self._models
            if strange or answer.venue.network != adapter.network:
                raise Transient(adapter.network, f"it answered {answer}, which nobody asked")
        return answers

    def _good(self, asked: Round[T], failed: dict[NetworkId, str]) -> Iterator[T]:
        """What has come, in the order in which the networks were asked; what went wrong is noted by network."""
        for network, outcome in asked.take():
            failed.pop(network, None)
            if isinstance(outcome, BaseException):
                failed[network] = self._excuse(network, outcome)
            else:
                self._strikes.pop(network, None)
                yield from outcome

    def _excuse(self, network: NetworkId, error: BaseException) -> str:
        """What to say of it, and what to do about it."""
        if isinstance(error, Transient | TimeoutError):
            return str(error)
        if isinstance(error, Refused):
            self._refuse(network, str(error))
            return str(error)
        log.error("%s: asking failed", network, exc_info=error)  # a stranger's adapter may raise anything; the rig must fly on
        why = f"{type(error).__name__}: {error}"
        self._strikes[network] = self._strikes.get(network, 0) + 1
        if self._strikes[network] >= _STRIKES:
            self._refuse(network, f"{why}, {_STRIKES} times in a row")
        return why

    def _refuse(self, network: NetworkId, why: str) -> None:
        log.error("%s is left alone until a restart: %s", network, why)
        self.quarantine[network] = why


def _paid(network: NetworkId, source: PayoutSource, since: datetime) -> Sequence[Payout]:
    """What a network says it has paid. One that speaks for another is not believed; one that refuses to tell can be served."""
    try:
        told = list(source.payouts(since))
    except Refused as error:
        raise Transient(network, str(error).removeprefix(f"{network}: ")) from None
    for payout in told:
        if payout.venue.network != network:
            raise Transient(network, f"it told {payout}, which it did not pay")
    return told


def _named(silence: Silence) -> str:
    return f"{silence.venue}: {silence.reason}"

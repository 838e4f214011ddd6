"""Asking every network what it would pay, and what it paid."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from autopilot.contracts import Adapter
from autopilot.errors import Refused, Transient
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.history import Record
from autopilot.model.market import Answer
from autopilot.model.node import Payout
from autopilot.pilot.world import World

log = logging.getLogger(__name__)

T = TypeVar("T")
_STRIKES = 3
"""An adapter that fails in a way that no contract names is left alone after so many times in a row."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"""Before the first payout of any network that we know."""


class Poller:
    """The newest answers, and everything that was ever answered."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.record = Record()
        self.fresh = False
        """Whether something was answered since the last decision."""
        self.answers: dict[tuple[Venue, DeviceId], Answer] = {}
        self.quarantine: dict[NetworkId, str] = {}
        """Networks that are not asked any more, and why: a human must look, and start the daemon again."""
        self.silent: dict[NetworkId, str] = {}
        """Networks that gave no answer to the last poll, and why."""
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

    def usable(self, now: datetime) -> dict[tuple[Venue, DeviceId], Answer]:
        """The newest answer of every venue, as long as it counts."""
        asked = dict(self._asked())
        return {key: answer for key, answer in self.answers.items() if answer.usable(now) and key[0].network in asked}

    def poll(self) -> None:
        """Ask every network once. One that fails keeps its last answers until they expire, and is named in ``silent``."""
        self.silent.clear()
        questions = {network: partial(self._quotes, adapter) for network, adapter in self._asked()}
        answers = self._ask(questions)
        with self._world.store.atomic():
            self._world.store.rates.record(answers)
        for answer, model in answers:
            self._learn(answer, model)
        self.fresh = self.fresh or bool(answers)

    def collect(self) -> None:
        """Ask every network that tells what it has paid since the last payout we know of, and book it."""
        sources = {network: adapter.payouts for network, adapter in self._asked()}
        questions = {network: partial(told.payouts, self._last_payout(network)) for network, told in sources.items() if told}
        paid: list[Payout] = self._ask(questions)
        if not paid:
            return
        with self._world.store.atomic():
            self._world.store.ledger.paid(paid)
        for payout in paid:
            network = payout.venue.network
            self._paid_until[network] = max(payout.end, self._last_payout(network))

    def _asked(self) -> list[tuple[NetworkId, Adapter]]:
        return [(network, adapter) for network, adapter in self._world.adapters.items() if network not in self.quarantine]

    def _last_payout(self, network: NetworkId) -> datetime:
        if network not in self._paid_until:
            self._paid_until[network] = self._world.store.ledger.last_payout(network) or _LONG_AGO
        return self._paid_until[network]

    def _quotes(self, adapter: Adapter) -> Sequence[tuple[Answer, str]]:
        """What a network answers, each with its device's model. One that speaks of what it was not asked is not believed."""
        answers = adapter.rates.quotes(self._world.devices)
        for answer in answers:
            if answer.device not in self._models or answer.venue.network != adapter.network:
                raise Transient(adapter.network, f"it answered for {answer.device} at {answer.venue}, which nobody asked")
        return [(answer, self._models[answer.device]) for answer in answers]

    def _ask(self, questions: Mapping[NetworkId, Callable[[], Sequence[T]]]) -> list[T]:
        """All that the networks answer, in the order in which they were asked; what went wrong is noted by network."""
        answers: list[T] = []
        for network, outcome in zip(questions, self._world.gather(list(questions.values())), strict=True):
            if isinstance(outcome, BaseException):
                self._excuse(network, outcome)
            else:
                self._strikes.pop(network, None)
                answers += outcome
        return answers

    def _excuse(self, network: NetworkId, error: BaseException) -> None:
        if isinstance(error, Transient | TimeoutError):
            self.silent[network] = str(error)
        elif isinstance(error, Refused):
            self._refuse(network, str(error))
        else:  # a stranger's adapter may raise anything; the rig must fly on
            log.error("%s: asking failed", network, exc_info=error)
            self._strike(network, f"{type(error).__name__}: {error}")

    def _strike(self, network: NetworkId, why: str) -> None:
        self._strikes[network] = self._strikes.get(network, 0) + 1
        self.silent[network] = why
        if self._strikes[network] >= _STRIKES:
            self._refuse(network, f"{why}, {_STRIKES} times in a row")

    def _refuse(self, network: NetworkId, why: str) -> None:
        log.error("%s is left alone until a restart: %s", network, why)
        self.quarantine[network] = why

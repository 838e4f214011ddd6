"""What the state file says reaches people: each thing once, in few messages, over restarts and broken lines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autopilot.model.market import Basis
from autopilot.model.plan import PlanId
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.notices import NotifySettings
from autopilot.store.ledger import Entry, Kind
from autopilot.store.store import Store
from autopilot.telling.gathering import due
from autopilot.telling.teller import Teller
from autopilot.testing.views import MODEL, START, device, venue
from autopilot.units import HOUR, Usd

GPU = device()
AKASH, NOSANA = venue("akash"), venue("nosana")
START_OF_FLIGHT = START + 12 * HOUR


class Rig:
    """A state file, a daemon's heartbeats in it, and a service that takes messages or does not."""

    def __init__(self, store: Store, **settings: Any) -> None:
        self.store = store
        self.settings = NotifySettings(**settings)
        self.now = START_OF_FLIGHT
        self.seconds = 0.0
        self.sent: list[str] = []
        self.takes = True
        self.begin()

    def begin(self) -> None:
        """A daemon begins here."""
        self.started, self.teller = self.now, Teller(self.store, self.settings, self.send, lambda: self.seconds)

    def send(self, text: str) -> bool:
        """Where messages go."""
        if self.takes:
            self.sent.append(text)
        return self.takes

    def beat(self, after: timedelta = timedelta(minutes=2), **body: Any) -> list[str]:
        """Some time later, a good tick; what was sent after it."""
        self.now, before = self.now + after, len(self.sent)
        self.seconds += after.total_seconds()
        told = {"version": "1", "strategy": "stay", "live": True, "tick_seconds": 15.0, "speed": 1.0, "silent": {}, "quarantine": {}}
        self.store.journal.beat(self.now, self.started, 1, {**told, "devices": [[GPU.id, MODEL, 0]], **body})
        self.teller.look()
        return self.sent[before:]

    def earn(self) -> None:
        """The GPU earned something until now."""
        self.store.ledger.book([Entry(self.now, self.now, GPU.id, AKASH, Kind.EARNED, Usd.of("1.5"), Basis.ESTIMATE)])

    def switch(self, state: State, number: int = 1) -> None:
        """A switch begins and ends."""
        switch = Switch(SwitchId(f"p/{number}"), PlanId("p"), GPU.id, AKASH, NOSANA, State.DRAINING, self.now, self.now)
        self.store.journal.open(switch, "it pays back in 3 h")
        if state is not State.SETTLED:
            self.store.journal.change(replace(switch, state=State.REVERTING), State.DRAINING, "nosana did not start")
        self.store.journal.change(replace(switch, state=state), State.STARTING, "so it ended")


@pytest.fixture
def rig(store: Store) -> Rig:
    """A rig that has just started, with what every test begins with behind it."""
    made = Rig(store)
    made.beat()
    return made


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (State.SETTLED, "GPU-0 moved from akash to nosana: it pays back in 3 h"),
        (State.REVERTED, "GPU-0 is back at akash, not at nosana: nosana did not start"),
        (State.CLEARED, "GPU-0 is idle, between akash and nosana: nosana did not start"),
        (State.STRANDED, "GPU-0 is fenced: so it ended; look at it, then `autopilot lift GPU-0`"),
    ],
)
def test_the_end_of_a_switch_is_told(rig: Rig, state: State, sentence: str) -> None:
    """With its reason, once."""
    rig.switch(state)

    assert [sentence] == rig.beat()
    assert [] == rig.beat()


def test_what_was_before_the_first_start_is_old(store: Store) -> None:
    """Who sets up messages is not told the history of the rig."""
    rig = Rig(store)
    rig.switch(State.SETTLED)

    assert [] == rig.beat()


def test_a_restart_tells_nothing_twice_and_loses_nothing(rig: Rig) -> None:
    """What was told is not told by the next daemon; what happened between the two is."""
    rig.switch(State.SETTLED)
    rig.beat()
    rig.switch(State.REVERTED, 2)
    rig.begin()

    assert ["GPU-0 is back at akash, not at nosana: nosana did not start"] == rig.beat()


def test_what_is_older_than_a_day_is_no_news(store: Store) -> None:
    """Where messages were switched off for a while, nobody is told of all that happened since."""
    rig = Rig(store, events="switch")
    rig.beat()
    rig.switch(State.SETTLED)
    rig.now += timedelta(days=2)
    rig.switch(State.REVERTED, 2)
    rig.begin()

    assert ["GPU-0 is back at akash, not at nosana: nosana did not start"] == rig.beat()


def test_what_nobody_takes_waits(rig: Rig) -> None:
    """Over a restart too, and it is tried again only now and then."""
    rig.takes = False
    rig.switch(State.SETTLED)
    rig.beat()
    rig.begin()
    rig.takes = True

    assert ["GPU-0 moved from akash to nosana: it pays back in 3 h"] == rig.beat()
    rig.takes = False
    rig.switch(State.SETTLED, 2)
    rig.beat()
    rig.takes = True
    assert [] == rig.beat(timedelta(minutes=4))
    assert 1 == len(rig.beat(timedelta(minutes=1)))


def test_messages_are_few(rig: Rig) -> None:
    """What happens within a minute of a message is in the next one, and no message is endless."""
    rig.switch(State.SETTLED)
    first = rig.beat()
    for number in range(2, 42):
        rig.switch(State.SETTLED, number)
    soon, later = rig.beat(timedelta(seconds=15)), rig.beat(timedelta(seconds=45))

    assert (1, 0, 1) == (len(first), len(soon), len(later))
    assert "10 earlier messages were too many" == later[0].splitlines()[0]
    assert 31 == len(later[0].splitlines())


def test_a_silent_network_is_told_after_three_polls(rig: Rig) -> None:
    """And that it answers again."""
    silent = {"silent": {"akash": "it answered 502"}}
    rig.earn()

    assert [] == rig.beat(HOUR, **silent) + rig.beat(2 * HOUR, **silent)
    assert ["akash has given no answer for 3 h 00 m: it answered 502"] == rig.beat(HOUR, **silent)
    assert ["akash answers again"] == rig.beat(HOUR) + rig.beat(timedelta(minutes=10))


def test_a_network_that_is_left_alone_is_told_at_once(rig: Rig) -> None:
    """A human must do something; that it was silent before is the same news."""
    both = {"silent": {"akash": "it refused the key"}, "quarantine": {"akash": "it refused the key"}}

    assert ["akash is not asked any more: it refused the key; correct it, then start the daemon again"] == rig.beat(**both)


def test_a_gpu_without_income_is_told(rig: Rig) -> None:
    """After six hours, not sooner after a start; and that it earns again, which a restart alone does not make true."""
    poor = "GPU-0 has earned nothing for 6 h 00 m; `autopilot explain GPU-0` says why"

    assert [] == rig.beat(5 * HOUR)
    assert [poor] == rig.beat(HOUR)
    rig.begin()
    assert [] == rig.beat() + rig.beat(HOUR)
    rig.earn()
    assert ["GPU-0 earns again"] == rig.beat() + rig.beat(timedelta(minutes=10))


def test_a_gpu_that_its_owner_holds_is_no_trouble(rig: Rig) -> None:
    """He knows that it earns nothing."""
    assert [] == rig.beat(7 * HOUR, gpus={GPU.id: {"owner": "blender"}})


def test_a_lost_gpu_is_told(rig: Rig) -> None:
    """When it was not seen for a minute, with what to do."""
    lost = {"gpus": {GPU.id: {"ailment": "lost", "remedy": "it fell off the bus: reboot"}}}

    assert [] == rig.beat(**lost)
    assert ["GPU-0 cannot be seen: it fell off the bus: reboot"] == rig.beat(**lost)


def test_once_a_day_the_money_is_told(store: Store) -> None:
    """At its hour, once, with what is not known said to be so."""
    rig = Rig(store, digest=f"{(START_OF_FLIGHT + 2 * HOUR).astimezone():%H:%M}", events=["digest"])
    rig.earn()
    store.ledger.book([Entry(rig.now, rig.now, GPU.id, AKASH, Kind.POWER, Usd.of("0.25"), Basis.ESTIMATE)])
    sent = [text for _ in range(24) for text in rig.beat(HOUR)]

    line = "24 hours: net 1.25 $ by our estimate (power 0.25, fees 0.00); paid: not known; dark for 0 m"

    assert [f"{line}\nGPU-0: idle"] == sent


def test_the_day_begins_at_the_hour_of_its_digest() -> None:
    """Before it, yesterday's is the last that is due."""
    eight = datetime(2026, 3, 1, 8).astimezone()

    assert due(eight, "08:00") - due(eight - timedelta(minutes=1), "08:00") == timedelta(days=1)


def test_only_what_is_wanted_is_told(store: Store) -> None:
    """The rest is not kept for later either."""
    rig = Rig(store, events="digest, gpu")
    rig.beat()
    rig.switch(State.SETTLED)

    assert [] == rig.beat()


def test_before_the_first_heartbeat_nothing_is_news(path: Path) -> None:
    """Nothing is told and nothing is kept."""
    said: Callable[[str], bool] = pytest.fail
    with closing(Store.open(path)) as store:
        Teller(store, NotifySettings(), said).look()

        assert (0,) == store.connection.execute("SELECT count(*) FROM told").fetchone()

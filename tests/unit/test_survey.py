"""A look at all networks: it grows as they answer, and one venue's silence hides no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from autopilot.contracts import Adapter
from autopilot.daemon.survey import Survey, survey, with_last_good
from autopilot.errors import Transient
from autopilot.idle import Idle
from autopilot.model.device import IDLE, Device, NetworkId, Venue
from autopilot.model.market import Answer, Silence
from autopilot.model.power import Draw, PowerPrice
from autopilot.sim.clock import SimClock
from autopilot.testing.views import MODEL, START, answer, device, venue
from autopilot.testing.worlds import Site

GPUS = (device(0), device(1))
AKASH, EAST, NOSANA = Venue(NetworkId("akash")), Venue(NetworkId("akash"), "east"), venue("nosana")
Quotes = Callable[[Sequence[Device]], Sequence[Answer | Silence]]


def networks(**quotes: Quotes) -> dict[NetworkId, Adapter]:
    """Networks that answer so, and idle."""
    clock = SimClock(START)
    made: dict[NetworkId, Adapter] = {IDLE.network: Idle(clock)}
    for name, answers in quotes.items():
        site = Site(name, clock)
        site.quotes = answers  # type: ignore[method-assign, assignment]
        made[site.network] = site
    return made


def honest(name: str, rate: str = "0.40") -> Quotes:
    """A quote for each device."""
    return lambda devices: [answer(name, each, rate, START, START) for each in devices]


def look(adapters: dict[NetworkId, Adapter]) -> list[Survey]:
    """The whole look, step by step."""
    return list(survey(adapters, GPUS, Draw(), PowerPrice(), START, timedelta(seconds=20)))


def test_it_grows_with_every_answer() -> None:
    """From nothing to all, the best first; those who may still answer are named."""
    nosana = threading.Event()

    def slow(devices: Sequence[Device]) -> Sequence[Answer]:
        assert nosana.wait(20)
        return [answer("nosana", each, "0.60", START, START) for each in devices]

    growing = survey(networks(akash=honest("akash"), nosana=slow), GPUS, Draw(), PowerPrice(), START, timedelta(seconds=20))
    nothing, one = next(growing), next(growing)
    nosana.set()
    (whole,) = growing

    assert [{"akash", "nosana"}, {"nosana"}, set()] == [set(each.awaited) for each in (nothing, one, whole)]
    assert [0, 2, 4] == [len(each.offers) for each in (nothing, one, whole)]
    assert [NOSANA, AKASH] * 2 == [offer.answer.venue for offer in whole.offers]


def test_a_silent_venue_is_named_beside_the_others() -> None:
    """With its reason, without its network's name before it; the last quote of that venue alone is kept."""
    partly: Quotes = lambda devices: [*honest("akash")(devices), Silence(EAST, "akash: 503")]  # noqa: E731
    *_, found = look(networks(akash=partly))
    old = [(answer("akash", device(7), rate, START, START), MODEL) for rate in ("0.10", "0.20")]
    east = [(_at(EAST, each), model) for each, model in old]
    kept = with_last_good(found, [*old, *east], GPUS)

    assert {EAST: "503"} == found.silent
    assert {EAST} == kept.kept
    assert [AKASH, EAST] * 2 == [offer.answer.venue for offer in kept.offers]


def _at(place: Venue, told: Answer) -> Answer:
    """The same answer of another venue."""
    return replace(told, venue=place)


def test_a_silent_network_keeps_all_of_its_last_quotes() -> None:
    """Those of networks that answered are not kept beside their answers."""

    def silent(devices: Sequence[Device]) -> Sequence[Answer]:
        raise Transient("akash", f"nothing for {len(devices)}")

    *_, found = look(networks(akash=silent, nosana=honest("nosana")))
    old = [(_at(place, answer("akash", device(7), "0.20", START, START)), MODEL) for place in (AKASH, EAST, NOSANA)]
    kept = with_last_good(found, old, GPUS)

    assert {AKASH: "nothing for 2"} == found.silent
    assert {AKASH, EAST} == kept.kept
    assert [NOSANA, AKASH, EAST] * 2 == [offer.answer.venue for offer in kept.offers]


def test_a_stranger_s_adapter_may_raise_anything() -> None:
    """It is said with its kind."""

    def broken(devices: Sequence[Device]) -> Sequence[Answer]:
        raise ZeroDivisionError(f"{len(devices)} by zero")

    *_, found = look(networks(akash=broken))

    assert {AKASH: "ZeroDivisionError: 2 by zero"} == found.silent

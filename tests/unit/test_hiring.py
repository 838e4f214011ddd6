"""The decision where venues pay by the job: learned worth, free moments, and jobs that are not broken at a loss."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from autopilot import occupancy
from autopilot.belief import believed
from autopilot.cli import live_rates
from autopilot.daemon.survey import Offer, Survey
from autopilot.model.device import IDLE
from autopilot.model.experience import Experience, Tally
from autopilot.model.market import Basis, Quote
from autopilot.model.node import Lease, Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.model.power import Draw
from autopilot.model.view import View
from autopilot.testing.views import MODEL, device, venue, view
from autopilot.units import ALL, HOUR, Share, Usd, UsdPerHour, UsdPerKwh
from autopilot_strategies.hiring import choose, hires

GPU = device()
AKASH, NOSANA, RENDER = venue("akash"), venue("nosana"), venue("render")
OFFERS = {"akash": ("0.39", "0.72", 24.0), "nosana": ("0.33", "0.70", 2.5), "render": ("1.5", "0.085", 0.2)}


def facing(here: str = "akash", experience: Experience | None = None, dark: timedelta = HOUR / 4) -> View:
    """Three venues: Akash for 0.39, hired 0.72 of the time; Nosana for 0.33, hired 0.70 of it; Render for 1.5, hired hardly ever."""
    seen = view({"akash": ["0.1"], "nosana": ["0.1"], "render": ["0.1"]}, here, entry=EntryCost(boot=dark, fee=Usd.of("0.01")))
    quotes = {}
    for name, (pay, share, hours) in OFFERS.items():
        place = venue(name)
        money, told = UsdPerHour.of(pay), timedelta(hours=hours)
        quotes[place, GPU.id] = Quote(
            place, GPU.id, money, seen.now, seen.now, seen.now + HOUR, Basis.ASK, "a test", occupancy=Share.of(share), job_length=told
        )
    return replace(seen, quotes=quotes, experience=experience or Experience())


def working(seen: View, lease: Lease) -> View:
    """The device has this job."""
    place = seen.placements[GPU.id]
    busy = Observation(GPU.id, place.venue, Phase.BUSY, seen.now, (lease,))
    return replace(seen, placements={GPU.id: replace(place, seen=busy)})


def in_vain(expected: float, *names: str) -> Experience:
    """Waits in which so many hires were to be expected, and none came."""
    seen = {venue(name): occupancy.first(occupancy.log_odds(float(share))) for name, (_, share, _) in OFFERS.items() if name in names}
    odds = {(place, MODEL): each._replace(waited=expected / occupancy.public_load(each)) for place, each in seen.items()}
    return Experience({(place, GPU.id): Tally(MODEL, 0.0, expected) for place in seen}, odds)


def unlucky(*names: str) -> Experience:
    """Waits in vain: twenty hires were to be expected."""
    return in_vain(20.0, *names)


def test_without_evidence_the_public_is_believed() -> None:
    """Akash is worth most, and the dearest price is not what a device is paid."""
    assert AKASH == choose(facing("idle"), GPU).target
    assert AKASH == choose(facing("akash"), GPU).target


def test_a_wait_in_vain_ends_without_a_timer() -> None:
    """Twenty expected hires that did not come: the venue is left, and the sentence says why."""
    choice = choose(facing("akash", unlucky("akash")), GPU)

    assert NOSANA == choice.target
    assert "hired 0x as often as others here: 0 hires in 20 expected" in choice.why
    assert choice.gain > choice.cost


def test_a_venue_that_was_left_may_be_tried_again() -> None:
    """When evidence has decayed: what is little known is believed a little more than it says."""
    stale = in_vain(0.05, "akash")
    before = believed(facing("nosana", unlucky("akash")), GPU, AKASH)
    after = believed(facing("nosana", stale), GPU, AKASH)

    assert before is not None
    assert after is not None
    assert before.rate < after.rate


def test_a_job_is_drained_as_soon_as_the_rule_would_leave() -> None:
    """The moment between two jobs may never be seen. The job is paid to its end, so the order costs nothing."""
    job = Lease("one", facing().now - HOUR)
    choice = choose(working(facing("akash", unlucky("akash")), job), GPU)

    assert NOSANA == choice.target
    assert choice.why.startswith("when its job is done, leave akash")
    assert AKASH == choose(working(facing("akash"), job), GPU).target


@pytest.mark.parametrize(
    ("until", "pays", "forfeits", "target"),
    [
        (None, "0.39", "0", AKASH),
        (10.0, "0.39", "0", AKASH),
        (10.0, "0.01", "0", NOSANA),
        (10.0, "0.01", "5", AKASH),
        (0.2, "0.01", "0", AKASH),
        (10.0, None, "0", AKASH),
    ],
    ids=["end unknown", "well paid", "badly paid", "dear to break", "nearly over", "pay unknown"],
)
def test_a_job_that_may_be_broken_is_only_risked_where_that_pays(
    until: float | None, pays: str | None, forfeits: str, target: object
) -> None:
    """The remaining time at the better venue must earn all costs and forfeits, by what is known."""
    seen = facing("akash", unlucky("akash"))
    end = None if until is None else seen.now + until * HOUR
    job = Lease("one", seen.now - HOUR, end, breakable=True, pays=None if pays is None else UsdPerHour.of(pays))
    leaving = {GPU.id: ExitCost(forfeits=Usd.of(forfeits))}
    choice = choose(working(replace(seen, exits=leaving), job), GPU)

    assert target == choice.target


def test_a_drain_is_not_called_back_when_the_job_is_nearly_over() -> None:
    """It was begun when breaking would have paid; now the rest is too short for that, and waiting for the end costs nothing."""
    seen = facing("akash", unlucky("akash"))
    job = Lease("one", seen.now - HOUR, seen.now + HOUR / 5, breakable=True, pays=UsdPerHour.of("0.01"))
    place = seen.placements[GPU.id]
    draining = replace(place, seen=Observation(GPU.id, AKASH, Phase.DRAINING, seen.now, (job,)))

    assert NOSANA == choose(replace(seen, placements={GPU.id: draining}), GPU).target
    assert AKASH == choose(working(seen, job), GPU).target


def test_a_long_dark_time_is_not_worth_a_small_lead() -> None:
    """The same belief, and a move that costs two days."""
    unlucky_once = in_vain(4.0, "nosana")

    assert AKASH == choose(facing("nosana", unlucky_once), GPU).target
    assert NOSANA == choose(facing("nosana", unlucky_once, dark=48 * HOUR), GPU).target


def test_fluid_venues_are_valued_beside_those_with_jobs() -> None:
    """One that is paid for every hour is worth its rate, whatever was seen there."""
    seen = facing("idle", unlucky("akash", "nosana", "render"))
    quote = seen.quotes[RENDER, GPU.id]
    assert isinstance(quote, Quote)
    fluid = replace(seen, quotes={**seen.quotes, (RENDER, GPU.id): replace(quote, occupancy=ALL)})
    belief = believed(fluid, GPU, RENDER)

    assert belief is not None
    assert (1.5, 1.0, math.inf) == (belief.rate, belief.factor, belief.load)
    assert RENDER == choose(fluid, GPU).target
    assert hires(fluid, GPU)
    assert not hires(view({"akash": ["0.4"]}), GPU)


def test_where_nothing_is_known_nothing_is_believed() -> None:
    """A venue without a quote has no belief, and a present one that is silent is not left."""
    seen = facing("akash")
    silent = replace(seen, quotes={key: answer for key, answer in seen.quotes.items() if key[0] != AKASH})

    assert believed(silent, GPU, AKASH) is None
    assert AKASH == choose(silent, GPU).target
    assert IDLE == choose(replace(seen, quotes={}, placements=view({"akash": [None]}).placements), GPU).target


def test_rates_explain_says_what_was_learned() -> None:
    """The hires and waits of the state file, and what they make of the figure; of a venue that is paid for every hour, nothing."""
    seen = facing("akash", Experience({(AKASH, GPU.id): Tally(MODEL, 7.0, 9.9)}))
    quote = seen.quotes[AKASH, GPU.id]
    assert isinstance(quote, Quote)
    offer = Offer(GPU, quote, UsdPerHour(0))
    found = Survey(seen.now, [offer], {}, Draw(), UsdPerKwh(0))
    belief = believed(seen, GPU, AKASH)
    assert belief is not None
    lines = list(live_rates.explained(offer, found, seen.experience))
    fluid = list(live_rates.explained(replace(offer, answer=replace(quote, occupancy=ALL)), found, seen.experience))

    (line,) = (line for line in lines if "hired" in line)
    assert line.startswith("  hired 0.71x as often as others here: 7 hires in 9.9 expected")
    assert line.endswith(f"believed to earn {belief.rate:.6f} $/h")
    assert not any("hired" in each for each in fluid)

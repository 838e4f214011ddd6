"""What is learned of being hired: evidence decays alike however it is cut, and the truth is found in time."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autopilot import occupancy
from autopilot.model.experience import Experience, Odds, Tally
from autopilot.model.market import Basis, Fee, Quote
from autopilot.testing.views import MODEL, START, device, venue
from autopilot.units import ALL, HOUR, Share, UsdPerHour

HOURS = st.floats(0, 2000)
HAZARDS = st.floats(0.001, 50)
COUNTS = st.floats(0, 500)
SHARES = st.floats(0, 1)
NOSANA = venue("nosana")
GPU = device()


def quote(share: str = "0.7", job: timedelta | None = 2.5 * HOUR) -> Quote:
    """An offer of jobs at 0.33 $/h, and 0.01 while waiting."""
    return Quote(
        NOSANA,
        GPU.id,
        UsdPerHour.of("0.33"),
        START,
        START,
        START + HOUR,
        Basis.ASK,
        "a test",
        UsdPerHour.of("0.01"),
        Share.of(share),
        job,
    )


@given(COUNTS, HAZARDS, HOURS, HOURS)
def test_a_wait_is_the_same_however_it_is_cut(expected: float, hazard: float, one: float, other: float) -> None:
    """Two looks or one: the sum and its decay agree, so a restart or a slower tick changes nothing."""
    at_once = occupancy.waited(expected, hazard, one + other)

    assert at_once == pytest.approx(occupancy.waited(occupancy.waited(expected, hazard, one), hazard, other), rel=1e-9)


@given(COUNTS, HAZARDS, HOURS)
def test_a_wait_counts_no_more_than_it_lasted(expected: float, hazard: float, hours: float) -> None:
    """A wait adds its hazard times its hours at most, and what was there before can only shrink."""
    after = occupancy.waited(expected, hazard, hours)

    assert expected * occupancy.kept(hours) <= after * (1 + 1e-9)
    assert after <= (expected + hazard * hours) * (1 + 1e-9)


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.floats(0.01, 10))
def test_a_wait_in_vain_lowers_the_belief_and_a_hire_raises_it(
    hires: float, expected: float, kin: float, kin_expected: float, more: float
) -> None:
    """So no timer is needed to give a wait up, whatever the rig's other GPUs have seen."""
    before = occupancy.factor(hires, expected, kin, kin_expected)

    assert occupancy.factor(hires, expected + more, kin, kin_expected) < before
    assert before < occupancy.factor(hires + more, expected, kin, kin_expected)


def test_without_evidence_a_venue_counts_a_little_more_than_it_says() -> None:
    """The optimism that lets it be tried: (2 + 0.75 * sqrt(2)) / 2."""
    assert 1.53 == pytest.approx(occupancy.factor(0.0, 0.0, 0.0, 0.0), abs=0.001)


@given(st.floats(0.2, 5))
def test_the_truth_is_found(ratio: float) -> None:
    """With a thousand expected hires, the ratio is believed within a tenth, whatever the rig's others say."""
    assert ratio == pytest.approx(occupancy.factor(ratio * 1000, 1000.0, 0.0, 1000.0), rel=0.1)


@given(st.floats(0.2, 5))
def test_kin_count_like_own_evidence_at_first_and_not_for_ever(ratio: float) -> None:
    """A GPU without evidence believes its rig's; however much that is, its own outweighs it in time."""
    newcomer = occupancy.factor(0.0, 0.0, ratio * 1000, 1000.0)
    stranger = occupancy.factor(300.0, 300.0, ratio * 1000, 1000.0)

    assert ratio == pytest.approx(newcomer, rel=0.6)
    assert 1.0 == pytest.approx(stranger, abs=0.2)


@given(SHARES, st.lists(st.tuples(SHARES, st.floats(0.1, 100)), max_size=20))
def test_a_published_figure_stays_within_what_was_published(first: float, others: list[tuple[float, float]]) -> None:
    """The slow mean and the steadied figure lie between the lowest and the highest that was; the variance is above zero."""
    seen = [occupancy.log_odds(first)]
    mean, spread = seen[0], occupancy.FIRST_SPREAD
    for share, hours in others:
        odds = occupancy.log_odds(share)
        spread = occupancy.spread_after(spread, mean, odds, hours)
        mean = occupancy.mean_after(mean, odds, hours)
        seen.append(odds)
    steady = occupancy.steady(seen[-1], mean, spread)

    assert spread > 0
    assert min(seen) - 1e-9 <= mean <= max(seen) + 1e-9
    assert min(seen) - 1e-9 <= steady <= max(seen) + 1e-9


def test_a_noisy_figure_is_believed_less() -> None:
    """Of a distance of one from the mean, all counts where the market moves as much, a fifth where the variance is five times that."""
    assert 1.0 == occupancy.steady(1.0, 0.0, occupancy.MOVES)
    assert 0.2 == pytest.approx(occupancy.steady(1.0, 0.0, 5 * occupancy.MOVES))


@given(st.floats(0.01, 10), st.floats(0, 1), st.floats(0, 100))
def test_worth_lies_between_waiting_and_working(pay: float, wait: float, load: float) -> None:
    """And a venue that hires at every instant is worth its pay."""
    worth = occupancy.worth(pay, wait, load)

    assert min(pay, wait) - 1e-12 <= worth <= max(pay, wait) + 1e-12
    assert pay == pytest.approx(occupancy.worth(pay, wait, 1e12), rel=1e-6)


@given(st.floats(0.1, 50), st.lists(st.floats(0.01, 5000), max_size=30))
def test_one_long_job_does_not_make_the_mean(published: float, lengths: list[float]) -> None:
    """The mean is that of the published length five times over and the own jobs, none longer than five of it."""
    hours = sum(occupancy.capped(length, published) for length in lengths)
    mean = occupancy.job_length(published, float(len(lengths)), hours)

    assert 0 < mean <= published * occupancy.USUAL_JOBS


def test_what_the_public_says_is_believed_without_evidence() -> None:
    """Hired 0.7 of the time for 0.33, with the optimism of the untried; and the sentence says that nothing is known."""
    belief = occupancy.believed(quote(), Experience(), GPU)
    load = 0.7 / 0.3 * belief.factor

    assert belief.rate == pytest.approx((0.01 + load * 0.33) / (1 + load))
    assert "no own hires or waits here yet, counted as 1.5x" == belief.evidence


def test_the_sentence_counts_hires() -> None:
    """The figures of the journal, and what they are counted as."""
    seen = Experience({(NOSANA, GPU.id): Tally(MODEL, 7.0, 9.9)})

    evidence = occupancy.believed(quote(), seen, GPU).evidence

    assert evidence.startswith("hired 0.71x as often as others here: 7 hires in 9.9 expected, counted as 0.")
    other = replace(seen, tallies={**seen.tallies, (NOSANA, device(1).id): Tally(MODEL, 3.0, 2.0)})
    rest = ", the other GPUs of the rig 3 hires in 2 expected, counted as 1x"

    assert occupancy.believed(quote(), other, GPU).evidence.endswith(rest)


def test_gpus_of_another_model_are_no_kin() -> None:
    """What an H100 has seen says nothing of a 4090."""
    seen = Experience({(NOSANA, device(1).id): Tally("H100", 30.0, 2.0)})

    assert occupancy.believed(quote(), Experience(), GPU) == occupancy.believed(quote(), seen, GPU)


def test_a_venue_that_is_paid_for_every_hour_teaches_nothing() -> None:
    """Its rate is what the quote expects, fees taken off, whatever was seen there."""
    fluid = replace(quote(), occupancy=ALL, fees=(Fee("cut", Share.of("0.1")),))
    seen = Experience({(NOSANA, GPU.id): Tally(MODEL, 30.0, 2.0)})
    belief = occupancy.believed(fluid, seen, GPU)

    assert (float(fluid.expected), 1.0) == (belief.rate, belief.factor)
    assert not occupancy.for_jobs(fluid)


@given(st.floats(0.05, 0.95), st.floats(0.2, 4))
def test_the_worth_is_that_of_the_true_hazard(share: float, ratio: float) -> None:
    """With much evidence, an untold length and a steady public figure, the belief is what the true hazard earns."""
    assume(0.02 < share * ratio)
    odds = occupancy.log_odds(share)
    lots = Tally(MODEL, 4000.0 * ratio, 4000.0, 4000.0, 4000.0 * 1.5)
    seen = Experience({(NOSANA, GPU.id): lots}, {(NOSANA, MODEL): Odds(START, odds, odds, 0.01)})
    belief = occupancy.believed(quote(f"{share:.9f}", None), seen, GPU)
    load = math.exp(odds) / occupancy.UNTOLD_JOB * ratio * 1.5

    assert belief.rate == pytest.approx((0.01 + load * 0.33) / (1 + load), rel=0.05)

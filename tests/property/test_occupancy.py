"""What is learned of being hired: evidence counts alike however it is cut, and the truth is found in time."""

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


def rig_log(odds: Odds) -> float:
    """The likely log-odds of the rig, all that was seen taken in."""
    now = occupancy.learned(odds)
    return now.mean + now.moved + now.bias


def lived(published: list[float], hires: float, waited: float, hours: float = 1.0) -> Odds:
    """After these published log-odds, with as many hires and as long a wait after each of them."""
    odds = occupancy.first(published[0])
    for figure in published:
        odds = occupancy.followed(odds, figure, hours)._replace(hires=hires, waited=waited)
    return odds


FIGURES = st.lists(st.floats(-6, 6), min_size=1, max_size=30)
SEEN = st.tuples(st.sampled_from([0.0, 0.0, 1.0, 3.0]), st.floats(0, 5))


@given(FIGURES, SEEN, st.floats(0.001, 20), st.floats(0.01, 100))
def test_a_wait_in_vain_lowers_the_belief_and_a_hire_raises_it(
    published: list[float], seen: tuple[float, float], more: float, hours: float
) -> None:
    """At once, before any new figure is published: so no timer is needed to give a wait up."""
    odds = lived(published, *seen, hours)._replace(hires=seen[0], waited=seen[1] + 0.01)
    before = occupancy.own_load(odds)
    longer = odds._replace(waited=odds.waited + more)

    assert rig_log(longer) < rig_log(odds) < rig_log(odds._replace(hires=odds.hires + 1.0))
    assert before < occupancy.own_load(odds._replace(hires=odds.hires + 1.0))
    assert occupancy.own_load(longer) < before


@given(FIGURES, SEEN, st.floats(0.01, 100))
def test_the_three_parts_stay_a_gaussian(published: list[float], seen: tuple[float, float], hours: float) -> None:
    """Whatever is published and seen: finite figures, variances above zero, no correlation beyond one, and a spread above zero."""
    odds = occupancy.learned(lived(published, *seen, hours))
    pairs = [
        (odds.moved_variance, odds.noise_variance, odds.moved_noise),
        (odds.moved_variance, odds.bias_variance, odds.moved_bias),
        (odds.noise_variance, odds.bias_variance, odds.noise_bias),
    ]

    assert all(map(math.isfinite, odds))
    assert odds.spread > 0
    assert all(one > 0 and other > 0 and both * both <= one * other * (1 + 1e-9) for one, other, both in pairs)


@given(FIGURES, SEEN)
def test_what_was_seen_counts_once(published: list[float], seen: tuple[float, float]) -> None:
    """Taken in, it is no longer to come; what was seen is likeliest there, and the rig's odds are better known than before."""
    odds = lived(published, *seen)._replace(hires=seen[0], waited=seen[1] + 0.01)
    now = occupancy.learned(odds)
    before = odds.moved_variance + 2 * odds.moved_bias + odds.bias_variance
    shift = rig_log(odds) - (odds.mean + odds.moved + odds.bias)

    assert (0.0, 0.0) == (now.hires, now.waited)
    assert now == occupancy.learned(now)
    assert shift == pytest.approx(before * (odds.hires - odds.waited * math.exp(rig_log(odds))), rel=1e-6, abs=1e-9)
    assert now.moved_variance + 2 * now.moved_bias + now.bias_variance < before


@given(FIGURES, st.integers(1, 300), st.floats(0, 1e-6))
def test_hires_without_a_wait_are_good_news_without_end(published: list[float], hires: int, waited: float) -> None:
    """Job after job, and nothing told of the time in between: more than is sure of a hire, and never beyond what hires over waits say."""
    odds = lived(published, 0.0, 0.0)._replace(hires=float(hires), waited=waited)
    now = rig_log(odds)

    assert rig_log(odds._replace(hires=hires - 1.0)) < now < math.inf
    assert waited == 0.0 or now <= max(rig_log(odds._replace(hires=0.0, waited=0.0)), math.log(hires / waited)) + 1e-9


@given(st.floats(-2, 2), st.floats(0.3, 3))
def test_the_truth_is_found(published: float, ratio: float) -> None:
    """After waits of 240 expected hires, hired at a ratio to a public figure that is always the same, the ratio is believed."""
    odds = occupancy.learned(lived([published] * 240, ratio, 1.0 / math.exp(published)))

    assert math.log(ratio) == pytest.approx(rig_log(odds) - published, abs=0.1)
    assert odds.bias == pytest.approx(math.log(ratio), abs=0.25)


def test_evidence_decays() -> None:
    """A rig that was hardly ever hired is believed to be more usual with each month in which it is elsewhere."""
    odds = lived([0.0] * 100, 0.0, 0.3)
    biases = []
    for _ in range(6):
        for _ in range(30):
            odds = occupancy.followed(odds, 0.0, 24.0)._replace(hires=0.0, waited=0.0)
        biases.append(odds.bias)

    assert biases == sorted(biases)
    assert biases[0] < -1.0
    assert -0.3 < biases[-1] < 0.0


def test_a_figure_that_jumps_is_believed_less_where_figures_are_noisy() -> None:
    """The same leap after figures that swung from day to day, and after figures that hardly moved."""
    calm = [0.0, 0.1] * 120
    wild = [-1.2, -1.2, 1.2, 1.2] * 60
    leaps = [rig_log(lived([*before, 2.0], 0.0, 0.0)) - rig_log(lived(before, 0.0, 0.0)) for before in (calm, wild)]

    assert leaps[1] < leaps[0]


@given(FIGURES, st.floats(0.01, 100))
def test_a_published_figure_stays_within_what_was_published(published: list[float], hours: float) -> None:
    """The slow mean and a typical rig's odds lie between the lowest and the highest that was, so long as the rig has seen nothing."""
    odds = lived(published, 0.0, 0.0, hours)
    low, high = min(published), max(published)
    margin = 1e-9 + 0.05 * (high - low)

    assert low - 1e-9 <= odds.mean <= high + 1e-9
    assert low - margin <= math.log(occupancy.public_load(odds)) <= high + margin


@given(COUNTS, st.floats(0.01, 500), COUNTS, st.floats(0.01, 500), st.floats(0.01, 10))
def test_a_gpu_is_told_apart_by_its_own_hires(hires: float, expected: float, kin: float, kin_expected: float, more: float) -> None:
    """More often hired than the rig's others, for as long waits, it stands above them; and the only one is as all of them."""
    rig = (hires + kin, expected + kin_expected)
    above = hires * kin_expected > kin * expected

    assert (occupancy.apart(hires, expected, *rig) > 1.0) == above or hires * kin_expected == pytest.approx(kin * expected)
    assert 1.0 == pytest.approx(occupancy.apart(hires, expected, hires, expected))
    assert occupancy.apart(hires, expected, *rig) < occupancy.apart(hires + more, expected, rig[0] + more, rig[1])


@given(st.floats(0.2, 5))
def test_kin_count_like_own_evidence_at_first_and_not_for_ever(ratio: float) -> None:
    """A GPU without evidence is believed to be as its rig's; however much that is, its own tells it apart in time."""
    newcomer = occupancy.apart(0.0, 0.0, ratio * 1000, 1000.0)
    rig = (300.0 + ratio * 1000) / 1300
    stranger = rig * occupancy.apart(300.0, 300.0, 300.0 + ratio * 1000, 1300.0)

    assert 1.0 == newcomer
    assert 1.0 == pytest.approx(stranger, abs=0.2)


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
    assert 1.0 < belief.factor < 2.0
    assert f"no own hires or waits here yet, counted as {belief.factor:.2g}x" == belief.evidence


def test_the_sentence_counts_hires() -> None:
    """The figures of the journal, and what they are counted as."""
    odds = occupancy.first(occupancy.log_odds(0.7))._replace(hires=7.0, waited=9.9 * 0.3 / 0.7)
    seen = Experience({(NOSANA, GPU.id): Tally(MODEL, 7.0, 9.9)}, {(NOSANA, MODEL): odds})

    evidence = occupancy.believed(quote(), seen, GPU).evidence

    assert "hired 0.71x as often as others here: 7 hires in 9.9 expected, counted as 0.95x" == evidence
    other = replace(seen, tallies={**seen.tallies, (NOSANA, device(1).id): Tally(MODEL, 3.0, 2.0)})

    assert ", the other GPUs of the rig 3 hires in 2 expected, counted as " in occupancy.believed(quote(), other, GPU).evidence


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
    figure = occupancy.log_odds(share)
    odds = occupancy.first(figure)._replace(hires=4000.0 * ratio, waited=4000.0 / math.exp(figure))
    seen = Experience({(NOSANA, GPU.id): Tally(MODEL, 4000.0 * ratio, 4000.0, 4000.0, 4000.0 * 1.5)}, {(NOSANA, MODEL): odds})
    belief = occupancy.believed(quote(f"{share:.9f}", None), seen, GPU)
    load = math.exp(figure) / occupancy.UNTOLD_JOB * ratio * 1.5

    assert belief.rate == pytest.approx((0.01 + load * 0.33) / (1 + load), rel=0.05)

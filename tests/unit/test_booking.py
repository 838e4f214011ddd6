"""What a device is booked to earn: what its job pays, idle pay while it waits, and the whole rate where every hour is paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autopilot.model.market import Basis, Fee, NoQuote, Quote
from autopilot.model.node import Lease, Observation, Phase
from autopilot.pilot.booking import mode_of
from autopilot.testing.views import START, device, venue
from autopilot.units import ALL, HOUR, Share, UsdPerHour

AKASH = venue("akash")
QUOTE = Quote(
    AKASH,
    device().id,
    UsdPerHour.of("0.50"),
    START,
    START,
    START + HOUR,
    Basis.ASK,
    "a test",
    UsdPerHour.of("0.10"),
    Share.of("0.7"),
    timedelta(hours=3),
    (Fee("cut", Share.of("0.2")),),
)


def seen(phase: Phase, *pays: str | None) -> Observation:
    """With a lease for each pay; None for one that does not say."""
    leases = [Lease(str(number), START, pays=None if each is None else UsdPerHour.of(each)) for number, each in enumerate(pays)]
    return Observation(device().id, AKASH, phase, START, tuple(leases))


@pytest.mark.parametrize(
    ("look", "rate"),
    [
        (seen(Phase.READY), "0.10"),
        (seen(Phase.DRAINING), "0.10"),
        (seen(Phase.BUSY, "0.44"), "0.44"),
        (seen(Phase.DRAINING, "0.44"), "0.44"),
        (seen(Phase.BUSY, "0.2", "0.3"), "0.5"),
        (seen(Phase.BUSY, "0.2", None), "0.40"),
        (seen(Phase.BUSY), "0.40"),
        (seen(Phase.DRAINING, None), "0.40"),
    ],
    ids=["waits", "drains empty", "works", "finishes", "two jobs", "one untold", "untold", "finishes untold"],
)
def test_a_device_earns_by_what_it_was_seen_to_do(look: Observation, rate: str) -> None:
    """A job that says what it pays earns that; one that does not, gross after fees; a wait, the idle pay."""
    assert UsdPerHour.of(rate) == mode_of(AKASH, look, None).rate(QUOTE)


@pytest.mark.parametrize("phase", [Phase.READY, Phase.BUSY, Phase.DRAINING])
def test_where_every_hour_is_paid_there_is_no_waiting(phase: Phase) -> None:
    """A fluid venue earns its expected rate whenever it is lit."""
    whole = replace(QUOTE, occupancy=ALL)

    assert whole.expected == mode_of(AKASH, seen(phase), None).rate(whole)


@pytest.mark.parametrize("answer", [None, NoQuote(AKASH, device().id, START, "no place is free")])
def test_a_job_is_paid_whatever_the_venue_offers_meanwhile(answer: NoQuote | None) -> None:
    """What it says that it pays is earned; without a quote nobody knows what any other job pays, or a wait."""
    assert UsdPerHour.of("0.44") == mode_of(AKASH, seen(Phase.BUSY, "0.44"), None).rate(answer)
    assert mode_of(AKASH, seen(Phase.BUSY), None).rate(answer) is None
    assert mode_of(AKASH, seen(Phase.READY), None).rate(answer) is None


@pytest.mark.parametrize("phase", [Phase.READY, Phase.DRAINING])
def test_a_node_that_does_not_say_when_it_works_earns_what_is_expected(phase: Phase) -> None:
    """It looks as if it waited for ever; to book idle pay would be to take silence for zero."""
    silent = replace(seen(phase), tells_work=False)

    assert QUOTE.expected == mode_of(AKASH, silent, None).rate(QUOTE)

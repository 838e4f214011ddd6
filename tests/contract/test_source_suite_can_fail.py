"""Every check of the suite of rate sources is seen to fail on an offence planted for it, and to pass without."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta, timezone
from inspect import signature
from typing import Any

import pytest

from autopilot.contracts import RateSource
from autopilot.errors import AutopilotError, Refused, Transient
from autopilot.model.device import IDLE, Device
from autopilot.model.market import Answer, Basis, Fee, NoQuote, Quote
from autopilot.testing.adapters import RateSourceContract
from autopilot.testing.views import START, device, venue
from autopilot.units import HOUR, Share, UsdPerHour

CAUGHT = (AssertionError, pytest.fail.Exception, AutopilotError, ValueError)
"""What a check says no with."""
ACME = venue("acme")
RIG = (device(0), device(1))
KEY = "acme-key-31"
NAIVE = START.replace(tzinfo=None)
EAST = START.astimezone(timezone(timedelta(hours=2)))


def quote(owner: Device, **changed: Any) -> Quote:
    """A quote without fault, but for what is changed."""
    honest = Quote(ACME, owner.id, UsdPerHour.of("0.3"), START, START, START + HOUR, Basis.ASK, "planted")
    return replace(honest, **changed)


class Planted:
    """A source without fault, but for what is planted: a change to each answer, to all of them, or an error."""

    def __init__(
        self,
        each: Callable[[Device], Answer] = quote,
        together: Callable[[list[Answer]], list[Answer]] = list,
        error: Exception | None = None,
    ) -> None:
        self.each = each
        self.together = together
        self.error = error

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        """As planted."""
        logging.getLogger("acme").debug("asking about %d devices", len(devices))
        if self.error:
            raise self.error
        return self.together([self.each(owner) for owner in devices])


class Shows(Planted):
    """The key is in its repr."""

    def __repr__(self) -> str:
        return f"<acme with {KEY}>"


class Logs(Planted):
    """The key is in its log."""

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:
        logging.getLogger("acme").debug("asking with %s", KEY)
        return super().quotes(devices)


def no_quote(owner: Device, reason: str = "planted", **changed: Any) -> NoQuote:
    """An absence without fault, but for what is changed."""
    return replace(NoQuote(ACME, owner.id, START, reason), **changed)


TWO_FEES = (Fee("pool", Share.of("0.6")), Fee("network", Share.of("0.6")))

SOURCES: Sequence[tuple[str, Mapping[str, Any]]] = [
    ("test_every_device_is_answered", {"source": Planted(together=lambda answers: answers[1:])}),
    ("test_every_device_is_answered", {"source": Planted(together=lambda answers: [*answers, quote(device(7))])}),
    ("test_every_device_is_answered", {"source": Planted(together=lambda answers: answers * 2)}),
    ("test_only_what_was_asked_is_answered", {"source": Planted(together=lambda _: [quote(owner) for owner in RIG])}),
    ("test_only_what_was_asked_is_answered", {"source": Planted(together=lambda answers: answers[-1:])}),
    ("test_the_venues_are_of_one_network", {"source": Planted(lambda owner: quote(owner, venue=venue(f"acme-{owner.index}")))}),
    ("test_the_venues_are_of_one_network", {"source": Planted(lambda owner: quote(owner, venue=IDLE))}),
    ("test_the_figures_make_sense", {"source": Planted(lambda owner: quote(owner, fees=TWO_FEES))}),
    ("test_the_figures_make_sense", {"source": Planted(lambda owner: quote(owner, job_length=timedelta(0)))}),
    ("test_the_figures_make_sense", {"source": Planted(lambda owner: quote(owner, source=""))}),
    ("test_the_figures_make_sense", {"source": Planted(lambda owner: no_quote(owner, ""))}),
    ("test_the_figures_make_sense", {"source": Planted(lambda owner: quote(owner, gross=UsdPerHour(-1)))}),
    ("test_the_times_are_utc", {"source": Planted(lambda owner: no_quote(owner, seen_at=NAIVE))}),
    ("test_the_times_are_utc", {"source": Planted(lambda owner: quote(owner, as_of=EAST))}),
    ("test_the_times_are_utc", {"source": Planted(lambda owner: quote(owner, seen_at=EAST))}),
    ("test_the_times_are_utc", {"source": Planted(lambda owner: quote(owner, expires=EAST + HOUR))}),
    ("test_the_times_are_utc", {"source": Planted(lambda owner: no_quote(owner, as_of=START + HOUR))}),
    ("test_no_secret_is_told", {"source": Shows()}),
    ("test_no_secret_is_told", {"source": Logs()}),
    ("test_no_secret_is_told", {"source": Planted(lambda owner: quote(owner, source=f"api?key={KEY}"))}),
    ("test_no_secret_is_told", {"broken": [Planted(error=Transient("acme", f"GET api?key={KEY} timed out"))]}),
    ("test_no_secret_is_told", {"refusing": [Planted(error=Refused("acme", f"{KEY} is no key"))]}),
    ("test_silence_is_transient", {"broken": [Planted()]}),
    ("test_silence_is_transient", {"broken": [Planted(error=Refused("acme", "429"))]}),
    ("test_silence_is_transient", {"broken": [Planted(error=ValueError("garbage"))]}),
    ("test_silence_is_transient", {"broken": [Planted(error=Transient("acme", "<html>\n<body>"))]}),
    ("test_a_refusal_is_refused", {"refusing": [Planted(error=Transient("acme", "401"))]}),
    ("test_a_refusal_is_refused", {"refusing": [Planted(each=no_quote)]}),
]
HONEST: Mapping[str, Any] = {
    "source": Planted(),
    "devices": RIG,
    "secrets": [KEY],
    "broken": [Planted(error=Transient("acme", "no answer"))],
    "refusing": [Planted(error=Refused("acme", "bad key"))],
}


def ask(check: str, caplog: pytest.LogCaptureFixture, planted: Mapping[str, Any]) -> None:
    """One check of a source, with the fixtures that it names."""
    method = getattr(RateSourceContract(), check)
    given = {**HONEST, **planted, "caplog": caplog}
    method(**{name: given[name] for name in signature(method).parameters})


@pytest.mark.parametrize(("check", "planted"), SOURCES)
def test_an_offence_against_the_source_suite_is_caught(
    check: str, planted: Mapping[str, RateSource], caplog: pytest.LogCaptureFixture
) -> None:
    """By the check that is there for it."""
    with pytest.raises(CAUGHT):
        ask(check, caplog, planted)


@pytest.mark.parametrize("check", sorted({check for check, _ in SOURCES}))
def test_the_source_suite_passes_an_honest_one(check: str, caplog: pytest.LogCaptureFixture) -> None:
    """The planted offences are what it fails on."""
    ask(check, caplog, {})


def test_every_check_of_the_source_suite_has_its_offence() -> None:
    """A check that was never seen to fail proves nothing."""
    assert {name for name in dir(RateSourceContract) if name.startswith("test_")} == {check for check, _ in SOURCES}

"""What a person should know beside the sum: how long the first job takes to come, what was really paid, what a market asks for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from autopilot.model.market import Working
from autopilot.units import span_text
from autopilot_adapters.nosana.codec import ANYBODY
from autopilot_adapters.nosana.hire import LONGEST_WAIT, MEAN_JOB
from autopilot_adapters.nosana.rates import Place, plain
from autopilot_adapters.nosana.survey import PAST, Survey


def beside(place: Place, survey: Survey) -> tuple[Working, ...]:
    """Lines that change nothing about the rate."""
    lines = [_wait(place, survey), _paid(place, survey), _asked(place, survey), _elsewhere(place, survey), _bonus(place)]
    silent = [Working(f"not heard: {note}") for note in survey.notes]
    return (*(Working(line) for line in lines if line), *silent)


def first_wait(place: Place, survey: Survey) -> timedelta:
    """How long a newcomer waits for its first job."""
    return survey.crowd(place.market, place.node).wait(survey.job_length(place.market) or MEAN_JOB)


def _wait(place: Place, survey: Survey) -> str:
    crowd = survey.crowd(place.market, place.node)
    if crowd.busy:
        return "our node works there already"
    if crowd.jobs:
        return "the first job comes at once"
    if not crowd.running:
        return f"nothing runs there, so the first job is not expected within {span_text(LONGEST_WAIT)}"
    job = survey.job_length(place.market) or MEAN_JOB
    after = _minutes(first_wait(place, survey))
    return f"the first job after about {after}: ({crowd.ahead} + 1) x {_minutes(job)} / {crowd.running} jobs that run"


def _paid(place: Place, survey: Survey) -> str:
    """What jobs that are over were paid, an hour of work and GPU: the published price, seen from its other end."""
    past = survey.past.get(place.market.address)
    if past is None or not past.seconds:
        return ""
    rate = past.usd * 3600 / past.seconds / place.market.gpus
    busy = past.seconds / Decimal(PAST.total_seconds())
    return f"{past.jobs} jobs of the last {PAST.days} days were paid {plain(round(rate, 6))} $/h; they kept {busy:.1f} nodes busy"


def _asked(place: Place, survey: Survey) -> str:
    account = place.account(survey)
    asked = []
    if account and account.node_xnos_minimum:
        asked.append(f"{plain(Decimal(account.node_xnos_minimum).scaleb(-6))} xNOS staked")
    if account and account.node_access_key != ANYBODY:
        asked.append(f"the access key {account.node_access_key}")
    return f"the market asks of a node: {', '.join(asked)}" if asked else ""


def _elsewhere(place: Place, survey: Survey) -> str:
    specs = survey.specs.get(place.node or "")
    if specs is None or specs.market in {None, place.market.address}:
        return ""
    return f"the node {place.node} is registered at another market, {specs.market}: whether it may change is Nosana's to say"


def _bonus(place: Place) -> str:
    pay = place.market.pay
    return f"for being there the market pays up to {plain(pay.bonus)} $ a day, which is not counted here" if pay and pay.bonus else ""


def _minutes(span: timedelta) -> str:
    return span_text(timedelta(minutes=round(span / timedelta(minutes=1))))

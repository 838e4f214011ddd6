"""Whatever happens to an answer of Vast: a sane quote, a reason, or one of our errors; and no figure moves without saying so."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from autopilot_vast.adapter import VastSettings, vast
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from autopilot.errors import Refused, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Reply
from autopilot.kit.tokens import Tokens
from autopilot.model.device import NetworkId
from autopilot.model.market import Answer, Quote
from autopilot.testing.views import START, device
from autopilot.units import Share, UsdPerHour
from conftest import KEY, Market, offer

GONE, TWICE, RENAMED = object(), object(), object()
SHAPES = [None, True, False, [], {}, [[]], {"price": 1}]
NUMBERS = [0, -1, 1, 2, 0.5, 64, 65, 1e308, -1e308, 1e-308, 10**40, 2**64 - 1, 1e-9]
TEXTS = ["", "NaN", "Infinity", "1e5", "2.5", " 1", "1_0", "\u0662", "RTX 4090", "verified", "unverified"]
values = st.sampled_from([*SHAPES, *NUMBERS, *TEXTS, GONE, TWICE, RENAMED])
Steps = tuple[str | int, ...]
MOST = UsdPerHour.of(1000)


def market() -> Market:
    """A market with two machines of one model, and one of another."""
    made = Market()
    made.offers = [offer(1, 8, 2.8), offer(1, 4, 1.4, 0.5), offer(2, 1, 0.5, rentable=False), offer(3, 1, 0.4), offer(4, gpu_name="L4")]
    made.current["gpus"].append({"gpu_name": "L4", "usage": 10, "usage_30d": None})
    made.history["gpus"]["L4"] = {"pricing": copy.deepcopy(made.pricing), "stats": {"dlperf": 97.5}}
    return made


def places(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """The way to every value of an answer."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        yield (*steps, step)
        yield from places(each, (*steps, step))


def change(root: Any, steps: Steps, value: Any) -> None:
    """One value changed, gone, there twice or under another name."""
    *way, last = steps
    for step in way:
        root = root[step]
    if value is GONE:
        del root[last]
    elif value is TWICE and isinstance(root, list):
        root.append(copy.deepcopy(root[last]))
    elif value in (TWICE, RENAMED) and isinstance(root, dict):
        root[f"{last}_new"] = root.pop(last)
    else:
        root[last] = {"new": root[last]} if value is RENAMED else copy.deepcopy(value)


class Said:
    """Stands where the kit's client stands, and hands out what a market says as it is: thousands of answers take seconds."""

    network = "vast"

    def __init__(self, asked: Market) -> None:
        self._asked = asked

    def as_(self, _: str) -> Said:
        """For everybody."""
        return self

    def keep_apart(self, host: str, span: timedelta) -> None:
        """Nobody is hurried."""

    def post(self, url: str, body: Any, **_: Any) -> Reply:
        """The search."""
        return Reply({"offers": self._asked.found(body)}, START, url, 200)

    def get(self, url: str, **_: Any) -> Reply:
        """The metrics."""
        return Reply(self._asked.current if "current" in url else self._asked.history, START, url, 200)


def answers(asked: Market, key: str) -> Answer | Transient | Refused:
    """What comes of it; any other error is a defect, and is not caught here."""
    http: Any = Said(asked)
    kit = Kit(NetworkId("vast"), asked.clock, (), Path(), http, Tokens(http, asked.clock))
    try:
        [answer] = vast(VastSettings(fee=Share.of("0.25"), key=SecretStr(key)), kit).quotes([device()])
    except (Transient, Refused) as error:
        return error
    return answer


def check(found: Answer | Transient | Refused, sound: Answer | Transient | Refused, changes: list[tuple[Steps, Any]]) -> None:
    """All that must be true of it."""
    assert isinstance(sound, Quote)
    if isinstance(found, Quote):
        words = {word for working in found.workings for text in working.inputs for word in re.split(r"[.:\[\]]", text)}
        named = any(str(step) in words for steps, _ in changes for step in steps[-2:])
        assert UsdPerHour(0) < found.gross <= MOST
        assert UsdPerHour(0) <= found.expected
        assert abs(found.expected - sound.expected).count <= 0.2 * sound.expected.count or named
    elif isinstance(found, Transient | Refused):
        assert str(found).startswith("vast: ")
        assert "\n" not in str(found)
    else:
        assert found.reason


SOUND = {key: answers(market(), key) for key in ("", KEY)}
OFFERS, CURRENT, HISTORY = (list(places(said)) for said in (market().offers, market().current, market().history))


@settings(max_examples=1200, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OFFERS), values), min_size=1, max_size=3))
def test_no_mutation_of_the_search_does_harm(changes: list[tuple[Steps, Any]]) -> None:
    """Of the offers: one to three at a time."""
    asked = market()
    for steps, value in changes:
        with suppress(LookupError, TypeError):  # an earlier change took it away
            change(asked.offers, steps, value)
    check(answers(asked, ""), SOUND[""], [(("offers", *steps), value) for steps, value in changes])


@settings(max_examples=1200, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*CURRENT, *HISTORY]), values), min_size=1, max_size=3))
def test_no_mutation_of_the_metrics_does_harm(changes: list[tuple[Steps, Any]]) -> None:
    """Of both answers: one to three at a time."""
    asked = market()
    for steps, value in changes:
        for said in (asked.current, asked.history):
            with suppress(LookupError, TypeError):
                change(said, steps, value)
    check(answers(asked, KEY), SOUND[KEY], changes)


@pytest.mark.parametrize("said", [None, [], {}, "", 7, [{"offers": []}], {"gpus": {}}, {"offers": {"id": 1}}], ids=repr)
def test_an_answer_of_another_shape_is_transient(said: Any) -> None:
    """The vendor's own document shows one object where a list is meant."""
    asked = market()
    asked.current = asked.history = said
    assert isinstance(answers(asked, KEY), Transient)
    asked.offers = said
    assert not isinstance(answers(asked, ""), Quote)

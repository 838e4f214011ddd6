"""What a network pays of what it quotes: a ratio that is believed only where it is sure, and never far from sense."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.model.experience import Realised
from autopilot.realised import HALF_LIFE, MOST, STRETCH, Stretch, factor, measured, said
from autopilot.testing.views import START

money = st.floats(0.01, 100.0)


def stretches(*pays: tuple[float, float]) -> list[Stretch]:
    """One after the other, each with what was quoted and what was paid."""
    return [Stretch(START + number * STRETCH, 6.0, quoted, paid) for number, (quoted, paid) in enumerate(pays)]


def known(*pays: tuple[float, float]) -> Realised:
    """What they teach at the end of the last."""
    told = measured(stretches(*pays), START + len(pays) * STRETCH)
    if told is None:
        pytest.fail("it teaches nothing")
    return told


@given(st.lists(money, min_size=4, max_size=60), st.floats(0.0, 3.0))
def test_a_steady_ratio_is_found(quoted: list[float], ratio: float) -> None:
    """Whatever the amounts; and the factor lies between it and one, within the bounds."""
    told = known(*((each, ratio * each) for each in quoted))

    assert told.ratio == pytest.approx(ratio, abs=1e-9)
    assert min(ratio, 1.0) - 1e-9 <= factor(told) <= min(max(ratio, 1.0), MOST) + 1e-9


@given(st.lists(st.tuples(money, money), min_size=4, max_size=40), st.floats(0.01, 1000.0))
def test_the_unit_of_money_does_not_matter(pays: list[tuple[float, float]], unit: float) -> None:
    """Only ratios count."""
    same = known(*((quoted * unit, paid * unit) for quoted, paid in pays))

    assert known(*pays) == pytest.approx(same)


@given(st.permutations(range(8)))
def test_the_order_of_telling_does_not_matter(order: list[int]) -> None:
    """To the last bit: a restart tells them in another."""
    told = stretches(*((1.0 + number / 3, 0.7 + number / 7) for number in range(8)))

    assert measured(told, START + 9 * STRETCH) == measured([told[number] for number in order], START + 9 * STRETCH)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_little_is_nothing(count: int) -> None:
    """Without an error there is no knowing whether a ratio differs from one; stretches without a quote say nothing either."""
    told = stretches(*[(1.0, 0.5)] * count, *[(0.0, 1.0)] * 5)

    assert measured(told, START + timedelta(days=3)) is None
    assert factor(None) == 1.0


def test_money_has_the_say() -> None:
    """Many tiny stretches that paid nothing do not outweigh what was earned."""
    told = known(*[(10.0, 10.0)] * 10, *[(0.001, 0.0)] * 30)

    assert told.ratio == pytest.approx(1.0, abs=0.001)
    assert factor(told) == 1.0


def test_what_wavers_is_not_believed() -> None:
    """A mean of 0.9 that comes of 0.2 and 1.6 differs from one by chance; that of 0.85 and 0.95 does not."""
    assert factor(known(*[(1.0, 0.2), (1.0, 1.6)] * 10)) == 1.0
    assert factor(known(*[(1.0, 0.85), (1.0, 0.95)] * 10)) == pytest.approx((24 + 120 * 0.9) / (24 + 120), abs=0.01)


def test_what_is_old_fades() -> None:
    """After a half-life the same ratio is backed by half the hours, and believed less."""
    told = stretches(*[(1.0, 0.5)] * 8)
    fresh, old = (measured(told, START + 8 * STRETCH + age) for age in (timedelta(0), HALF_LIFE))

    assert fresh is not None
    assert old is not None
    assert old.hours == pytest.approx(fresh.hours / 2)
    assert old.ratio == pytest.approx(fresh.ratio)
    assert factor(fresh) < factor(old) < 1.0


def test_it_is_said() -> None:
    """With its hours and its error; what is unknown is called unknown, and what is unsure counts as quoted."""
    assert said(Realised(0.83, 0.02, 312.0)) == "paid 0.83x of what was quoted over 312 h (+-0.02), counted as 0.84x"
    assert said(Realised(0.97, 0.02, 40.0)) == "paid 0.97x of what was quoted over 40 h (+-0.02), counted as quoted"
    assert said(None) == "what it pays of what it quotes is not known, counted as quoted"

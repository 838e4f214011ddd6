"""Which price of a token counts: what a wrong one may do, which is nothing, and how a true one gets through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COINGECKO, KRAKEN = "api.coingecko.com", "api.kraken.com"


def test_a_single_source_counts_until_it_jumps(world: Any) -> None:
    """NOS is on CoinGecko alone. What lies within a quarter of the last good price counts, unconfirmed."""
    tokens, seen = world.tokens(), []
    for usd in (0.30, 0.375, 0.2813):
        world.coingecko(NOS=usd)
        seen.append(tokens.usd("NOS"))
        world.later()

    assert [(Decimal(usd), False) for usd in ("0.3", "0.375", "0.2813")] == [(each.usd, each.confirmed) for each in seen]
    assert "coingecko 0.2813: no second source" == seen[-1].source


@pytest.mark.parametrize("wrong", [0.3751, 0.2249, 0.75, 30, 0.2, 0.0003])
def test_a_wrong_ticker_moves_nothing(world: Any, wrong: float) -> None:
    """One source that jumps is not believed: the last good price stays, with its age, and says why."""
    tokens = world.tokens()
    world.coingecko(NOS=0.30)
    tokens.usd("NOS")
    world.later()
    world.coingecko(NOS=wrong)
    price = tokens.usd("NOS")

    assert (Decimal("0.3"), NOON, False) == (price.usd, price.as_of, price.confirmed)
    assert f"last good of 12:00 UTC, 0.3 (coingecko {Decimal(str(wrong)):.6g} held back, said 1 of 3 times)" == price.source


def test_a_true_new_level_is_believed_the_third_time(world: Any) -> None:
    """Three looks, five minutes apart, that say the same: then it is so. Looking more often does not hasten it."""
    tokens, seen = world.tokens(), []
    world.coingecko(NOS=0.30)
    tokens.usd("NOS")
    world.coingecko(NOS=0.90)
    for _ in range(3):
        world.later()
        seen += [tokens.usd("NOS").usd for _ in range(5)]

    assert [Decimal("0.3")] * 10 + [Decimal("0.9")] * 5 == seen


def test_a_new_level_is_believed_at_once_when_two_say_it(world: Any) -> None:
    """A real jump that the network itself confirms costs no hour."""
    tokens = world.tokens()
    world.coingecko(NOS=0.30)
    tokens.usd("NOS", world.own("0.30"))
    world.later()
    world.coingecko(NOS=0.90)
    price = tokens.usd("NOS", world.own("0.91"))

    assert (Decimal("0.905"), True) == (price.usd, price.confirmed)


def test_one_old_answer_said_again_confirms_nothing(world: Any) -> None:
    """A source that repeats the same moment has looked once."""
    tokens = world.tokens()
    world.coingecko(NOS=0.30)
    tokens.usd("NOS")
    world.answers[COINGECKO] = {"nosana": {"usd": 0.9, "last_updated_at": int(NOON.timestamp()) + 60}}
    for _ in range(5):
        world.later()
        price = tokens.usd("NOS")

    assert Decimal("0.3") == price.usd


def test_of_two_that_disagree_the_lower_counts(world: Any) -> None:
    """Too low costs an hour, too high moves a GPU: the lower one, and marked."""
    world.coingecko(NOS=0.3151)
    price = world.tokens().usd("NOS", world.own("0.30"))

    assert (Decimal("0.30"), False, "oracle 0.30, coingecko 0.3151: they disagree, so the lowest") == (
        price.usd,
        price.confirmed,
        price.source,
    )


@pytest.mark.parametrize(("wrong", "times"), [("0.003", 2), ("30", 9)])
def test_a_source_that_jumps_does_not_drown_one_that_stays(world: Any, wrong: str, times: int) -> None:
    """With a last good price, the source near it is believed: for two looks where the other is lower, for ever where it is higher."""
    tokens = world.tokens()
    world.coingecko(NOS=0.30)
    tokens.usd("NOS", world.own("0.30"))
    world.coingecko(NOS=0.31)
    for _ in range(times):
        world.later()
        price = tokens.usd("NOS", world.own(wrong))

    assert (Decimal("0.31"), False) == (price.usd, price.confirmed)


def test_an_own_price_that_is_old_or_absurd_is_no_source(world: Any) -> None:
    """The paying network can be wrong like anybody else."""
    world.coingecko(NOS=0.30)
    tokens = world.tokens()

    assert not tokens.usd("NOS", world.own("0.30", timedelta(minutes=61))).confirmed
    assert not tokens.usd("NOS", world.own("NaN")).confirmed
    assert not tokens.usd("NOS", world.own("0")).confirmed


def test_a_token_of_a_stranger_lives_by_its_own_price(world: Any) -> None:
    """A network whose token no source lists still has what it says itself; without that the error names what is listed."""
    tokens = world.tokens()

    assert Decimal(2) == tokens.usd("XYZ", world.own("2")).usd
    assert "no source knows it, only AKT, NOS, RENDER, TAO, USDC, SOL" in world.why_not(world.tokens(), "ABC")
    assert [] == world.asked


# --- memory


def test_the_last_good_price_stands_in_for_three_hours(world: Any) -> None:
    """An outage is bridged, with the age to be seen; then there is no price, and the error says what each source said."""
    tokens = world.tokens()
    world.coingecko(AKT=0.54)
    tokens.usd("AKT")
    world.answers = {COINGECKO: 404, KRAKEN: {"error": ["EGeneral:Too many requests"]}}
    world.clock.move_to(NOON + timedelta(hours=3))
    price = tokens.usd("AKT")
    world.later(timedelta(seconds=1))
    error = world.why_not(tokens, "AKT")

    assert (Decimal("0.54"), NOON, False) == (price.usd, price.as_of, price.confirmed)
    assert "last good of 12:00 UTC, 0.54 (nobody says anything of use)" == price.source
    assert all(word in error for word in ("coingecko: https://api.coingecko.com", "404", "kraken: answers ['EGeneral:Too many requests']"))


def test_a_day_later_a_single_source_is_believed_again(world: Any) -> None:
    """What was good a day ago holds nothing back: a filter that never lets go is a defect."""
    tokens = world.tokens()
    world.coingecko(NOS=0.30)
    tokens.usd("NOS")
    world.later(timedelta(days=1, seconds=1))
    world.coingecko(NOS=0.90)

    assert Decimal("0.9") == tokens.usd("NOS").usd


def test_a_restart_forgets_nothing(world: Any, tmp_path: Path) -> None:
    """The last good price outlives the process: a wrong ticker right after a start moves nothing either."""
    world.coingecko(NOS=0.30)
    world.tokens(folder=tmp_path).usd("NOS")
    world.later()
    world.coingecko(NOS=3.0)
    price = world.tokens(folder=tmp_path).usd("NOS")

    assert (Decimal("0.3"), NOON) == (price.usd, price.as_of)
    assert [tmp_path / "token_prices.json"] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "null",
        "[" * 5000,
        '{"NOS": 1}',
        '{"NOS": {"usd": "x", "as_of": "2026-11-22T12:00:00+00:00", "source": ""}}',
        '{"NOS": {"usd": 1.5, "as_of": "noon", "source": ""}}',
        '{"NOS": {"usd": "1", "as_of": "2026-11-22T12:00:00", "source": ""}}',
        '{"NOS": {"usd": "-1", "as_of": "2026-11-22T12:00:00+00:00", "source": ""}}',
        '{"NOS": {"usd": "sNaN", "as_of": "2026-11-22T12:00:00+00:00", "source": ""}}',
        '{"NOS": {"usd": null, "as_of": "2026-11-22T12:00:00+00:00", "source": ""}}',
    ],
)
def test_a_spoilt_memory_is_no_memory(world: Any, tmp_path: Path, text: str) -> None:
    """Whatever stands in the file, the prices of today count."""
    (tmp_path / "token_prices.json").write_text(text)
    world.coingecko(NOS=0.30)

    assert Decimal("0.3") == world.tokens(folder=tmp_path).usd("NOS").usd


def test_a_folder_that_cannot_be_written_stops_nothing(world: Any, tmp_path: Path) -> None:
    """Prices are not worth an outage: it goes on without a memory."""
    world.coingecko(NOS=0.30)

    assert Decimal("0.3") == world.tokens(folder=tmp_path / "missing").usd("NOS").usd

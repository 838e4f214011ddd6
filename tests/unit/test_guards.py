"""Each guard may hold a move back, with its reason; none makes one, and none speaks where it has nothing to say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from autopilot.contracts import Scope
from autopilot.errors import ConfigError
from autopilot.guards import (
    BusyLease,
    Case,
    Cooldown,
    DailyBudget,
    DailyLoss,
    Dwell,
    Heat,
    Identity,
    OwnerPresent,
    PayBack,
    RigScope,
    StaleQuote,
    Uptime,
    chosen,
)
from autopilot.model.device import IDLE, Venue
from autopilot.model.experience import Experience, Realised
from autopilot.model.plan import EntryCost, Move, PlanId
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.switch import Limits, State, Switch, SwitchId
from autopilot.model.view import View
from autopilot.settings import GuardSettings, load
from autopilot.testing.views import device, venue, view
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

AKASH, NOSANA = venue("akash"), venue("nosana")
SEEN = view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash")
MOVE = Move(device().id, AKASH, NOSANA)
TO_IDLE = Move(device().id, AKASH, IDLE)


def case(move: Move = MOVE, seen: View = SEEN, past: Sequence[Switch] = (), moves: Sequence[Move] = ()) -> Case:
    """A move as the guards see it."""
    return Case(move, moves or (move,), seen, device(), past)


def ended(state: State, target: Venue, ago: timedelta) -> Switch:
    """A switch of the past, over so long ago."""
    at = SEEN.now - ago
    return Switch(SwitchId(f"{target}-{ago}"), PlanId("plan"), device().id, AKASH, target, state, at, at)


def test_nobody_is_sent_where_no_rate_is_known() -> None:
    """Neither to a venue that said no, nor to one that said nothing. Idle needs no rate."""
    nothing = view({"akash": ["0.40"], "nosana": [None], "render": []}, "akash")

    assert StaleQuote().veto(case()) is None
    assert "no rate of nosana is known now" == StaleQuote().veto(case(seen=nothing))
    assert "no rate of render is known now" == StaleQuote().veto(case(Move(device().id, AKASH, venue("render")), nothing))
    assert StaleQuote().veto(case(TO_IDLE, nothing)) is None


def test_a_device_stays_for_a_while() -> None:
    """It is held until the time is over, and not a moment longer; idle is left at any time."""
    dwell = Dwell(2 * HOUR)
    young = view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash", stayed=HOUR)

    assert "it came 1h ago, and stays for 2h at least" == dwell.veto(case(seen=young))
    assert dwell.veto(case(seen=view({"akash": ["0.40"]}, "akash", stayed=2 * HOUR))) is None
    assert dwell.veto(case(Move(device().id, IDLE, NOSANA), view({"nosana": ["0.50"]}, stayed=HOUR))) is None


def test_a_venue_may_ask_for_a_longer_stay() -> None:
    """Leaving earlier costs reputation there, or a fee's worth."""
    asked = view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash", stayed=3 * HOUR, entry=EntryCost(least_stay=6 * HOUR))

    assert "it came 3h ago, and stays for 6h at least" == Dwell(2 * HOUR).veto(case(seen=asked))


def test_a_venue_that_a_switch_turned_back_from_is_left_alone() -> None:
    """For a while; a venue where switches settled is not, nor is any other."""
    cooldown = Cooldown(2 * HOUR)
    past = [ended(State.REVERTED, NOSANA, 3 * HOUR), ended(State.REVERTED, NOSANA, HOUR), ended(State.SETTLED, AKASH, HOUR / 2)]

    assert "a switch to nosana turned back 1h ago, it is left alone for 2h" == cooldown.veto(case(past=past))
    assert cooldown.veto(case(past=[past[0]])) is None
    assert cooldown.veto(case(past=[ended(State.REVERTED, AKASH, HOUR)])) is None
    assert cooldown.veto(case(past=[ended(State.SETTLED, NOSANA, HOUR)])) is None


def test_a_device_has_a_budget_of_switches() -> None:
    """In any 24 hours; going idle is free, is not counted, and is always allowed."""
    budget = DailyBudget(2)
    one, idle, old = ended(State.SETTLED, NOSANA, HOUR), ended(State.SETTLED, IDLE, HOUR), ended(State.SETTLED, NOSANA, 24 * HOUR)

    assert budget.veto(case(past=[old, one, idle])) is None
    assert "2 switches in 24 h, 2 are allowed" == budget.veto(case(past=[one, one]))
    assert budget.veto(case(TO_IDLE, past=[one, one])) is None
    assert "0 switches in 24 h, 0 are allowed" == DailyBudget(0).veto(case())


def test_a_move_must_earn_its_cost_back() -> None:
    """Within the limit, by the quotes of now: 0.50 for half an hour of boot over a lead of 0.10 are two hours and a half."""
    slow = view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash", entry=EntryCost(boot=HOUR / 2))

    assert PayBack(5 * HOUR / 2).veto(case(seen=slow)) is None
    assert "it pays back in 2:30:00, 2:00:00 is the limit" == PayBack(2 * HOUR).veto(case(seen=slow))
    assert PayBack(timedelta(0)).veto(case(TO_IDLE, slow)) is None


def test_what_is_believed_pays_back_and_not_what_is_posted() -> None:
    """Nosana posts more than Akash, and pays four fifths of it; with what it was seen to pay there is no lead."""
    seen = view({"akash": ["0.40"], "nosana": ["0.45"]}, "akash")
    poorer = replace(seen, experience=Experience(realised={(NOSANA, device().model): Realised(0.8, 0.01, 500.0)}))

    assert PayBack(HOUR).veto(case(seen=seen)) is None
    assert "nosana has no lead over akash now" == PayBack(HOUR).veto(case(seen=poorer))


def test_without_a_lead_nothing_is_paid_back() -> None:
    """At equal rates, at worse ones, and where the power of serving takes the lead away."""
    equal = view({"akash": ["0.50"], "nosana": ["0.50"]}, "akash")
    costly = view({"nosana": ["0.05"]}, draw=Draw(lit=Watts.of(500)), power=PowerPrice(UsdPerKwh.of("0.20")))

    assert "nosana has no lead over akash now" == PayBack(HOUR).veto(case(seen=equal))
    assert "nosana has no lead over idle now" == PayBack(HOUR).veto(case(Move(device().id, IDLE, NOSANA), costly))


def test_a_hopeless_lead_is_a_veto_and_no_crash() -> None:
    """A fee over the smallest lead there is would take longer than a calendar holds."""
    dear = view({"akash": ["0.400000000"], "nosana": ["0.400000001"]}, "akash", entry=EntryCost(fee=Usd.of(100)))

    assert "is the limit" in (PayBack(HOUR).veto(case(seen=dear)) or "")


@pytest.mark.parametrize("network", ["akash", "nosana"])
def test_a_network_that_takes_whole_rigs(network: str) -> None:
    """It is entered and left by all devices together: what would split the rig is held back."""
    seen = view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash", devices=2)
    both = (MOVE, Move(device(1).id, AKASH, NOSANA))
    guard = RigScope({venue(network).network: Scope.RIG})

    assert guard.veto(case(MOVE, seen, moves=both)) is None
    assert f"{network} takes the whole rig, and not all devices move with it" == guard.veto(case(MOVE, seen, moves=(MOVE,)))
    assert RigScope({venue(network).network: Scope.DEVICE}).veto(case(MOVE, seen, moves=(MOVE,))) is None


def test_a_rig_that_leaves_for_several_places() -> None:
    """Is not split, as far as the network that they leave is concerned."""
    seen = view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash", devices=2)
    apart = (MOVE, Move(device(1).id, AKASH, IDLE))

    assert RigScope({AKASH.network: Scope.RIG}).veto(case(MOVE, seen, moves=apart)) is None
    assert RigScope({NOSANA.network: Scope.RIG}).veto(case(MOVE, seen, moves=apart)) is not None


def test_a_configuration_chooses_its_guards() -> None:
    """Pay-back and daily loss only where they were asked for; registrations are kept unless they may be lost; the others always."""
    settings = GuardSettings(dwell="1h", cooldown="3h", changes_per_day=4)  # type: ignore[arg-type]
    limits = Limits(drain=2 * HOUR)
    rules = (StaleQuote(), Dwell(HOUR), Cooldown(3 * HOUR), DailyBudget(4))
    usual = (*rules, OwnerPresent(), Heat(90), BusyLease(2 * HOUR), Uptime(HOUR))
    asked = {"pay_back": 24 * HOUR, "daily_loss": Usd(5), "lose_registrations": True}

    assert (*usual, Identity()) == chosen(settings, limits)
    assert (*usual, PayBack(24 * HOUR), DailyLoss(Usd(5))) == chosen(settings.model_copy(update=asked), limits)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ({"heat": 85}, "guards.heat: 85 is no temperature: write it like '85 °C'"),
        ({"heat": "185 F"}, "guards.heat: '185 F' is no temperature: write it like '85 °C'"),
        ({"daily_loss": "5"}, "guards.daily_loss: '5' needs its unit: write it like '0.12 $'"),
        ({"daily_loss": "-5 $"}, "guards: daily_loss is what may be lost, and must be more than nothing"),
    ],
)
def test_a_setting_without_sense_is_one_line(tmp_path: Path, written: dict[str, object], line: str) -> None:
    """Which key, what is wrong, and how to write it."""
    path = tmp_path / "autopilot.toml"
    path.write_text("[guards]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in written.items()))

    with pytest.raises(ConfigError) as raised:
        load(path)
    assert f"{path}: {line}" == str(raised.value)


def test_a_temperature_is_written_with_its_unit() -> None:
    """With or without the sign of the degree."""
    assert [85, 85] == [GuardSettings(heat=text).heat for text in ("85 °C", "85C")]  # type: ignore[arg-type]

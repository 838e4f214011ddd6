"""What holds for the rules of the mining switchers on any rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from autopilot.contracts import Strategy
from autopilot.model.device import IDLE
from autopilot.model.history import Record
from autopilot.model.market import Quote
from autopilot.model.plan import Hold
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.testing.views import MODEL, START, answer, device, view
from autopilot.units import HOUR, UsdPerKwh, Watts
from autopilot_strategies import rules

Rates = Mapping[str, Sequence[float | None]]

RULES = st.sampled_from(
    [
        rules.rainbow(),
        rules.rainbow_ticks(),
        rules.nemos(),
        rules.nemos_ticks(),
        rules.nicehash(),
        rules.nicehash_ticks(),
        rules.mindminer(),
        rules.mindminer_ticks(),
    ]
)
RATE = st.none() | st.sampled_from([0.0, 1e-9, 1.0, 1.02, 1.05, 1.1]) | st.floats(0, 1e6)
HERE = st.sampled_from(["a", "b", "gone", IDLE.network])
STAYED = st.sampled_from([timedelta(0), timedelta(minutes=5), HOUR, 12 * HOUR, 5000 * HOUR])
DRAW = Draw(Watts.of(400), Watts.of(50))
DEAR = PowerPrice(UsdPerKwh.of(2))


def rates(least: int = 0, most: int = 12) -> st.SearchStrategy[dict[str, list[float | None]]]:
    """Hours of rates at three networks; the lengths differ, so histories begin at different hours."""
    return st.fixed_dictionaries({name: st.lists(RATE, min_size=least, max_size=most) for name in "abc"})


def views() -> st.SearchStrategy[View]:
    """Rigs of up to three GPUs, together at one venue, with and without a power bill, and now and then one that is fixed."""
    return st.builds(
        lambda rates, here, count, stayed, power, fixed: replace(
            view(rates, here, devices=count, stayed=stayed, draw=DRAW, power=power), fixed=frozenset(device(n).id for n in fixed)
        ),
        rates(),
        HERE,
        st.integers(1, 3),
        STAYED,
        st.sampled_from([PowerPrice(), DEAR]),
        st.frozensets(st.integers(0, 2), max_size=2),
    )


@given(RULES, views())
def test_a_decision_is_legal(rule: Strategy, seen: View) -> None:
    """Only free devices move, from where they are to a venue that offers something; each free device gets its sentence."""
    decision = rule.decide(seen)
    free = {each.id for each in seen.free()}

    assert free == set(decision.notes)
    assert len(decision.moves) == len({move.device for move in decision.moves})
    for move in decision.moves:
        assert move.device in free
        assert move.source == seen.placements[move.device].venue
        assert isinstance(seen.quotes.get((move.target, move.device)), Quote)


@given(RULES, views())
def test_the_same_view_gives_the_same_decision(rule: Strategy, seen: View) -> None:
    """Also for an equal rule that was made anew."""
    assert rule.decide(seen) == rule.decide(seen) == type(rule)().decide(seen)


@given(RULES, views(), st.data())
def test_the_order_of_devices_and_quotes_means_nothing(rule: Strategy, seen: View, data: st.DataObject) -> None:
    """Each device gets the same move and the same sentence."""
    devices = tuple(data.draw(st.permutations(seen.devices)))
    quotes = dict(data.draw(st.permutations(list(seen.quotes.items()))))
    one, other = rule.decide(seen), rule.decide(replace(seen, devices=devices, quotes=quotes))

    assert set(one.moves) == set(other.moves)
    assert one.notes == other.notes


@given(RULES, views())
def test_without_quotes_nothing_moves(rule: Strategy, seen: View) -> None:
    """Whatever the history says."""
    assert isinstance(rule.decide(replace(seen, quotes={})), Hold)


@given(RULES, views())
def test_a_device_goes_nowhere_where_there_is_doubt(rule: Strategy, seen: View) -> None:
    """A venue that did not answer is never left."""
    moved = {move.device for move in rule.decide(seen).moves}

    assert not moved & {each.id for each in seen.devices if not seen.answered(seen.venue(each), each)}


def learn(record: Record, columns: Rates, hour: int) -> None:
    """Add what every network said at the end of this hour."""
    for name, column in columns.items():
        as_of = START + HOUR * (hour + 1)
        record.learn(answer(name, device(), column[hour], as_of, as_of), MODEL)


def until(columns: Rates, hour: int) -> Rates:
    """The rates up to the end of this hour."""
    return {name: column[: hour + 1] for name, column in columns.items()}


EQUAL_LENGTHS = st.integers(1, 12).flatmap(lambda count: rates(count, count))


@given(RULES, EQUAL_LENGTHS, HERE, STAYED)
def test_a_record_that_grew_gives_what_a_fresh_one_gives(rule: Strategy, columns: Rates, here: str, stayed: timedelta) -> None:
    """Hour by hour, with the averages carried on and with all of them computed anew."""
    record = Record()
    for hour in range(len(columns["a"])):
        learn(record, columns, hour)
        fresh = view(until(columns, hour), here, stayed=stayed)

        assert rule.decide(fresh) == rule.decide(replace(fresh, history=record.until_now()))


@given(RULES, EQUAL_LENGTHS, rates(12, 12), HERE, STAYED)
def test_the_future_changes_nothing(rule: Strategy, columns: Rates, future: Rates, here: str, stayed: timedelta) -> None:
    """A decision is the same before and after the record has learned, and used, what came later."""
    record = Record()
    hours = len(columns["a"])
    for hour in range(hours):
        learn(record, columns, hour)
    seen = replace(view(columns, here, stayed=stayed), history=record.until_now())
    before = rule.decide(seen)
    for hour in range(hours, 12):
        learn(record, future, hour)
    rule.decide(replace(view(future, here, stayed=stayed), history=record.until_now()))

    assert before == rule.decide(seen)


@given(RULES, st.sampled_from("abc"), st.floats(1.2, 1e3), STAYED)
def test_no_rule_leaves_for_less(rule: Strategy, here: str, rate: float, stayed: timedelta) -> None:
    """Where rates are steady and cover the power bill, there is one best, and it is the only place to go."""
    seen = view({"a": [rate] * 3, "b": [1.5 * rate] * 3, "c": [0.9 * rate] * 3}, here, stayed=stayed, draw=DRAW, power=DEAR)
    moves = rule.decide(seen).moves

    assert {"b"} >= {str(move.target) for move in moves}
    assert not (here == "b" and moves)
